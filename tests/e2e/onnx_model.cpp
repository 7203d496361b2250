// onnx_model NAME SIZE FOLDER: a network with random weights and random statistics of batch normalisation as FOLDER/net.onnx, and
// as FOLDER/values.npz an input of two images and what it makes of them. NAME is that of a model of the program, or "layers", a
// small network with every layer that export knows and the models lack; int8:NAME is the same network quantised, of "few" a small
// one with every 8-bit layer; free:NAME is the network as a model for images of any size, with the same weights for each SIZE.
//
// onnx_model import MODEL FOLDER: the other way round. FOLDER/values.npz gets as `output` what the ONNX model makes of x in
// FOLDER/input.npz, FOLDER/net.onnx is what we export of it, and `again` what that makes of x.

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <minicnn/alexnet.hpp>
#include <minicnn/formats/npz.hpp>
#include <minicnn/formats/npz_reader.hpp>
#include <minicnn/formats/onnx.hpp>
#include <minicnn/formats/onnx_import.hpp>
#include <minicnn/int8/quantizer.hpp>
#include <minicnn/layers/activation.hpp>
#include <minicnn/layers/add.hpp>
#include <minicnn/layers/arithmetic.hpp>
#include <minicnn/layers/batch_norm.hpp>
#include <minicnn/layers/concat.hpp>
#include <minicnn/layers/conv2d.hpp>
#include <minicnn/layers/dense.hpp>
#include <minicnn/layers/flatten.hpp>
#include <minicnn/layers/lrn.hpp>
#include <minicnn/layers/pooling.hpp>
#include <minicnn/layers/resample.hpp>
#include <minicnn/model/registry.hpp>
#include <minicnn/spp_net.hpp>
#include <minicnn/vgg.hpp>
#include <string>

#include "../formats/onnx_networks.hpp"

using namespace minicnn;

