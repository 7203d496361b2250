#pragma once
/// Layers by kind and attributes, as they describe themselves: a line each.

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/core/printable.hpp"
#include "minicnn/int8/combine_op.hpp"
#include "minicnn/int8/conv_op.hpp"
#include "minicnn/int8/pool_op.hpp"
#include "minicnn/io/json.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/class_token.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/conv_transpose.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/matmul.hpp"
#include "minicnn/layers/pad_channels.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/prelu.hpp"
#include "minicnn/layers/reduce.hpp"
#include "minicnn/layers/resample.hpp"
#include "minicnn/layers/reshape.hpp"
#include "minicnn/layers/scale.hpp"
#include "minicnn/layers/stochastic_depth.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// One layer of a description.
struct layer_text {
  const json& attributes;
  std::string name;

  /// A number of a size that no network needs is refused before it is computed with.
  static index_t bounded(index_t value) {
    if (value < -(index_t{1} << 31) || value > index_t{1} << 31) fail("a number of ", value);
    return value;
  }
  index_t integer(std::string_view key) const { return bounded(attributes.at(key).as_int()); }
  double real(std::string_view key) const { return attributes.at(key).as_double(); }
  bool flag(std::string_view key) const { return attributes.at(key).as_bool(); }
  std::vector<index_t> integers(std::string_view key) const {
    std::vector<index_t> out;
    for (const json& one : attributes.at(key).as_array()) out.push_back(bounded(one.as_int()));
    return out;
  }
  std::vector<index_t> integers(std::string_view key, std::size_t count) const {
    std::vector<index_t> out = integers(key);
    if (out.size() != count) fail(key, ": wanted ", count, " numbers, got ", out.size());
    return out;
  }
  /// The place of a word among those that are known.
  int word(std::string_view key, std::initializer_list<std::string_view> known) const {
    const std::string& given = attributes.at(key).as_string();
    const auto found = std::find(known.begin(), known.end(), given);
    if (found == known.end()) fail(key, ": \"", excerpt(given), "\" is none of its words");
    return static_cast<int>(found - known.begin());
  }
  extent2d extent(std::string_view key) const {
    const std::vector<index_t> v = integers(key, 2);
    return {v[0], v[1]};
  }
  padding2d padding() const {
    if (attributes.has("auto_pad")) {
      const std::string& kind = attributes.at("auto_pad").as_string();
      if (kind != "SAME_UPPER") fail<option_error>("auto_pad is \"", kind, "\", wanted \"SAME_UPPER\"");
      return padding2d::same();
    }
    const std::vector<index_t> p = integers("pads", 4);
    return {p[0], p[2], p[1], p[3]};
  }
  /// Numbers separated by spaces.
  std::vector<double> listed(std::string_view key) const {
    std::vector<double> out;
    for (std::string_view rest = attributes.at(key).as_string(); !rest.empty();) {
      const std::size_t end = (std::min)(rest.find(' '), rest.size());
      const auto number = parse_number(rest.substr(0, end));
      if (!number) fail(key, ": \"", excerpt(rest.substr(0, end)), "\" is no number");
      out.push_back(*number);
      rest.remove_prefix((std::min)(end + 1, rest.size()));
    }
    return out;
  }
  /// "x_scale" and "x_zero" for `what` = "x"; their layer checks the bounds.
  int8::quantization quantization(const std::string& what) const {
    return {static_cast<float>(real(what + "_scale")),
            static_cast<int>((std::clamp)(integer(what + "_zero"), index_t{-1}, index_t{256}))};
  }
  int8_combine_options combination(std::size_t inputs) const {
    int8_combine_options o{.output = quantization("output"), .low = integer("low"), .high = integer("high"), .name = name};
    for (std::size_t i = 0; i < inputs; ++i) o.inputs.push_back(quantization(text_of("input", i)));
    return o;
  }
  template <class Options>
  Options windows() const {
    Options o;
    o.kernel = extent("kernel_shape"), o.stride = extent("strides"), o.padding = padding(), o.name = name;
    return o;
  }
};

