#pragma once
/// One ONNX operator computed by a layer of this library.

#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "formats/onnx_reader.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/pad_channels.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/testing/op_test_case.hpp"
#include "minicnn/train/loss.hpp"

namespace onnx_reader {

/// Thrown, with the reason, for what no layer can do.
struct not_expressible {
  std::string reason;
};

/// Runs operators of one operator set on named values.
class evaluator {
 public:
  explicit evaluator(index_t opset) : opset_(opset) {}

  /// Operators that have a layer. Cases of others are none of this library's.
  static bool knows(const std::string& type) { return rules().count(type) > 0; }

  /// The first output. Inputs that are left out are null.
  tensor<float> run(const operation& o, const std::vector<const stored_tensor*>& inputs) {
    o_ = &o;
    x_.clear();
    for (const stored_tensor* input : inputs) {
      if (input == nullptr) break;
      x_.push_back(input);
    }
    for (const stored_tensor* x : x_)
      if (x->type == stored_tensor::u8 || (x->type == stored_tensor::i32 && x == x_[0]))
        throw not_expressible{"layers compute in floating point, not in integers"};
    return rules().at(o.type)(*this);
  }

 private:
  using rule = std::function<tensor<float>(evaluator&)>;

  static const std::map<std::string, rule>& rules() {
    using namespace minicnn;
    static const std::map<std::string, rule> all{
        {"Conv", [](evaluator& e) { return e.conv(); }},
        {"MaxPool", [](evaluator& e) { return e.max_pool(); }},
        {"AveragePool", [](evaluator& e) { return e.average_pool(); }},
        {"GlobalMaxPool", [](evaluator& e) { return e.apply(adaptive_max_pool_op<float>({.output = 1}), e.x(0)); }},
        {"GlobalAveragePool", [](evaluator& e) { return e.apply(adaptive_avg_pool_op<float>({.output = 1}), e.x(0)); }},
        {"LRN", [](evaluator& e) { return e.local_response(); }},
        {"BatchNormalization", [](evaluator& e) { return e.batch_norm(); }},
        {"Gemm", [](evaluator& e) { return e.gemm(); }},
        {"MatMul", [](evaluator& e) { return e.matrix_product(); }},
        {"Relu", [](evaluator& e) { return e.apply(relu_op<float>(), e.x(0)); }},
        {"LeakyRelu",
         [](evaluator& e) { return e.activation([&](auto x) { return leaky_relu(x, e.o_->real("alpha", 0.01)); }); }},
        {"Elu", [](evaluator& e) { return e.activation([&](auto x) { return elu(x, e.o_->real("alpha", 1.0)); }); }},
        {"Sigmoid", [](evaluator& e) { return e.activation([](auto x) { return minicnn::sigmoid(x); }); }},
        {"Tanh", [](evaluator& e) { return e.activation([](auto x) { return minicnn::tanh(x); }); }},
        {"Softplus", [](evaluator& e) { return e.activation([](auto x) { return softplus(x); }); }},
        {"HardSwish", [](evaluator& e) { return e.activation([](auto x) { return hard_swish(x); }); }},
        {"Softmax", [](evaluator& e) { return e.softmax(); }},
        {"Concat", [](evaluator& e) { return e.concat(); }},
        {"Add", [](evaluator& e) { return e.sum(); }},
        {"Sum", [](evaluator& e) { return e.sum(); }},
        {"Flatten", [](evaluator& e) { return e.flatten(); }},
        {"Dropout", [](evaluator& e) { return e.dropout(); }},
        {"Pad", [](evaluator& e) { return e.pad(); }},
    };
    return all;
  }

  // ---- running a layer

  tensor<float> x(int i) const { return x_[static_cast<std::size_t>(i)]->as_tensor(); }
  int count() const { return static_cast<int>(x_.size()); }

  static tensor<float> with_shape(const tensor<float>& t, const shape& dims) {
    return tensor<float>(minicnn::view<const float>(t).reshaped(dims));
  }

  static tensor<float> apply(const minicnn::op<float>& layer, minicnn::op_values<float> values, bool training = false) {
    minicnn::op_test_case how;
    how.plan_training = how.training = training;
    how.backward = false;
    minicnn::op_results<float> r = minicnn::run_test_case(layer, values, how);
    if (!r.fault.empty()) throw std::runtime_error(r.fault);
    return std::move(r.output);
  }
  static tensor<float> apply(const minicnn::op<float>& layer, tensor<float> input, bool training = false) {
    minicnn::op_values<float> values;
    values.inputs.push_back(std::move(input));
    return apply(layer, std::move(values), training);
  }

  /// Activations are made by functions on nodes.
  template <class F>
  tensor<float> activation(const F& make) const {
    minicnn::graph<float> g;
    const auto made = make(g.input({1}));
    return apply(*g.at(made.id).operation, x(0));
  }

  // ---- one spatial axis as an image of one row

