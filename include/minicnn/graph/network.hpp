#pragma once
/// A network: a graph that owns its parameters, their gradients and buffers. A `session` (graph/session.hpp) runs it.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/execution.hpp"

namespace minicnn::inline MINICNN_ABI {

template <class T>
class session;
template <class T>
class network_ref;

/// Options of a network.
struct network_options {
  std::uint64_t seed = 0;  ///< of the initial parameter values and of dropout
  int threads = 0;         ///< of sessions, optimizers and all else that does not say otherwise; 0: all
  /// Whether sessions multiply matrices of bfloat16-rounded numbers where that is faster (float only; Winograd convolutions
  /// and products of few rows stay in float). Weights, sums and everything else are float.
  bool bf16 = false;
  bool winograd = true;  ///< whether convolutions may be computed by Winograd (faster; errs by about 2e-6 in float)

  /// Most trainable values that the network may have, where a file says what it consists of: more is a shape_error, before memory
  /// is asked for. 0: any number.
  index_t parameter_limit = 0;

  /// False: parameters are 0 until weights are loaded, which saves seconds for large networks.
  bool initialize = true;
};

template <class T = float>
class network {
 public:
  /// Takes the graph's nodes. `outputs`: the first is what `predict` returns; others (auxiliary heads) exist in training.
  MINICNN_COLD network(graph<T>&& g, const std::vector<node<T>>& outputs, network_options o = {})
      : core_(std::make_shared<detail::network_core<T>>()) {
    if (outputs.empty()) fail<option_error>("network: no output");
    network_topology<T>& made = core_->topology;
    for (const node<T>& x : outputs) {
      if (x.owner != &g) fail<option_error>("network: an output belongs to another graph");
      if (g.at(x.id).operation == nullptr) fail<option_error>("network: an output is the input itself; put a layer between");
      if (g.at(x.id).bytes) fail<option_error>("network: output ", x.name(), " is 8-bit numbers; put dequantize behind it");
      made.outputs.push_back(x.id);
    }
    made.nodes = g.release();
    core_->loss_weights.assign(made.outputs.size(), 0.0);
    core_->loss_weights[0] = 1.0;
    core_->frozen.assign(made.nodes.size(), 0);
    std::vector<std::string> names;
    std::vector<op_plan> planned;
    int inputs = 0;
    for (const graph_node<T>& n : made.nodes) {
      names.push_back(n.name);
      std::vector<shape> shapes;
      for (const int j : n.inputs) shapes.push_back(made.nodes[static_cast<std::size_t>(j)].dims);
      planned.push_back(n.operation ? n.operation->plan({shapes, true, {}}) : op_plan{});
      if (!n.operation) made.input = static_cast<int>(names.size()) - 1, inputs += 1;
    }
    if (inputs != 1) fail<option_error>("network: wanted one input, the graph has ", inputs);
    if (o.parameter_limit > 0) check_parameters(planned, o.parameter_limit);
    core_->state.build(names, planned);
    core_->ctx.threads = resolve_threads(o.threads);
    core_->ctx.bf16 = o.bf16;
    core_->ctx.winograd = o.winograd;
    core_->seed = o.seed;
    if (o.initialize)
      core_->state.initialize(o.seed);
    else
      core_->state.initialize_buffers();
  }

  network(network&& other) noexcept : core_(std::move(other.core_)), owner_(other.owner_) {}
  network& operator=(network&& other) noexcept {
    network taken(std::move(other));
    std::swap(core_, taken.core_);
    std::swap(owner_, taken.owner_);
    return *this;
  }
  network(const network&) = delete;
  network& operator=(const network&) = delete;
  ~network() {
    if (owner_ && core_) core_->owned = false;
  }

  // ---- what it is made of

  const std::vector<graph_node<T>>& nodes() const { return core().topology.nodes; }
  const network_topology<T>& topology() const { return core().topology; }
  /// Shape of the input for a batch of one.
  const shape& input_dims() const { return nodes()[static_cast<std::size_t>(topology().input)].dims; }
  const shape& output_dims(int output = 0) const { return nodes()[static_cast<std::size_t>(output_id(output))].dims; }
  int output_count() const { return static_cast<int>(topology().outputs.size()); }

