#include "minicnn/formats/torchvision_names.hpp"

#include <doctest/doctest.h>

#include "io/temporary_folder.hpp"
#include "minicnn/formats/named_weights.hpp"
#include "minicnn/io/safetensors.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/model/registry.hpp"

using namespace minicnn;

TEST_CASE("torchvision names: DenseNet's published weights have dots within the names of layers") {
  CHECK(detail::current_name("features.denseblock1.denselayer12.norm.1.weight") ==
        "features.denseblock1.denselayer12.norm1.weight");
  CHECK(detail::current_name("features.denseblock4.denselayer2.conv.2.weight") ==
        "features.denseblock4.denselayer2.conv2.weight");
  CHECK(detail::current_name("features.transition1.norm.weight") == "features.transition1.norm.weight");
  CHECK(detail::current_name("features.3.conv.0.0.weight") == "features.3.conv.0.0.weight");

  graph<float> g;
  auto x = g.input({2, 4, 4});
  x = conv2d(batch_norm(x, {.name = "denselayer1.norm1"}), {.filters = 1, .bias = false, .name = "denselayer1.conv1"});
  network<float> net(std::move(g), {x});
  const tensor<float> weight({1, 2, 1, 1}, {3, 4}), two({2}, {5, 6});
  const temporary_folder folder;
  safetensors_writer old;
  for (const char* part : {"weight", "bias", "running_mean", "running_var"}) old.add(text_of("denselayer1.norm.1.", part), two);
  old.add("denselayer1.conv.1.weight", weight);
  old.write(folder / "old.safetensors");
  load_named_weights(net, safetensors_file::open(folder / "old.safetensors"), torchvision_names("densenet121", net));
  CHECK(net.parameter("denselayer1.norm1.weight")[1] == 6.0F);
  CHECK(net.parameter("denselayer1.conv1.weight")[0] == 3.0F);
}

TEST_CASE("torchvision names: those of mobile networks are our own") {
  const auto net = make_model<float>({.name = "mobilenet-v3-small"}, {.initialize = false});
  for (const tensor_name& name : torchvision_names("mobilenet-v3-small", net)) CHECK(name.own == name.other);
  CHECK(net.parameter("features.1.block.1.fc1.weight").dims() == shape{8, 16, 1, 1});
  CHECK(net.buffer("features.12.1.running_var").dims() == shape{576});
  CHECK(net.parameter("classifier.3.bias").dims() == shape{2});
}
