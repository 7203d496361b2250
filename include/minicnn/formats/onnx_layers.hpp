#pragma once
/// Each layer as ONNX operators. Layers are known by kind and attributes alone.

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_graph.hpp"
#include "minicnn/formats/onnx_int8_layers.hpp"
#include "minicnn/formats/onnx_tensor_layers.hpp"
#include "minicnn/formats/onnx_windows.hpp"
#include "minicnn/graph/network.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Adds the operators of a network's nodes, in evaluation mode, to a graph. A value has the name of the node that makes it;
/// what lies between several operators of one node is called NODE.what.
template <class T>
class onnx_translator {
 public:
  /// `dims` are the shapes of all nodes' values; without them those for the input that the network was built for.
  onnx_translator(const network<T>& net, onnx_graph& out, std::vector<shape> dims = {})
      : net_(net), out_(out), names_(net.nodes().size()), dims_(std::move(dims)) {
    if (dims_.empty())
      for (const graph_node<T>& n : net.nodes()) dims_.push_back(n.dims);
  }

  /// Nodes must come in the network's order, without those that the output does not need. Throws error naming the node if ONNX
  /// has no operators for it.
  void add(int id) {
    id_ = id;
    node_ = &net_.nodes()[static_cast<std::size_t>(id)];
    y_ = node_->name;
    names_[static_cast<std::size_t>(id)] = y_;
    if (node_->operation == nullptr) return out_.input(y_, out());
    attributes_ = node_->operation->describe();
    x_.clear();
    for (const int input : node_->inputs) x_.push_back(value(input));
    translate(node_->operation->kind());
  }

  /// What a node's value is called in the model.
  const std::string& value(int id) const { return names_[static_cast<std::size_t>(id)]; }

 private:
  void translate(std::string_view kind) {
    // These differ in nothing but the name.
    static constexpr std::pair<std::string_view, std::string_view> plain[] = {
        {"relu", "Relu"}, {"sigmoid", "Sigmoid"}, {"tanh", "Tanh"}, {"softplus", "Softplus"}, {"add", "Add"}};
    for (const auto& [ours, theirs] : plain)
      if (kind == ours) return out_.node(theirs, x_, y_);

    using rule = void (onnx_translator::*)();
    static constexpr std::pair<std::string_view, rule> rules[] = {
        {"adaptive_avg_pool", &onnx_translator::adaptive_avg_pool},
        {"adaptive_max_pool", &onnx_translator::adaptive_max_pool},
        {"avg_pool", &onnx_translator::avg_pool},
        {"batch_norm", &onnx_translator::batch_norm},
        {"broadcast_add", &onnx_translator::sum},
        {"clip", &onnx_translator::clip},
        {"concat", &onnx_translator::concat},
        {"conv2d", &onnx_translator::conv2d},
        {"dense", &onnx_translator::dense},
        {"div", &onnx_translator::quotient},
        {"dropout", &onnx_translator::pass_on},
        {"elu", &onnx_translator::elu},
        {"flatten", &onnx_translator::flatten},
        {"gelu", &onnx_translator::gelu},
        {"hard_sigmoid", &onnx_translator::hard_sigmoid},
        {"hard_swish", &onnx_translator::hard_swish},
        {"int8_adaptive_avg_pool", &onnx_translator::int8_adaptive_avg_pool},
        {"int8_avg_pool", &onnx_translator::int8_avg_pool},
        {"int8_conv2d", &onnx_translator::int8_conv2d},
        {"int8_max_pool", &onnx_translator::max_pool},
        {"leaky_relu", &onnx_translator::leaky_relu},
        {"lrn", &onnx_translator::lrn},
        {"max_pool", &onnx_translator::max_pool},
        {"mul", &onnx_translator::product},
        {"pad_channels", &onnx_translator::pad_channels},
        {"scale", &onnx_translator::scale},
        {"silu", &onnx_translator::silu},
        {"stochastic_depth", &onnx_translator::pass_on},
        {"sub", &onnx_translator::difference},
    };
    for (const auto& [ours, how] : rules)
      if (kind == ours) return (this->*how)();
    if (onnx_tensor_layer(kind, at_hand()) || onnx_int8_layer(kind, at_hand())) return;
    refuse("ONNX export knows no operators for this kind of layer");
  }

