#pragma once
/// The one test harness of all ops: analytic against numeric derivatives, and everything else that the contract promises.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/testing/op_test_case.hpp"
#include "minicnn/testing/test_case_checker.hpp"

namespace minicnn::inline MINICNN_ABI {

struct gradient_check_options {
  /// Of the central differences, which are always in double.
  double step = 1e-5;

  /// Largest relative error of a derivative. Its size counts as at least `floor` and at least a thousandth of the largest
  /// derivative of the same tensor.
  double tolerance = 1e-6;
  double floor = 1e-2;

  /// Largest error of float results against double results, relative to the largest value of the tensor.
  double float_tolerance = 1e-5;

  /// Derivatives looked at one by one in a tensor: all if it has no more elements, else that many chosen at random. One
  /// derivative along a random direction through all elements is looked at besides, so none goes unchecked.
  int probes = 24;

  /// Batch sizes tried; they replace axis 0 of the input shapes.
  std::vector<index_t> batches{1, 3};

  std::uint64_t seed = 1;

  /// Gives the inputs other values than the default: a shuffled grid over (-2, 2), which has no ties and no zeros, so
  /// that kinks at 0 and maxima of equals are further away than `step` (for up to 50,000 elements). Values are then
  /// rounded to float.
  void (*fill)(int input, const view<double>& values, random_stream& random) = nullptr;
};

struct gradient_check_result {
  std::string failure;      ///< the first thing found wrong: where, wanted, got. Empty if nothing is.
  double worst = 0;         ///< largest relative error of a derivative
  std::string place;        ///< and where it is
  index_t derivatives = 0;  ///< how many were compared
};

namespace detail {

/// Random contents for everything that goes into the op. All values are floats, so that float and double see the same.
inline op_values<double> random_values(const op_plan& plan, const std::vector<shape>& inputs,
                                       const gradient_check_options& options) {
  random_stream random(random_key(options.seed).of(static_cast<std::uint64_t>(inputs[0][0])));
  op_values<double> values;
  for (const shape& dims : inputs) {
    tensor<double> x(dims);
    if (options.fill != nullptr) {
      options.fill(static_cast<int>(values.inputs.size()), x, random);
    } else {
      std::vector<double> grid;
      for (index_t i = 0; i < x.size(); ++i)
        grid.push_back(4.0 * (static_cast<double>(i) + 0.25) / static_cast<double>(x.size()) - 2.0);
      random.shuffle(grid);
      std::copy(grid.begin(), grid.end(), x.begin());
    }
    values.inputs.push_back(std::move(x));
  }
  for (const parameter_spec& parameter : plan.parameters) {
    tensor<double> w(parameter.dims);
    for (double& value : w)
      value = random.normal() / (parameter.dims.rank() > 1 ? std::sqrt(static_cast<double>(parameter.fan_in)) : 1.0);
    values.parameters.push_back(std::move(w));
  }
  for (const buffer_spec& buffer : plan.buffers) {
    tensor<double> b(buffer.dims);
    for (double& value : b) value = buffer.initial + random.uniform(0.1, 0.6);
    values.buffers.push_back(std::move(b));
  }
  values.output_gradient = tensor<double>(plan.output);
  for (double& value : values.output_gradient) value = random.uniform(-1.0, 1.0);
  const auto round_all = [](tensor<double>& t) {
    for (double& value : t) value = static_cast<double>(static_cast<float>(value));
  };
  for (auto* list : {&values.inputs, &values.parameters, &values.buffers})
    for (tensor<double>& t : *list) round_all(t);
  round_all(values.output_gradient);
  return values;
}

template <class T, class U>
tensor<T> converted(const tensor<U>& source) {
  tensor<T> made(source.dims());
  for (index_t i = 0; i < source.size(); ++i) made[i] = static_cast<T>(source[i]);
  return made;
}

template <class T, class U>
std::vector<tensor<T>> converted(const std::vector<tensor<U>>& sources) {
  std::vector<tensor<T>> made;
  for (const tensor<U>& source : sources) made.push_back(converted<T>(source));
  return made;
}

/// The sum over the output of output_gradient * output, again and again while `values` change: forward without the watching.
class objective {
 public:
  objective(const op<double>& operation, const op_values<double>& values, bool training)
      : operation_(operation), values_(values), buffers_(values.buffers) {
    std::vector<shape> shapes;
    for (const tensor<double>& x : values.inputs) {
      shapes.push_back(x.dims());
      inputs_.push_back(x);
    }
    for (const tensor<double>& w : values.parameters) parameters_.push_back(w);
    for (tensor<double>& b : buffers_)
      buffer_views_.push_back(b), updated_views_.push_back(training ? view<double>(b) : view<double>());
    f_.ctx = {1, detect_isa()};
    const op_plan plan = operation.plan({shapes, true, f_.ctx});
    output_ = tensor<double>(plan.output);
    saved_ = aligned_buffer<std::byte>(plan.saved_bytes);
    scratch_ = aligned_buffer<std::byte>(plan.forward_scratch_bytes);
    f_.training = training;
    f_.random = trial_key();
    f_.inputs = inputs_;
    f_.parameters = parameters_;
    f_.buffers = buffer_views_;
    f_.updated_buffers = updated_views_;
    f_.output = output_;
    f_.saved = saved_.data();
    f_.scratch_block = scratch_.data();
    f_.scratch_bytes = plan.forward_scratch_bytes;
  }
  objective(const objective&) = delete;
  objective& operator=(const objective&) = delete;

