#pragma once
/// What all optimizers share: per-parameter settings, state in arenas with the network's offsets, and a step that is one
/// parallel pass over memory.

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/train/clip.hpp"
#include "minicnn/train/training_state.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How one parameter is trained.
struct parameter_settings {
  double learning_rate_scale = 1.0;
  /// PyTorch's `SGD(weight_decay)` and `Adam(weight_decay)`: the loss has the term weight_decay / 2 * sum of w^2, so the gradient
  /// gets weight_decay * w.
  double weight_decay = 0.0;
  double decoupled_weight_decay = 0.0;  ///< PyTorch's `AdamW(weight_decay)`: w -= rate * decoupled_weight_decay * w
};

/// Changes the settings of the parameters that it matches. Rules apply in order, so later ones win.
struct parameter_rule {
  std::string name = {};  ///< of a parameter, layer or scope: "fc2.weight", "conv1", "block1" (see `selects`); empty matches all
  std::string kind = {};  ///< of the layer: "dense", "conv2d"; empty matches all
  std::string suffix = {};  ///< what the parameter's name ends with: ".bias", "norm1.bias"; empty matches all
  int rank = 0;             ///< dimensions of the parameter: 1 for biases and norms, 4 for filters; 0 matches all
  std::optional<double> learning_rate_scale = std::nullopt;
  std::optional<double> weight_decay = std::nullopt;
  std::optional<double> decoupled_weight_decay = std::nullopt;
  bool all = false;  ///< both decays also where `parameter_info::decay` is false (biases, normalisation)
};

/// Updates a network's parameters from its gradients. Belongs to the network that it was made with, wherever that moves. Once the
/// network was destroyed or replaced by another, the next step throws error.
template <class T = float>
class optimizer {
 public:
  virtual ~optimizer() = default;
  optimizer(const optimizer&) = delete;
  optimizer& operator=(const optimizer&) = delete;

  /// "adam", "sgd": the name in checkpoints.
  virtual std::string_view kind() const = 0;

