#pragma once
/// A network of real numbers rewritten with operations on 8-bit numbers.

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "minicnn/graph/network.hpp"
#include "minicnn/graph/output_nodes.hpp"
#include "minicnn/graph/passes/fold_batch_norm.hpp"
#include "minicnn/int8/combine_op.hpp"
#include "minicnn/int8/conv_op.hpp"
#include "minicnn/int8/pool_op.hpp"
#include "minicnn/layers/flatten.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// Goes over a network whose normalisations are folded. Convolutions and dense layers become 8-bit ones, with the sum, ReLU and
/// map of channels behind them where nothing else reads what lies between; pooling, sums, concatenations and maps follow where
/// their inputs are bytes already. All else stays, and gets real numbers.
template <class T>
class int8_rewriter {
 public:
  /// `ranges`: the quantisation of every node's value. Nodes that `keep` selects stay real.
  int8_rewriter(const network<T>& net, std::vector<int8::quantization> ranges, const std::vector<std::string>& keep)
      : net_(net), nodes_(net.nodes()), ranges_(std::move(ranges)), keep_(keep), values_(nodes_.size()) {
    readers_ = count_readers<T>(nodes_, std::vector<char>(nodes_.size(), 1));
    readers_[index(net.topology().outputs[0])] += 1;
  }

  MINICNN_COLD network<T> run() && {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      if (!values_[i].made()) rewrite(i);
    const context& ctx = net_.ctx();
    const node<T> result = real(index(net_.topology().outputs[0]));
    network<T> out(
        std::move(g_), {result},
        {.seed = net_.seed(), .threads = ctx.threads, .bf16 = ctx.bf16, .winograd = ctx.winograd, .initialize = false});
    for (const auto& [name, values] : parameters_) std::copy(values.begin(), values.end(), out.parameter(name).begin());
    for (const buffer_info& b : out.buffers()) {
      const view<const T> from = net_.buffer(b.name);
      std::copy(from.begin(), from.end(), out.buffer(b.name).begin());
    }
    return out;
  }

 private:
  using numbers = std::vector<T>;

  /// What a node's value is in the new graph: real, bytes, or both.
  struct value {
    node<T> real, bytes;
    int8::quantization q;
    bool made() const { return real.owner != nullptr || bytes.owner != nullptr; }
  };

  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  std::string_view kind(std::size_t i) const { return nodes_[i].operation == nullptr ? "" : nodes_[i].operation->kind(); }
  op_role role(std::size_t i) const { return nodes_[i].operation == nullptr ? op_role::other : nodes_[i].operation->role(); }
  bool kept(std::size_t i) const {
    return std::any_of(keep_.begin(), keep_.end(), [&](const std::string& k) { return selects(k, nodes_[i].name); });
  }

  template <class V>
  static V get(const attribute_list& a, std::string_view name, V other) {
    for (const auto& [key, found] : a)
      if (key == name)
        if (const V* v = std::get_if<V>(&found)) return *v;
    return other;
  }
  using list = std::vector<index_t>;
  template <class Options>
  static void read_window(const attribute_list& a, Options& o) {
    const list kernel = get(a, "kernel_shape", list{1, 1}), stride = get(a, "strides", list{1, 1});
    const list pads = get(a, "pads", list{0, 0, 0, 0});
    o.kernel = {kernel[0], kernel[1]}, o.stride = {stride[0], stride[1]};
    o.padding = {pads[0], pads[2], pads[1], pads[3]};
    if (get(a, "auto_pad", std::string()) == "SAME_UPPER") o.padding = padding2d::same();
    if constexpr (requires { o.ceil_mode; }) o.ceil_mode = get(a, "ceil_mode", false);
    if constexpr (requires { o.count_include_pad; }) o.count_include_pad = get(a, "count_include_pad", true);
  }

  // ---- values