  // ---- what a node says about itself

  const shape& in() const { return dims_[static_cast<std::size_t>(node_->inputs[0])]; }
  const shape& out() const { return dims_[static_cast<std::size_t>(id_)]; }

  template <class V>
  const V* find(std::string_view name) const {
    for (const auto& [key, value] : attributes_)
      if (key == name) return std::get_if<V>(&value);
    return nullptr;
  }

  template <class V>
  const V& get(std::string_view name) const {
    if (const V* found = find<V>(name); found != nullptr) return *found;
    refuse("it does not describe its ", name);
  }

  /// A list of numbers that is kept as text.
  std::vector<double> get_numbers(std::string_view name) const {
    const std::string& text = get<std::string>(name);
    std::vector<double> numbers;
    for (const char *at = text.data(), *end = at + text.size(); at < end;) {
      double number = 0;
      const auto read = minicnn::detail::float_from_chars(at, end, number);
      if (read.ec != std::errc()) refuse("its ", name, " is \"", text, "\"");
      numbers.push_back(number);
      at = read.ptr + 1;
    }
    return numbers;
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail("ONNX: node ", node_->name, " (", node_->operation->kind(), "): ", parts...);
  }

  std::string parameter(std::string_view name) {
    const std::string full = text_of(node_->name, ".", name);
    return out_.weights(full, net_.parameter(full));
  }
  /// For rules outside this class.
  onnx_layer at_hand() {
    const auto written = [this](std::string_view name, const shape& dims) {
      const std::string full = text_of(node_->name, ".", name);
      return out_.weights(full, net_.parameter(full).reshaped(dims));
    };
    const auto transposed = [this](std::string_view name) {
      const std::string full = text_of(node_->name, ".", name);
      const view<const T> from = net_.parameter(full);
      tensor<T> to(shape{from.dim(1), from.dim(0)});
      for (index_t i = 0; i < from.dim(0); ++i)
        for (index_t k = 0; k < from.dim(1); ++k) to[k * from.dim(0) + i] = from[i * from.dim(1) + k];
      return out_.copied_weights(full, view<const T>(to));
    };
    const auto numbers = [this](std::string_view name) {
      const view<const T> values = net_.parameter(text_of(node_->name, ".", name));
      return std::vector<double>(values.begin(), values.end());
    };
    return {out_, attributes_, in(), out(), x_, y_, written, transposed, numbers};
  }
  std::string buffer(std::string_view name) {
    const std::string full = text_of(node_->name, ".", name);
    return out_.weights(full, net_.buffer(full));
  }
  std::string constant(const char* name, double value) { return out_.constants(y_ + name, {}, {value}); }

  // ---- layers

  void pass_on() { names_[static_cast<std::size_t>(id_)] = x_[0]; }

  void concat() { out_.node("Concat", x_, y_, onnx_attributes().integer("axis", get<index_t>("axis"))); }
  void flatten() { out_.node("Flatten", x_, y_, onnx_attributes().integer("axis", 1)); }