/// Arithmetic of two inputs, or of one and a trained operand.
template <class T>
node<T> make_arithmetic(arithmetic what, const std::vector<node<T>>& x, const layer_text& t) {
  const std::string parameter = t.attributes.at("parameter").as_string();
  if (x.size() != (parameter.empty() ? 2U : 1U)) fail("wanted ", parameter.empty() ? 2 : 1, " inputs, got ", x.size());
  if (parameter.empty()) return arithmetic_node(what, x[0], x[1], {.name = t.name});
  const std::vector<index_t> dims = t.integers("shape");
  return arithmetic_node(what, x[0], shape(dims.begin(), dims.end()), {.parameter = parameter, .name = t.name});
}

template <class T>
using layer_maker = node<T> (*)(const std::vector<node<T>>& x, const layer_text& t);

template <class T>
struct layer_row {
  std::string_view kind;
  std::size_t inputs;  ///< 0: any number
  layer_maker<T> make;
};

template <class T>
inline constexpr layer_row<T> layer_table[] = {
    {"adaptive_avg_pool", 1,
     [](const auto& x, const layer_text& t) {
       return adaptive_avg_pool(x[0], {.output = t.extent("output_size"), .name = t.name});
     }},
    {"adaptive_max_pool", 1,
     [](const auto& x, const layer_text& t) {
       return adaptive_max_pool(x[0], {.output = t.extent("output_size"), .name = t.name});
     }},
    {"add", 2, [](const auto& x, const layer_text& t) { return add(x[0], x[1], {.name = t.name}); }},
    {"avg_pool", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<avg_pool_options>();
       o.ceil_mode = t.flag("ceil_mode"), o.count_include_pad = t.flag("count_include_pad");
       return avg_pool(x[0], std::move(o));
     }},
    {"batch_norm", 1,
     [](const auto& x, const layer_text& t) {
       batch_norm_options o{.eps = t.real("epsilon"), .momentum = t.real("momentum"), .affine = t.flag("affine"), .name = t.name};
       // Files of version 0.1 do not have these.
       o.scale = t.attributes.value_or("scale", true), o.bias = t.attributes.value_or("bias", true);
       return batch_norm(x[0], std::move(o));
     }},
    {"broadcast_add", 0, [](const auto& x, const layer_text& t) { return make_arithmetic(arithmetic::add, x, t); }},
    {"class_token", 1, [](const auto& x, const layer_text& t) { return class_token(x[0], {.name = t.name}); }},
    {"clip", 1, [](const auto& x, const layer_text& t) { return clip(x[0], t.real("min"), t.real("max"), {.name = t.name}); }},
    {"concat", 0,
     [](const auto& x, const layer_text& t) {
       return concat(x, {.axis = t.attributes.has("axis") ? static_cast<int>(t.integer("axis")) : 1, .name = t.name});
     }},
    {"conv2d", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<conv2d_options>();
       o.filters = t.integer("filters"), o.dilation = t.extent("dilations");
       o.groups = t.integer("group"), o.bias = t.flag("bias");
       return conv2d(x[0], std::move(o));
     }},
    {"conv_transpose", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<conv_transpose_options>();
       o.filters = t.integer("filters"), o.dilation = t.extent("dilations"), o.output_padding = t.extent("output_padding");
       o.groups = t.integer("group"), o.bias = t.flag("bias");
       return conv_transpose(x[0], std::move(o));
     }},
    {"dense", 1,
     [](const auto& x, const layer_text& t) {
       const bool last_axis = t.attributes.value_or("last_axis", false);
       return dense(x[0], t.integer("units"), {.bias = t.flag("bias"), .last_axis = last_axis, .name = t.name});
     }},
    {"dequantize", 1,
     [](const auto& x, const layer_text& t) {
       return dequantize(x[0], {t.quantization("input"), t.name});
     }},
    {"div", 0, [](const auto& x, const layer_text& t) { return make_arithmetic(arithmetic::div, x, t); }},
    {"dropout", 1, [](const auto& x, const layer_text& t) { return dropout(x[0], t.real("ratio"), {.name = t.name}); }},
    {"elu", 1, [](const auto& x, const layer_text& t) { return elu(x[0], t.real("alpha"), {.name = t.name}); }},
    {"flatten", 1, [](const auto& x, const layer_text& t) { return flatten(x[0], {.name = t.name}); }},
    {"gelu", 1, [](const auto& x, const layer_text& t) { return gelu(x[0], {.name = t.name}); }},
    {"hard_sigmoid", 1,
     [](const auto& x, const layer_text& t) { return hard_sigmoid(x[0], t.real("alpha"), t.real("beta"), {.name = t.name}); }},
    {"hard_swish", 1, [](const auto& x, const layer_text& t) { return hard_swish(x[0], {.name = t.name}); }},
    {"int8_adaptive_avg_pool", 1,
     [](const auto& x, const layer_text& t) {
       adaptive_pool_options o{.output = t.extent("output_size"), .name = t.name};
       return int8_avg_pool(x[0], std::move(o), t.quantization("input"), t.quantization("output"));
     }},
    {"int8_add", 2, [](const auto& x, const layer_text& t) { return int8_add(x[0], x[1], t.combination(2)); }},
    {"int8_avg_pool", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<avg_pool_options>();
       o.ceil_mode = t.flag("ceil_mode"), o.count_include_pad = t.flag("count_include_pad");
       return int8_avg_pool(x[0], std::move(o), t.quantization("input"), t.quantization("output"));
     }},
    {"int8_concat", 0, [](const auto& x, const layer_text& t) { return int8_concat(x, t.combination(x.size())); }},
    {"int8_conv2d", 0,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<int8_conv2d_options>();
       o.filters = t.integer("filters"), o.dilation = t.extent("dilations"), o.groups = t.integer("group");
       o.input = t.quantization("input"), o.output = t.quantization("output"), o.addend = t.quantization("addend");
       o.low = t.integer("low"), o.high = t.integer("high"), o.real = t.flag("real"), o.mapped = t.flag("mapped");
       if (x.size() > 2) fail("wanted 1 or 2 inputs, got ", x.size());
       return int8_conv2d(x[0], std::move(o), x.size() > 1 ? &x[1] : nullptr);
     }},
    {"int8_max_pool", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<max_pool_options>();
       o.ceil_mode = t.flag("ceil_mode");
       return int8_max_pool(x[0], std::move(o));
     }},
    {"int8_scale", 1, [](const auto& x, const layer_text& t) { return int8_scale(x[0], t.combination(1)); }},
    {"layer_norm", 1,
     [](const auto& x, const layer_text& t) {
       return layer_norm(
           x[0],
           {.axis = static_cast<int>(t.integer("axis")), .eps = t.real("epsilon"), .affine = t.flag("affine"), .name = t.name});
     }},
    {"leaky_relu", 1, [](const auto& x, const layer_text& t) { return leaky_relu(x[0], t.real("alpha"), {.name = t.name}); }},
    {"lrn", 1,
     [](const auto& x, const layer_text& t) {
       return lrn(
           x[0], {.size = t.integer("size"), .alpha = t.real("alpha"), .beta = t.real("beta"), .k = t.real("k"), .name = t.name});
     }},
    {"matmul", 2,
     [](const auto& x, const layer_text& t) {
       return matmul(x[0], x[1], {.transpose_b = t.flag("transpose_b"), .name = t.name});
     }},
    {"max_pool", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<max_pool_options>();
       o.ceil_mode = t.flag("ceil_mode");
       return max_pool(x[0], std::move(o));
     }},
    {"mul", 0, [](const auto& x, const layer_text& t) { return make_arithmetic(arithmetic::mul, x, t); }},
    {"pad", 1,
     [](const auto& x, const layer_text& t) {
       const auto mode = static_cast<pad_mode>(t.word("mode", {"constant", "reflect", "edge"}));
       return pad(x[0], {.padding = t.padding(), .mode = mode, .value = t.real("value"), .name = t.name});
     }},
    {"pad_channels", 1,
     [](const auto& x, const layer_text& t) {
       return pad_channels(x[0], {.before = t.integer("before"), .after = t.integer("after"), .name = t.name});
     }},
    {"prelu", 1, [](const auto& x, const layer_text& t) { return prelu(x[0], {.name = t.name}); }},
    {"quantize", 1,
     [](const auto& x, const layer_text& t) {
       return quantize(x[0], {t.quantization("output"), t.name});
     }},
    {"reduce_mean", 1,
     [](const auto& x, const layer_text& t) {
       return reduce_mean(x[0], {.axes = t.integers("axes"), .keep = t.flag("keepdims"), .name = t.name});
     }},
    {"reduce_sum", 1,
     [](const auto& x, const layer_text& t) {
       return reduce_sum(x[0], {.axes = t.integers("axes"), .keep = t.flag("keepdims"), .name = t.name});
     }},
    {"relu", 1, [](const auto& x, const layer_text& t) { return relu(x[0], {.name = t.name}); }},
    {"reshape", 1, [](const auto& x, const layer_text& t) { return reshape(x[0], t.integers("shape"), {.name = t.name}); }},
    {"resize", 1,
     [](const auto& x, const layer_text& t) {
       const auto mode = static_cast<resize_mode>(t.word("mode", {"nearest", "bilinear"}));
       const auto corners = t.flag("align_corners") ? resize_corners::aligned : resize_corners::half_pixel;
       return resize(x[0],
                     {.size = t.extent("size"), .factor = t.real("factor"), .mode = mode, .corners = corners, .name = t.name});
     }},
    {"scale", 1,
     [](const auto& x, const layer_text& t) {
       return scale(x[0], {.factor = t.listed("factor"), .offset = t.listed("offset"), .name = t.name});
     }},
    {"sigmoid", 1, [](const auto& x, const layer_text& t) { return sigmoid(x[0], {.name = t.name}); }},
    {"silu", 1, [](const auto& x, const layer_text& t) { return silu(x[0], {.name = t.name}); }},
    {"slice", 1,
     [](const auto& x, const layer_text& t) {
       return slice(x[0], {.axis = static_cast<int>(t.integer("axis")),
                           .begin = t.integer("begin"),
                           .count = t.integer("count"),
                           .step = t.integer("step"),
                           .name = t.name});
     }},
    {"softmax", 1,
     [](const auto& x, const layer_text& t) {
       return softmax_along(x[0], {.axis = static_cast<int>(t.integer("axis")), .name = t.name});
     }},
    {"softplus", 1, [](const auto& x, const layer_text& t) { return softplus(x[0], {.name = t.name}); }},
    {"stochastic_depth", 1,
     [](const auto& x, const layer_text& t) { return stochastic_depth(x[0], t.real("ratio"), {.name = t.name}); }},
    {"sub", 0, [](const auto& x, const layer_text& t) { return make_arithmetic(arithmetic::sub, x, t); }},
    {"tanh", 1, [](const auto& x, const layer_text& t) { return minicnn::tanh(x[0], {.name = t.name}); }},
    {"transpose", 1, [](const auto& x, const layer_text& t) { return transpose(x[0], t.integers("perm"), {.name = t.name}); }},
};

template <class T>
node<T> make_layer(std::string_view kind, const std::vector<node<T>>& x, const layer_text& t) {
  for (const layer_row<T>& row : layer_table<T>) {
    if (row.kind != kind) continue;
    if (row.inputs > 0 ? x.size() != row.inputs : x.empty()) fail(kind, ": wanted ", row.inputs, " inputs, got ", x.size());
    return row.make(x, t);
  }
  fail("\"", excerpt(kind), "\" is no layer of this version");
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
