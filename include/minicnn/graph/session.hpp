#pragma once
/// Runs a network. The session owns activations, their gradients, scratch and packed weights; the network owns parameters, their
/// gradients and buffers.
///
///     auto net = alexnet<float>({.classes = 2});
///     session<float> run(net);
///     const auto logits = run.forward(batch.images);  // training mode
///     double l = loss(run, batch.labels);             // writes run.output_gradient()
///     run.backward();
///     optimizer.step();
///
///     const network<float>& trained = net;
///     session<float> eval(trained, {.threads = 1});   // one per thread, all on the same network
///     const auto y = eval.predict(images);

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/function_ref.hpp"
#include "minicnn/graph/network.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How a session runs. What is not set is as the network's options say.
struct session_options {
  std::optional<int> threads = {};  ///< as in `resolve_threads`: 0 is all
  std::optional<bool> bf16 = {};
  std::optional<bool> winograd = {};
  std::optional<isa> instruction_set = {};
  /// Nodes whose values, and after backward gradients, `value` and `gradient` return besides those of the outputs (more memory).
  std::vector<std::string> retain = {};
  /// Prediction packs or transforms weights once for all calls, which takes a third less time for single images. Requires that
  /// weights change through the network only: training, loading and every other call that returns writable memory is
  /// noticed; after writing through a view from before, call `repack`. The first batch, or a larger one, decides which
  /// convolutions go by Winograd, for smaller ones too.
  bool prepack_weights = false;
  /// Everything is frozen for this session: `forward` and `backward` run in evaluation mode, give gradients of the retained nodes
  /// of the first output, and only read the network. For explanations; works on a const network.
  bool frozen = false;
};

/// Not for use by two threads at a time; any number of sessions may run one network at once as long as none of them trains.
/// A session stays valid when its network moves, and throws error when used after the network was destroyed or replaced by
/// another.
template <class T = float>
class session {
 public:
  /// Throws option_error if `o.retain` names a node that does not exist.
  explicit session(network<T>& net, session_options o = {}) : session(net, &net.core(), std::move(o)) {}
  /// Such a session can `predict`, and with `o.frozen` explain. Its `forward` throws otherwise.
  explicit session(const network<T>& net, session_options o = {}) : session(net, nullptr, std::move(o)) {}
  session(const network<T>&&, session_options = {}) = delete;  // would not outlive the statement

  session(session&&) noexcept = default;
  session& operator=(session&&) noexcept = default;
  session(const session&) = delete;
  session& operator=(const session&) = delete;
  ~session() = default;

  /// The network that it runs.
  const network<T>& net() const { return handle_; }
  const context& ctx() const { return ctx_; }
  int threads() const { return ctx_.threads; }
  const session_options& options() const { return options_; }

  /// Bytes of activations, their gradients, scratch and packed weights; 0 before the first run.
  index_t memory_bytes() const {
    return (training_ ? training_->memory_bytes() : 0) + (prediction_ ? prediction_->memory_bytes() : 0);
  }

  /// Plans training memory for batches of up to `input[0]` and this image size. Implied by `forward`; call it to fail early or to
  /// avoid planning again when batches grow.
  void reserve(const shape& input) { plan_training(input); }

  // ---- training

  /// Runs in training mode and returns the first output. `input` (n, c, h, w) must stay valid until backward is done. Throws
  /// error for a session of a const network that is not `frozen`.
  view<const T> forward(const view<const T>& input) {
    plan_training(input.dims());
    training_->forward(input, random_key(core_->seed).of(core_->step));
    if (!options_.frozen) written_->step += 1, written_->count_edit();
    predicted_ = false;
    return training_->value(output_id(0));
  }

  /// An output of the latest forward.
  view<const T> output(int i = 0) const { return training().value(output_id(i)); }
  /// Where the loss writes; zero after forward.
  view<T> output_gradient(int i = 0) { return training().gradient(output_id(i)); }

  /// Writes all parameter gradients (`accumulate`: adds to them) from the output gradients.
  void backward(bool accumulate = false) { run_backward(accumulate, nullptr); }
  /// The same; calls `done(i)` once the gradients of node i and of all nodes behind it are written.
  void backward(bool accumulate, function_ref<void(std::size_t)> done) { run_backward(accumulate, &done); }

  // ---- prediction

  /// The first output in evaluation mode; valid until the next call. Input (n, c, h, w) of any batch size; memory is planned
  /// again when the image size changes or the batch grows.
  view<const T> predict(const view<const T>& input) {
    check_network();
    const std::uint64_t edits = core_->edits.load(std::memory_order_relaxed);
    if (!prediction_ || !fits(*prediction_, input.dims()) || (options_.prepack_weights && packed_edits_ != edits))
      plan_prediction(input.dims());
    prediction_->bind(input.dim(0));
    prediction_->forward(input, random_key());
    predicted_ = true;
    return prediction_->value(output_id(0));
  }
  view<const T> predict(const tensor<T>& input) { return predict(static_cast<view<const T>>(input)); }