  bool one_axis() const { return x_[0]->dims.size() == 3; }
  tensor<float> image(const tensor<float>& t) const {
    const shape& d = t.dims();
    return one_axis() ? with_shape(t, {d[0], d[1], 1, d[2]}) : t;
  }
  tensor<float> no_image(const tensor<float>& t) const {
    const shape& d = t.dims();
    return one_axis() ? with_shape(t, {d[0], d[1], d[3]}) : t;
  }
  minicnn::extent2d extent(const std::string& key, const std::vector<index_t>& missing) const {
    const std::vector<index_t> v = o_->list(key, missing);
    return one_axis() ? minicnn::extent2d(1, v.at(0)) : minicnn::extent2d(v.at(0), v.at(1));
  }
  void want_image() const {
    if (x_[0]->dims.size() > 4) throw not_expressible{"three spatial axes"};
  }
  minicnn::padding2d padding(const shape& in, minicnn::extent2d kernel, minicnn::extent2d stride,
                             minicnn::extent2d dilation = 1) const {
    const std::string automatic = o_->text("auto_pad");
    if (automatic.starts_with("SAME")) {
      minicnn::padding2d p = minicnn::padding2d::same().resolve(in[2], in[3], kernel, stride, dilation);
      if (automatic == "SAME_LOWER") std::swap(p.top, p.bottom), std::swap(p.left, p.right);
      return p;
    }
    const std::vector<index_t> p = o_->list("pads", {0, 0, 0, 0});
    return one_axis() ? minicnn::padding2d(0, 0, p.at(0), p.at(p.size() == 2 ? 1 : 2))
                      : minicnn::padding2d(p.at(0), p.at(2), p.at(1), p.at(3));
  }

  // ---- layers

  tensor<float> conv() const {
    want_image();
    const tensor<float> input = image(x(0)), weight = image(x(1));
    minicnn::conv2d_options c;
    c.filters = weight.dim(0);
    c.kernel = {weight.dim(2), weight.dim(3)};
    c.stride = extent("strides", {1, 1});
    c.dilation = extent("dilations", {1, 1});
    c.padding = padding(input.dims(), c.kernel, c.stride, c.dilation);
    c.groups = o_->integer("group", 1);
    c.bias = count() > 2;
    minicnn::op_values<float> values{{input}, {weight}, {}, {}};
    if (c.bias) values.parameters.push_back(x(2));
    return no_image(apply(minicnn::conv2d_op<float>(c), std::move(values)));
  }

  template <class Options>
  Options windows() const {
    want_image();
    const std::vector<index_t> dilations = o_->list("dilations", {});
    for (const index_t d : dilations)
      if (d != 1) throw not_expressible{"pooling has no dilation"};
    if (o_->outputs.size() > 1) throw not_expressible{"the places of the maxima are kept for backward, not given out"};
    Options p;
    p.kernel = extent("kernel_shape", {});
    p.stride = extent("strides", {1, 1});
    p.padding = padding(image(x(0)).dims(), p.kernel, p.stride);
    p.ceil_mode = o_->integer("ceil_mode", 0) != 0;
    return p;
  }
  tensor<float> max_pool() const {
    const auto p = windows<minicnn::max_pool_options>();
    return no_image(apply(minicnn::max_pool_op<float>(p), image(x(0))));
  }
  tensor<float> average_pool() const {
    auto p = windows<minicnn::avg_pool_options>();
    p.count_include_pad = o_->integer("count_include_pad", 0) != 0;
    return no_image(apply(minicnn::avg_pool_op<float>(p), image(x(0))));
  }

  tensor<float> local_response() const {
    const auto l = minicnn::lrn_options::caffe(o_->integer("size", 0), o_->real("alpha", 1e-4), o_->real("beta", 0.75),
                                               o_->real("bias", 1.0));
    return apply(minicnn::lrn_op<float>(l), x(0));
  }

  tensor<float> batch_norm() const {
    if (o_->integer("training_mode", 0) != 0)
      throw not_expressible{
          "in training the running variance follows the unbiased variance of the batch (PyTorch), not the biased one"};
    const tensor<float> input = x(0);
    const minicnn::batch_norm_op<float> layer({.eps = o_->real("epsilon", 1e-5)});
    minicnn::op_values<float> values{
        {with_shape(input, {input.dim(0), input.dim(1), input.dims().size_from(2), 1})}, {x(1), x(2)}, {x(3), x(4)}, {}};
    return with_shape(apply(layer, std::move(values)), input.dims());
  }

  static tensor<float> transposed(const tensor<float>& m) {
    tensor<float> out(shape{m.dim(1), m.dim(0)});
    for (index_t i = 0; i < m.dim(0); ++i)
      for (index_t j = 0; j < m.dim(1); ++j) out(j, i) = m(i, j);
    return out;
  }
  static tensor<float> times(tensor<float> m, double factor) {
    for (float& v : m) v = static_cast<float>(factor * static_cast<double>(v));
    return m;
  }