namespace {

network<float> every_layer(index_t size) {
  graph<float> g;
  auto x = g.input({3, size, size + 3});
  x = conv2d(x, {.filters = 8, .kernel = {3, 5}, .stride = 2, .padding = padding2d::same()});
  x = leaky_relu(x, 0.2);
  x = elu(conv2d(x, {.filters = 8, .kernel = 3, .padding = {1, 2, 0, 3}, .dilation = 2, .groups = 4, .bias = false}), 0.7);
  x = batch_norm(x, {.eps = 0.01, .affine = false});
  x = lrn(x, {.size = 3, .alpha = 0.3, .beta = 0.6, .k = 1.5});
  const auto a = max_pool(silu(x), {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const auto b = avg_pool(gelu(x), {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const auto c = avg_pool(hard_swish(x), {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false});
  const auto d = avg_pool(softplus(x), {.kernel = 4, .stride = 2, .padding = padding2d::same(), .count_include_pad = false});
  const auto last = max_pool(d, {.kernel = 2, .stride = 1, .padding = padding2d::same()});
  const auto gate = hard_sigmoid(global_avg_pool(a), 0.3, 0.4);
  x = concat({mul(add(a, b), gate), add(sigmoid(c), tanh(c)), div(sub(clip(a, -0.5, 0.7), gate), softplus(b))});
  x = mul_weight(x, {x.dims()[1], 1, 1});
  x = concat({flatten(adaptive_max_pool(x, {.output = {4, 5}})),  // bins of unequal size
              flatten(adaptive_avg_pool(x, {.output = {4, 5}})), flatten(adaptive_max_pool(x, {.output = 1})), flatten(last)});
  return network<float>(std::move(g), {dense(x, 10, {.bias = false})}, {.threads = 1});
}

/// What has an 8-bit form.
network<float> few_layers(index_t size) {
  graph<float> g;
  auto x = relu(conv2d(g.input({3, size, size}), {.filters = 16, .kernel = 3, .stride = 2, .padding = 1}));
  x = relu(add(conv2d(x, {.filters = 16, .kernel = 3, .padding = 1, .groups = 16}), x));
  x = batch_norm(max_pool(relu(conv2d(x, {.filters = 12, .kernel = 3, .groups = 4})), {.kernel = 3, .stride = 2, .padding = 1}));
  x = batch_norm(relu(conv2d(x, {.filters = 12})));
  x = concat({x, clip(conv2d(x, {.filters = 8}), 0, 1), avg_pool(x, {.kernel = 3, .stride = 1, .padding = 1})});
  x = relu(dense(flatten(adaptive_avg_pool(add(x, x), {.output = 2})), 20));
  return network<float>(std::move(g), {dense(x, 10)}, {.threads = 1});
}

network<float> make(const std::string& name, int size) {
  if (name == "few") return few_layers(size);
  if (name == "tensors") return onnx_networks::every_tensor_layer(size);
  if (name == "layers") return every_layer(size);
  // Few units in the dense layers: 4096 would make files of hundreds of megabytes, and test nothing else.
  const initializer he = initializer::he();
  if (name == "vgg11-bn")
    return vgg<float>({.depth = 11, .classes = 10, .image_size = size, .batch_norm = true, .dense_units = 64, .dense_init = he});
  if (name == "spp-net") return spp_net<float>({.classes = 10, .image_size = size, .dense_units = 64, .dense_init = he});
  const alexnet_options few{.classes = 10, .image_size = size, .dense_units = 64, .dense_init = he};
  if (name == "alexnet") return alexnet<float>(few);
  if (name == "alexnet-2012") return alexnet_2012<float>(few);
  if (name == "alexnet-torchvision") return alexnet_torchvision<float>(few);
  if (name == "alexnet-bn") return alexnet_bn<float>(few);
  minicnn::model_config o;
  o.name = name;
  o.image_size = size;
  o.classes = 10;
  o.transform_input = minicnn::has_aux(name);
  return minicnn::make_model(o, {.seed = 3, .threads = 1});
}

/// Numbers from `low` to `high`, the same on every machine.
void fill(view<float> values, random_key key, double low, double high) {
  random_stream numbers(key);
  for (float& value : values) value = static_cast<float>(numbers.uniform(low, high));
}

/// Numbers in the place of the ones and zeros that networks begin with.
void disturb(network<float>& net) {
  const random_key key(5);
  std::uint64_t part = 0;
  for (const auto& p : net.parameters())
    if (p.dims.rank() == 1) {
      const double middle = p.name.ends_with("weight") ? 1.0 : 0.0;
      fill(net.parameter(p.name), key.of(++part), middle - 0.3, middle + 0.3);
    }
  for (const auto& b : net.buffers()) {
    const bool variance = b.name.ends_with("running_var");
    fill(net.buffer(b.name), key.of(++part), variance ? 0.5 : -0.5, variance ? 2.0 : 0.5);
  }
}

void import_model(const std::string& path, const std::string& folder) {
  const tensor<float> input = npz_file::open(folder + "/input.npz").load<float>("x");
  const network<float> net = load_onnx<float>(path, {.network = {.threads = 2}});
  const tensor<float> output = net.predict(input);
  write_onnx(folder + "/net.onnx", net);
  const tensor<float> again = load_onnx<float>(folder + "/net.onnx").predict(input);
  const named_tensor<float> values[] = {{"output", output}, {"again", again}};
  write_npz<float>(folder + "/values.npz", values);
}

}  // namespace

int main(int, char** arguments) {
  try {
    if (std::string(arguments[1]) == "import") {
      import_model(arguments[2], arguments[3]);
      return 0;
    }
    const std::string folder = arguments[3];
    const std::string name = arguments[1];
    const bool int8 = name.starts_with("int8:"), free_size = name.starts_with("free:");
    network<float> net = make(int8 || free_size ? name.substr(5) : name, std::atoi(arguments[2]));
    disturb(net);
    shape dims = net.input_dims();
    dims.set(0, 2);
    tensor<float> input(dims);
    fill(input, random_key(6), -1.0, 1.0);
    if (int8) {
      quantizer<float> q(net);
      q.observe(input);
      net = q.quantized();
    }
    const tensor<float> output = net.predict(input);
    write_onnx(folder + "/net.onnx", net, {.free_size = free_size});
    const named_tensor<float> values[] = {{"input", input}, {"output", output}};
    write_npz<float>(folder + "/values.npz", values);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
