#include "minicnn/vgg.hpp"

#include <doctest/doctest.h>

#include "minicnn/graph/summary.hpp"
#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("parameter counts are the published ones, with batch norm those of torchvision") {
  const auto count = [](int depth, bool batch_norm) {
    return vgg({.depth = depth, .classes = 1000, .batch_norm = batch_norm, .network = unset}).parameter_count();
  };
  CHECK(count(11, false) == 132863336);
  CHECK(count(13, false) == 133047848);
  CHECK(count(16, false) == 138357544);
  CHECK(count(19, false) == 143667240);
  CHECK(count(11, true) == 132868840);
  CHECK(count(13, true) == 133053736);
  CHECK(count(16, true) == 138365992);
  CHECK(count(19, true) == 143678248);
}

TEST_CASE("blocks have the authors' names and halve the maps") {
  const auto net = vgg({.depth = 16, .network = unset});
  const auto dims = [&](std::string_view name) {
    for (const auto& n : net.nodes())
      if (n.name == name) return n.dims;
    return shape{};
  };
  CHECK(dims("conv1_2") == shape{1, 64, 224, 224});
  CHECK(dims("conv2_2") == shape{1, 128, 112, 112});
  CHECK(dims("conv3_3") == shape{1, 256, 56, 56});
  CHECK(dims("conv4_3") == shape{1, 512, 28, 28});
  CHECK(dims("conv5_3") == shape{1, 512, 14, 14});
  CHECK(dims("avgpool") == shape{1, 512, 7, 7});
  CHECK(dims("fc7") == shape{1, 4096});
  CHECK(summarize(vgg({.depth = 16, .classes = 1000, .network = unset})).multiply_adds == 15470264320);
}

TEST_CASE("too small an image and other depths are refused, naming node and value") {
  CHECK_THROWS_WITH_AS(vgg({.image_size = 31, .network = unset}), doctest::Contains("pool5"), shape_error);
  CHECK(vgg({.image_size = 32, .network = unset}).output_dims() == shape{1, 2});
  CHECK_THROWS_WITH_AS(vgg({.depth = 17}), doctest::Contains("depth is 17"), option_error);
}

TEST_CASE("logits are torchvision's") {
  for (const int depth : {11, 13, 16, 19})
    for (const bool batch_norm : {false, true})
      against_torch::check_logits(text_of("vgg", depth, batch_norm ? "_bn" : ""), {2, 3, 48, 40}, [&](auto element) {
        return vgg<decltype(element)>(
            {.depth = depth, .classes = 10, .image_size = 32, .batch_norm = batch_norm, .dense_units = 64, .network = unset});
      });
}
