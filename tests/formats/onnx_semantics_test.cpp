// What ONNX says that an operator computes, where another reading would give other numbers without a word.

#include <doctest/doctest.h>

#include <cmath>
#include <numeric>

#include "formats/onnx_bytes.hpp"
#include "formats/onnx_networks.hpp"
#include "golden/golden.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/formats/onnx.hpp"
#include "minicnn/formats/onnx_import.hpp"
#include "minicnn/formats/onnx_tensor_layers.hpp"
#include "minicnn/layers/resample.hpp"

using namespace minicnn;
using onnx_bytes::counted;
using onnx_bytes::float_tensor;
using onnx_bytes::integer_tensor;
using onnx_bytes::integers;
using onnx_bytes::node_message;
using onnx_bytes::small_model;

namespace {

const tensor<float> picture = golden::filled<float>({2, 3, 8, 8}, golden::input, 2.0);

float pixel(index_t n, index_t c, index_t row, index_t column) { return picture[((n * 3 + c) * 8 + row) * 8 + column]; }

double channel_mean(index_t n, index_t c) {
  double sum = 0;
  for (index_t i = 0; i < 64; ++i) sum += static_cast<double>(picture[(n * 3 + c) * 64 + i]);
  return sum / 64;
}

/// What the model makes of the picture.
tensor<float> result(const std::string& nodes, const std::string& more = "", index_t opset = 13) {
  const temporary_folder folder;
  write_file(folder / "m.onnx", small_model(nodes, more, opset));
  return load_onnx<float>(folder / "m.onnx").predict(picture);
}

std::string refusal(const std::string& nodes, const std::string& more = "", index_t opset = 13) {
  const temporary_folder folder;
  write_file(folder / "m.onnx", small_model(nodes, more, opset));
  return thrown([&] { (void)load_onnx<float>(folder / "m.onnx"); });
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string constant_list(const std::string& name, const std::vector<index_t>& values) {
  return counted(5, integer_tensor(name, values));
}

std::string to_channels_last() { return node_message("Transpose", {"x"}, {"t"}, "", {integers("perm", {0, 2, 3, 1})}); }

}  // namespace

TEST_CASE("Sum and Mean of values of unlike shapes add them") {
  const std::string mean = node_message("GlobalAveragePool", {"x"}, {"m"});
  const tensor<float> sum = result(mean + node_message("Sum", {"x", "m"}, {"y"})),
                      half = result(mean + node_message("Mean", {"x", "m"}, {"y"}));
  REQUIRE(sum.dims() == picture.dims());
  for (index_t i = 0; i < sum.size(); ++i) {
    const double wanted = static_cast<double>(picture[i]) + channel_mean(i / 192, i / 64 % 3);
    CHECK(sum[i] == doctest::Approx(wanted).epsilon(1e-5));
    CHECK(half[i] == doctest::Approx(wanted / 2).epsilon(1e-5));
  }
}

TEST_CASE("zeros around images whose channels are the last axis") {
  const tensor<float> y = result(to_channels_last() + node_message("Pad", {"t", "p"}, {"q"}) +
                                     node_message("Transpose", {"q"}, {"y"}, "", {integers("perm", {0, 3, 1, 2})}),
                                 constant_list("p", {0, 1, 2, 0, 0, 3, 0, 0}));
  REQUIRE(y.dims() == shape{2, 3, 12, 10});
  for (index_t i = 0; i < y.size(); ++i) {
    const index_t row = i / 10 % 12 - 1, column = i % 10 - 2;
    CHECK(y[i] == (row >= 0 && row < 8 && column >= 0 ? pixel(i / 360, i / 120 % 3, row, column) : 0.0F));
  }
}

TEST_CASE("zeros in front of blocks of pixels that become channels") {
  const std::string padded = node_message("Pad", {"x", "p"}, {"q"}), block = integers("blocksize", {2}, false);
  const std::string more = constant_list("p", {0, 0, 1, 1, 0, 0, 1, 1});
  const tensor<float> y = result(padded + node_message("SpaceToDepth", {"q"}, {"y"}, "", {block}), more);
  REQUIRE(y.dims() == shape{2, 12, 5, 5});
  for (index_t i = 0; i < y.size(); ++i) {
    const index_t channel = i / 25 % 12, row = i / 5 % 5 * 2 + channel / 6 - 1, column = i % 5 * 2 + channel / 3 % 2 - 1;
    const bool inside = row >= 0 && row < 8 && column >= 0 && column < 8;
    CHECK(y[i] == (inside ? pixel(i / 300, channel % 3, row, column) : 0.0F));
  }
  const tensor<float> back =
      result(padded + node_message("SpaceToDepth", {"q"}, {"s"}, "", {block}) + node_message("Pad", {"s", "p"}, {"z"}) +
                 node_message("DepthToSpace", {"z"}, {"y"}, "", {block}),
             more);
  CHECK(back.dims() == shape{2, 3, 14, 14});
}

TEST_CASE("a reshape of images whose channels are the last axis has the order of that axis") {
  const auto check = [](const tensor<float>& y) {
    REQUIRE(y.dims() == shape{2, 192});
    for (index_t i = 0; i < y.size(); ++i) CHECK(y[i] == pixel(i / 192, i % 3, i % 192 / 24, i % 24 / 3));
  };
  check(result(to_channels_last() + node_message("Flatten", {"t"}, {"y"})));
  check(result(to_channels_last() + node_message("Reshape", {"t", "s"}, {"y"}), constant_list("s", {-1, 192})));
}

TEST_CASE("slopes of channels that are the last axis") {
  const std::string slopes = counted(5, float_tensor("s", {1, 1, 3}, {0.5F, -1.0F, 2.0F}));
  const tensor<float> y = result(to_channels_last() + node_message("PRelu", {"t", "s"}, {"r"}) +
                                     node_message("Transpose", {"r"}, {"y"}, "", {integers("perm", {0, 3, 1, 2})}),
                                 slopes);
  const float slope[] = {0.5F, -1.0F, 2.0F};
  REQUIRE(y.dims() == picture.dims());
  for (index_t i = 0; i < y.size(); ++i) CHECK(y[i] == (picture[i] > 0 ? picture[i] : picture[i] * slope[i / 64 % 3]));
}

TEST_CASE("means over axes of a value in another shape") {
  const auto mean = [](const std::string& from, const std::vector<index_t>& axes) {
    return node_message("ReduceMean", {from}, {"y"}, "", {integers("axes", axes), integers("keepdims", {0}, false)});
  };
  const auto check = [](const tensor<float>& y, index_t each) {
    REQUIRE(y.dims() == shape{2, 192 / each});
    for (index_t i = 0; i < y.size(); ++i) {
      double sum = 0;
      for (index_t k = 0; k < each; ++k) sum += static_cast<double>(picture[i * each + k]);
      CHECK(y[i] == doctest::Approx(sum / static_cast<double>(each)).epsilon(1e-5));
    }
  };
  check(result(node_message("Reshape", {"x", "s"}, {"r"}) + mean("r", {2, 3}), constant_list("s", {0, 6, 4, 8})), 32);
  check(result(node_message("Flatten", {"x"}, {"f"}) + node_message("Reshape", {"f", "s"}, {"r"}) + mean("r", {2}),
               constant_list("s", {0, 4, 48})),
        48);
  // (n, 1, 8, 8) as (n, 8, 8, 1): rows.
  const std::string grey = node_message("ReduceMean", {"x"}, {"g"}, "", {integers("axes", {1})}) +
                           node_message("Transpose", {"g"}, {"t"}, "", {integers("perm", {0, 2, 3, 1})});
  const tensor<float> rows = result(grey + mean("t", {2, 3}));
  REQUIRE(rows.dims() == shape{2, 8});
  for (index_t i = 0; i < rows.size(); ++i) {
    double sum = 0;
    for (index_t k = 0; k < 24; ++k) sum += static_cast<double>(pixel(i / 8, k / 8, i % 8, k % 8));
    CHECK(rows[i] == doctest::Approx(sum / 24).epsilon(1e-5));
  }
}

TEST_CASE("automatic padding of an image with zeros around it") {
  // 9 x 9 after the Pad; a stride of 2 and three taps want one more on both sides: 5 x 5 results. A filter of one tap at 0, 0
  // reads row 2 r - 1 and column 2 c - 1.
  const std::string more = constant_list("p", {0, 0, 0, 0, 0, 0, 1, 1}) + counted(5, float_tensor("w", {1, 3, 3, 3}, [] {
                                                                                    std::vector<float> w(27, 0.0F);
                                                                                    w[0] = 1.0F;
                                                                                    return w;
                                                                                  }()));
  for (const char* automatic : {"SAME_LOWER", "SAME_UPPER"}) {
    const tensor<float> y = result(
        node_message("Pad", {"x", "p"}, {"q"}) +
            node_message("Conv", {"q", "w"}, {"y"}, "", {integers("strides", {2, 2}), onnx_bytes::text("auto_pad", automatic)}),
        more);
    REQUIRE(y.dims() == shape{2, 1, 5, 5});
    for (index_t i = 0; i < y.size(); ++i) {
      const index_t row = i / 5 % 5 * 2 - 1, column = i % 5 * 2 - 1;
      CHECK(y[i] == (row < 0 || column < 0 ? 0.0F : pixel(i / 25, 0, row, column)));
    }
  }
  const tensor<float> pooled =
      result(node_message("Pad", {"x", "p"}, {"q"}) + node_message("AveragePool", {"q"}, {"y"}, "",
                                                                   {integers("kernel_shape", {3, 3}), integers("strides", {2, 2}),
                                                                    onnx_bytes::text("auto_pad", "SAME_LOWER")}),
             more);
  REQUIRE(pooled.dims() == shape{2, 3, 5, 5});
  CHECK(pooled[0] == doctest::Approx((pixel(0, 0, 0, 0) + pixel(0, 0, 0, 1) + pixel(0, 0, 1, 0) + pixel(0, 0, 1, 1)) / 4));
}

TEST_CASE("Resize: what it does not do is an error by name, and scales stand for whole sizes") {
  const auto scaled = [](const std::vector<std::string>& attributes, const std::vector<float>& scales, index_t opset = 18) {
    const std::string inputs = counted(5, float_tensor("s", {static_cast<index_t>(scales.size())}, scales));
    const std::vector<std::string> from =
        opset < 11 ? std::vector<std::string>{"x", "s"} : std::vector<std::string>{"x", "", "s"};
    return std::pair(node_message("Resize", from, {"y"}, "up", attributes), inputs);
  };
  const auto refused = [&](const std::vector<std::string>& attributes, const std::vector<float>& scales = {1, 1, 2, 2}) {
    const auto [nodes, more] = scaled(attributes, scales);
    return refusal(nodes, more, 18);
  };
  using onnx_bytes::text;
  CHECK(has(refused({text("mode", "linear"), integers("antialias", {1}, false)}), "attribute antialias is 1 (up)"));
  CHECK(has(refused({text("mode", "linear"), text("keep_aspect_ratio_policy", "not_larger")}),
            "attribute keep_aspect_ratio_policy is \"not_larger\" (up)"));
  CHECK(has(refused({text("mode", "nearest"), text("coordinate_transformation_mode", "asymmetric")}),
            "attribute nearest_mode is \"round_prefer_floor\" with coordinate_transformation_mode asymmetric (up)"));
  CHECK(has(refused({text("mode", "linear")}, {1, 1, 1.3F, 2}), "scales that make no whole sizes"));
  CHECK(has(refused({text("mode", "linear"), integers("axes", {2, 3})}), "attribute axes has 2 axes for 4 scales"));
  const std::string line = node_message("Reshape", {"x", "three"}, {"r"}) +
                           node_message("Resize", {"r", "", "s"}, {"y"}, "up", {text("mode", "linear"), integers("axes", {2})});
  CHECK(has(refusal(line, constant_list("three", {0, 3, 64}) + counted(5, float_tensor("s", {1}, {2.0F})), 18),
            "one spatial axis"));
  const auto [nodes, more] = scaled({text("mode", "linear"), integers("axes", {3, 2})}, {1.25F, 2});
  CHECK(result(nodes, more, 18).dims() == shape{2, 3, 16, 10});
  // Before operator set 11: the pixel at floor(i / scale), and two inputs.
  const auto [early, early_more] = scaled({}, {1, 1, 2, 3}, 10);
  const tensor<float> y = result(early, early_more, 10);
  REQUIRE(y.dims() == shape{2, 3, 16, 24});
  for (index_t i = 0; i < y.size(); ++i) CHECK(y[i] == pixel(i / 1152, i / 384 % 3, i / 24 % 16 / 2, i % 24 / 3));
}

TEST_CASE("scales that export writes make the size that they are for, in floats and in doubles") {
  int others = 0;
  for (index_t from = 1; from <= 64; ++from)
    for (index_t to = 1; to <= 256; ++to) {
      const auto scale = static_cast<float>(detail::onnx_resize_scale(from, to, false));
      const auto nearest = static_cast<float>(detail::onnx_resize_scale(from, to, true));
      CHECK(std::floor(static_cast<float>(from) * scale) == static_cast<float>(to));
      CHECK(std::floor(static_cast<double>(from) * static_cast<double>(scale)) == static_cast<double>(to));
      CHECK(std::floor(static_cast<float>(from) * nearest) == static_cast<float>(to));
      const auto ratio = static_cast<float>(static_cast<double>(to) / static_cast<double>(from));
      const index_t common = std::gcd(from, to);
      if (common == 1 || common == from)  // else i / scale may be whole, which floats miss
        for (index_t i = 0; i < to; ++i)
          others += static_cast<index_t>(std::floor(static_cast<float>(i) / nearest)) == i * from / to ? 0 : 1;
      else
        CHECK((nearest == ratio || static_cast<float>(from) * ratio < static_cast<float>(to)));
    }
  CHECK(others == 0);
  for (const auto& [from, to] : {std::pair<index_t, index_t>{7, 227}, {3, 10}, {19, 224}}) {
    graph<float> g;
    const auto x = g.input({2, from, 9});
    const network<float> net(std::move(g), {resize(x, {.size = {to, 9}, .mode = resize_mode::bilinear})});
    const temporary_folder folder;
    write_onnx(folder / "net.onnx", net);
    CHECK(load_onnx<float>(folder / "net.onnx").output_dims() == net.output_dims());
  }
}

TEST_CASE("our layers of attention, shapes, normalisations and sizes come back") {
  network<float> net = onnx_networks::every_tensor_layer(27);
  random_stream numbers{random_key(4)};
  for (const auto& p : net.parameters())
    for (float& v : net.parameter(p.name)) v += static_cast<float>(numbers.uniform(-0.2, 0.2));
  const tensor<float> input = golden::filled<float>({2, 3, 27, 30}, golden::input, 2.0);
  const temporary_folder folder;
  write_onnx(folder / "net.onnx", net);
  const tensor<float> y = net.predict(input), back = load_onnx<float>(folder / "net.onnx").predict(input);
  REQUIRE(back.dims() == y.dims());
  for (index_t i = 0; i < y.size(); ++i) CHECK(back[i] == doctest::Approx(y[i]).epsilon(1e-4));
}

TEST_CASE("hostile models: operators of our own names, constants without numbers, groups that overflow") {
  const std::string weights = counted(5, float_tensor("w", {8}, std::vector<float>(8, 2.0F))) +
                              counted(5, float_tensor("e", {}, {1e-5F})) + counted(5, float_tensor("none", {0}, {}));
  CHECK(refusal(node_message("LayerNorm", {"x"}, {"a"}) + node_message("Mul", {"a", "w"}, {"m"}) +
                    node_message("Add", {"m", "w"}, {"y"}),
                weights) == "");
  const std::string norm =
      node_message("ReduceMean", {"x"}, {"m"}, "", {integers("axes", {2})}) + node_message("Sub", {"x", "m"}, {"d"}) +
      node_message("Mul", {"d", "d"}, {"q"}) + node_message("ReduceMean", {"q"}, {"v"}, "", {integers("axes", {2})}) +
      node_message("Add", {"v", "e"}, {"b"}) + node_message("Sqrt", {"b"}, {"r"}) + node_message("Div", {"d", "r"}, {"n"}) +
      node_message("Mul", {"n", "w"}, {"p"}) + node_message("Add", {"p", "w"}, {"y"});
  CHECK(has(refusal(norm, weights), "its weight or bias is (8) for axis 2 of (1, 3, 8, 8)"));
  for (const char* key : {"value_int", "value_float"})
    CHECK(has(refusal(node_message("Constant", {}, {"c"}, "", {counted(1, key) + onnx_bytes::integer(20, 2)}) +
                      node_message("Add", {"c", "c"}, {"d"}) + node_message("Add", {"x", "d"}, {"y"})),
              "wanted one number, got 0"));
  CHECK(has(refusal(node_message("Range", {"none", "e", "e"}, {"c"}) + node_message("Add", {"x", "c"}, {"y"}), weights),
            "input 0: wanted one number, got 0"));
  CHECK(has(refusal(node_message("Conv", {"x", "k"}, {"y"}, "", {integers("group", {index_t{1} << 62}, false)}),
                    counted(5, float_tensor("k", {4, 3, 1, 1}, std::vector<float>(12, 1.0F)))),
            "channels in each of 4611686018427387904 groups"));
}
