#include "minicnn/model/registry.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "io/temporary_folder.hpp"
#include "minicnn/io/json.hpp"

using namespace minicnn;

TEST_CASE("a network by name is the network of its function, to the last weight") {
  const network<float> by_name =
      make_model({.name = "alexnet-bn", .classes = 3, .image_size = 63, .init = "glorot", .logits_bias = 0.5}, {.seed = 4});
  const network<float> by_function = alexnet_bn<float>({.classes = 3,
                                                        .image_size = 63,
                                                        .init = initializer::glorot(),
                                                        .dense_init = initializer::glorot(),
                                                        .logits_bias = 0.5,
                                                        .network = {.seed = 4}});
  REQUIRE(by_name.parameters().size() == by_function.parameters().size());
  for (const parameter_info& p : by_function.parameters()) {
    CAPTURE(p.name);
    const view<const float> wanted = by_function.parameter(p.name), got = by_name.parameter(p.name);
    CHECK(std::equal(wanted.begin(), wanted.end(), got.begin(), got.end()));
  }
}

TEST_CASE("resnet18-small is ResNet-18 with 40 filters in the first stage: its parameters by hand") {
  index_t count = 3 * 40 * 49 + 2 * 40, before = 40;
  for (const index_t filters : {40, 80, 160, 320}) {
    count += 9 * before * filters + 3 * 9 * filters * filters + 4 * 2 * filters;  // four 3x3 convolutions, each with batch norm
    if (before != filters) count += before * filters + 2 * filters;               // and a 1x1 one beside them
    before = filters;
  }
  CHECK(make_model({.name = "resnet18-small", .classes = 2}, {.initialize = false}).parameter_count() == count + 2 * 320 + 2);
}

TEST_CASE("every name builds, with classes and channels as asked") {
  for (const std::string& name : model_names()) {
    CAPTURE(name);
    const model_config c = completed({.name = name, .classes = 5});
    CHECK(c.image_size == default_image_size(name));
    if (name.starts_with("vgg") || name == "alexnet" || name == "alexnet-2012" || name == "spp-net" || name == "vit-b16")
      continue;  // hundreds of MB
    const network<float> net = make_model(c, {.threads = 1, .initialize = false});
    CHECK(net.output_dims()[1] == 5);
    CHECK(net.input_dims()[1] == c.channels);
  }
}

TEST_CASE("values of the model's own take the place of those left open, others stay") {
  const model_config own = completed({.name = "lenet5"});
  CHECK(own.channels == 1);
  CHECK(own.image_size == 32);
  CHECK(own.dropout == 0);
  const model_config given = completed({.name = "lenet5", .channels = 3, .image_size = 40});
  CHECK(given.channels == 3);
  CHECK(given.image_size == 40);
}

TEST_CASE("names and initializers that there are not, and pictures that are too small, are errors that say so") {
  CHECK(thrown([] { (void)make_model({.name = "alexnet9"}); }).starts_with("model alexnet9: unknown; known are lenet5, "));
  CHECK_THROWS_AS((void)default_image_size("x"), option_error);
  CHECK(thrown([] { (void)make_model({.name = "lenet5", .init = "lucky"}); }).find("lucky") != std::string::npos);
  CHECK_THROWS_AS((void)initializer_named("truncated-normal:"), option_error);
  CHECK_THROWS_AS((void)initializer_named("truncated-normal:-1"), option_error);
  CHECK_THROWS_AS((void)initializer_named("truncated-normal:0.1x"), option_error);
  CHECK_NOTHROW((void)initializer_named("truncated-normal:0.01"));
  CHECK(thrown([] { (void)make_model({.name = "alexnet-bn", .image_size = 9}); }).starts_with("model alexnet-bn at 9 pixels: "));
}

TEST_CASE("a config written as JSON reads back; files of version 0.1 lack what came later") {
  const model_config c{.name = "googlenet",
                       .classes = 7,
                       .channels = 1,
                       .image_size = 96,
                       .dropout = 0.25,
                       .init = "lecun",
                       .dense_bias = 0.125,
                       .logits_bias = -1,
                       .padded = true,
                       .pooled = 3,
                       .aux = false,
                       .transform_input = true};
  CHECK(to_json(model_config_from(parse_json(write_json(to_json(c))))) == to_json(c));
  const json old = parse_json(R"({"name":"lenet5","classes":10,"channels":1,"image_size":32,"dropout":0,"init":"he",)"
                              R"("dense_bias":0,"logits_bias":0.0})");
  const model_config read = model_config_from(old);
  CHECK(read.name == "lenet5");
  CHECK(read.aux);
  CHECK(!read.padded);
  CHECK(thrown([] { (void)model_config_from(parse_json(R"({"name":"lenet5"})")); }) == "json: no member \"classes\"");
  json large = old;
  large.set("classes", std::int64_t{1} << 40);
  CHECK(thrown([&] { (void)model_config_from(large); }) == "member \"classes\": 1099511627776 is out of range");
}

TEST_CASE("dirac and orthogonal by name; dense layers are no identity") {
  const network<float> dirac = make_model({.name = "lenet5", .init = "dirac"}, {.seed = 4});
  const view<const float> w = dirac.parameter("c3.weight"), d = dirac.parameter("f6.weight");  // 16x6x5x5
  CHECK(w[12] == 1.0F);
  CHECK(w[150 + 25 + 12] == 1.0F);
  CHECK(w[25 + 12] == 0.0F);
  for (index_t i = 0; i < 84; ++i) CHECK(std::abs(d[i * 120 + i]) <= 1 / std::sqrt(120.0F));
  const network<float> net = make_model({.name = "lenet5", .init = "orthogonal"}, {.seed = 4});
  const view<const float> q = net.parameter("c3.weight");
  for (index_t i = 0; i < 16; ++i)
    for (index_t k = 0; k < 16; ++k) {
      double dot = 0;
      for (index_t j = 0; j < 150; ++j) dot += static_cast<double>(q[i * 150 + j]) * static_cast<double>(q[k * 150 + j]);
      CHECK(dot == doctest::Approx(i == k ? 2.0 : 0.0).scale(1).epsilon(1e-6));
    }
  const network<float> other = make_model({.name = "lenet5", .init = "orthogonal"}, {.seed = 5});
  CHECK(other.parameter("c3.weight")[0] != q[0]);
}
