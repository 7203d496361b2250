#pragma once
/// Networks that export and import are tried on.

#include "minicnn/layers/add.hpp"
#include "minicnn/layers/class_token.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/conv_transpose.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/group_norm.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/matmul.hpp"
#include "minicnn/layers/prelu.hpp"
#include "minicnn/layers/reduce.hpp"
#include "minicnn/layers/resample.hpp"
#include "minicnn/layers/reshape.hpp"
#include "minicnn/vision_transformer.hpp"

namespace onnx_networks {

/// Attention, shapes, normalisations and sizes.
inline minicnn::network<float> every_tensor_layer(minicnn::index_t size) {
  using namespace minicnn;
  graph<float> g;
  auto x = g.input({3, size, size + 3});
  x = prelu(conv2d(x, {.filters = 8, .kernel = 3, .stride = 2, .padding = 1}));
  x = group_norm(layer_norm(x, {.axis = 1, .eps = 0.01}), {.groups = 2});
  x = conv_transpose(x, {.filters = 8, .kernel = {2, 3}, .stride = 2, .padding = {0, 1}, .output_padding = {1, 0}, .groups = 2});
  x = pad(x, {.padding = {1, 2, 3, 0}, .mode = pad_mode::reflect});
  x = add(pad(slice(x, {.axis = 2, .begin = 1, .count = x.dims()[2] - 1}), {.padding = {1, 0, 0, 0}, .mode = pad_mode::edge}), x);
  x = resize(pad(x, {.padding = 1, .value = 0.5}), {.size = {9, 11}, .mode = resize_mode::bilinear});
  x = resize(x, {.size = {5, 6}, .mode = resize_mode::bilinear, .corners = resize_corners::aligned});
  x = depth_to_space(resize(x, {.size = {7, 8}}), 2);
  x = depth_to_space(softmax_along(concat({x, x}), {.axis = 1}), 2, depth_order::depth_first);
  x = class_token(transpose(reshape(x, {x.dims()[1], -1}), {0, 2, 1}));
  x = self_attention(dense(x, 12, {.last_axis = true}), 3, "attention");
  x = layer_norm(add_weight(x, {1, x.dims()[1], 12}, {.parameter = "positions"}));
  const auto sum = reduce_sum(x, {.axes = {1}, .keep = false}), mean = reduce_mean(x, {.axes = {-2}, .keep = false});
  const auto first = flatten(slice(x, {.axis = 1}));
  return network<float>(std::move(g), {dense(concat({sum, mean, first}), 10)}, {.threads = 1});
}

}  // namespace onnx_networks
