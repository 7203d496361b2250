// Every layer once: the code of docs/layers/. Prints the shape of each value, for a batch of one.

#include <minicnn/layers/activation.hpp>
#include <minicnn/layers/add.hpp>
#include <minicnn/layers/arithmetic.hpp>
#include <minicnn/layers/batch_norm.hpp>
#include <minicnn/layers/class_token.hpp>
#include <minicnn/layers/concat.hpp>
#include <minicnn/layers/conv2d.hpp>
#include <minicnn/layers/conv_transpose.hpp>
#include <minicnn/layers/dense.hpp>
#include <minicnn/layers/dropout.hpp>
#include <minicnn/layers/flatten.hpp>
#include <minicnn/layers/group_norm.hpp>
#include <minicnn/layers/layer_norm.hpp>
#include <minicnn/layers/lrn.hpp>
#include <minicnn/layers/matmul.hpp>
#include <minicnn/layers/pad_channels.hpp>
#include <minicnn/layers/pooling.hpp>
#include <minicnn/layers/prelu.hpp>
#include <minicnn/layers/reduce.hpp>
#include <minicnn/layers/resample.hpp>
#include <minicnn/layers/reshape.hpp>
#include <minicnn/layers/scale.hpp>
#include <minicnn/layers/spatial_pyramid.hpp>
#include <minicnn/layers/stochastic_depth.hpp>

#include <cstdio>

using minicnn::node;

