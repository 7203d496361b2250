// Every layer once: the code of docs/layers/. Prints the shape of each value, for a batch of one.

#include <minicnn/layers/activation.hpp>
#include <minicnn/layers/add.hpp>
#include <minicnn/layers/batch_norm.hpp>
#include <minicnn/layers/concat.hpp>
#include <minicnn/layers/conv2d.hpp>
#include <minicnn/layers/dense.hpp>
#include <minicnn/layers/dropout.hpp>
#include <minicnn/layers/flatten.hpp>
#include <minicnn/layers/lrn.hpp>
#include <minicnn/layers/pad_channels.hpp>
#include <minicnn/layers/pooling.hpp>
#include <minicnn/layers/scale.hpp>
#include <minicnn/layers/spatial_pyramid.hpp>

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
  print("pyramid", pyramid(maps));
  print("classifier", classifier(of_any_size(maps)));
}