  node<T> real(std::size_t i) {
    value& v = values_[i];
    if (v.real.owner != nullptr) return v.real;
    v.real = dequantize(v.bytes, {v.q, nodes_[i].name + ".real"});
    if (v.real.dims().rank() != nodes_[i].dims.rank()) v.real = flatten(v.real, {.name = nodes_[i].name + ".flat"});
    return v.real;
  }
  node<T> bytes(std::size_t i) {
    value& v = values_[i];
    if (v.bytes.owner == nullptr) v.q = ranges_[i], v.bytes = quantize(v.real, {v.q, nodes_[i].name + ".bytes"});
    return v.bytes;
  }
  bool has_bytes(std::size_t i) const { return values_[i].bytes.owner != nullptr; }
  bool all_bytes(std::size_t i) const {
    return std::all_of(nodes_[i].inputs.begin(), nodes_[i].inputs.end(), [&](int j) { return has_bytes(index(j)); });
  }
  std::size_t input(std::size_t i) const { return index(nodes_[i].inputs[0]); }

  /// The one node that reads `i`, or none: `nodes_.size()`.
  std::size_t only_reader(std::size_t i) const {
    if (readers_[i] == 1)
      for (std::size_t k = i + 1; k < nodes_.size(); ++k)
        for (const int j : nodes_[k].inputs)
          if (index(j) == i && !kept(k)) return k;
    return nodes_.size();
  }

  /// Whether `i` is max(x, 0), perhaps with an upper bound.
  bool is_relu(std::size_t i) const {
    if (i >= nodes_.size()) return false;
    return role(i) == op_role::relu || (kind(i) == "clip" && get(nodes_[i].operation->describe(), "min", -1.0) == 0.0);
  }
  bool is_map(std::size_t i) const { return i < nodes_.size() && mapping_of(nodes_[i]) != nullptr; }

  /// Bounds of the value of `i` as bytes.
  std::pair<index_t, index_t> bounds(std::size_t i, int8::quantization q) const {
    if (!is_relu(i)) return {0, 255};
    const double most =
        get(nodes_[i].operation->describe(), "max", std::numeric_limits<double>::infinity()) / static_cast<double>(q.scale) +
        q.zero;
    return {q.zero, most < 255 ? static_cast<index_t>(std::nearbyint(most)) : 255};
  }

  // ---- operations

  MINICNN_COLD void rewrite(std::size_t i) {
    const graph_node<T>& n = nodes_[i];
    if (n.operation == nullptr) {
      values_[i].real = g_.input(shape(n.dims.begin() + 1, n.dims.end()), n.name);
      return;
    }
    const bool stays = kept(i);
    if (!stays && (kind(i) == "conv2d" || kind(i) == "dense") && convolution(i)) return;
    if (!stays && n.dims.rank() >= 2 && all_bytes(i) && follow(i)) return;
    std::vector<node<T>> inputs;
    for (const int j : n.inputs) inputs.push_back(real(index(j)));
    values_[i].real = g_.add(n.operation, inputs, n.name, {});
    for (const parameter_info& p : net_.parameters())
      if (index(p.node) == i) {
        const view<const T> from = net_.parameter(p.name);
        parameters_.emplace_back(p.name, numbers(from.begin(), from.end()));
      }
  }

  /// An operation on bytes that are there already. False: there is none like it.
  MINICNN_COLD bool follow(std::size_t i) {
    const graph_node<T>& n = nodes_[i];
    const value x = values_[input(i)];
    const attribute_list a = n.operation->describe();
    if (role(i) == op_role::dropout || kind(i) == "stochastic_depth" || kind(i) == "flatten") {
      values_[i].bytes = x.bytes, values_[i].q = x.q;
      return true;
    }
    for (const int j : n.inputs)
      if (nodes_[index(j)].dims.rank() != values_[index(j)].bytes.dims().rank()) return false;  // flattened
    if (kind(i) == "max_pool") {
      max_pool_options o;
      read_window(a, o), o.name = n.name;
      values_[i].bytes = int8_max_pool(x.bytes, std::move(o)), values_[i].q = x.q;
    } else if (kind(i) == "avg_pool") {
      avg_pool_options o;
      read_window(a, o), o.name = n.name;
      values_[i].bytes = int8_avg_pool(x.bytes, std::move(o), x.q, ranges_[i]), values_[i].q = ranges_[i];
    } else if (kind(i) == "adaptive_avg_pool") {
      const list size = get(a, "output_size", list{1, 1});
      adaptive_pool_options o{.output = {size[0], size[1]}, .name = n.name};
      values_[i].bytes = int8_avg_pool(x.bytes, std::move(o), x.q, ranges_[i]), values_[i].q = ranges_[i];
    } else if (is_map(i) || is_relu(i)) {
      map_channels(i);
    } else if ((role(i) == op_role::add && n.inputs.size() == 2) || concatenates(i)) {
      combine(i);
    } else {
      return false;
    }
    return true;
  }