  void leaky_relu() { out_.node("LeakyRelu", x_, y_, onnx_attributes().real("alpha", get<double>("alpha"))); }
  void elu() { out_.node("Elu", x_, y_, onnx_attributes().real("alpha", get<double>("alpha"))); }
  void silu() {
    out_.node("Sigmoid", x_, y_ + ".gate");
    out_.node("Mul", {x_[0], y_ + ".gate"}, y_);
  }
  void hard_swish() {
    out_.node("HardSigmoid", x_, y_ + ".gate", onnx_attributes().real("alpha", 1.0 / 6).real("beta", 0.5));
    out_.node("Mul", {x_[0], y_ + ".gate"}, y_);
  }
  void clip() { out_.node("Clip", {x_[0], constant(".min", get<double>("min")), constant(".max", get<double>("max"))}, y_); }
  void hard_sigmoid() {
    out_.node("HardSigmoid", x_, y_, onnx_attributes().real("alpha", get<double>("alpha")).real("beta", get<double>("beta")));
  }
  /// x / 2 * (1 + erf(x / sqrt(2))).
  void gelu() {
    out_.node("Mul", {x_[0], constant(".root", 0.70710678118654752)}, y_ + ".scaled");
    out_.node("Erf", {y_ + ".scaled"}, y_ + ".erf");
    out_.node("Add", {y_ + ".erf", constant(".one", 1.0)}, y_ + ".gate");
    out_.node("Mul", {x_[0], y_ + ".gate"}, y_ + ".double");
    out_.node("Mul", {y_ + ".double", constant(".half", 0.5)}, y_);
  }

  void sum() { arithmetic("Add"); }
  void difference() { arithmetic("Sub"); }
  void product() { arithmetic("Mul"); }
  void quotient() { arithmetic("Div"); }
  void arithmetic(const char* what) {
    if (const auto& trained = get<std::string>("parameter"); !trained.empty()) x_.push_back(parameter(trained));
    out_.node(what, x_, y_);
  }

  void conv2d() {
    onnx_window w = given_window();
    w.dilations = get<onnx_integers>("dilations");
    resolve_padding(w);
    std::vector<std::string> inputs{x_[0], parameter("weight")};
    if (get<bool>("bias")) inputs.push_back(parameter("bias"));
    out_.node("Conv", inputs, y_, w.attributes().integers("dilations", w.dilations).integer("group", get<index_t>("group")));
  }

  void int8_conv2d() {
    if (in().rank() == 2) return onnx_int8_conv2d(at_hand(), {});
    onnx_window w = given_window();
    w.dilations = get<onnx_integers>("dilations");
    resolve_padding(w);
    onnx_int8_conv2d(at_hand(), w.attributes());
  }
  void int8_avg_pool() { int8_pool(&onnx_translator::avg_pool); }
  void int8_adaptive_avg_pool() { int8_pool(&onnx_translator::adaptive_avg_pool); }
  void int8_pool(void (onnx_translator::*pool)()) {
    const std::string y = y_;
    std::string& name = names_[static_cast<std::size_t>(id_)];
    x_[0] = onnx_dequantized(at_hand(), x_[0], "input");
    name = y_ = y + ".exact";
    (this->*pool)();
    const std::string real = std::exchange(name, y);  // the input's where there is nothing to do
    y_ = y;
    onnx_quantized(at_hand(), real, false);
  }

  void dense() {
    if (in().rank() != 2) return onnx_dense_on_last_axis(at_hand());
    std::vector<std::string> inputs{x_[0], parameter("weight")};
    if (get<bool>("bias")) inputs.push_back(parameter("bias"));
    out_.node("Gemm", inputs, y_, onnx_attributes().integer("transB", 1));
  }

  void batch_norm() {
    const std::string weight = get<bool>("scale") ? parameter("weight") : per_channel(".weight", 1.0);
    const std::string bias = get<bool>("bias") ? parameter("bias") : per_channel(".bias", 0.0);
    // ONNX's momentum is the share of what was there before.
    out_.node("BatchNormalization", {x_[0], weight, bias, buffer("running_mean"), buffer("running_var")}, y_,
              onnx_attributes().real("epsilon", get<double>("epsilon")).real("momentum", 1.0 - get<double>("momentum")));
  }

  std::string per_channel(const char* name, double value) { return per_channel(name, std::vector<double>(channels(), value)); }
  std::string per_channel(const char* name, const std::vector<double>& values) {
    return out_.constants(y_ + name, {out()[1]}, values);
  }
  std::size_t channels() const { return static_cast<std::size_t>(out()[1]); }

