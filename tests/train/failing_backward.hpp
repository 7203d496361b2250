#pragma once
// An operation whose backward fails, for what becomes of ranks that wait for its gradients.

#include <algorithm>
#include <string_view>

#include "minicnn/graph/network.hpp"

/// Passes values on. Its backward number `at` (from 1) throws; 0: none does.
class failing_backward final : public minicnn::op<float> {
 public:
  explicit failing_backward(int at) : at_(at) {}
  std::string_view kind() const override { return "failing_backward"; }
  minicnn::attribute_list describe() const override { return {}; }
  minicnn::op_plan plan(const minicnn::plan_request& request) const override {
    minicnn::op_plan p;
    p.output = request.inputs[0];
    return p;
  }
  void forward(const minicnn::frame<float>& f) const override { std::copy(f.input().begin(), f.input().end(), f.output.begin()); }
  void backward(const minicnn::frame<float>& f) const override {
    if (++calls_ == at_) minicnn::fail("no gradient");
    std::copy(f.output_gradient.begin(), f.output_gradient.end(), f.input_gradient().data.begin());
  }

 private:
  int at_;
  mutable int calls_ = 0;
};
