#pragma once
/// Convolution without bias, batch normalisation, ReLU: the unit that inception networks are made of.

#include <string>
#include <utility>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"

namespace minicnn::inline MINICNN_ABI {

/// relu(batch_norm(conv2d(x))). The nodes are called NAME.conv, NAME.bn and NAME.relu1, where NAME is the convolution's
/// name, which must be given; its `bias` is ignored, as normalisation subtracts it again.
template <class T>
MINICNN_COLD node<T> conv_bn_relu(node<T> x, conv2d_options conv, batch_norm_options bn = {}) {
  if (conv.name.empty()) fail<option_error>("conv_bn_relu: wanted a name for the convolution");
  const auto scope = x.owner->scope(conv.name);
  conv.name = "conv";
  conv.bias = false;
  bn.name = "bn";
  return relu(batch_norm(conv2d(x, std::move(conv)), std::move(bn)));
}

}  // namespace minicnn::inline MINICNN_ABI