  tensor<float> gemm() const {
    if (o_->integer("transA", 0) != 0) throw not_expressible{"a dense layer takes samples as rows: its input is not transposed"};
    const tensor<float> second = x(1);
    const tensor<float> weight = o_->integer("transB", 0) != 0 ? second : transposed(second);
    const index_t units = weight.dim(0);
    minicnn::op_values<float> values{{x(0)}, {times(weight, o_->real("alpha", 1.0))}, {}, {}};
    const bool bias = count() > 2;
    if (bias) {
      const tensor<float> given = times(x(2), o_->real("beta", 1.0));
      if (given.size() != 1 && given.size() != units)
        throw not_expressible{"the bias of a dense layer is the same for all samples"};
      values.parameters.push_back(given.size() == units ? with_shape(given, {units}) : tensor<float>(shape{units}, given[0]));
    }
    return apply(minicnn::dense_op<float>(units, {.bias = bias}), std::move(values));
  }
  tensor<float> matrix_product() const {
    if (x_[0]->dims.size() != 2) throw not_expressible{"products of many matrices"};
    const tensor<float> weight = transposed(x(1));
    return apply(minicnn::dense_op<float>(weight.dim(0), {.bias = false}), minicnn::op_values<float>{{x(0)}, {weight}, {}, {}});
  }

  /// Over the last axis; before operator set 13, over all axes from the given one on.
  tensor<float> softmax() const {
    const tensor<float> input = x(0);
    const int rank = input.dims().rank();
    int axis = static_cast<int>(o_->integer("axis", opset_ < 13 ? 1 : -1));
    if (axis < 0) axis += rank;
    if (opset_ >= 13 && axis != rank - 1) throw not_expressible{"softmax goes over the last axis"};
    const index_t classes = input.dims().size_from(axis);
    tensor<float> rows = with_shape(input, {input.size() / classes, classes});
    minicnn::softmax<float>(minicnn::view<const float>(rows), rows);
    return with_shape(rows, input.dims());
  }

  /// Along any axis: what lies before it is the batch, what lies behind it the image.
  tensor<float> concat() const {
    const int rank = static_cast<int>(x_[0]->dims.size());
    const int axis = static_cast<int>((o_->integer("axis", 1) + rank) % rank);
    minicnn::op_values<float> values;
    shape joined = x(0).dims();
    joined.set(axis, 0);
    for (int i = 0; i < count(); ++i) {
      const tensor<float> input = x(i);
      const index_t length = input.dim(axis), behind = input.dims().size_from(axis + 1);
      joined.set(axis, joined[axis] + length);
      values.inputs.push_back(with_shape(input, {input.size() / (length * behind), length, behind}));
    }
    return with_shape(apply(minicnn::concat_op<float>(), std::move(values)), joined);
  }

  tensor<float> sum() const {
    if (count() < 2) throw not_expressible{"a sum of one value is no operation"};
    tensor<float> total = x(0);
    for (int i = 1; i < count(); ++i) {
      if (!(x(i).dims() == total.dims())) throw not_expressible{"add takes values of one shape, without broadcasting"};
      total = apply(minicnn::add_op<float>(), minicnn::op_values<float>{{total, x(i)}, {}, {}, {}});
    }
    return total;
  }

  tensor<float> flatten() const {
    const tensor<float> input = x(0);
    const int rank = input.dims().rank();
    int axis = static_cast<int>(o_->integer("axis", 1));
    if (axis < 0) axis += rank;
    std::vector<index_t> dims{input.size() / input.dims().size_from(axis)};
    dims.insert(dims.end(), input.dims().begin() + axis, input.dims().end());
    if (dims.size() < 2) dims.push_back(1);
    return apply(minicnn::flatten_op<float>(), with_shape(input, shape(dims.begin(), dims.end())));
  }

  tensor<float> dropout() const {
    if (o_->outputs.size() > 1) throw not_expressible{"dropout gives out no mask"};
    const bool training = count() > 2 && x_[2]->values.at(0) != 0.0F;
    const double rate = count() > 1 ? static_cast<double>(x_[1]->values.at(0)) : opset_ < 12 ? o_->real("ratio", 0.5) : 0.5;
    if (training && rate > 0) throw not_expressible{"dropout's random numbers are its own"};
    return apply(minicnn::dropout_op<float>(rate), x(0), training);
  }

  tensor<float> pad() const {
    const std::string mode = o_->text("mode");
    if (!mode.empty() && mode != "constant") throw not_expressible{"padding is with zeros"};
    const std::vector<index_t> pads = [&] {
      if (count() < 2) return o_->list("pads", {});
      return std::vector<index_t>(x_[1]->values.begin(), x_[1]->values.end());
    }();
    const double value = count() > 2 ? static_cast<double>(x_[2]->values.at(0)) : o_->real("value", 0.0);
    if (value != 0.0) throw not_expressible{"padding is with zeros"};
    const std::size_t rank = pads.size() / 2;
    for (std::size_t i = 0; i < pads.size(); ++i)
      if (pads[i] != 0 && i % rank != 1)
        throw not_expressible{"zeros around an image are part of convolution and pooling, not a layer"};
    return apply(minicnn::pad_channels_op<float>({.before = pads.at(1), .after = pads.at(rank + 1)}), x(0));
  }

  index_t opset_;
  const operation* o_ = nullptr;
  std::vector<const stored_tensor*> x_;
};

}  // namespace onnx_reader
