#include "minicnn/alexnet.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/session.hpp"
#include "minicnn/graph/summary.hpp"

using namespace minicnn;

TEST_CASE("parameter counts and multiply-adds are the published ones (F12)") {
  CHECK(alexnet<float>().parameter_count() == 58289538);
  CHECK(alexnet<float>({.classes = 1}).parameter_count() == 58285441);
  CHECK(alexnet<float>({.classes = 1000}).parameter_count() == 62378344);
  CHECK(alexnet_2012<float>().parameter_count() == 56876418);
  CHECK(alexnet_2012<float>({.classes = 1}).parameter_count() == 56872321);
  CHECK(alexnet_2012<float>({.classes = 1000}).parameter_count() == 60965224);
  CHECK(alexnet_torchvision<float>().parameter_count() == 57012034);
  CHECK(alexnet_torchvision<float>({.classes = 1000, .image_size = 224}).parameter_count() == 61100840);
  // Batch norm adds a factor and an offset for each of 96 + 256 + 384 + 384 + 256 maps.
  CHECK(alexnet_bn<float>().parameter_count() == 58289538 + 2 * 1376);
  CHECK(alexnet_bn<float>({.classes = 1000}).parameter_count() == 62381096);
  CHECK(summarize(alexnet<float>()).multiply_adds == 1131168288);
  CHECK(summarize(alexnet_2012<float>()).multiply_adds == 720319008);
}

TEST_CASE("alexnet_small stays below four million parameters and takes any image size with one set of weights") {
  auto small = alexnet_small<float>();
  session run(small);
  CHECK(small.parameter_count() == 3750466);
  CHECK(alexnet_small<float>({.classes = 1000}).parameter_count() == 4006952);
  const auto dims = [&](std::string_view name) {
    for (const auto& n : small.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("conv1") == shape{1, 96, 32, 32});
  CHECK(dims("conv2") == shape{1, 256, 16, 16});
  CHECK(dims("conv5") == shape{1, 256, 8, 8});
  CHECK(dims("pool3") == shape{1, 256, 4, 4});
  for (const index_t size : {33, 64, 200}) {
    tensor<float> image({1, 3, size, size});
    for (index_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i % 7) - 3;
    const tensor<float> logits = small.predict(image);
    CHECK(logits.dims() == shape{1, 2});
    CHECK(std::isfinite(logits[0]));
  }
  // In training too: the second size plans memory anew and keeps the weights.
  for (const index_t size : {64, 96}) {
    const tensor<float> images({2, 3, size, size});  // backward reads them again
    run.forward(images);
    run.backward();
  }
}

TEST_CASE("a network's own size and dropout hold whatever other options are given") {
  const auto size = [](const network<float>& net) { return net.input_dims()[2]; };
  const auto rate = [](const network<float>& net) {
    for (const auto& n : net.nodes())
      if (n.operation && n.operation->kind() == "dropout")
        for (const auto& a : n.operation->describe())
          if (a.first == "ratio") return std::get<double>(a.second);
    return -1.0;
  };
  for (const alexnet_options& o : {alexnet_options{.dense_units = 8}, alexnet_options{.classes = 5, .dense_units = 8}}) {
    CHECK(size(alexnet_small<float>(o)) == 128);
    CHECK(rate(alexnet_small<float>(o)) == 0.2);
    CHECK(size(alexnet_torchvision<float>(o)) == 224);
    CHECK(rate(alexnet_torchvision<float>(o)) == 0.5);
    CHECK(size(alexnet_bn<float>(o)) == 227);
    CHECK(rate(alexnet_bn<float>(o)) == 0.5);
  }
  CHECK(size(alexnet_small<float>({.image_size = 64, .dropout = 0.1})) == 64);
  CHECK(rate(alexnet_small<float>({.image_size = 64, .dropout = 0.1})) == 0.1);
}

TEST_CASE("alexnet_bn with padded pools and averaged maps takes any image size; without, the size is part of the weights") {
  auto net = alexnet_bn<float>({.image_size = 128, .dense_units = 64, .padded = true, .pooled = 2});
  CHECK(net.parameter("fc1.weight").dims() == shape{64, 256 * 2 * 2});
  CHECK(net.predict(tensor<float>({1, 3, 160, 160})).dims() == shape{1, 2});
  auto fixed = alexnet_bn<float>({.image_size = 128, .dense_units = 64, .padded = true});
  CHECK(fixed.parameter("fc1.weight").dims() == shape{64, 256 * 4 * 4});
  CHECK_THROWS_WITH_AS(fixed.predict(tensor<float>({1, 3, 160, 160})), doctest::Contains("fc1"), shape_error);
}

TEST_CASE("the article's nodes have the article's names and sizes (F05)") {
  const auto net = alexnet<float>();
  const auto dims = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("conv1") == shape{1, 96, 55, 55});
  CHECK(dims("pool1") == shape{1, 96, 27, 27});
  CHECK(dims("norm1") == shape{1, 96, 27, 27});
  CHECK(dims("conv2") == shape{1, 256, 27, 27});
  CHECK(dims("pool2") == shape{1, 256, 13, 13});
  CHECK(dims("norm2") == shape{1, 256, 13, 13});
  CHECK(dims("conv3") == shape{1, 384, 13, 13});
  CHECK(dims("conv4") == shape{1, 384, 13, 13});
  CHECK(dims("conv5") == shape{1, 256, 13, 13});
  CHECK(dims("pool3") == shape{1, 256, 6, 6});
  CHECK(dims("fc1") == shape{1, 4096});
  CHECK(dims("fc2") == shape{1, 4096});
  CHECK(dims("logits_eval") == shape{1, 2});
}