  const std::vector<parameter_info>& parameters() const { return core().state.parameters; }
  const std::vector<buffer_info>& buffers() const { return core().state.buffers; }
  /// Number of trainable values, gaps of the arena not counted.
  index_t parameter_count() const {
    index_t count = 0;
    for (const parameter_info& p : parameters()) count += p.dims.size();
    return count;
  }

  /// Values by name. Sessions with packed weights notice that something was given out to be written. Throws option_error for an
  /// unknown name.
  view<T> parameter(std::string_view name) { return edited().value(find_parameter(name)); }
  view<const T> parameter(std::string_view name) const { return core().state.value(find_parameter(name)); }
  view<T> parameter_gradient(std::string_view name) { return core().state.gradient(find_parameter(name)); }
  view<T> buffer(std::string_view name) { return edited().value(find_buffer(name)); }
  view<const T> buffer(std::string_view name) const { return core().state.value(find_buffer(name)); }

  /// All parameters, gradients and buffers flat; `parameter_info::offset` says where each lies. Gaps are zero.
  view<T> parameter_arena() { return flat(edited().values); }
  view<const T> parameter_arena() const { return flat(core().state.values); }
  /// Allocated by the first call: training or an optimizer.
  view<T> gradient_arena() {
    core().state.need_gradients();
    return flat(core().state.gradients);
  }
  view<T> buffer_arena() { return flat(edited().buffer_values); }
  view<const T> buffer_arena() const { return flat(core().state.buffer_values); }

  // ---- settings

  /// How sessions that are made from now on run, unless their options say otherwise, and how optimizers do.
  const context& ctx() const { return core().ctx; }
  int threads() const { return ctx().threads; }
  void threads(int count) { core().ctx.threads = resolve_threads(count); }
  void instruction_set(isa i) { core().ctx.instruction_set = i; }
  void bf16(bool wanted) { core().ctx.bf16 = wanted; }
  void winograd(bool allowed) { core().ctx.winograd = allowed; }

  std::uint64_t seed() const { return core().seed; }
  /// Draws all parameters anew and resets buffers and the counters of steps and epochs. Nothing else ever does.
  void initialize(std::uint64_t seed) {
    core().seed = seed, core().step = 0, core().epochs = 0;
    edited().initialize(seed);
  }
  /// Batches trained so far, counted by the sessions that train: dropout's streams depend on it, so a resumed run sets it.
  std::uint64_t step() const { return core().step; }
  void step(std::uint64_t value) { core().step = value; }
  /// Epochs trained so far, by which `fit` chooses order and augmentation of the data: a second one goes on where the first
  /// ended.
  index_t epochs() const { return core().epochs; }
  void epochs(index_t count) { core().epochs = count; }

  /// What the loss of each output counts with in training: 1 for the first and 0 for the others unless set. `fit` reads these.
  const std::vector<double>& loss_weights() const { return core().loss_weights; }
  void loss_weights(std::vector<double> weights) {
    if (weights.size() != topology().outputs.size())
      fail<option_error>("network: ", weights.size(), " loss weights for ", topology().outputs.size(), " outputs");
    core().loss_weights = std::move(weights);
  }

  /// Fixes the parameters of the node called `name`, or of all nodes in the scope called so ("" is all; see `selects`), and puts
  /// them in evaluation mode (batch norm uses its running statistics, dropout is off). Backward stops where nothing trainable
  /// lies further back. The name of a parameter, "conv1.weight", fixes that one alone. Throws option_error if nothing is called
  /// so.
  void freeze(std::string_view name) { set_frozen(name, true); }
  void unfreeze(std::string_view name) { set_frozen(name, false); }

  // ---- use

