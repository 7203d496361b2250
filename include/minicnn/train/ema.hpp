#pragma once
/// An exponential moving average of a network's parameters and buffers (Polyak and Juditsky, 1992, in the form used since
/// Inception: Szegedy et al., CVPR 2016, section 8), which often predicts better than the last values.

#include <algorithm>
#include <cmath>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"
#include "minicnn/kernels/simd/lanes.hpp"
#include "minicnn/train/training_callback.hpp"

namespace minicnn::inline MINICNN_ABI {

/// average += rate * (value - average) over `n` elements.
template <class T>
struct average_kernel {
  template <class V>
  MINICNN_INLINE static void run(T* average, const T* value, index_t n, T rate) {
    constexpr index_t lanes = V::template lanes<T>;
    for (index_t i = 0; i < n; i += lanes) {
      kernels::vec<T, V> a, x;
      kernels::load<V>(a, average + i);
      kernels::load<V>(x, value + i);
      a += rate * (x - a);
      kernels::store<V>(average + i, a);
    }
  }
};

struct ema_options {
  double decay = 0.999;  ///< in [0, 1)
  index_t every = 1;     ///< steps from one average to the next
  /// Above 0: the decay grows with the run, as decay * (steps done / steps planned)^growth, where `fit` tells how far it is.
  double growth = 0.0;
  /// The network goes on from the averages, and ends with them: the slow weights of lookahead (Zhang et al., NeurIPS 2019). With
  /// every = 5, decay = 0.95^5 and growth = 3 as in Jordan's airbench94.
  bool copy_back = false;
};

/// Keeps the average of a network, to which it refers wherever that moves. Throws error when used after the network was destroyed
/// or replaced by another.
///
///     ema<float> average(net, 0.999);
///     ... optimizer.step(); average.update();
///     { auto scope = average.use(); evaluate(net); }   // averaged values inside, trained ones again after
///
/// or as a callback of `fit`, where validation and `on_best` see the averages:
///
///     fit(net, optimizer, task, train, validation, {.callbacks = {&average}});
template <class T = float>
class ema final : public training_callback {
 public:
  /// The averages of the first steps are corrected for their short history as Adam's are: after t updates a value seen s
  /// updates ago weighs decay^s * (1 - decay) / (1 - decay^t), so nothing is left of the first random values.
  MINICNN_COLD explicit ema(network<T>& net, double decay = 0.999) : ema(net, ema_options{.decay = decay}) {}
  /// With a decay that grows, or copied back, nothing is corrected: the averages begin as the network's initial values.
  MINICNN_COLD ema(network<T>& net, const ema_options& o) : network_(net), options_(o) {
    if (!(o.decay >= 0.0 && o.decay < 1.0)) fail<option_error>("ema: decay is ", o.decay, ", wanted 0 to below 1");
    if (o.every < 1) fail<option_error>("ema: every is ", o.every, ", wanted at least 1 step");
    if (!(o.growth >= 0.0 && o.growth <= 1e3)) fail<option_error>("ema: growth is ", o.growth, ", wanted 0 to 1000");
    parameters_ = copy(net.parameter_arena());
    buffers_ = copy(net.buffer_arena());
  }
  ema(const ema&) = delete;
  ema& operator=(const ema&) = delete;

  /// Takes in the network's current values: after every step. Throws while the averages are in use.
  void update() {
    if (in_use_) fail("ema: update while the network holds the averages");
    updates_ += 1;
    if (updates_ % options_.every != 0) return;
    double rate = 1.0 - options_.decay;
    if (options_.growth > 0)
      rate = 1.0 - options_.decay * std::pow(progress(), options_.growth);
    else if (!options_.copy_back)
      rate /= 1.0 - std::pow(options_.decay, static_cast<double>(updates_ / options_.every));
    average(parameters_, network_->parameter_arena(), static_cast<T>(rate));
    average(buffers_, network_->buffer_arena(), static_cast<T>(rate));
    if (options_.copy_back) copy_back();
  }

  /// Exchanges the network's values and the averages. Twice restores every bit.
  void swap() {
    swap(parameters_, network_->parameter_arena());
    swap(buffers_, network_->buffer_arena());
    in_use_ = !in_use_;
  }

  /// The network holds the averages while the returned object lives.
  class [[nodiscard]] usage {
   public:
    explicit usage(ema& owner) : owner_(owner) { owner_.swap(); }
    ~usage() {
      if (owner_.network_.valid()) owner_.swap();
    }
    usage(const usage&) = delete;
    usage& operator=(const usage&) = delete;

   private:
    ema& owner_;
  };
  usage use() { return usage(*this); }

  /// A new run begins with the network's values, whatever the averages were; one that is resumed goes on with them.
  void on_begin(training_run& run) override {
    run_ = &run;
    if (run.state.step > 0) return;
    updates_ = 0;
    std::copy_n(network_->parameter_arena().begin(), parameters_.size(), parameters_.data());
    std::copy_n(network_->buffer_arena().begin(), buffers_.size(), buffers_.data());
  }
  void on_step(const step_report& s) override {
    if (s.updated) update();
    if (options_.copy_back && run_ != nullptr && run_->state.step >= run_->state.total_steps) copy_back();
  }
  void on_end(training_run&) override { run_ = nullptr; }
  void on_validation_begin() override { swap(); }
  void on_validation_end() override { swap(); }

  double decay() const { return options_.decay; }
  const ema_options& options() const { return options_; }
  /// Flat, with the offsets of the network's arenas; with `updates()` all that a resumed run needs.
  view<T> parameter_averages() { return {parameters_.data(), {parameters_.size()}}; }
  view<T> buffer_averages() { return {buffers_.data(), {buffers_.size()}}; }
  index_t updates() const { return updates_; }
  void updates(index_t count) { updates_ = count; }

 private:
  static constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
  static constexpr index_t grain = index_t{1} << 16;

  static aligned_buffer<T> copy(const view<T>& from) {
    aligned_buffer<T> to(from.size());
    std::copy(from.begin(), from.end(), to.data());
    return to;
  }

  /// `body(begin, end)` over ranges of whole cache lines, which arenas are made of.
  template <class F>
  void over(index_t count, const F& body) const {
    parallel_for(network_->threads(), count / unit, grain / unit,
                 [&](index_t begin, index_t end) { body(begin * unit, end * unit); });
  }

  void average(aligned_buffer<T>& averages, const view<T>& values, T rate) {
    over(values.size(), [&](index_t begin, index_t end) {
      kernels::dispatch<average_kernel<T>>(network_->ctx().instruction_set, averages.data() + begin,
                                           static_cast<const T*>(values.data() + begin), end - begin, rate);
    });
  }

  void swap(aligned_buffer<T>& averages, const view<T>& values) {
    over(values.size(), [&](index_t begin, index_t end) {
      std::swap_ranges(values.data() + begin, values.data() + end, averages.data() + begin);
    });
  }

  double progress() const {
    if (run_ == nullptr || run_->state.total_steps < 1) return 1.0;
    return (std::min)(1.0, static_cast<double>(run_->state.step) / static_cast<double>(run_->state.total_steps));
  }

  void copy_back() {
    std::copy_n(parameters_.data(), parameters_.size(), network_->parameter_arena().data());
    std::copy_n(buffers_.data(), buffers_.size(), network_->buffer_arena().data());
  }

  network_ref<T> network_;
  ema_options options_;
  const training_run* run_ = nullptr;
  index_t updates_ = 0;
  bool in_use_ = false;
  aligned_buffer<T> parameters_, buffers_;
};

MINICNN_COMPILED_CLASS(ema);

}  // namespace minicnn::inline MINICNN_ABI