namespace {

// AlexNet's first layer: (n, 3, 227, 227) -> (n, 96, 55, 55).
node<float> convolution(node<float> x) { return conv2d(x, {.filters = 96, .kernel = 11, .stride = 4}); }

// Its overlapping windows: (n, 96, 55, 55) -> (n, 96, 27, 27).
node<float> overlapping_pool(node<float> x) { return max_pool(x, {.kernel = 3, .stride = 2}); }

// Halves rows and columns: (n, c, h, w) -> (n, c, h / 2, w / 2).
node<float> halved(node<float> x) { return avg_pool(x, {.kernel = 2}); }

// Any image becomes (n, c, 6, 6), so that dense layers may follow.
node<float> of_any_size(node<float> x) { return adaptive_avg_pool(x, {.output = 6}); }

// One number a channel: (n, c, h, w) -> (n, c, 1, 1).
node<float> means(node<float> x) { return global_avg_pool(x); }

// The paper's numbers are the defaults; these are those of Caffe's AlexNet.
node<float> response_normalised(node<float> x) { return lrn(x, minicnn::lrn_options::caffe(5, 1e-4, 0.75)); }

// A convolution needs no bias where normalisation follows, which subtracts the mean.
node<float> normalised(node<float> x) {
  return relu(batch_norm(conv2d(x, {.filters = 64, .kernel = 3, .padding = 1, .bias = false})));
}

// The end of a classifier: 4096 features, half of them dropped in training, 10 logits.
node<float> classifier(node<float> x) {
  x = dropout(relu(dense(flatten(x), 4096)), 0.5);
  return dense(x, 10, {.init = minicnn::initializer::glorot()});
}

// ReLU costs nothing behind a convolution or a dense layer; the others are passes of their own.
node<float> activations(node<float> x) { return silu(gelu(leaky_relu(relu(x), 0.1))); }

// A residual block without the convolutions' details.
node<float> residual(node<float> x) {
  const node<float> y = batch_norm(conv2d(x, {.filters = x.dims()[1], .kernel = 3, .padding = 1, .bias = false}));
  return relu(add(y, x));
}

// Two views of one image, channels behind each other.
node<float> inception(node<float> x) {
  const node<float> narrow = relu(conv2d(x, {.filters = 16, .kernel = 1}));
  const node<float> wide = relu(conv2d(x, {.filters = 32, .kernel = 3, .padding = 1}));
  return minicnn::concat({narrow, wide});
}

// ResNet's shortcut without parameters: 16 channels become 32, and every second row and column is taken.
node<float> shortcut(node<float> x) { return pad_channels(max_pool(x, {.kernel = 1, .stride = 2}), {.before = 8, .after = 8}); }

// Pictures normalised as torchvision does, for weights that want pixels from -1 to 1.
node<float> prepared(node<float> x) { return scale(x, minicnn::scale_options::imagenet_to_unit()); }

// Squeeze-and-excitation: a gate of (n, c, 1, 1) weighs the channels of (n, c, h, w).
node<float> weighed(node<float> x) {
  const node<float> squeezed = relu(conv2d(global_avg_pool(x), {.filters = x.dims()[1] / 4}));
  return mul(x, hard_sigmoid(conv2d(squeezed, {.filters = x.dims()[1]})));
}

// A residual branch that begins small, with a trained factor a channel, and is left out for a fifth of the samples in training.
node<float> careful(node<float> x) {
  node<float> branch = conv2d(x, {.filters = x.dims()[1], .kernel = 3, .padding = 1});
  branch = mul_weight(branch, {x.dims()[1], 1, 1}, {.init = minicnn::initializer::constant(1e-6)});
  return add(stochastic_depth(branch, 0.2), x);
}

// Channels of every pixel with mean 0 and deviation 1, as in ConvNeXt; in groups of four; a slope below 0 for each channel.
node<float> channel_norms(node<float> x) {
  x = layer_norm(x, {.axis = 1});
  return prelu(group_norm(x, {.groups = x.dims()[1] / 4}));
}

// Pixels become tokens, a trained one in front, and attention mixes them: (n, c, h, w) -> (n, 1 + h w, c).
node<float> attention(node<float> x) {
  x = class_token(transpose(reshape(x, {x.dims()[1], -1}), {0, 2, 1}));
  const node<float> q = dense(x, 16, {.last_axis = true}), k = dense(x, 16, {.last_axis = true});
  return matmul(softmax_along(matmul(q, k, {.transpose_b = true})), x);
}

// The first token, and the mean of the others.
node<float> pooled(node<float> x) {
  const node<float> others = slice(x, {.axis = 1, .begin = 1, .count = x.dims()[1] - 1});
  return minicnn::concat({slice(x, {.axis = 1}), reduce_mean(others, {.axes = {1}})});
}

// Twice the rows and columns, in three ways, and a border that mirrors the image.
node<float> enlarged(node<float> x) {
  const node<float> trained = conv_transpose(x, {.filters = 4, .kernel = 2, .stride = 2});
  const node<float> shuffled = depth_to_space(x, 2), between = resize(x, {.mode = minicnn::resize_mode::bilinear});
  return pad(minicnn::concat({trained, shuffled, between}), {.padding = 1, .mode = minicnn::pad_mode::reflect});
}

// 1 + 4 + 16 bins a channel, whatever the image's size: (n, c, any, any) -> (n, 21 c).
node<float> pyramid(node<float> x) { return spatial_pyramid(x, {.levels = {4, 2, 1}}); }

void print(const char* what, node<float> x) { std::printf("%-20s %s\n", what, x.dims().text().c_str()); }

}  // namespace

int main() {
  minicnn::graph<float> g;
  const node<float> picture = g.input({3, 227, 227}), maps = g.input({16, 24, 32}, "maps");
  const node<float> first = convolution(prepared(picture));
  print("convolution", first);
  print("overlapping_pool", overlapping_pool(activations(first)));
  print("response_normalised", response_normalised(first));
  print("halved", halved(maps));
  print("of_any_size", of_any_size(maps));
  print("means", means(maps));
  print("normalised", normalised(maps));
  print("residual", residual(maps));
  print("inception", inception(maps));
  print("shortcut", shortcut(maps));
  print("weighed", weighed(maps));
  print("careful", careful(maps));
  print("channel_norms", channel_norms(maps));
  print("attention", attention(maps));
  print("pooled", pooled(attention(maps)));
  print("enlarged", enlarged(maps));
  print("pyramid", pyramid(maps));
  print("classifier", classifier(of_any_size(maps)));
}
