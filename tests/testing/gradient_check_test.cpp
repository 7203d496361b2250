#include "minicnn/testing/gradient_check.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace minicnn;

namespace {

/// y[n, f] = x[n, f] * w[f]^2, in ways that can be made wrong one at a time.
enum class fault {
  none,
  derivative,
  one_derivative,
  writes_instead_of_adding,
  adds_instead_of_writing,
  undeclared_read,
  changes_input,
  changes_gradient,
  beyond_scratch,
  beyond_output,
  batch_wide_parameter,
  depends_on_threads,
  depends_on_isa,
  float_only,
  evaluation_only,
  needs_all_gradients,
  reads_garbage_scratch,
  not_in_place,
  ignores_bounds,
  ignores_add,
  changes_buffer,
};

template <class T>
class weigh_op : public op<T> {
 public:
  explicit weigh_op(fault f) : fault_(f) {}
  std::string_view kind() const override { return "weigh"; }
  attribute_list describe() const override { return {}; }

  op_plan plan(const plan_request& request) const override {
    const shape& x = request.inputs[0];
    const index_t features = fault_ == fault::batch_wide_parameter ? x[0] * x[1] : x[1];
    op_plan p;
    p.output = x;
    p.parameters = {{"weight", {features}}};
    p.buffers = {{"calls", {1}}};
    p.forward_scratch_bytes = p.backward_scratch_bytes = scratch::bytes_for<T>(x.size());
    p.multiply_adds = 2 * x.size();
    p.backward_reads_input = fault_ != fault::undeclared_read;
    p.in_place = p.gradient_in_place = p.fuses_activation = true;
    p.fuses_add = fault_ == fault::ignores_add;
    return p;
  }

  void forward(const frame<T>& f) const override {
    const view<const T>& x = f.input();
    T* copy = f.work().template take<T>(x.size());
    if (fault_ != fault::reads_garbage_scratch) std::copy(x.begin(), x.end(), copy);
    if (fault_ == fault::beyond_scratch) copy[x.size() + 8] = T{1};
    if (fault_ == fault::beyond_output) f.output.data()[x.size()] = T{1};
    if (fault_ == fault::changes_input) const_cast<T&>(x[0]) = T{1};
    if (f.training) f.updated_buffer(0)[0] += T{1};
    if (!f.training && fault_ == fault::changes_buffer) const_cast<T&>(f.buffer(0)[0]) += T{1};
    for (index_t i = 0; i < x.size(); ++i) {
      const T w = f.parameter(0)[i % x.dim(1)];
      T y = copy[i] * w * w;
      if (fault_ == fault::not_in_place && i > 0) y += T{0} * (x[i - 1] == copy[i - 1] ? T{0} : INFINITY);
      if (fault_ == fault::depends_on_threads && f.ctx.threads == 3) y = std::nextafter(y, T{9});
      if (fault_ == fault::depends_on_isa && f.ctx.instruction_set == isa::baseline) y *= T(1.0001);
      if (fault_ == fault::float_only && sizeof(T) == 4) y *= T(1.0001);
      f.output[i] = fault_ == fault::ignores_bounds ? y : f.activation.bound(y);
    }
    f.activation.finish(f.output.data(), x.size());
  }

  void backward(const frame<T>& f) const override {
    const view<const T>& x = f.input();
    const view<const T>& dy = f.output_gradient;
    const gradient_target<T>&dx = f.input_gradient(), dw = f.parameter_gradient(0);
    if (fault_ == fault::needs_all_gradients && !(dx.wanted() && dw.wanted())) return;
    const index_t features = x.dim(1);
    if (fault_ == fault::changes_gradient) const_cast<T&>(dy[0]) += T{1};
    const auto put = [&](const gradient_target<T>& to, index_t i, T value) {
      const bool add = fault_ == fault::writes_instead_of_adding  ? false
                       : fault_ == fault::adds_instead_of_writing ? true
                                                                  : to.add;
      to.data[i] = add ? to.data[i] + value : value;
    };
    if (dw.wanted())
      for (index_t k = 0; k < features; ++k) {
        T sum{};
        for (index_t n = 0; n < x.dim(0); ++n) sum += dy(n, k) * x(n, k);
        T slope = T{2} * f.parameter(0)[k];
        if (fault_ == fault::derivative) slope *= T(1.00001);
        if (fault_ == fault::one_derivative && k == features - 1) slope *= T(1.001);
        if (fault_ == fault::evaluation_only && !f.training) slope = T{0};
        put(dw, k, slope * sum);
      }
    if (dx.wanted())
      for (index_t i = 0; i < x.size(); ++i) {
        const T w = f.parameter(0)[i % features];
        put(dx, i, dy[i] * w * w);
      }
  }

 private:
  fault fault_;
};

gradient_check_result check(fault f, index_t features = 5) {
  return check_gradients(weigh_op<double>(f), weigh_op<float>(f), {{1, features}});
}

}  // namespace

TEST_CASE("a right op passes, and the number of derivatives is known") {
  const gradient_check_result result = check(fault::none);
  CHECK(result.failure == "");
  CHECK(result.worst < 1e-8);
  // Batch 1: 5 + 1 along a direction for x, 5 + 1 for w; batch 3: 15 + 1 and 5 + 1; training and evaluation.
  CHECK(result.derivatives == 2 * (6 + 6 + 16 + 6));
}

TEST_CASE("every way of being wrong is found and named") {
  const auto found = [](fault f, const char* words, index_t features = 5) {
    const gradient_check_result result = check(f, features);
    CAPTURE(words);
    CAPTURE(result.failure);
    CHECK(result.failure.find(words) != std::string::npos);
  };
  found(fault::derivative, "gradient of weight at (0)");
  found(fault::one_derivative, "gradient of weight at (4) of 5");
  found(fault::one_derivative, "gradient of weight along a random direction", 3001);
  found(fault::writes_instead_of_adding, "adding: gradient of input 0");
  found(fault::adds_instead_of_writing, "gradient of ");
  found(fault::undeclared_read, "gradient of weight");
  found(fault::changes_input, "forward changes input 0");
  found(fault::changes_gradient, "backward changes the output's gradient");
  found(fault::batch_wide_parameter, "parameter weight depends on the batch");
  found(fault::depends_on_threads, "3 threads: output");
  if (detect_isa() != isa::baseline) found(fault::depends_on_isa, "baseline, against the widest ISA: output");
  found(fault::float_only, "against double: output");
  found(fault::evaluation_only, "evaluation: gradient of weight");
  found(fault::needs_all_gradients, "not wanted");
  found(fault::reads_garbage_scratch, "output");
  found(fault::not_in_place, "output in the input's place: output");
  found(fault::ignores_bounds, "output clipped");
  found(fault::ignores_add, "output added to another value");
  found(fault::changes_buffer, "forward changes buffer calls in evaluation");
#if !defined(__SANITIZE_ADDRESS__)  // which stops the program at the first of these
  found(fault::beyond_output, "forward writes outside its output");
  found(fault::beyond_scratch, "forward writes outside its scratch of 64 bytes", 7);
#endif
}

TEST_CASE("inputs can be given") {
  gradient_check_options options;
  options.batches = {2};
  options.fill = [](int, const view<double>& values, random_stream&) {
    for (double& value : values) value = 0.5;
  };
  CHECK(check_gradients(weigh_op<double>(fault::none), {{1, 3}}, options).failure == "");
}
