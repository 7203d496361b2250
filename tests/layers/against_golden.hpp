#pragma once
/// One case of a golden file through an op: output and all gradients as PyTorch has them, in double and in float.

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "minicnn/testing/op_test_case.hpp"

/// What the case's tensors are made of; parameters are `golden::weight` and `golden::bias`.
struct golden_case {
  std::string_view file;
  std::string name;
  minicnn::shape input;
  double input_scale = 2.0;
};

template <class T>
void check_against_golden(const minicnn::op<T>& operation, const golden_case& c) {
  using namespace minicnn;
  CAPTURE(c.name);
  const double tolerance = sizeof(T) == sizeof(float) ? 1e-5 : 1e-12;
  const std::vector<shape> inputs{c.input};
  const op_plan plan = operation.plan({inputs, true, {}});
  op_values<T> values;
  values.inputs.push_back(golden::filled<T>(c.input, golden::input, c.input_scale));
  for (const parameter_spec& p : plan.parameters)
    values.parameters.push_back(golden::filled<T>(p.dims, p.name == "weight" ? golden::weight : golden::bias));
  values.output_gradient = golden::filled<T>(plan.output, golden::upstream, 2.0);
  const op_results<T> got = run_test_case(operation, values, {});

  const golden::safetensors_file file = golden::open(c.file);
  const auto check = [&](const tensor<T>& result, const std::string& what) {
    CAPTURE(what);
    CHECK(golden::relative_difference(view<const T>(result), file, c.name + "." + what) < tolerance);
  };
  check(got.output, "output");
  check(got.gradients[0], "input.gradient");
  for (std::size_t i = 0; i < plan.parameters.size(); ++i) check(got.gradients[i + 1], plan.parameters[i].name + ".gradient");
}
