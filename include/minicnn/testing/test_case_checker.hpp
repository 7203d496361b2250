#pragma once
/// Compares the ways in which a network may call an op: in place, fused, on threads, on each instruction set.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "minicnn/testing/op_test_case.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// "(0, 1, 2, 2) of 1x2x3x3"
inline std::string place_text(const shape& dims, index_t offset) {
  std::string text;
  for (int axis = 0; axis < dims.rank(); ++axis) {
    const index_t below = dims.size_from(axis + 1);
    text += text_of(axis == 0 ? "(" : ", ", offset / below);
    offset %= below;
  }
  return text_of(text, ") of ", dims);
}

/// Compares results of trials of one op, and remembers the first difference.
template <class T>
class test_case_checker {
 public:
  test_case_checker(const op<T>& operation, const op_plan& plan, const op_values<T>& values, std::string& failure)
      : operation_(operation), plan_(plan), values_(values), failure_(failure) {}

  /// Runs the op in every way that a network may call it, in one mode on one instruction set; gives the plain results.
  op_results<T> run_all(isa instructions, bool training) {
    prefix_ = text_of(std::is_same_v<T, float> ? "float" : "double", ", batch ", plan_.output[0],
                      training ? ", training, " : ", evaluation, ", name_of(instructions), ", ");
    op_test_case plain;
    plain.ctx = {1, instructions};
    plain.training = training;
    const op_results<T> reference = run("one thread", plain);

    for (int threads : {2, 3}) {
      op_test_case trial = plain;
      trial.ctx.threads = threads;
      compare(text_of(threads, " threads"), run(text_of(threads, " threads"), trial), reference, 0.0);
    }
    run_unwanted(plain, reference);
    run_add(plain, reference);
    if (plan_.in_place) {
      op_test_case trial = plain;
      trial.in_place = true;
      trial.backward = !plan_.backward_reads_input;
      compare("output in the input's place", run("output in the input's place", trial), reference, 0.0);
    }
    if (plan_.gradient_in_place) {
      op_test_case trial = plain;
      trial.gradient_in_place = true;
      trial.in_place = plan_.in_place && !plan_.backward_reads_input;
      compare("gradient in place", run("gradient in place", trial), reference, 0.0);
    }
    using fused = op_test_case::fused;
    for (const fused activation : {fused::nothing, fused::bounds, fused::map})
      for (const bool add : {false, true}) {
        if ((add && !plan_.fuses_add) || (activation != fused::nothing && !plan_.fuses_activation)) continue;
        op_test_case trial = plain;
        trial.apply_add = add;
        trial.activation = activation;
        trial.backward = false;
        tensor<T> wanted = reference.output;
        for (index_t i = 0; i < wanted.size(); ++i) {
          if (add) wanted[i] += values_.output_gradient[i];
          if (activation == fused::bounds) wanted[i] = (std::clamp)(wanted[i], T(-0.25), T(0.5));
          if (activation == fused::map) wanted[i] *= wanted[i];
        }
        const std::string how = text_of(add ? "added to another value, " : "", activation == fused::bounds ? "clipped"
                                                                               : activation == fused::map  ? "mapped"
                                                                                                           : "as it is");
        equal("output " + how, run(how, trial).output, wanted, tight);
      }
    if (plan_.returns_activation) {
      op_test_case trial = plain;
      trial.activation = fused::bounds;
      op_values<T> passed = values_;
      for (index_t i = 0; i < reference.output.size(); ++i)
        if (!(reference.output[i] > T(-0.25) && reference.output[i] < T(0.5))) passed.output_gradient[i] = T{0};
      const op_results<T> got = run("bounds returned", trial), wanted = run_test_case(operation_, passed, plain);
      for (std::size_t i = 0; i < got.gradients.size(); ++i)
        equal(text_of("behind its bounds: gradient of ", name(i)), got.gradients[i], wanted.gradients[i], tight);
    }
    if (!training) {
      op_test_case trial = plain;
      trial.plan_training = trial.backward = false;
      equal("output when planned for evaluation", run("planned for evaluation", trial).output, reference.output, 0.0);
    }
    return op_results<T>(reference);
  }

  /// Differences up to `tolerance` times the largest value are no failure; 0 asks for equal bits.
  template <class U>
  void equal(const std::string& what, const tensor<T>& got, const tensor<U>& wanted, double tolerance, double scale = 0.0) {
    for (const U& value : wanted) scale = (std::max)(scale, std::abs(static_cast<double>(value)));
    for (index_t i = 0; i < wanted.size() && failure_.empty(); ++i) {
      const double a = static_cast<double>(got[i]), b = static_cast<double>(wanted[i]);
      if (!(std::abs(a - b) <= tolerance * scale))
        failure_ = text_of(prefix_, what, " at ", place_text(wanted.dims(), i), ": got ", a, ", wanted ", b);
    }
  }

  template <class U>
  void compare(const std::string& how, const op_results<T>& got, const op_results<U>& wanted, double tolerance) {
    equal(text_of(how, ": output"), got.output, wanted.output, tolerance);
    for (std::size_t i = 0; i < got.buffers.size(); ++i)
      equal(text_of(how, ": buffer ", plan_.buffers[i].name), got.buffers[i], wanted.buffers[i], tolerance);
    for (std::size_t i = 0; i < got.gradients.size(); ++i)
      if (got.gradients[i].size() > 0)
        equal(text_of(how, ": gradient of ", name(i)), got.gradients[i], wanted.gradients[i], tolerance);
  }

  /// "input 0", "weight"
  std::string name(std::size_t target) const {
    const std::size_t inputs = values_.inputs.size();
    return target < inputs ? text_of("input ", static_cast<int>(target)) : plan_.parameters[target - inputs].name;
  }

 private:
  /// Room for another order of a sum, where bits need not be equal.
  static constexpr double tight = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());

  op_results<T> run(const std::string& how, const op_test_case& trial, const std::vector<tensor<T>>& before = {}) {
    op_results<T> results = run_test_case(operation_, values_, trial, before);
    if (failure_.empty() && !results.fault.empty()) failure_ = text_of(prefix_, how, ": ", results.fault);
    return results;
  }

  void run_unwanted(const op_test_case& plain, const op_results<T>& reference) {
    const std::size_t targets = reference.gradients.size();
    for (std::size_t i = 0; i < targets; ++i)
      for (bool only : {false, true}) {
        op_test_case trial = plain;
        trial.wanted.assign(targets, !only);
        trial.wanted[i] = only;
        const std::string how = text_of("gradient of ", name(i), only ? " alone wanted" : " not wanted");
        compare(how, run(how, trial), reference, tight);
      }
  }

  void run_add(const op_test_case& plain, const op_results<T>& reference) {
    random_stream random(random_key(7));
    std::vector<tensor<T>> before;
    for (const tensor<T>& gradient : reference.gradients) {
      before.emplace_back(gradient.dims());
      for (T& value : before.back()) value = static_cast<T>(random.uniform(-1.0, 1.0));
    }
    op_test_case trial = plain;
    trial.add = true;
    op_results<T> got = run("adding", trial, before);
    for (std::size_t i = 0; i < before.size(); ++i) {
      for (index_t k = 0; k < before[i].size(); ++k) before[i][k] += reference.gradients[i][k];
      equal(text_of("adding: gradient of ", name(i)), got.gradients[i], before[i], tight, 1.0);
    }
  }

  const op<T>& operation_;
  const op_plan& plan_;
  const op_values<T>& values_;
  std::string& failure_;
  std::string prefix_;
};

}  // namespace minicnn::inline MINICNN_ABI::detail
