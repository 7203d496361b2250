#pragma once
/// The learning-rate range test (Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3): train
/// for a few steps while the rate grows exponentially, and look where the loss falls and where it breaks away.
///
///     const lr_range_test found = find_learning_rate(net, optimizer, task, train, {.steps = 200});
///     optimizer.learning_rate(found.suggestion());

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/train/clip.hpp"
#include "minicnn/train/optimizer.hpp"
#include "minicnn/train/reductions.hpp"
#include "minicnn/train/task.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How the test is run.
struct lr_range_options {
  double lowest = 1e-5;    ///< rate of the first step
  double highest = 10;     ///< rate of the last step, if the loss has not diverged before
  index_t steps = 200;     ///< from lowest to highest, each rate a constant factor above the one before
  double divergence = 4;   ///< ends when the running loss is so many times its lowest value
  double smoothing = 0.9;  ///< share of the past in the running loss that decides the end
  double clip_norm = 0;    ///< largest global gradient norm, as training will have it; 0: not clipped
  /// Told after every step: step from 1, rate, loss of that batch. May be empty.
  std::function<void(index_t, double, double)> on_step = {};
  /// Asked after every step; true ends the test.
  std::function<bool()> stop = {};
};

/// What the test saw. Rates ascend; all three lists have one entry a step.
struct lr_range_test {
  static constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<double> rates, losses;
  /// The losses' mean over neighbouring steps with Gaussian weights (deviation: 3 % of the planned steps). Unlike a running
  /// mean it does not lag behind, so a slope lies where it is drawn.
  std::vector<double> smoothed;
  bool diverged = false;  ///< ended before the highest rate because the loss broke away
  bool stopped = false;   ///< ended by `stop`
  /// Where the smoothed loss falls fastest per factor of the rate, and where it is lowest; NaN where it never falls by clearly
  /// more than the batches differ.
  double steepest = nan, minimum = nan;
  double breaking = nan;  ///< first rate from which the smoothed loss stays 5 % above its first value; NaN unless `diverged`

  /// A tenth of the rate of the lowest loss: safely below the edge.
  double minimum_tenth() const { return minimum / 10; }
  /// The steepest descent, or a tenth of the minimum's rate if that is less. Where the loss never falls clearly (a hard task
  /// needs more steps than the test has) a tenth of the rate at which it breaks away; NaN if it does not do that either.
  double suggestion() const {
    if (!is_finite(minimum)) return breaking / 10;
    return (std::min)(steepest, minimum_tenth());
  }
  /// Which of them `suggestion` is.
  std::string_view rule() const {
    if (!is_finite(minimum)) return "a tenth of where the loss breaks away";
    return steepest > minimum_tenth() ? "a tenth of the minimum" : "steepest descent";
  }
};

namespace detail {

/// Means with Gaussian weights of this deviation (in steps), cut at three deviations.
inline std::vector<double> gaussian_smooth(const std::vector<double>& values, double deviation) {
  const auto count = static_cast<index_t>(values.size());
  const auto reach = static_cast<index_t>(std::ceil(3 * deviation));
  std::vector<double> out;
  for (index_t i = 0; i < count; ++i) {
    double sum = 0, weights = 0;
    for (index_t j = (std::max)(index_t{0}, i - reach); j <= (std::min)(count - 1, i + reach); ++j) {
      const double d = static_cast<double>(i - j) / deviation, weight = std::exp(-0.5 * d * d);
      sum += weight * values[static_cast<std::size_t>(j)];
      weights += weight;
    }
    out.push_back(sum / weights);
  }
  return out;
}

/// Fills `smoothed`, `minimum`, `steepest` and `breaking` from rates, losses and `diverged`. Rates are equally spaced on a
/// logarithmic axis. Losses above `cap` count as that: the one that ended the test would otherwise hide the minimum before it.
inline void judge(lr_range_test& test, index_t planned_steps, double cap) {
  const double deviation = (std::max)(0.5, 0.03 * static_cast<double>(planned_steps));
  std::vector<double> capped = test.losses;
  for (double& l : capped) l = (std::min)(l, cap);
  test.smoothed = gaussian_smooth(capped, deviation);
  const std::vector<double>& s = test.smoothed;
  if (s.size() < 3) return;
  if (test.diverged) {
    std::size_t end = s.size();
    while (end > 0 && s[end - 1] > 1.05 * s.front()) --end;
    test.breaking = test.rates[(std::min)(end, s.size() - 1)];
  }
  const auto lowest = static_cast<std::size_t>(std::min_element(s.begin(), s.end()) - s.begin());
  if (lowest < 2) return;
  // Standard error of a smoothed value: batches differ by `spread`, and the weights average over 2 sqrt(pi) deviations.
  double spread = 0;
  for (std::size_t i = 1; i <= lowest; ++i) spread += (capped[i] - capped[i - 1]) * (capped[i] - capped[i - 1]) / 2;
  const double error = std::sqrt(spread / static_cast<double>(lowest) / (2 * std::sqrt(std::numbers::pi) * deviation));
  const double top = *std::max_element(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(lowest));
  if (top - s[lowest] <= 8 * error) return;  // the range of some dozens of such values spans half of that by chance
  test.minimum = test.rates[lowest];
  std::size_t best = 1;
  for (std::size_t i = 2; i < lowest; ++i)
    if (s[i - 1] - s[i + 1] > s[best - 1] - s[best + 1]) best = i;
  test.steepest = test.rates[best];
}

}  // namespace detail

