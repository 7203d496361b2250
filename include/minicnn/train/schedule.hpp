#pragma once
/// Learning-rate schedules: small values that give, for a step, the factor of the optimizer's learning rate.
///
///     schedule s = one_cycle_schedule{.warm_fraction = 0.2};
///     optimizer.step(s.at(step, total_steps));       // step 0 is the first
///     s.observe(validation_loss);                    // after an epoch; only plateau listens

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Throws option_error unless `value` is finite and from `low` to `high`; looks at the bits, for -Ofast.
MINICNN_COLD inline void check_schedule(const char* schedule, const char* option, double value, double low, double high = 1e15) {
  if (!is_finite(value) || value < low || value > high)
    fail<option_error>(schedule, ": ", option, " is ", value, ", wanted ", low, " to ", high);
}

}  // namespace detail

/// Always 1.
struct constant_schedule {
  void check() const {}
  double at(index_t, index_t) const { return 1.0; }
};

/// From 1 straight to `final` at the last step's end.
struct linear_schedule {
  double final = 0.0;
  void check() const { detail::check_schedule("linear schedule", "final", final, 0.0); }
  double at(index_t step, index_t total) const {
    return 1.0 + (final - 1.0) * static_cast<double>(step) / static_cast<double>(total);
  }
};

/// Half a cosine from 1 to `final` (Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5, without restarts).
struct cosine_schedule {
  double final = 0.0;
  void check() const { detail::check_schedule("cosine schedule", "final", final, 0.0); }
  double at(index_t step, index_t total) const {
    const double progress = static_cast<double>(step) / static_cast<double>(total);
    return final + (1.0 - final) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  }
};

/// From 1 to `final` as (1 - progress)^power does; power 1 is linear_schedule.
struct polynomial_schedule {
  double power = 2.0;
  double final = 0.0;
  void check() const {
    detail::check_schedule("polynomial schedule", "power", power, 0.0);
    detail::check_schedule("polynomial schedule", "final", final, 0.0);
  }
  double at(index_t step, index_t total) const {
    return final + (1.0 - final) * std::pow(1.0 - static_cast<double>(step) / static_cast<double>(total), power);
  }
};

/// Straight up from `start` to 1 and straight down to `final` (Page, "How to train your ResNet", 2018; start 0.2, final 0.07 and
/// peak 0.23 are those of Jordan's airbench94). The learning rate is the peak's, which falls on a whole step.
struct triangle_schedule {
  double start = 0.2;
  double final = 0.07;
  double peak = 0.23;  ///< fraction of all steps before it
  void check() const {
    detail::check_schedule("triangle schedule", "start", start, 0.0);
    detail::check_schedule("triangle schedule", "final", final, 0.0);
    detail::check_schedule("triangle schedule", "peak", peak, 0.0, 1.0);
  }
  double at(index_t step, index_t total) const {
    const double now = static_cast<double>(step), all = static_cast<double>(total), top = std::floor(peak * all);
    if (now < top) return start + (1.0 - start) * now / top;
    return all > top ? 1.0 + (final - 1.0) * (now - top) / (all - top) : 1.0;
  }
};

/// Up from 1 / start_divisor to 1 and down to 1 / (start_divisor * final_divisor), both by half a cosine (Smith and Topin,
/// "Super-convergence", 2018; shape and defaults of PyTorch's OneCycleLR). The learning rate is the peak's.
struct one_cycle_schedule {
  double start_divisor = 25.0;
  double final_divisor = 1e4;
  double warm_fraction = 0.3;  ///< of all steps, before the peak
  void check() const {
    detail::check_schedule("one-cycle schedule", "start_divisor", start_divisor, 1.0);
    detail::check_schedule("one-cycle schedule", "final_divisor", final_divisor, 1.0);
    detail::check_schedule("one-cycle schedule", "warm_fraction", warm_fraction, 0.0, 1.0);
  }
  double at(index_t step, index_t total) const {
    const double start = 1.0 / start_divisor, last = static_cast<double>(total - 1);
    const double now = (std::min)(static_cast<double>(step), last);
    const double peak = warm_fraction * static_cast<double>(total) - 1.0;
    if (now <= peak) return between(start, 1.0, peak > 0.0 ? now / peak : 1.0);
    return between(1.0, start / final_divisor, last > peak ? (now - peak) / (last - peak) : 1.0);
  }

 private:
  static double between(double from, double to, double progress) {
    return to + (from - to) * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
  }
};

