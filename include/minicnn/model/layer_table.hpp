#pragma once
/// Layers by kind and attributes, as they describe themselves: a line each.

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/core/printable.hpp"
#include "minicnn/io/json.hpp"
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
#include "minicnn/layers/scale.hpp"

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
  std::vector<index_t> integers(std::string_view key, std::size_t count) const {
    std::vector<index_t> out;
    for (const json& one : attributes.at(key).as_array()) out.push_back(bounded(one.as_int()));
    if (out.size() != count) fail(key, ": wanted ", count, " numbers, got ", out.size());
    return out;
  }
  extent2d extent(std::string_view key) const {
    const std::vector<index_t> v = integers(key, 2);
    return {v[0], v[1]};
  }
  padding2d padding() const {
    if (attributes.has("auto_pad")) return padding2d::same();
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
  template <class Options>
  Options windows() const {
    Options o;
    o.kernel = extent("kernel_shape"), o.stride = extent("strides"), o.padding = padding(), o.name = name;
    return o;
  }
};

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
       return batch_norm(x[0],
                         {.eps = t.real("epsilon"), .momentum = t.real("momentum"), .affine = t.flag("affine"), .name = t.name});
     }},
    {"concat", 0, [](const auto& x, const layer_text& t) { return concat(x, {.name = t.name}); }},
    {"conv2d", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<conv2d_options>();
       o.filters = t.integer("filters"), o.dilation = t.extent("dilations");
       o.groups = t.integer("group"), o.bias = t.flag("bias");
       return conv2d(x[0], std::move(o));
     }},
    {"dense", 1,
     [](const auto& x, const layer_text& t) {
       return dense(x[0], t.integer("units"), {.bias = t.flag("bias"), .name = t.name});
     }},
    {"dropout", 1, [](const auto& x, const layer_text& t) { return dropout(x[0], t.real("ratio"), {.name = t.name}); }},
    {"elu", 1, [](const auto& x, const layer_text& t) { return elu(x[0], t.real("alpha"), {.name = t.name}); }},
    {"flatten", 1, [](const auto& x, const layer_text& t) { return flatten(x[0], {.name = t.name}); }},
    {"gelu", 1, [](const auto& x, const layer_text& t) { return gelu(x[0], {.name = t.name}); }},
    {"hard_swish", 1, [](const auto& x, const layer_text& t) { return hard_swish(x[0], {.name = t.name}); }},
    {"leaky_relu", 1, [](const auto& x, const layer_text& t) { return leaky_relu(x[0], t.real("alpha"), {.name = t.name}); }},
    {"lrn", 1,
     [](const auto& x, const layer_text& t) {
       return lrn(
           x[0], {.size = t.integer("size"), .alpha = t.real("alpha"), .beta = t.real("beta"), .k = t.real("k"), .name = t.name});
     }},
    {"max_pool", 1,
     [](const auto& x, const layer_text& t) {
       auto o = t.windows<max_pool_options>();
       o.ceil_mode = t.flag("ceil_mode");
       return max_pool(x[0], std::move(o));
     }},
    {"pad_channels", 1,
     [](const auto& x, const layer_text& t) {
       return pad_channels(x[0], {.before = t.integer("before"), .after = t.integer("after"), .name = t.name});
     }},
    {"relu", 1, [](const auto& x, const layer_text& t) { return relu(x[0], {.name = t.name}); }},
    {"scale", 1,
     [](const auto& x, const layer_text& t) {
       return scale(x[0], {.factor = t.listed("factor"), .offset = t.listed("offset"), .name = t.name});
     }},
    {"sigmoid", 1, [](const auto& x, const layer_text& t) { return sigmoid(x[0], {.name = t.name}); }},
    {"silu", 1, [](const auto& x, const layer_text& t) { return silu(x[0], {.name = t.name}); }},
    {"softplus", 1, [](const auto& x, const layer_text& t) { return softplus(x[0], {.name = t.name}); }},
    {"tanh", 1, [](const auto& x, const layer_text& t) { return minicnn::tanh(x[0], {.name = t.name}); }},
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
