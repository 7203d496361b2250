#pragma once
/// Networks for tests of what happens around a network: parameters of chosen shapes, outputs that copy the input.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"

namespace toy {

using minicnn::index_t;
using minicnn::shape;

/// Copies its input and owns parameters that play no part in it. The gradient of parameter i is filled by the test.
template <class T>
class holder_op final : public minicnn::op<T> {
 public:
  holder_op(std::string kind, std::vector<minicnn::parameter_spec> parameters, std::vector<minicnn::buffer_spec> buffers = {})
      : kind_(std::move(kind)), parameters_(std::move(parameters)), buffers_(std::move(buffers)) {}

  std::string_view kind() const override { return kind_; }
  minicnn::attribute_list describe() const override { return {}; }
  minicnn::op_plan plan(const minicnn::plan_request& request) const override {
    minicnn::op_plan p;
    p.output = request.inputs[0];
    p.parameters = parameters_;
    p.buffers = buffers_;
    return p;
  }
  void forward(const minicnn::frame<T>& f) const override { std::copy(f.input().begin(), f.input().end(), f.output.begin()); }
  void backward(const minicnn::frame<T>&) const override {}

 private:
  std::string kind_;
  std::vector<minicnn::parameter_spec> parameters_;
  std::vector<minicnn::buffer_spec> buffers_;
};

inline minicnn::parameter_spec weight(const shape& dims) {
  return {"weight", dims, 1, 1, minicnn::initializer::normal(1.0), true};
}
inline minicnn::parameter_spec bias(const shape& dims) { return {"bias", dims, 1, 1, minicnn::initializer::normal(1.0), false}; }

/// conv1 (weight 3x5, bias 7), bn1 (bias 2, buffers of 3), fc1 (weight 33, bias 1); `big` more elements in fc1.weight.
template <class T>
minicnn::network<T> mixed(int threads = 1, index_t big = 0, std::uint64_t seed = 1) {
  minicnn::graph<T> g;
  auto x = g.input({2});
  const auto add = [&](auto op, const char* name) { x = g.add(std::move(op), {x}, name, name); };
  using list = std::vector<minicnn::parameter_spec>;
  add(std::make_shared<holder_op<T>>("conv2d", list{weight({3, 5}), bias({7})}), "conv1");
  add(std::make_shared<holder_op<T>>("batch_norm", list{bias({2})}, std::vector<minicnn::buffer_spec>{{"mean", {3}, 0.5}}),
      "bn1");
  add(std::make_shared<holder_op<T>>("dense", list{weight({33 + big}), bias({1})}), "fc1");
  return minicnn::network<T>(std::move(g), {x}, {seed, threads});
}

/// One parameter "w.weight" with these values.
template <class T>
minicnn::network<T> vector(const std::vector<double>& values) {
  minicnn::graph<T> g;
  auto x = g.input({1});
  auto y =
      g.add(std::make_shared<holder_op<T>>("dense", std::vector{weight({static_cast<index_t>(values.size())})}), {x}, "w", "w");
  minicnn::network<T> net(std::move(g), {y}, {0, 1});
  for (std::size_t i = 0; i < values.size(); ++i) net.parameter("w.weight")[static_cast<index_t>(i)] = static_cast<T>(values[i]);
  return net;
}

/// A graph of one input of `features` and `outputs` copies of it: for losses.
template <class T>
minicnn::network<T> copies(index_t features, int outputs = 1) {
  minicnn::graph<T> g;
  auto x = g.input({features});
  std::vector<minicnn::node<T>> made;
  for (int i = 0; i < outputs; ++i)
    made.push_back(g.add(std::make_shared<holder_op<T>>("head", std::vector{weight({1})}), {x}, "", "head"));
  return minicnn::network<T>(std::move(g), made, {0, 1});
}

/// Every instruction set of this machine.
inline std::vector<minicnn::isa> instruction_sets() {
  std::vector<minicnn::isa> all;
  for (const minicnn::isa i : {minicnn::isa::baseline, minicnn::isa::avx2, minicnn::isa::avx512})
    if (i <= minicnn::detect_isa()) all.push_back(i);
  return all;
}

/// Standard normal numbers in every gradient.
template <class T>
void random_gradients(minicnn::network<T>& net, std::uint64_t seed, double scale = 1.0) {
  for (const auto& p : net.parameters()) {
    minicnn::random_stream random(minicnn::random_key(seed).of(minicnn::name_hash(p.name)));
    for (T& g : net.parameter_gradient(p.name)) g = static_cast<T>(scale * random.normal());
  }
}

}  // namespace toy
