#pragma once
/// Vision transformer: Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale", ICLR
/// 2021; attention: Vaswani et al., "Attention is all you need", NeurIPS 2017.

#include <cmath>
#include <string>
#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/class_token.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/matmul.hpp"
#include "minicnn/layers/reshape.hpp"
#include "minicnn/layers/scale.hpp"

namespace minicnn::inline MINICNN_ABI {

struct vision_transformer_options {
  int patch = 16;     ///< pixels a side of a patch, which becomes a token
  int width = 768;    ///< numbers a token
  int layers = 12;    ///< of the encoder
  int heads = 12;     ///< of attention; divides `width`
  int hidden = 3072;  ///< units of the perceptrons
  int classes = 2;
  int channels = 3;
  int image_size = 224;  ///< pixels a side; a multiple of `patch`. Positions are trained, so a network has one size.
  double dropout = 0.0;  ///< of what attention and perceptrons add
  initializer init = initializer::glorot();
  network_options network = {};
};

/// Attention of x (n, tokens, width) over itself, of `heads` heads side by side: softmax(q k^T / sqrt(width / heads)) v, with q,
/// k and v from one dense layer, NAME.in_proj, and another, NAME.out_proj, behind it. Throws option_error unless heads divide the
/// width.
template <class T>
MINICNN_COLD node<T> self_attention(node<T> x, int heads, const std::string& name,
                                    const initializer& init = initializer::glorot()) {
  const index_t tokens = x.dims()[1], width = x.dims()[2];
  if (heads < 1 || width % heads != 0) fail<option_error>(name, ": heads must divide the width of ", width, ", got ", heads);
  const auto scope = x.owner->scope(name);
  x = dense(x, 3 * width, {.init = init, .last_axis = true, .name = "in_proj"});
  x = transpose(reshape(x, {tokens, 3, heads, width / heads}), {0, 2, 3, 1, 4});  // (n, 3, heads, tokens, width of a head)
  const auto part = [&](index_t i, const char* called) { return slice(x, {.axis = 1, .begin = i, .name = called}); };
  const node<T> q = scale(part(0, "q"), {.factor = {1.0 / std::sqrt(static_cast<double>(width / heads))}});
  const node<T> shares = softmax_along(matmul(q, part(1, "k"), {.transpose_b = true}));
  x = reshape(transpose(matmul(shares, part(2, "v")), {0, 1, 3, 2, 4}), {tokens, width});
  return dense(x, width, {.init = init, .last_axis = true, .name = "out_proj"});
}

/// Patches, a class token, trained positions, and layers of attention and perceptrons behind layer normalisations; the class
/// token decides. By default ViT-B/16, with 86,567,656 parameters at 1000 classes and 224 pixels. Nodes have torchvision's names
/// but for the class token (tokens.class_token) and in_proj.weight and .bias, which are in_proj_weight and in_proj_bias there.
template <class T = float>
MINICNN_COLD network<T> vision_transformer(const vision_transformer_options& o = {}) {
  if (o.patch < 1 || o.image_size % o.patch != 0)
    fail<shape_error>("vision_transformer: images of ", o.image_size, " pixels are not made of patches of ", o.patch);
  const double eps = 1e-6;
  graph<T> g;
  auto x = g.input({o.channels, o.image_size, o.image_size});
  x = conv2d(x, {.filters = o.width, .kernel = o.patch, .stride = o.patch, .init = initializer::lecun(), .name = "conv_proj"});
  x = class_token(transpose(reshape(x, {o.width, -1}), {0, 2, 1}), {.name = "tokens"});
  x = add_weight(x, {1, x.dims()[1], o.width},
                 {.parameter = "pos_embedding", .init = initializer::normal(0.02), .name = "encoder"});
  const auto dropped = [&](node<T> y) { return o.dropout > 0 ? dropout(y, o.dropout) : y; };
  x = dropped(x);
  for (int layer = 0; layer < o.layers; ++layer) {
    const auto scope = g.scope(text_of("encoder.layers.encoder_layer_", layer));
    auto y = self_attention(layer_norm(x, {.eps = eps, .name = "ln_1"}), o.heads, "self_attention", o.init);
    x = add(x, dropped(y));
    y = dense(layer_norm(x, {.eps = eps, .name = "ln_2"}), o.hidden, {.init = o.init, .last_axis = true, .name = "mlp.0"});
    y = dense(dropped(gelu(y)), o.width, {.init = o.init, .last_axis = true, .name = "mlp.3"});
    x = add(x, dropped(y));
  }
  x = flatten(slice(layer_norm(x, {.eps = eps, .name = "encoder.ln"}), {.axis = 1, .name = "class"}));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::normal(0.01), .name = "heads.head"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(vision_transformer);

}  // namespace minicnn::inline MINICNN_ABI
