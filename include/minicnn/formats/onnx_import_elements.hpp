#pragma once
/// ONNX's operators on single elements and on channels as layers: activations, arithmetic, normalisation.

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_importer.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/scale.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The node of input 0 for a layer that looks at one element at a time: any shape and layout will do.
template <class T>
node<T> any_elements(onnx_importer<T>& in) {
  return {&in.nodes(), in.plain_zeros(0).id};
}

/// A node times one number.
template <class T>
node<T> times(onnx_importer<T>& in, node<T> x, double factor, const std::string& name) {
  const auto channels = static_cast<std::size_t>(x.dims()[1]);
  if (channels > 1 << 16) fail("a constant for ", channels, " channels");
  return scale(
      x,
      {.factor = std::vector<double>(channels, factor), .offset = std::vector<double>(channels, 0.0), .name = in.unique(name)});
}

template <class T>
void import_neg(onnx_importer<T>& in) {
  in.same_shape(times(in, any_elements(in), -1.0, std::string(in.own_name())));
}
template <class T>
void import_relu(onnx_importer<T>& in) {
  in.same_shape(relu(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_sigmoid(onnx_importer<T>& in) {
  in.same_shape(sigmoid(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_tanh(onnx_importer<T>& in) {
  in.same_shape(tanh(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_softplus(onnx_importer<T>& in) {
  in.same_shape(softplus(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_hard_swish(onnx_importer<T>& in) {
  in.same_shape(hard_swish(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_silu(onnx_importer<T>& in) {
  in.same_shape(silu(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_gelu(onnx_importer<T>& in) {
  if (const auto how = in.text("approximate", "none"); how != "none") fail("attribute approximate is \"", excerpt(how), "\"");
  in.same_shape(gelu(any_elements(in), {.name = in.name()}));
}
template <class T>
void import_leaky_relu(onnx_importer<T>& in) {
  in.same_shape(leaky_relu(any_elements(in), in.real("alpha", 0.01), {.name = in.name()}));
}
template <class T>
void import_elu(onnx_importer<T>& in) {
  in.same_shape(elu(any_elements(in), in.real("alpha", 1.0), {.name = in.name()}));
}

template <class T>
void import_hard_sigmoid(onnx_importer<T>& in) {
  in.same_shape(hard_sigmoid(any_elements(in), in.real("alpha", 0.2), in.real("beta", 0.5), {.name = in.name()}));
}

/// Clip from 0 to infinity is a ReLU.
template <class T>
void import_clip(onnx_importer<T>& in) {
  const auto bound = [&](std::size_t i, const char* key, double otherwise) {
    if (!in.has(i)) return in.real(key, otherwise);
    const std::vector<double>& v = in.memory().numbers(in.constant(i, key));
    if (v.size() != 1) fail(key, " has ", v.size(), " values");
    return v[0];
  };
  const double low = bound(1, "min", -std::numeric_limits<double>::infinity());
  const double high = bound(2, "max", std::numeric_limits<double>::infinity());
  if (low < -3.4e38 && high > 3.4e38) return in.pass_on();
  if (low == 0.0 && high > 3.4e38) return import_relu(in);
  const double most = (std::numeric_limits<float>::max)();
  in.same_shape(clip(any_elements(in), (std::max)(low, -most), (std::min)(high, most), {.name = in.name()}));
}

/// Numbers of a constant, one a channel, if it has no more than one a channel: that is how it is combined with all samples.
template <class T>
std::vector<double> channel_numbers(onnx_importer<T>& in, const onnx_value<T>& v, const onnx_constant& c) {
  const std::size_t rank = v.dims.size(), channel = v.channels_last ? rank - 1 : 1;
  const auto channels = static_cast<std::size_t>(rank > 1 ? v.dims[channel] : 1);
  if (c.dims.size() > rank) fail("a constant of ", extents_text(c.dims), " for ", extents_text(v.dims));
  for (std::size_t i = 0; i < c.dims.size(); ++i) {
    const std::size_t axis = rank - c.dims.size() + i;
    if (c.dims[i] != 1 && (axis != channel || c.dims[i] != v.dims[axis]))
      fail("a constant of ", extents_text(c.dims), " for ", extents_text(v.dims), "; wanted one number, or one a channel");
  }
  if (c.depends_on_batch()) fail("the batch size takes part in its numbers");
  std::vector<double> numbers = in.memory().numbers(c);
  if (numbers.size() == 1) numbers.assign(channels, numbers[0]);
  if (channels > 1 << 16) fail("a constant for ", channels, " channels");
  return numbers;
}

/// Whether a constant has one number, or one a channel.
template <class T>
bool is_by_channel(const onnx_value<T>& v, const onnx_constant& c) {
  const std::size_t rank = v.dims.size(), channel = v.channels_last ? rank - 1 : 1;
  for (std::size_t i = 0; i < c.dims.size(); ++i)
    if (c.dims.size() > rank || (c.dims[i] != 1 && (rank - c.dims.size() + i != channel || c.dims[i] != v.dims[channel])))
      return false;
  return true;
}

template <class T>
void import_with_places(onnx_importer<T>& in, std::size_t x, const onnx_constant& c);
template <class T>
void import_two(onnx_importer<T>& in);

/// y = factor * x + offset, a channel.
template <class T>
void put_scale(onnx_importer<T>& in, std::size_t i, std::vector<double> factor, std::vector<double> offset) {
  onnx_value<T> v = in.any(i);
  const node<T> x = v.channels_last ? node<T>{&in.nodes(), v.id} : v.lifted ? in.exact(i) : in.natural(i);
  v = in.any(i);
  v.id = scale(x, {.factor = std::move(factor), .offset = std::move(offset), .name = in.name()}).id;
  in.put(std::move(v));
}

/// Add, Sub, Mul and Div of a computed value and a constant; Sum and Mean of two are added too.
template <class T>
void import_with_constant(onnx_importer<T>& in) {
  const std::size_t x = in.is_constant(0) ? 1 : 0, c = 1 - x;
  if (in.integer("broadcast", 0) != 0 && in.at().find("axis") != nullptr) fail("attribute axis of operator set 6");
  const onnx_value<T>& v = in.plain_zeros(x);
  const onnx_constant& constant = in.constant(c, "constant");
  if (constant.depends_on_batch()) fail("the batch size takes part in its numbers");
  if (v.lifted ? constant.size() != 1 : !is_by_channel(v, constant)) return import_with_places(in, x, constant);
  if (v.lifted && v.dims[0] > 1 << 16) fail("a constant for ", v.dims[0], " rows");
  std::vector<double> numbers = v.lifted
                                    ? std::vector<double>(static_cast<std::size_t>(v.dims[0]), in.memory().numbers(constant)[0])
                                    : channel_numbers(in, v, constant);
  std::vector<double> factor(numbers.size(), 1.0), offset(numbers.size(), 0.0);
  const std::string_view type = in.at().type;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (type == "Add" || type == "Sum" || type == "Mean") offset[i] = numbers[i];
    if (type == "Mul") factor[i] = numbers[i];
    if (type == "Div") factor[i] = 1.0 / numbers[i];
    if (type == "Sub") factor[i] = x == 0 ? 1.0 : -1.0, offset[i] = x == 0 ? -numbers[i] : numbers[i];
    if (!std::isfinite(factor[i]) || !std::isfinite(offset[i])) fail("its constant has ", numbers[i]);
  }
  if (type == "Div" && x == 1) fail("a constant divided by what the network computes");
  put_scale(in, x, std::move(factor), std::move(offset));
}

/// The sum of all inputs; constants among two inputs are a scale.
template <class T>
void import_add(onnx_importer<T>& in) {
  if (in.count() == 2 && (in.is_constant(0) || in.is_constant(1))) return import_with_constant(in);
  if (in.count() == 1) return in.pass_on();
  const onnx_value<T> first = in.plain_zeros(0);
  if (in.count() == 2 && (in.any(1).dims != first.dims || in.any(1).channels_last != first.channels_last || first.lifted))
    return import_two(in);
  const std::string name = in.name();
  node<T> sum;
  for (std::size_t i = 0; i < in.count(); ++i) {
    const onnx_value<T>& x = in.plain_zeros(i);
    if (x.dims != first.dims || x.channels_last != first.channels_last)
      fail("inputs of ", extents_text(first.dims), " and ", extents_text(x.dims), "; the layer wants two of one shape");
    const node<T> one = x.channels_last ? node<T>{&in.nodes(), x.id} : in.natural(i);
    const bool last = i + 1 == in.count();
    sum = i == 0 ? one : add(sum, one, {.name = last ? name : in.unique(text_of(name, ".", i))});
  }
  onnx_value<T> v = in.computed(0);
  v.id = sum.id;
  in.put(std::move(v));
}

/// The mean of all inputs.
template <class T>
void import_mean(onnx_importer<T>& in) {
  import_add(in);
  onnx_value<T> v = *in.find(in.at().outputs.at(0));
  const auto name = text_of(in.own_name(), ".mean");
  v.id = times(in, node<T>{&in.nodes(), v.id}, 1.0 / static_cast<double>(in.count()), name).id;
  in.put(std::move(v));
}

template <class T>
void import_arithmetic(onnx_importer<T>& in) {
  if (in.is_constant(0) || in.is_constant(1)) return import_with_constant(in);
  import_two(in);
}

/// Inputs: image, weight, bias, mean, variance. Without eps, which ours does not allow, it is what it stands for: a factor and an
/// offset a channel.
template <class T>
void import_batch_norm(onnx_importer<T>& in) {
  in.want_one_output();
  if (in.integer("training_mode", 0) != 0) fail("attribute training_mode: statistics of the batch in prediction");
  if (in.integer("spatial", 1) != 1) fail("attribute spatial is 0");
  const onnx_value<T> v = in.computed(0);
  if (v.dims.size() < 2) fail("wanted (n, c, ...), got ", extents_text(v.dims));
  const index_t channels = v.dims[v.channels_last ? v.dims.size() - 1 : 1];
  const char* const what[] = {"", "weight", "bias", "mean", "variance"};
  for (std::size_t i = 1; i <= 4; ++i)
    if (in.constant(i, what[i]).size() != channels)
      fail("its ", what[i], " is ", extents_text(in.constant(i, what[i]).dims), " for ", channels, " channels");
  const double eps = in.real("epsilon", 1e-5);
  if (!(eps > 0.0)) {
    const auto numbers = [&](std::size_t i) { return in.memory().numbers(in.constant(i, what[i])); };
    std::vector<double> factor = numbers(1), offset = numbers(2), mean = numbers(3), variance = numbers(4);
    for (std::size_t c = 0; c < factor.size(); ++c) {
      factor[c] /= std::sqrt(variance[c] + eps), offset[c] -= mean[c] * factor[c];
      if (!std::isfinite(factor[c]) || !std::isfinite(offset[c]))
        fail("attribute epsilon is ", eps, ", and a variance ", variance[c]);
    }
    return put_scale(in, 0, std::move(factor), std::move(offset));
  }
  node<T> x = in.natural(0);
  if (x.dims().rank() != 4 && x.dims().rank() != 2)
    x = reshape(x, {channels, 1, -1}, {.name = in.unique(text_of(in.own_name(), ".row"))});
  const double kept = std::clamp(in.real("momentum", 0.9), 0.0, 1.0);
  const std::string name = in.name(1);
  // 0.9 is stored as a float
  in.same_shape(batch_norm(x, {.eps = eps, .momentum = std::round((1.0 - kept) * 1e6) / 1e6, .name = name}));
  in.fill(name + ".weight", in.constant(1, "weight"));
  in.fill(name + ".bias", in.constant(2, "bias"));
  in.fill(name + ".running_mean", in.constant(3, "mean"), true);
  in.fill(name + ".running_var", in.constant(4, "variance"), true);
}

template <class T>
void import_lrn(onnx_importer<T>& in) {
  const node<T> x = in.natural(0);
  auto o = lrn_options::caffe(in.integer("size", 0), in.real("alpha", 1e-4), in.real("beta", 0.75), in.real("bias", 1.0));
  if (o.size < 1 || o.size > 1 << 16) fail("attribute size is ", o.size);
  if (o.size % 2 == 0) fail("attribute size is ", o.size, ": a window of an even number of channels lies one further on in ONNX");
  o.name = in.name();
  in.same_shape(lrn(x, std::move(o)));
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