TEST_CASE("the 2012 network normalises before it pools, the others after") {
  const auto order = [](const network<float>& net) {
    std::string out;
    for (const auto& n : net.nodes())
      if (n.name == "norm1" || n.name == "pool1") out += n.name + " ";
    return out;
  };
  CHECK(order(alexnet<float>()) == "pool1 norm1 ");
  CHECK(order(alexnet_2012<float>()) == "norm1 pool1 ");
}

TEST_CASE("initial values: He's by default, the paper's or Caffe's on request (F30)") {
  const auto deviation = [](view<const float> w) {
    double sum = 0, squares = 0;
    for (const float x : w) sum += x, squares += static_cast<double>(x) * x;
    const double n = static_cast<double>(w.size());
    return std::sqrt(squares / n - sum / n * (sum / n));
  };
  const auto he = alexnet<float>();
  CHECK(deviation(he.parameter("conv1.weight")) == doctest::Approx(0.074227).epsilon(0.02));
  CHECK(deviation(he.parameter("conv2.weight")) == doctest::Approx(0.028868).epsilon(0.02));
  CHECK(deviation(he.parameter("fc1.weight")) == doctest::Approx(0.014731).epsilon(0.02));
  CHECK(he.parameter("fc1.bias")[0] == 0);
  const auto paper = alexnet<float>(paper_initialization());
  CHECK(deviation(paper.parameter("fc1.weight")) == doctest::Approx(0.01).epsilon(0.02));
  CHECK(paper.parameter("conv1.bias")[0] == 0);
  CHECK(paper.parameter("conv2.bias")[0] == 1);
  CHECK(paper.parameter("conv3.bias")[0] == 0);
  CHECK(paper.parameter("conv4.bias")[0] == 1);
  CHECK(paper.parameter("fc2.bias")[0] == 1);
  CHECK(paper.parameter("logits_eval.bias")[0] == 0);
  const auto caffe = alexnet<float>(caffe_initialization());
  CHECK(deviation(caffe.parameter("conv5.weight")) == doctest::Approx(0.01).epsilon(0.02));
  CHECK(deviation(caffe.parameter("fc2.weight")) == doctest::Approx(0.005).epsilon(0.02));
  CHECK(deviation(caffe.parameter("logits_eval.weight")) == doctest::Approx(0.01).epsilon(0.05));
  CHECK(caffe.parameter("conv2.bias")[0] == doctest::Approx(0.1));
  CHECK(caffe.parameter("conv3.bias")[0] == 0);
  CHECK(caffe.parameter("fc1.bias")[0] == doctest::Approx(0.1));
}

TEST_CASE("too small an image names the node that no longer fits") {
  CHECK_THROWS_WITH_AS(alexnet<float>({.image_size = 40}), doctest::Contains("pool"), shape_error);
  CHECK(alexnet<float>({.image_size = 63}).output_dims() == shape{1, 2});
  CHECK_THROWS_AS(alexnet<float>({.image_size = 54}), shape_error);
}
