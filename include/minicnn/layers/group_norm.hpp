#pragma once
/// Group normalisation (Wu and He, ECCV 2018), instance normalisation (Ulyanov et al., 2016), depth to space (Shi et al., CVPR
/// 2016) and back, each made of other layers.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/reshape.hpp"

namespace minicnn::inline MINICNN_ABI {

struct group_norm_options {
  /// Divides the channels. 1: all channels of a picture together; as many as channels: instance normalisation.
  index_t groups = 1;

  /// Added to the variance before the root is taken.
  double eps = 1e-5;

  /// Whether each channel has a weight and a bias.
  bool affine = true;

  /// Scope of the nodes: NAME.norm.ln1, NAME.scale.weight, NAME.shift.bias.
  std::string name = "gn";
};

/// (n, c, h, w) with mean 0 and variance 1 in each group of channels of each picture, then a factor and an offset a channel.
/// Throws option_error unless groups divide the channels.
template <class T>
MINICNN_COLD node<T> group_norm(node<T> x, group_norm_options o = {}) {
  const shape dims = x.dims();
  if (dims.rank() != 4) fail<shape_error>("group_norm wants an input of (n, c, h, w), got ", dims);
  if (o.groups < 1 || dims[1] % o.groups != 0)
    fail<option_error>("group_norm: groups must divide the ", dims[1], " channels, got ", o.groups);
  const auto scope = x.owner->scope(o.name);
  x = layer_norm(reshape(x, {o.groups, -1}), {.eps = o.eps, .affine = false, .name = "norm"});
  x = reshape(x, {dims[1], dims[2], dims[3]});
  if (!o.affine) return x;
  x = mul_weight(x, {dims[1], 1, 1}, {.name = "scale"});
  return add_weight(x, {dims[1], 1, 1}, {.parameter = "bias", .init = initializer::constant(0.0), .name = "shift"});
}

/// How channels become pixels.
enum class depth_order {
  pixel_shuffle,  ///< channel c * block^2 + i * block + j becomes pixel (i, j) of channel c: PyTorch's, ONNX's CRD
  depth_first,    ///< channel (i * block + j) * c' + c does: TensorFlow's, ONNX's default DCR
};

/// (n, c * block^2, h, w) -> (n, c, h * block, w * block). Throws shape_error unless block^2 divides the channels.
template <class T>
MINICNN_COLD node<T> depth_to_space(node<T> x, index_t block, depth_order order = depth_order::pixel_shuffle) {
  const shape dims = x.dims();
  if (dims.rank() != 4 || block < 1 || dims[1] % (block * block) != 0)
    fail<shape_error>("depth_to_space in blocks of ", block, " of ", dims, ": channels must be a multiple of ", block * block);
  const index_t c = dims[1] / (block * block), h = dims[2], w = dims[3];
  if (order == depth_order::pixel_shuffle)
    x = transpose(reshape(x, {c, block, block, h, w}), {0, 1, 4, 2, 5, 3});
  else
    x = transpose(reshape(x, {block, block, c, h, w}), {0, 3, 4, 1, 5, 2});
  return reshape(x, {c, h * block, w * block});
}

/// The way back: (n, c, h, w) -> (n, c * block^2, h / block, w / block). Throws shape_error unless block divides height and
/// width.
template <class T>
MINICNN_COLD node<T> space_to_depth(node<T> x, index_t block, depth_order order = depth_order::pixel_shuffle) {
  const shape dims = x.dims();
  if (dims.rank() != 4 || block < 1 || dims[2] % block != 0 || dims[3] % block != 0)
    fail<shape_error>("space_to_depth in blocks of ", block, " of ", dims, ": height and width must be multiples of ", block);
  const index_t c = dims[1], h = dims[2] / block, w = dims[3] / block;
  x = reshape(x, {c, h, block, w, block});
  x = transpose(
      x, order == depth_order::pixel_shuffle ? std::vector<index_t>{0, 1, 3, 5, 2, 4} : std::vector<index_t>{0, 3, 5, 1, 2, 4});
  return reshape(x, {c * block * block, h, w});
}

}  // namespace minicnn::inline MINICNN_ABI