  bool concatenates(std::size_t i) const {
    const std::vector<int>& inputs = nodes_[i].inputs;
    return role(i) == op_role::concat &&
           std::all_of(inputs.begin(), inputs.end(), [&](int j) { return nodes_[index(j)].dims[1] % 4 == 0; });
  }

  /// A sum or a concatenation, with the ReLU behind it.
  MINICNN_COLD void combine(std::size_t i) {
    std::size_t last = i;
    if (is_relu(only_reader(i))) last = only_reader(i);
    int8_combine_options o;
    std::vector<node<T>> inputs;
    for (const int j : nodes_[i].inputs) inputs.push_back(values_[index(j)].bytes), o.inputs.push_back(values_[index(j)].q);
    o.output = ranges_[last], o.name = nodes_[i].name;
    std::tie(o.low, o.high) = bounds(last, o.output);
    values_[last].bytes =
        role(i) == op_role::add ? int8_add(inputs[0], inputs[1], std::move(o)) : int8_concat(inputs, std::move(o));
    values_[last].q = ranges_[last];
    if (last != i) values_[i] = values_[last];  // nothing reads it
  }

  /// A normalisation with the ReLU behind it, or a ReLU alone.
  MINICNN_COLD void map_channels(std::size_t i) {
    std::size_t last = i;
    if (is_map(i) && is_relu(only_reader(i))) last = only_reader(i);
    int8_combine_options o{.inputs = {values_[input(i)].q}, .output = ranges_[last], .name = nodes_[i].name};
    std::tie(o.low, o.high) = bounds(last, o.output);
    values_[last].bytes = int8_scale(values_[input(i)].bytes, std::move(o));
    values_[last].q = ranges_[last];
    if (last != i) values_[i] = values_[last];
    const auto channels = static_cast<std::size_t>(nodes_[i].dims[1]);
    numbers factor(channels, T{1}), shift(channels, T{0});
    if (is_map(i)) read_map(i, factor, shift);
    parameters_.emplace_back(nodes_[i].name + ".factor", std::move(factor));
    parameters_.emplace_back(nodes_[i].name + ".shift", std::move(shift));
  }

  void read_map(std::size_t i, numbers& factor, numbers& shift) const {
    const int id = static_cast<int>(i);
    const auto maps = mapping_of(nodes_[i])->channel_maps(parameters_of(net_, id), buffers_of(net_, id));
    for (std::size_t c = 0; c < maps.size(); ++c) {
      factor[c] = static_cast<T>(maps[c].scale);
      shift[c] = static_cast<T>(maps[c].shift - maps[c].center * maps[c].scale);
    }
  }

  /// Options of a convolution, or of a dense layer as one whose window is the whole image. False: not by 8-bit numbers.
  MINICNN_COLD bool read_convolution(std::size_t i, int8_conv2d_options& o) const {
    const attribute_list a = nodes_[i].operation->describe();
    const node<T> made = values_[input(i)].bytes;
    const shape& x = made.owner == nullptr ? nodes_[input(i)].dims : made.dims();
    if (kind(i) == "dense") {
      o.filters = get(a, "units", index_t{0});
      if (nodes_[input(i)].dims.rank() != 2) return false;
      if (x.rank() == 4) o.kernel = {x[2], x[3]};
    } else {
      read_window(a, o);
      o.filters = get(a, "filters", index_t{0}), o.groups = get(a, "group", index_t{1});
      const list dilation = get(a, "dilations", list{1, 1});
      o.dilation = {dilation[0], dilation[1]};
      const bool depthwise = x[1] == o.groups && o.filters == o.groups;
      if (o.groups > 1 && !depthwise && x[1] / o.groups % 4 != 0) return false;
    }
    return int8::padded_channels(x[1] / o.groups) * o.kernel.size() <= 65536;
  }