  /// ONNX divides alpha by the size of the window, as Caffe and PyTorch do; this library does not, as TensorFlow and the paper.
  void lrn() {
    const index_t size = get<index_t>("size");
    if (size % 2 == 0) refuse("a window of an even number of channels, ", size, ", would lie one channel further on in ONNX");
    out_.node("LRN", x_, y_,
              onnx_attributes()
                  .integer("size", size)
                  .real("alpha", get<double>("alpha") * static_cast<double>(size))
                  .real("beta", get<double>("beta"))
                  .real("bias", get<double>("k")));
  }

  /// As a normalisation of mean 0 and variance 1: OpenCV 4.6 cannot multiply by a number a channel.
  void scale() {
    out_.node("BatchNormalization",
              {x_[0], factors(".factor", "factor"), factors(".offset", "offset"), per_channel(".mean", 0.0),
               per_channel(".variance", 1.0)},
              y_, onnx_attributes().real("epsilon", 0.0));
  }

  std::string factors(const char* name, const char* attribute) {
    const std::vector<double> values = get_numbers(attribute);
    return values.size() == 1 ? per_channel(name, values[0]) : per_channel(name, values);
  }

  void pad_channels() {
    const auto rank = static_cast<std::size_t>(out().rank());
    onnx_integers pads(2 * rank, 0);
    pads[1] = get<index_t>("before");
    pads[rank + 1] = get<index_t>("after");
    out_.node("Pad", {x_[0], out_.integers(y_ + ".pads", pads)}, y_);
  }

  // ---- pooling

  onnx_window given_window() const { return {get<onnx_integers>("kernel_shape"), get<onnx_integers>("strides"), {}, {}}; }

  void resolve_padding(onnx_window& w) const {
    if (const auto* pads = find<onnx_integers>("pads"); pads != nullptr)
      w.pads = *pads;
    else
      w.pad_same(in(), out());
  }

  void max_pool() {
    onnx_window w = given_window();
    resolve_padding(w);
    w.complete(in(), out());
    out_.node("MaxPool", x_, y_, w.attributes());
  }

  /// Padding that counts is made part of the image: a window that sticks out then counts it, but not what lies beyond; and
  /// OpenCV 4.6 does not look at count_include_pad.
  void avg_pool() {
    onnx_window w = given_window();
    resolve_padding(w);
    const onnx_integers pads = w.pads;
    w.complete(in(), out());
    if (get<bool>("count_include_pad") && pads != onnx_integers(4, 0)) {
      out_.node("Pad", {x_[0], out_.integers(y_ + ".pads", {0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]})}, y_ + ".padded");
      x_[0] = y_ + ".padded";
      for (std::size_t side = 0; side < 4; ++side) w.pads[side] -= pads[side];
    }
    out_.node("AveragePool", x_, y_, w.attributes().integer("count_include_pad", 0));
  }

  void adaptive_max_pool() { adaptive_pool("Max"); }
  void adaptive_avg_pool() { adaptive_pool("Average"); }
  void adaptive_pool(const char* what) {
    const onnx_integers& size = get<onnx_integers>("output_size");
    if (size == onnx_integers{in()[2], in()[3]} && size != onnx_integers{1, 1}) return pass_on();  // a mean of one: as of many
    onnx_adaptive_pool(out_, what, in(), size, x_[0], y_);
  }

  const network<T>& net_;
  onnx_graph& out_;
  std::vector<std::string> names_;  ///< of each node's value in the model
  std::vector<shape> dims_;         ///< and its shape

  // the node at hand
  int id_ = 0;
  const graph_node<T>* node_ = nullptr;
  attribute_list attributes_;
  std::vector<std::string> x_;  ///< names of its inputs
  std::string y_;               ///< and of its value
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