  /// (objective at +step minus objective at -step) / (2 step), where `move(by)` moves `values`. Differences are taken element
  /// by element, which loses fewer digits than the difference of two sums.
  template <class Move>
  double central_difference(double step, const Move& move) {
    move(step);
    run();
    const tensor<double> above = output_;
    move(-step);
    run();
    move(0.0);
    double sum = 0.0;
    for (index_t i = 0; i < above.size(); ++i) sum += values_.output_gradient[i] * (above[i] - output_[i]);
    return sum / (2.0 * step);
  }

 private:
  void run() {
    for (std::size_t i = 0; i < buffers_.size(); ++i)
      std::copy(values_.buffers[i].begin(), values_.buffers[i].end(), buffers_[i].begin());
    operation_.forward(f_);
  }

  const op<double>& operation_;
  const op_values<double>& values_;
  std::vector<tensor<double>> buffers_;
  std::vector<view<const double>> inputs_, parameters_, buffer_views_;
  std::vector<view<double>> updated_views_;
  tensor<double> output_;
  aligned_buffer<std::byte> saved_, scratch_;
  frame<double> f_;
};

/// Compares the analytic `gradient` with central differences in `moved`, one of the tensors in `values`.
inline void check_derivatives(objective& function, tensor<double>& moved, const tensor<double>& gradient, const std::string& what,
                              const gradient_check_options& options, gradient_check_result& result) {
  random_stream random(random_key(options.seed).of(3));
  const tensor<double> home = moved;
  const auto judge = [&](double analytic, double numeric, double size, const auto& place) {
    size = (std::max)({size, options.floor, std::abs(analytic), std::abs(numeric)});
    const double difference = std::abs(analytic - numeric) / size;
    ++result.derivatives;
    if (difference <= result.worst) return;
    result.worst = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
    result.place = text_of(what, place(), ": analytic ", analytic, ", numeric ", numeric, ", relative error ", difference);
    if (!(difference <= options.tolerance) && result.failure.empty()) result.failure = result.place;
  };

  double largest = 0.0, squares = 0.0;
  for (double g : gradient) largest = (std::max)(largest, std::abs(g)), squares += g * g;
  const bool all = moved.size() <= options.probes;
  for (index_t probe = 0; probe < (all ? moved.size() : options.probes); ++probe) {
    const index_t i = all ? probe : random.below(moved.size());
    const double numeric = function.central_difference(options.step, [&](double by) { moved[i] = home[i] + by; });
    judge(gradient[i], numeric, 1e-3 * largest, [&] { return text_of(" at ", place_text(moved.dims(), i)); });
  }

  std::vector<double> direction(static_cast<std::size_t>(moved.size()));
  double analytic = 0.0;
  for (index_t i = 0; i < moved.size(); ++i) {
    direction[static_cast<std::size_t>(i)] = random.chance(0.5) ? 1.0 : -1.0;
    analytic += direction[static_cast<std::size_t>(i)] * gradient[i];
  }
  const double numeric = function.central_difference(options.step, [&](double by) {
    for (index_t i = 0; i < moved.size(); ++i) moved[i] = home[i] + by * direction[static_cast<std::size_t>(i)];
  });
  judge(analytic, numeric, std::sqrt(squares), [] { return std::string(" along a random direction"); });
}

/// What must hold between the plans of two batch sizes.
inline std::string plan_fault(const op_plan& one, const op_plan& more, index_t one_batch, index_t more_batch) {
  if (one.parameters.size() != more.parameters.size()) return "plan: the number of parameters depends on the batch";
  for (std::size_t i = 0; i < one.parameters.size(); ++i)
    if (!(one.parameters[i].dims == more.parameters[i].dims))
      return text_of("plan: parameter ", one.parameters[i].name, " depends on the batch");
  if (one.multiply_adds * more_batch != more.multiply_adds * one_batch)
    return "plan: multiply_adds is not proportional to the batch";
  if (one.forward_scratch_bytes > more.forward_scratch_bytes) return "plan: forward scratch shrinks when the batch grows";
  return {};
}

}  // namespace detail

/// Checks an op against the contract in op.hpp: derivatives in training and in evaluation mode, writing and adding, all
/// and some gradients wanted, in place where the plan allows it, nothing read or written that the plan does not name,
/// equal bits for 1, 2 and 3 threads, on every instruction set of this machine. With `single`, the same for the op in
/// float, whose results must agree with double. Axis 0 of `inputs` is replaced by each of `options.batches`.
/// In tests: `CHECK(check_gradients(my_op<double>(o), my_op<float>(o), {{1, 3, 5, 7}}).failure == "")`.
inline gradient_check_result check_gradients(const op<double>& operation, const op<float>* single, std::vector<shape> inputs,
                                             const gradient_check_options& options = {}) {
  gradient_check_result result;
  const isa widest = detect_isa();
  for (std::size_t b = 0; b < options.batches.size() && result.failure.empty(); ++b) {
    const auto plan_for = [&](index_t batch) {
      for (shape& dims : inputs) dims.set(0, batch);
      return operation.plan({inputs, true, {1, widest}});
    };
    const index_t batch = options.batches[b];
    const op_plan first = plan_for(options.batches[0]);
    const op_plan plan = plan_for(batch);
    if (options.batches[0] <= batch) result.failure = detail::plan_fault(first, plan, options.batches[0], batch);

    op_values<double> values = detail::random_values(plan, inputs, options);
    const op_values<float> single_values{detail::converted<float>(values.inputs), detail::converted<float>(values.parameters),
                                         detail::converted<float>(values.buffers),
                                         detail::converted<float>(values.output_gradient)};
    detail::test_case_checker<double> checker(operation, plan, values, result.failure);
    for (bool training : {true, false}) {
      const op_results<double> reference = checker.run_all(widest, training);
      for (isa i : {isa::avx2, isa::baseline})
        if (i < widest) checker.compare("against the widest ISA", checker.run_all(i, training), reference, 1e-11);
      if (single != nullptr) {
        detail::test_case_checker<float> single_checker(*single, plan, single_values, result.failure);
        for (isa i : {isa::avx512, isa::avx2, isa::baseline})
          if (i <= widest)
            single_checker.compare("against double", single_checker.run_all(i, training), reference, options.float_tolerance);
      }

      detail::objective function(operation, values, training);
      for (std::size_t target = 0; target < reference.gradients.size() && result.failure.empty(); ++target) {
        const std::size_t count = values.inputs.size();
        tensor<double>& moved = target < count ? values.inputs[target] : values.parameters[target - count];
        const std::string what =
            text_of("batch ", batch, training ? ", training" : ", evaluation", ": gradient of ", checker.name(target));
        detail::check_derivatives(function, moved, reference.gradients[target], what, options, result);
      }
    }
  }
  return result;
}

inline gradient_check_result check_gradients(const op<double>& operation, const op<float>& single,
                                             const std::vector<shape>& inputs, const gradient_check_options& options = {}) {
  return check_gradients(operation, &single, inputs, options);
}
inline gradient_check_result check_gradients(const op<double>& operation, const std::vector<shape>& inputs,
                                             const gradient_check_options& options = {}) {
  return check_gradients(operation, nullptr, inputs, options);
}

}  // namespace minicnn::inline MINICNN_ABI