/// Times `gamma` at each milestone: a number of steps, or below 1 a fraction of all steps.
struct step_schedule {
  std::vector<double> milestones;
  double gamma = 0.1;
  void check() const {
    for (const double m : milestones) detail::check_schedule("step schedule", "a milestone", m, 0.0);
    detail::check_schedule("step schedule", "gamma", gamma, 0.0, 1.0);
  }
  double at(index_t step, index_t total) const {
    int passed = 0;
    for (const double m : milestones) passed += (m < 1.0 ? m * static_cast<double>(total) : m) <= static_cast<double>(step);
    return std::pow(gamma, passed);
  }
};

/// Times `gamma` every `period` steps.
struct periodic_schedule {
  index_t period = 1;
  double gamma = 0.1;
  void check() const {
    if (period < 1) fail<option_error>("periodic schedule: period is ", period, ", wanted at least 1 step");
    detail::check_schedule("periodic schedule", "gamma", gamma, 0.0, 1.0);
  }
  double at(index_t step, index_t) const {
    check();
    const index_t passed = step / period;
    return std::pow(gamma, static_cast<double>(passed));
  }
};

/// Times `factor` when more than `patience` observations in a row are no better than the best (lower is better) by the
/// relative `threshold`. The last three members are its state: a resumed run restores them.
struct plateau_schedule {
  index_t patience = 5;
  double factor = 0.1;
  double threshold = 1e-4;
  double minimum = 0.0;  ///< the factor never falls below
  double best = (std::numeric_limits<double>::max)();
  index_t waited = 0;
  double current = 1.0;

  void check() const {
    if (patience < 0) fail<option_error>("plateau schedule: patience is ", patience, ", wanted at least 0");
    if (is_nan(best)) fail<option_error>("plateau schedule: best is not a number");
    detail::check_schedule("plateau schedule", "factor", factor, 0.0, 1.0);
    detail::check_schedule("plateau schedule", "threshold", threshold, 0.0);
    detail::check_schedule("plateau schedule", "minimum", minimum, 0.0, 1.0);
    detail::check_schedule("plateau schedule", "current", current, 0.0);
  }
  double at(index_t, index_t) const { return current; }
  void observe(double metric) {
    if (is_finite(metric) && metric < best - std::abs(best) * threshold) {
      best = metric;
      waited = 0;
    } else if (++waited > patience) {
      current = (std::max)(current * factor, minimum);
      waited = 0;
    }
  }
};

/// Any of the above, after a warm-up of `warmup_steps` steps that rises linearly from `warmup_start` to where the curve begins,
/// so that its last step has the full rate (as in Transformers, and in timm with warmup_prefix). The curve then has the rest of
/// the steps: its milestones and fractions count from the end of the warm-up.
class schedule {
 public:
  using shape_type = std::variant<constant_schedule, linear_schedule, cosine_schedule, one_cycle_schedule, step_schedule,
                                  periodic_schedule, plateau_schedule, polynomial_schedule, triangle_schedule>;

  schedule() = default;
  /// From any of the curves, so that `.rate = cosine_schedule{}` works. Throws option_error for options outside their range.
  template <class Curve>
  requires(std::is_constructible_v<shape_type, Curve> && !std::is_same_v<Curve, schedule>)
      schedule(Curve curve, index_t warmup = 0, double start = 0.0)
      : curve_(std::move(curve)), warmup_steps_(warmup), warmup_start_(start) {
    if (warmup < 0 || !(start >= 0.0 && start <= 1.0))
      fail<option_error>("schedule: warm-up of ", warmup, " steps from ", start, ", wanted 0 or more steps from 0 to 1");
    std::visit([](const auto& s) { s.check(); }, curve_);
  }

  /// Factor for step `step` of [0, total); from `total` on what the curve ends with. Inlined, g++ 12 takes members of curves
  /// that are not there for uninitialized.
  MINICNN_COLD double at(index_t step, index_t total) const {
    const index_t now = (std::max)(step, index_t{0}), rest = (std::max)(total - warmup_steps_, index_t{1});
    const auto curve = [&](index_t at) { return std::visit([&](const auto& s) { return s.at(at, rest); }, curve_); };
    if (now >= warmup_steps_) return curve((std::min)(now - warmup_steps_, rest));
    const double risen = static_cast<double>(now + 1) / static_cast<double>(warmup_steps_);
    return curve(0) * (warmup_start_ + (1.0 - warmup_start_) * risen);
  }

  /// Tells a plateau schedule about a metric (lower is better); the others ignore it.
  void observe(double metric) {
    if (auto* p = std::get_if<plateau_schedule>(&curve_)) p->observe(metric);
  }

  const shape_type& curve() const { return curve_; }
  shape_type& curve() { return curve_; }
  index_t warmup_steps() const { return warmup_steps_; }

 private:
  shape_type curve_;
  index_t warmup_steps_ = 0;
  double warmup_start_ = 0.0;
};

}  // namespace minicnn::inline MINICNN_ABI