/// Runs the test. `train` is data as `fit` takes it; it is passed over as often as needed. Afterwards parameters, buffers, step
/// counter, optimizer state and its learning rate are what they were before, also if something throws; only the loader has moved
/// on. Throws option_error for options outside their range.
template <class T, class Train>
lr_range_test find_learning_rate(network<T>& net, optimizer<T>& opt, const task<T>& what, Train& train,
                                 const lr_range_options& o = {}) {
  if (!(o.lowest > 0 && o.lowest < o.highest && is_finite(o.highest)))
    fail<option_error>("learning-rate test: from ", o.lowest, " to ", o.highest, ", wanted 0 < lowest < highest");
  if (o.steps < 3) fail<option_error>("learning-rate test: ", o.steps, " steps, wanted at least 3");
  if (!(o.divergence > 1)) fail<option_error>("learning-rate test: divergence ", o.divergence, ", wanted above 1");
  if (!(o.smoothing >= 0 && o.smoothing < 1))
    fail<option_error>("learning-rate test: smoothing ", o.smoothing, ", wanted 0 to below 1");

  /// Everything that a step changes, put back at the end of the scope.
  class snapshot {
   public:
    snapshot(network<T>& net, optimizer<T>& opt) : net_(net), opt_(opt), net_step_(net.step()), steps_(opt.steps()) {
      for (const auto& place : places()) copies_.emplace_back(place.begin(), place.end());
      rate_ = opt.learning_rate();
    }
    ~snapshot() {
      const std::vector<view<T>> to = places();
      for (std::size_t i = 0; i < to.size(); ++i) std::copy(copies_[i].begin(), copies_[i].end(), to[i].begin());
      net_.step(net_step_);
      opt_.steps(steps_);
      opt_.learning_rate(rate_);
    }
    snapshot(const snapshot&) = delete;
    snapshot& operator=(const snapshot&) = delete;

   private:
    std::vector<view<T>> places() {
      std::vector<view<T>> out{net_.parameter_arena(), net_.buffer_arena()};
      for (auto& s : opt_.state()) out.push_back(s.data);
      return out;
    }
    network<T>& net_;
    optimizer<T>& opt_;
    std::uint64_t net_step_;
    index_t steps_;
    double rate_ = 0;
    std::vector<std::vector<T>> copies_;
  };
  const snapshot before(net, opt);

  lr_range_test out;
  output_table<T> outputs;
  session<T> run(net);
  const double factor = std::pow(o.highest / o.lowest, 1.0 / static_cast<double>(o.steps - 1));
  double running = 0, weight = 0, lowest = INFINITY;
  index_t epoch = 0;
  train.start_epoch(epoch, 0);
  for (index_t step = 0; step < o.steps; ++step) {
    const auto* next = train.next();
    if (next == nullptr) {
      train.start_epoch(++epoch, 0);
      next = train.next();
    }
    if (next == nullptr) fail<option_error>("learning-rate test: there are no training images");
    const double rate = o.lowest * std::pow(factor, static_cast<double>(step));
    const batch<T> b = as_batch<T>(*next);
    run.forward(b.images);
    const double l = what.losses(outputs.of(run), b, 1.0);
    if (!is_finite(l)) {
      out.diverged = true;
      break;
    }
    out.rates.push_back(rate);
    out.losses.push_back(l);
    running = o.smoothing * running + (1 - o.smoothing) * l;
    weight = o.smoothing * weight + (1 - o.smoothing);  // the running mean starts without a past
    const double now = running / weight;
    lowest = (std::min)(lowest, now);
    if (o.on_step) o.on_step(step + 1, rate, l);
    if (now > o.divergence * lowest) {
      out.diverged = true;
      break;
    }
    if (o.stop && o.stop()) {
      out.stopped = true;
      break;
    }
    run.backward();
    opt.learning_rate(rate);
    (void)opt.step(1.0, clip_gradients(net, o.clip_norm));
  }
  detail::judge(out, o.steps, o.divergence * lowest);
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