  /// The first output in evaluation mode, for any batch size, on one thread. Convenient, but it allocates on every call: for
  /// many, make a session.
  tensor<T> predict(const view<const T>& input) const {
    execution_request r;
    r.input = input.dims(), r.ctx = ctx(), r.outputs = {output_id(0)};
    r.ctx.threads = 1;  // callers may be many threads already
    execution<T> run(core_, nullptr, std::move(r));
    run.forward(input, random_key());
    return tensor<T>(view<const T>(run.value(output_id(0))));
  }
  tensor<T> predict(const tensor<T>& input) const { return predict(static_cast<view<const T>>(input)); }

  /// Plans of all operations for this input in training mode (summary, estimates).
  MINICNN_COLD std::vector<op_plan> plans(const shape& input) const {
    execution_request r;
    r.input = input, r.training = true, r.ctx = ctx(), r.outputs = topology().outputs, r.frozen = core().frozen;
    return execution_plan<T>(topology(), core().state, std::move(r)).plans;
  }

 private:
  friend class session<T>;
  friend class network_ref<T>;

  /// Another handle of the same network, which does not own it.
  explicit network(std::shared_ptr<detail::network_core<T>> core) : core_(std::move(core)), owner_(false) {}

  MINICNN_COLD static void check_parameters(const std::vector<op_plan>& plans, index_t limit) {
    index_t count = 0;
    for (const op_plan& p : plans)
      for (const parameter_spec& one : p.parameters) count += one.dims.size();
    if (count > limit) fail<shape_error>("network: would have ", count, " parameters, wanted at most ", limit);
  }

  detail::network_core<T>& core() {
    if (core_ == nullptr) fail_moved();
    return *core_;
  }
  const detail::network_core<T>& core() const {
    if (core_ == nullptr) fail_moved();
    return *core_;
  }
  [[noreturn]] MINICNN_COLD static void fail_moved() { fail("network: used after it was moved from"); }

  network_state<T>& edited() {
    core().count_edit();
    return core_->state;
  }

  static view<T> flat(aligned_buffer<T>& arena) { return {arena.data(), {arena.size()}}; }
  static view<const T> flat(const aligned_buffer<T>& arena) { return {arena.data(), {arena.size()}}; }

  int output_id(int i) const { return topology().outputs[static_cast<std::size_t>(i)]; }

  MINICNN_COLD const parameter_info& find_parameter(std::string_view name) const {
    for (const parameter_info& p : parameters())
      if (p.name == name) return p;
    fail<option_error>("network: no parameter is called ", name);
  }
  MINICNN_COLD const buffer_info& find_buffer(std::string_view name) const {
    for (const buffer_info& b : buffers())
      if (b.name == name) return b;
    fail<option_error>("network: no buffer is called ", name);
  }

  MINICNN_COLD void set_frozen(std::string_view name, bool frozen) {
    bool found = false;
    for (std::size_t i = 0; i < nodes().size(); ++i)
      if (selects(name, nodes()[i].name)) core().frozen[i] = frozen, found = true;
    for (parameter_info& p : core().state.parameters) {
      if (p.name == name || (!frozen && selects(name, p.name))) p.fixed = frozen, found = true;
      p.trainable = !p.fixed && !core().frozen[static_cast<std::size_t>(p.node)];
    }
    if (!found) fail<option_error>("network: no node, scope or parameter is called ", name);
    core().freezes += 1;
  }

  std::shared_ptr<detail::network_core<T>> core_;
  bool owner_ = true;
};

/// Refers to a network that others own: follows it when it moves, and throws error when used after it was destroyed or replaced
/// by another.
template <class T>
class network_ref {
 public:
  explicit network_ref(network<T>& net) : handle_((net.core(), net.core_)) {}

  bool valid() const { return handle_.core_->owned; }
  network<T>& operator*() const {
    if (!valid()) fail_gone();
    return handle_;
  }
  network<T>* operator->() const { return &**this; }

 private:
  [[noreturn]] MINICNN_COLD static void fail_gone() {
    fail("the network that this was made for is gone or has been replaced; make a new one");
  }
  mutable network<T> handle_;
};

MINICNN_COMPILED_CLASS(network);

}  // namespace minicnn::inline MINICNN_ABI