  /// One update. The rate is `learning_rate() * rate_scale` (a schedule's value) times the parameter's own scale; gradients
  /// are multiplied by `gradient_scale` as they are read. Frozen parameters and their state are not touched.
  void step(double rate_scale = 1.0, double gradient_scale = 1.0) {
    if (!network_.valid()) fail(kind(), ": the network that this optimizer was made for has been replaced; make a new one");
    const view<T> values = network_->parameter_arena();
    steps_ += 1;
    const double rate = learning_rate_ * rate_scale;
    constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
    const auto& parameters = network_->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].trainable && takes_whole(parameters[i]))
        update_whole(parameters[i], settings_[i], rate * settings_[i].learning_rate_scale, gradient_scale);
    // Ranges are cut at cache lines, which hold one parameter each, so an update never has a tail.
    parallel_for(network_->threads(), values.size() / unit, grain / unit, [&](index_t begin, index_t end) {
      for (std::size_t i = 0; i < parameters.size(); ++i) {
        const parameter_info& p = parameters[i];
        const index_t stop = (p.offset + p.dims.size() + unit - 1) / unit * unit;
        const index_t first = (std::max)(begin * unit, p.offset), last = (std::min)(end * unit, stop);
        if (p.trainable && first < last && !takes_whole(p))
          update(first, last, settings_[i], rate * settings_[i].learning_rate_scale, gradient_scale);
      }
    });
  }

  /// The same with clipped gradients. Returns false, and does nothing at all, if some gradient is NaN or infinite.
  [[nodiscard]] bool step(double rate_scale, const gradient_clip& clip) {
    if (clip.finite()) step(rate_scale, clip.scale);
    return clip.finite();
  }

  double learning_rate() const { return learning_rate_; }
  void learning_rate(double rate) {
    check_range("learning_rate", rate, 0.0, (std::numeric_limits<double>::max)());
    learning_rate_ = rate;
  }

  /// Updates so far (Adam's bias correction depends on it). A resumed run sets it.
  index_t steps() const { return steps_; }
  void steps(index_t count) { steps_ = count; }

  /// State as after construction: moments zero, no steps done. Settings and learning rate stay.
  void reset() {
    for (slot& s : slots_) std::fill(s.data.data(), s.data.data() + s.data.size(), T{});
    steps_ = 0;
  }

  using state_view = state_tensor<T>;
  /// All state, in a fixed order. With `steps()` this is everything: writing these values into the views of a new optimizer
  /// of the same kind and options continues bit for bit.
  MINICNN_COLD std::vector<state_view> state() {
    std::vector<state_view> views;
    for (slot& s : slots_)
      for (const parameter_info& p : network_->parameters())
        views.push_back({text_of(kind(), ".", s.name, ".", p.name), view<T>(s.data.data() + p.offset, p.dims)});
    return views;
  }
  /// Bytes of state.
  index_t memory_bytes() const {
    index_t bytes = 0;
    for (const slot& s : slots_) bytes += s.data.size() * static_cast<index_t>(sizeof(T));
    return bytes;
  }

  /// In the order of `network::parameters()`.
  const std::vector<parameter_settings>& settings() const { return settings_; }

  /// Calls `edit(info, layer_kind, settings)` for every parameter, for choices that rules cannot express.
  template <class F>
  void configure(const F& edit) {
    const auto& parameters = network_->parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i) edit(parameters[i], kind_of(parameters[i]), settings_[i]);
  }

  /// The term of the loss whose gradient `weight_decay` is: sum of weight_decay / 2 * w^2 over trainable parameters.
  double regularization_loss() const {
    double loss = 0.0;
    const network<T>& net = *network_;  // read only: no edit that makes sessions pack weights again
    const auto& parameters = net.parameters();
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (parameters[i].trainable && settings_[i].weight_decay != 0.0) {
        const view<const T> w(net.parameter_arena().data() + parameters[i].offset, parameters[i].dims);
        loss += 0.5 * settings_[i].weight_decay * sum_of_squares(w, net.ctx()).value;
      }
    return loss;
  }

 protected:
  MINICNN_COLD optimizer(network<T>& net, double rate, double weight_decay, double decoupled_weight_decay,
                         const std::vector<parameter_rule>& rules)
      : network_(net) {
    learning_rate(rate);
    check_range("decoupled_weight_decay", decoupled_weight_decay, 0.0, (std::numeric_limits<double>::max)());
    check_range("weight_decay", weight_decay, 0.0, (std::numeric_limits<double>::max)());
    for (const parameter_info& p : net.parameters())
      settings_.push_back({1.0, p.decay ? weight_decay : 0.0, p.decay ? decoupled_weight_decay : 0.0});
    for (const parameter_rule& rule : rules) apply(rule);
  }

  /// Updates the elements [begin, end) of the arenas, which lie in one parameter and on whole cache lines. Called from
  /// several threads at once on different ranges.
  virtual void update(index_t begin, index_t end, const parameter_settings& settings, double rate, double gradient_scale) = 0;

  /// Whether a parameter is not cut into ranges, but updated at once, by one call of `update_whole`.
  virtual bool takes_whole(const parameter_info&) const { return false; }
  virtual void update_whole(const parameter_info&, const parameter_settings&, double, double) {}

  /// An arena of state, zero at first.
  T* add_state(std::string name) {
    slots_.push_back({std::move(name), aligned_buffer<T>(network_->parameter_arena().size())});
    aligned_buffer<T>& data = slots_.back().data;
    std::fill(data.data(), data.data() + data.size(), T{});
    return data.data();
  }

  network<T>& net() { return *network_; }

  /// Throws option_error unless low <= value <= high.
  static void check_range(std::string_view name, double value, double low, double high) {
    if (!is_finite(value) || value < low || value > high)
      fail<option_error>("optimizer: ", name, " is ", value, ", wanted ", low, " to ", high);
  }

 private:
  /// Elements below which starting a team costs more than it gains.
  static constexpr index_t grain = index_t{1} << 15;

  struct slot {
    std::string name;
    aligned_buffer<T> data;
  };

  std::string_view kind_of(const parameter_info& p) const {
    return network_->nodes()[static_cast<std::size_t>(p.node)].operation->kind();
  }

  MINICNN_COLD void apply(const parameter_rule& rule) {
    bool found = false;
    configure([&](const parameter_info& p, std::string_view layer, parameter_settings& s) {
      if (!selects(rule.name, p.name) || (!rule.kind.empty() && layer != rule.kind) || !p.name.ends_with(rule.suffix) ||
          (rule.rank != 0 && p.dims.rank() != rule.rank))
        return;
      found = true;
      if (rule.learning_rate_scale) s.learning_rate_scale = *rule.learning_rate_scale;
      if (rule.decoupled_weight_decay && (p.decay || rule.all)) s.decoupled_weight_decay = *rule.decoupled_weight_decay;
      if (rule.weight_decay && (p.decay || rule.all)) s.weight_decay = *rule.weight_decay;
    });
    if (!found)
      fail<option_error>("optimizer: a rule matches no parameter (name \"", rule.name, "\", kind \"", rule.kind, "\", suffix \"",
                         rule.suffix, "\", rank ", rule.rank, ")");
  }

  network_ref<T> network_;
  double learning_rate_ = 0.0;
  index_t steps_ = 0;
  std::vector<parameter_settings> settings_;
  std::vector<slot> slots_;
};

MINICNN_COMPILED_CLASS(optimizer);

}  // namespace minicnn::inline MINICNN_ABI
