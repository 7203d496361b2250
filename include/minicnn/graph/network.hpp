#pragma once
/// A network: a graph that owns its parameters, gradients and buffers, and runs.
///
///     auto net = alexnet<float>({.classes = 2});
///     auto logits = net.forward(batch.images);          // training mode
///     double l = loss(net, batch.labels);               // writes net.output_gradient()
///     net.backward();
///     optimizer.step();

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/execution.hpp"

namespace minicnn::inline MINICNN_ABI {

template <class T>
class network;

namespace detail {

/// Counts edits of a network. Several threads may do so at once: each of an optimizer's asks for the parameters.
class edit_counter {
 public:
  edit_counter() = default;
  edit_counter(edit_counter&& other) noexcept : count_(other.value()) {}
  edit_counter& operator=(edit_counter&& other) noexcept {
    count_.store(other.value() + value() + 1, std::memory_order_relaxed);  // never a number that either had before
    return *this;
  }
  void count() { count_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t value() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace detail

/// The caller's memory for `predict`: one per thread that predicts. Reused from call to call; planned again only when the
/// network or the image size changes or the batch grows (with `fixed_weights` also when weights may have changed).
template <class T = float>
class workspace {
 public:
  /// `threads` as in `resolve_threads`; `keep` names nodes whose values are wanted besides the first output.
  explicit workspace(int threads = 1, std::vector<std::string> keep = {}) : keep_(std::move(keep)) {
    ctx_.threads = resolve_threads(threads);
  }

  /// Value of a node listed in `keep` (or the output) after the latest predict; valid until the next one.
  view<const T> value(std::string_view name) const {
    const int id = run_ ? run_->topology()->find(name) : -1;
    if (id < 0 || std::find(run_->planned().wanted.begin(), run_->planned().wanted.end(), id) == run_->planned().wanted.end())
      fail<option_error>("workspace: node ", name, " was not kept; name it when making the workspace");
    return run_->value(id);
  }

  /// Bytes of activations, scratch and weights packed for `fixed_weights`, 0 before the first predict.
  index_t memory_bytes() const { return run_ ? run_->memory_bytes() : 0; }

  /// Lowers or restores the instruction set (tests, comparisons).
  void instruction_set(isa i) { ctx_.instruction_set = i, run_.reset(); }
  /// Whether matrices are multiplied as bfloat16 (default: no); see network_options.
  void bf16(bool wanted) { ctx_.bf16 = wanted, run_.reset(); }
  /// Whether convolutions may be computed by Winograd (default: yes).
  void winograd(bool allowed) { ctx_.winograd = allowed, run_.reset(); }
  /// Promises that parameters will not change (default: no), so that the next predict packs them once for all that follow, in
  /// memory of the workspace: single images are predicted a third faster. A training step, `load_weights` and whatever else asks
  /// the network for a parameter to write are noticed; after writing through a view kept from before, call this again. The first
  /// batch, or a larger one, decides which convolutions go by Winograd, for smaller ones too.
  void fixed_weights(bool promised) { fixed_weights_ = promised, run_.reset(); }

 private:
  friend class network<T>;
  context ctx_;
  bool fixed_weights_ = false;
  std::uint64_t edits_ = 0;  // of the network, when weights were packed
  std::vector<std::string> keep_;
  std::optional<execution<T>> run_;
};

/// Options of a network.
struct network_options {
  std::uint64_t seed = 0;  ///< of the first parameter values and of dropout
  int threads = 0;         ///< of training; 0: all
  /// Whether training multiplies matrices of bfloat16-rounded numbers where that is faster (float only; Winograd convolutions
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
  MINICNN_COLD network(graph<T>&& g, const std::vector<node<T>>& outputs, network_options o = {}) : seed_(o.seed) {
    if (outputs.empty()) fail<option_error>("network: no output");
    auto made = std::make_shared<network_topology<T>>();
    for (const node<T>& x : outputs) {
      if (x.owner != &g) fail<option_error>("network: an output belongs to another graph");
      made->outputs.push_back(x.id);
    }
    made->nodes = g.release();
    loss_weights_.assign(made->outputs.size(), 0.0);
    loss_weights_[0] = 1.0;
    made->kept.assign(made->nodes.size(), 0);
    made->frozen.assign(made->nodes.size(), 0);
    std::vector<std::string> names;
    std::vector<op_plan> plans;
    for (const graph_node<T>& n : made->nodes) {
      names.push_back(n.name);
      std::vector<shape> shapes;
      for (const int j : n.inputs) shapes.push_back(made->nodes[static_cast<std::size_t>(j)].dims);
      plans.push_back(n.operation ? n.operation->plan({shapes, true, {}}) : op_plan{});
      if (!n.operation) input_ = static_cast<int>(names.size()) - 1, inputs_ += 1;
    }
    if (inputs_ != 1) fail<option_error>("network: wanted one input, the graph has ", inputs_);
    if (o.parameter_limit > 0) check_parameters(plans, o.parameter_limit);
    topology_ = std::move(made);
    state_.build(names, plans);
    ctx_.threads = resolve_threads(o.threads);
    ctx_.bf16 = o.bf16;
    ctx_.winograd = o.winograd;
    if (o.initialize)
      state_.initialize(seed_);
    else
      state_.initialize_buffers();
  }

  network(network&&) noexcept = default;
  network& operator=(network&&) noexcept = default;
  network(const network&) = delete;
  network& operator=(const network&) = delete;
  ~network() = default;

  // ---- what it is made of

  const std::vector<graph_node<T>>& nodes() const { return topology_->nodes; }
  const network_topology<T>& topology() const { return *topology_; }
  /// Shape of the input for a batch of one.
  const shape& input_dims() const { return nodes()[static_cast<std::size_t>(input_)].dims; }
  const shape& output_dims(int output = 0) const { return nodes()[static_cast<std::size_t>(output_id(output))].dims; }
  int output_count() const { return static_cast<int>(topology_->outputs.size()); }

  const std::vector<parameter_info>& parameters() const { return state_.parameters; }
  const std::vector<buffer_info>& buffers() const { return state_.buffers; }
  /// Number of trainable values, gaps of the arena not counted.
  index_t parameter_count() const {
    index_t count = 0;
    for (const parameter_info& p : state_.parameters) count += p.dims.size();
    return count;
  }

  view<T> parameter(std::string_view name) { return edits_.count(), state_.value(find_parameter(name)); }
  view<const T> parameter(std::string_view name) const { return state_.value(find_parameter(name)); }
  view<T> parameter_gradient(std::string_view name) { return state_.gradient(find_parameter(name)); }
  view<T> buffer(std::string_view name) { return edits_.count(), state_.value(find_buffer(name)); }
  view<const T> buffer(std::string_view name) const { return state_.value(find_buffer(name)); }

  /// All parameters, gradients and buffers flat; `parameter_info::offset` says where each lies. Gaps are zero.
  view<T> parameter_arena() { return edits_.count(), view<T>{state_.values.data(), {state_.values.size()}}; }
  view<const T> parameter_arena() const { return {state_.values.data(), {state_.values.size()}}; }
  view<T> gradient_arena() {
    state_.need_gradients();  // allocated by the first who asks: training or an optimizer
    return {state_.gradients.data(), {state_.gradients.size()}};
  }
  view<T> buffer_arena() { return edits_.count(), view<T>{state_.buffer_values.data(), {state_.buffer_values.size()}}; }
  view<const T> buffer_arena() const { return {state_.buffer_values.data(), {state_.buffer_values.size()}}; }

  // ---- settings

  const context& ctx() const { return ctx_; }
  int threads() const { return ctx_.threads; }
  void threads(int count) { ctx_.threads = resolve_threads(count), run_.reset(); }
  void instruction_set(isa i) { ctx_.instruction_set = i, run_.reset(); }
  /// Whether training multiplies matrices as bfloat16; see network_options.
  void bf16(bool wanted) { ctx_.bf16 = wanted, run_.reset(); }
  /// Whether convolutions of training may be computed by Winograd.
  void winograd(bool allowed) { ctx_.winograd = allowed, run_.reset(); }

  std::uint64_t seed() const { return seed_; }
  /// Draws all parameters anew and resets buffers and the counters of steps and epochs. Nothing else ever does.
  void initialize(std::uint64_t seed) { seed_ = seed, step_ = 0, epochs_ = 0, edits_.count(), state_.initialize(seed); }
  /// Training steps so far: dropout's streams depend on it, so a resumed run sets it.
  std::uint64_t step() const { return step_; }
  void step(std::uint64_t value) { step_ = value; }
  /// Epochs trained so far, by which `fit` chooses order and augmentation of the data: a second one goes on where the first ended.
  index_t epochs() const { return epochs_; }
  void epochs(index_t count) { epochs_ = count; }

  /// What the loss of each output counts with in training: 1 for the first and 0 for the others unless set. `fit` reads these.
  const std::vector<double>& loss_weights() const { return loss_weights_; }
  void loss_weights(std::vector<double> weights) {
    if (weights.size() != topology_->outputs.size())
      fail<option_error>("network: ", weights.size(), " loss weights for ", topology_->outputs.size(), " outputs");
    loss_weights_ = std::move(weights);
  }

  /// Makes a node's value and gradient outlive the step: for feature extraction and Grad-CAM.
  void keep(std::string_view name) {
    change([&](network_topology<T>& t) { t.kept[static_cast<std::size_t>(node_id(name))] = 1; });
  }

  /// Fixes the parameters of the node called `name`, or of all nodes in the scope called so ("" is all; see `selects`), and puts
  /// them in evaluation mode (batch norm uses its running statistics, dropout is off). Backward stops where nothing trainable
  /// lies further back. Throws option_error if there is no such node.
  void freeze(std::string_view name) { set_frozen(name, true); }
  void unfreeze(std::string_view name) { set_frozen(name, false); }

  /// Which nodes are kept and frozen now, to come back to later: `const auto before = net.marks(); ... net.restore(before);`.
  std::shared_ptr<const network_topology<T>> marks() const { return topology_; }
  /// `before` must have come from this network's `marks`.
  MINICNN_COLD void restore(std::shared_ptr<const network_topology<T>> before) {
    if (before == nullptr || before->nodes.size() != nodes().size()) fail<option_error>("network: marks of another network");
    topology_ = std::move(before);
    run_.reset();
    for (parameter_info& p : state_.parameters) p.trainable = !topology_->frozen[static_cast<std::size_t>(p.node)];
  }

  /// Plans training memory for batches of up to `input[0]` and this image size. Implied by `forward`; call it to fail early
  /// or to avoid planning again when batches grow.
  void reserve(const shape& input) { plan_training(input); }

  /// Bytes planned for training: activations, their gradients, saved state and scratch.
  index_t training_memory_bytes() const { return run_ ? run_->memory_bytes() : 0; }

  // ---- training

  /// Runs in training mode and returns the first output. `input` (n, c, h, w) must stay valid until backward is done.
  view<const T> forward(const view<const T>& input) {
    plan_training(input.dims());
    run_->forward(input, random_key(seed_).of(step_));
    step_ += 1, edits_.count();
    return run_->value(output_id(0));
  }

  view<const T> output(int i = 0) const { return training().value(output_id(i)); }
  /// Where the loss writes; zero after forward.
  view<T> output_gradient(int i = 0) { return training().gradient(output_id(i)); }

  /// Writes all parameter gradients (`accumulate`: adds to them) from the output gradients.
  void backward(bool accumulate = false) {
    training();
    run_->backward(accumulate);
  }

  /// Value and gradient of a kept node after forward and backward.
  view<const T> value(std::string_view name) const { return training().value(kept_id(name)); }
  view<const T> gradient(std::string_view name) const { return training().gradient(kept_id(name)); }

  // ---- prediction

  /// The first output in evaluation mode, valid until the next predict with this workspace. Thread-safe with a workspace
  /// per thread. Input (n, c, h, w), any batch size.
  view<const T> predict(const view<const T>& input, workspace<T>& space) const {
    if (!space.run_ || space.run_->topology() != topology_.get() || !fits(space.run_->planned().input, input.dims()) ||
        (space.fixed_weights_ && space.edits_ != edits_.value()))
      plan_prediction(input.dims(), space);
    space.run_->bind(input.dim(0));
    space.run_->forward(input, random_key());
    return space.run_->value(output_id(0));
  }

  view<const T> predict(const tensor<T>& input, workspace<T>& space) const {
    return predict(static_cast<view<const T>>(input), space);
  }

  /// The same with memory of its own: convenient, allocates on every call.
  tensor<T> predict(const view<const T>& input) const {
    workspace<T> space;
    return tensor<T>(predict(input, space));
  }
  tensor<T> predict(const tensor<T>& input) const { return predict(static_cast<view<const T>>(input)); }

  /// Plans of all ops for this input in training mode (summary, estimates).
  MINICNN_COLD std::vector<op_plan> plans(const shape& input) const {
    typename execution<T>::request r{input, true, ctx_, topology_->outputs};
    return execution<T>(topology_, const_cast<network_state<T>&>(state_), std::move(r)).plans();
  }

 private:
  static void check_parameters(const std::vector<op_plan>& plans, index_t limit) {
    index_t count = 0;
    for (const op_plan& p : plans)
      for (const parameter_spec& one : p.parameters) count += one.dims.size();
    if (count > limit) fail<shape_error>("network: would have ", count, " parameters, wanted at most ", limit);
  }

  static bool fits(const shape& planned, const shape& input) {
    return input.rank() == planned.rank() && input.rank() > 0 && input[0] >= 1 && input[0] <= planned[0] &&
           std::equal(input.begin() + 1, input.end(), planned.begin() + 1);
  }

  int output_id(int i) const { return topology_->outputs[static_cast<std::size_t>(i)]; }

  MINICNN_COLD int node_id(std::string_view name) const {
    const int id = topology_->find(name);
    if (id < 0) fail<option_error>("network: no node is called ", name);
    return id;
  }
  MINICNN_COLD int kept_id(std::string_view name) const {
    const int id = node_id(name);
    if (!topology_->kept[static_cast<std::size_t>(id)])
      fail<option_error>("network: node ", name, " was not kept; call keep first");
    return id;
  }

  MINICNN_COLD const parameter_info& find_parameter(std::string_view name) const {
    for (const parameter_info& p : state_.parameters)
      if (p.name == name) return p;
    fail<option_error>("network: no parameter is called ", name);
  }
  MINICNN_COLD const buffer_info& find_buffer(std::string_view name) const {
    for (const buffer_info& b : state_.buffers)
      if (b.name == name) return b;
    fail<option_error>("network: no buffer is called ", name);
  }

  const execution<T>& training() const {
    if (!run_) fail("network: forward has not run");
    return *run_;
  }

  void plan_training(const shape& input) {
    if (!run_ || !fits(run_->planned().input, input)) plan_training_again(input);
    run_->bind(input[0]);
  }
  MINICNN_COLD void plan_training_again(const shape& input) {
    typename execution<T>::request r{input, true, ctx_, topology_->outputs};
    for (std::size_t i = 0; i < nodes().size(); ++i)
      if (topology_->kept[i]) r.wanted.push_back(static_cast<int>(i));
    run_.reset();  // the old block goes before the new one is allocated
    run_.emplace(topology_, state_, std::move(r));
  }
  MINICNN_COLD void plan_prediction(const shape& input, workspace<T>& space) const {
    typename execution<T>::request r{input, false, space.ctx_, {output_id(0)}};
    for (const std::string& name : space.keep_) r.wanted.push_back(node_id(name));
    r.fixed_weights = space.fixed_weights_, space.edits_ = edits_.value();
    // In evaluation mode ops only read parameters and buffers, so sharing them among threads is safe.
    space.run_.emplace(topology_, const_cast<network_state<T>&>(state_), std::move(r));
  }

  template <class F>
  MINICNN_COLD void change(const F& edit) {
    auto changed = std::make_shared<network_topology<T>>(*topology_);
    edit(*changed);
    topology_ = std::move(changed);
    run_.reset();
  }

  MINICNN_COLD void set_frozen(std::string_view name, bool frozen) {
    bool found = false;
    change([&](network_topology<T>& t) {
      for (std::size_t i = 0; i < t.nodes.size(); ++i)
        if (selects(name, t.nodes[i].name)) t.frozen[i] = frozen, found = true;
    });
    if (!found) fail<option_error>("network: no node or scope is called ", name);
    for (parameter_info& p : state_.parameters) p.trainable = !topology_->frozen[static_cast<std::size_t>(p.node)];
  }

  std::shared_ptr<const network_topology<T>> topology_;
  network_state<T> state_;
  std::vector<double> loss_weights_;  // one an output
  context ctx_;
  std::uint64_t seed_ = 0;
  std::uint64_t step_ = 0;
  index_t epochs_ = 0;
  detail::edit_counter edits_;  // whenever parameters or buffers were handed out to be written, or may have been trained
  int input_ = 0;
  int inputs_ = 0;
  std::optional<execution<T>> run_;
};

MINICNN_COMPILED_CLASS(network);

}  // namespace minicnn::inline MINICNN_ABI