  /// Weights are packed again with the next predict.
  void repack() { prediction_.reset(); }

  // ---- retained nodes

  /// Value of a retained node (or output) after the latest forward or predict; valid until the next.
  view<const T> value(std::string_view name) const {
    if (predicted_) return prediction_->value(retained_id(name, prediction_->plan()));
    return training().value(retained_id(name, training_->plan()));
  }
  /// Gradient of a retained node after forward and backward.
  view<const T> gradient(std::string_view name) const { return training().gradient(retained_id(name, training().plan())); }

 private:
  void run_backward(bool accumulate, const function_ref<void(std::size_t)>* done) {
    check_network();
    training();
    training_->backward(accumulate, done);
  }

  MINICNN_COLD session(const network<T>& net, detail::network_core<T>* written, session_options o)
      : handle_((net.core(), net.core_)), core_(net.core_), written_(written), options_(std::move(o)), ctx_(core_->ctx) {
    if (options_.threads) ctx_.threads = resolve_threads(*options_.threads);
    if (options_.bf16) ctx_.bf16 = *options_.bf16;
    if (options_.winograd) ctx_.winograd = *options_.winograd;
    if (options_.instruction_set) ctx_.instruction_set = *options_.instruction_set;
    for (const std::string& name : options_.retain) {
      const int id = core_->topology.find(name);
      if (id < 0) fail<option_error>("session: no node is called ", name);
      retained_.push_back(id);
    }
  }

  static bool fits(const execution<T>& run, const shape& input) {
    const shape& planned = run.plan().request.input;
    return input.rank() == planned.rank() && input.rank() > 0 && input[0] >= 1 && input[0] <= planned[0] &&
           std::equal(input.begin() + 1, input.end(), planned.begin() + 1);
  }

  int output_id(int i) const { return core_->topology.outputs[static_cast<std::size_t>(i)]; }

  MINICNN_COLD int retained_id(std::string_view name, const execution_plan<T>& plan) const {
    const int id = core_->topology.find(name);
    if (id < 0) fail<option_error>("session: no node is called ", name);
    if (!plan.is_output(static_cast<std::size_t>(id)) && !plan.is_retained(static_cast<std::size_t>(id)))
      fail<option_error>("session: node ", name, " was not retained; name it in session_options::retain");
    return id;
  }

  void check_network() const {
    if (!core_->owned.load(std::memory_order_relaxed)) fail_gone();
  }
  [[noreturn]] MINICNN_COLD static void fail_gone() {
    fail("session: its network is gone or has been replaced; make a new session");
  }

  const execution<T>& training() const {
    if (!training_) fail("session: forward has not run");
    return *training_;
  }

  void plan_training(const shape& input) {
    check_network();
    if (!training_ || !fits(*training_, input) || planned_freezes_ != core_->freezes.load(std::memory_order_relaxed))
      plan_training_again(input);
    training_->bind(input[0]);
  }
  MINICNN_COLD void plan_training_again(const shape& input) {
    if (written_ == nullptr && !options_.frozen)
      fail("session: made from a const network, it can predict, or with session_options::frozen explain, but not train");
    execution_request r;
    r.input = input, r.training = true, r.ctx = ctx_, r.retained = retained_;
    planned_freezes_ = core_->freezes.load(std::memory_order_relaxed);
    if (options_.frozen) {
      r.outputs = {output_id(0)};
      r.frozen.assign(core_->topology.nodes.size(), 1);
    } else {
      r.outputs = core_->topology.outputs;
      r.frozen = core_->frozen;
    }
    training_.reset();  // the old block goes before the new one is allocated
    training_.emplace(core_, options_.frozen ? nullptr : &written_->state, std::move(r));
  }
  MINICNN_COLD void plan_prediction(const shape& input) {
    execution_request r;
    r.input = input, r.ctx = ctx_, r.outputs = {output_id(0)}, r.retained = retained_;
    r.prepack_weights = options_.prepack_weights;
    packed_edits_ = core_->edits.load(std::memory_order_relaxed);
    prediction_.reset();
    prediction_.emplace(core_, nullptr, std::move(r));
  }

  network<T> handle_;  // does not own
  std::shared_ptr<const detail::network_core<T>> core_;
  detail::network_core<T>* written_;  // null: the network is const
  session_options options_;
  context ctx_;
  std::vector<int> retained_;
  std::uint64_t planned_freezes_ = 0;  // when training was planned
  std::uint64_t packed_edits_ = 0;     // when weights were packed
  bool predicted_ = false;             // the latest run was a prediction
  std::optional<execution<T>> training_, prediction_;
};

MINICNN_COMPILED_CLASS(session);

}  // namespace minicnn::inline MINICNN_ABI