  MINICNN_COLD bool convolution(std::size_t i) {
    int8_conv2d_options o;
    if (!read_convolution(i, o)) return false;
    std::size_t last = i, addend = nodes_.size(), map = nodes_.size();
    const std::size_t sum = only_reader(i);
    if (kind(i) == "conv2d" && sum < nodes_.size() && role(sum) == op_role::add && nodes_[sum].inputs.size() == 2) {
      const std::size_t first = index(nodes_[sum].inputs[0]), other = first == i ? index(nodes_[sum].inputs[1]) : first;
      if (other != i && values_[other].made()) addend = other, last = sum;
    }
    if (is_relu(only_reader(last))) {
      last = only_reader(last);
      if (addend == nodes_.size() && kind(last) != "clip" && is_map(only_reader(last))) map = last = only_reader(last);
    }
    const node<T> x = bytes(input(i));
    o.input = values_[input(i)].q, o.output = ranges_[last], o.name = nodes_[i].name;
    o.mapped = map < nodes_.size();
    o.real = kind(i) == "dense" && last == i && static_cast<int>(i) == net_.topology().outputs[0];
    if (!o.mapped) std::tie(o.low, o.high) = bounds(last, o.output);
    node<T> second;
    if (addend < nodes_.size()) second = bytes(addend), o.addend = values_[addend].q;
    write_parameters(i, o, map);
    const node<T> y = int8_conv2d(x, o, addend < nodes_.size() ? &second : nullptr);
    for (std::size_t k = i; k <= last; ++k)
      if (k == last || k == i || (k == sum && addend < nodes_.size()) || (k == input(last))) {
        (o.real ? values_[k].real : values_[k].bytes) = y;
        values_[k].q = o.output;
      }
    return true;
  }

  MINICNN_COLD void write_parameters(std::size_t i, const int8_conv2d_options& o, std::size_t map) {
    const std::string& name = nodes_[i].name;
    const view<const T> weight = net_.parameter(name + ".weight");
    const bool biased = get(nodes_[i].operation->describe(), "bias", false);
    const auto filters = static_cast<std::size_t>(o.filters);
    const std::size_t taps = static_cast<std::size_t>(weight.size()) / filters;
    numbers whole(weight.begin(), weight.end()), scale(filters), bias(filters, T{0});
    if (biased) std::copy_n(net_.parameter(name + ".bias").begin(), filters, bias.begin());
    for (std::size_t f = 0; f < filters; ++f) {
      T *const begin = whole.data() + f * taps, *const end = begin + taps;
      double most = std::abs(static_cast<double>(bias[f])) / static_cast<double>(o.input.scale) / (1 << 24) * 127;
      for (const T* w = begin; w != end; ++w) most = (std::max)(most, std::abs(static_cast<double>(*w)));
      scale[f] = static_cast<T>(most > 0 ? (std::max)(most / 127, 1e-20) : 1.0);
      for (T* w = begin; w != end; ++w)
        *w = static_cast<T>(
            (std::min)((std::max)(std::nearbyint(static_cast<double>(*w) / static_cast<double>(scale[f])), -127.0), 127.0));
    }
    parameters_.emplace_back(name + ".weight", std::move(whole));
    parameters_.emplace_back(name + ".scale", std::move(scale));
    parameters_.emplace_back(name + ".bias", std::move(bias));
    if (map >= nodes_.size()) return;
    numbers factor(filters), shift(filters);
    read_map(map, factor, shift);
    parameters_.emplace_back(name + ".factor", std::move(factor));
    parameters_.emplace_back(name + ".shift", std::move(shift));
  }

  const network<T>& net_;
  const std::vector<graph_node<T>>& nodes_;
  std::vector<int8::quantization> ranges_;
  std::vector<std::string> keep_;
  std::vector<int> readers_;
  std::vector<value> values_;
  std::vector<std::pair<std::string, numbers>> parameters_;
  graph<T> g_;
};

}  // namespace minicnn::inline MINICNN_ABI::detail
