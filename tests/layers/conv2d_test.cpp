#include "minicnn/layers/conv2d.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "layers/against_golden.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/testing/gradient_check.hpp"

using namespace minicnn;

namespace {

/// The definition, one output at a time.
template <class T>
tensor<T> definition(const tensor<T>& x, const tensor<T>& weight, const T* bias, const conv2d_options& o) {
  const padding2d pad = o.padding.resolve(x.dim(2), x.dim(3), o.kernel, o.stride, o.dilation);
  const auto count = [](index_t in, index_t kernel, index_t stride, index_t before, index_t after, index_t dilation) {
    return (in + before + after - (kernel - 1) * dilation - 1) / stride + 1;
  };
  tensor<T> y(shape{x.dim(0), o.filters,
                    count(x.dim(2), o.kernel.height, o.stride.height, pad.top, pad.bottom, o.dilation.height),
                    count(x.dim(3), o.kernel.width, o.stride.width, pad.left, pad.right, o.dilation.width)});
  const index_t channels = x.dim(1) / o.groups;
  for (index_t n = 0; n < y.dim(0); ++n)
    for (index_t f = 0; f < y.dim(1); ++f)
      for (index_t i = 0; i < y.dim(2); ++i)
        for (index_t j = 0; j < y.dim(3); ++j) {
          T sum = bias != nullptr ? bias[f] : T{0};
          for (index_t c = 0; c < channels; ++c)
            for (index_t r = 0; r < o.kernel.height; ++r)
              for (index_t s = 0; s < o.kernel.width; ++s) {
                const index_t row = i * o.stride.height - pad.top + r * o.dilation.height;
                const index_t column = j * o.stride.width - pad.left + s * o.dilation.width;
                if (row < 0 || row >= x.dim(2) || column < 0 || column >= x.dim(3)) continue;
                sum += weight(f, c, r, s) * x(n, f / (o.filters / o.groups) * channels + c, row, column);
              }
          y(n, f, i, j) = sum;
        }
  return y;
}

/// Output of a convolution of `x` with the given weights and no bias.
tensor<float> convolve(const tensor<float>& x, const tensor<float>& weight, conv2d_options o) {
  o.bias = false;
  op_values<float> values;
  values.inputs.push_back(x);
  values.parameters.push_back(weight);
  op_test_case trial;
  trial.backward = false;
  return run_test_case(conv2d_op<float>(o), values, trial).output;
}

struct configuration {
  const char* what;
  shape input;
  conv2d_options o;
};

const std::vector<configuration>& configurations() {
  static const std::vector<configuration> list{
      {"3x3, padded", {1, 3, 5, 7}, {.filters = 4, .kernel = 3, .padding = 1}},
      {"a row, strides that differ", {1, 2, 6, 9}, {.filters = 3, .kernel = {1, 7}, .stride = {2, 1}, .padding = {0, 3}}},
      {"a column", {1, 2, 9, 4}, {.filters = 3, .kernel = {7, 1}, .padding = {3, 0}}},
      {"groups", {1, 4, 7, 6}, {.filters = 6, .kernel = 3, .stride = 2, .groups = 2}},
      {"depthwise", {1, 5, 6, 7}, {.filters = 5, .kernel = 3, .padding = 1, .groups = 5}},
      {"depthwise, stride 2, two filters a channel",
       {1, 3, 8, 9},
       {.filters = 6, .kernel = 3, .stride = 2, .padding = 1, .groups = 3}},
      {"dilated", {1, 2, 9, 8}, {.filters = 3, .kernel = 3, .padding = {2, 1}, .dilation = {2, 1}}},
      {"same, even kernel, stride 2", {1, 2, 7, 6}, {.filters = 3, .kernel = {2, 4}, .stride = 2, .padding = padding2d::same()}},
      {"four paddings", {1, 2, 5, 4}, {.filters = 2, .kernel = 3, .padding = {0, 1, 2, 0}}},
      {"padding beyond the kernel", {1, 1, 3, 3}, {.filters = 2, .kernel = 2, .padding = 3}},
      {"1x1 without bias", {1, 5, 4, 3}, {.filters = 7, .kernel = 1, .bias = false}},
      {"1x1, stride 2", {1, 3, 5, 5}, {.filters = 4, .kernel = 1, .stride = 2}},
      {"stride beyond the kernel", {1, 2, 8, 9}, {.filters = 3, .kernel = 2, .stride = 3}},
      {"kernel as large as the image", {1, 3, 4, 5}, {.filters = 6, .kernel = {4, 5}}},
      {"one pixel", {1, 3, 1, 1}, {.filters = 2, .kernel = 3, .padding = 1}},
      {"11x11, stride 4", {1, 3, 23, 19}, {.filters = 5, .kernel = 11, .stride = 4}},
      {"5x5, padding 2, many filters", {1, 6, 9, 11}, {.filters = 33, .kernel = 5, .padding = 2, .groups = 3}},
  };
  return list;
}

}  // namespace

TEST_CASE("derivatives and contract, for many shapes") {
  for (const configuration& c : configurations()) {
    CAPTURE(c.what);
    CHECK(check_gradients(conv2d_op<double>(c.o), conv2d_op<float>(c.o), {c.input}).failure == "");
  }
}

TEST_CASE("work that is shared among threads") {
  const conv2d_options o{.filters = 40, .kernel = 3, .padding = 1};
  gradient_check_options few;
  few.probes = 4;
  few.batches = {5};
  CHECK(check_gradients(conv2d_op<double>(o), conv2d_op<float>(o), {{1, 16, 17, 15}}, few).failure == "");
}

TEST_CASE("the output is what the definition says") {
  for (const configuration& c : configurations()) {
    CAPTURE(c.what);
    const conv2d_op<double> operation(c.o);
    shape dims = c.input;
    dims.set(0, 3);
    const std::vector<shape> inputs{dims};
    const op_values<double> values = detail::random_values(operation.plan({inputs, true, {}}), inputs, {});
    op_test_case trial;
    trial.backward = false;
    const tensor<double> got = run_test_case(operation, values, trial).output;
    const tensor<double> wanted =
        definition(values.inputs[0], values.parameters[0], c.o.bias ? values.parameters[1].data() : nullptr, c.o);
    REQUIRE(got.dims() == wanted.dims());
    for (index_t i = 0; i < got.size(); ++i) {
      if (std::abs(got[i] - wanted[i]) <= 1e-12) continue;
      CAPTURE(i);
      CHECK(got[i] == wanted[i]);
    }
  }
}

TEST_CASE("as PyTorch") {
  struct golden_convolution {
    const char* name;
    shape input;
    conv2d_options o;
  };
  const std::vector<golden_convolution> cases{
      {"plain", {2, 3, 7, 6}, {.filters = 4, .kernel = 3}},
      {"stride_2_padding_1", {3, 3, 9, 8}, {.filters = 5, .kernel = 3, .stride = 2, .padding = 1}},
      {"kernel_11_stride_4", {2, 3, 23, 19}, {.filters = 4, .kernel = 11, .stride = 4}},
      {"kernel_5_padding_2", {2, 4, 7, 7}, {.filters = 3, .kernel = 5, .padding = 2}},
      {"pointwise", {3, 5, 4, 3}, {.filters = 6, .kernel = 1, .bias = false}},
      {"groups_2", {2, 4, 6, 7}, {.filters = 6, .kernel = 3, .padding = 1, .groups = 2}},
      {"depthwise", {2, 4, 6, 5}, {.filters = 4, .kernel = 3, .padding = 1, .groups = 4}},
      {"dilation_2", {2, 2, 9, 8}, {.filters = 3, .kernel = 3, .padding = 2, .dilation = 2}},
      {"kernel_1x7_padding_0x3", {2, 3, 4, 9}, {.filters = 4, .kernel = {1, 7}, .padding = {0, 3}}},
      {"four_sided_padding", {2, 2, 6, 6}, {.filters = 3, .kernel = 3, .stride = 2, .padding = {0, 1, 2, 3}}},
      {"stride_2x1_dilation_1x2",
       {2, 2, 8, 9},
       {.filters = 3, .kernel = {2, 3}, .stride = {2, 1}, .padding = {1, 0, 1, 1}, .dilation = {1, 2}}},
  };
  for (const golden_convolution& c : cases) {
    check_against_golden(conv2d_op<double>(c.o), {"conv2d", c.name, c.input});
    check_against_golden(conv2d_op<float>(c.o), {"conv2d", c.name, c.input});
  }
}

TEST_CASE("F11 AlexNet's first convolution on 224 and 227 pixels") {
  const tensor<float> weight({1, 3, 11, 11}, 1.0F / 363.0F);
  const tensor<float> y227 = convolve(tensor<float>({1, 3, 227, 227}, 1.0F), weight, {.filters = 1, .kernel = 11, .stride = 4});
  CHECK(y227.dims() == shape{1, 1, 55, 55});
  for (float value : y227) CHECK(value == doctest::Approx(1.0).epsilon(1e-5));

  const tensor<float> x224({1, 3, 224, 224}, 1.0F);
  const tensor<float> padded = convolve(x224, weight, {.filters = 1, .kernel = 11, .stride = 4, .padding = 2});
  CHECK(padded.dims() == shape{1, 1, 55, 55});
  CHECK(padded(0, 0, 0, 0) == doctest::Approx(81.0 / 121.0).epsilon(1e-5));
  CHECK(padded(0, 0, 0, 54) == doctest::Approx(90.0 / 121.0).epsilon(1e-5));
  CHECK(padded(0, 0, 54, 54) == doctest::Approx(100.0 / 121.0).epsilon(1e-5));

  CHECK(convolve(x224, weight, {.filters = 1, .kernel = 11, .stride = 4}).dims() == shape{1, 1, 54, 54});
}

TEST_CASE("F14 padded convolutions pass gradients back, and images of a batch do not touch each other") {
  const conv2d_options o{.filters = 4, .kernel = 3, .padding = padding2d::same()};
  const conv2d_op<float> first(o), second(o);
  random_stream random(random_key(5));
  const auto filled = [&](const shape& dims) {
    tensor<float> t(dims);
    for (float& value : t) value = static_cast<float>(random.normal());
    return t;
  };
  op_values<float> lower{{filled({3, 2, 6, 5})}, {filled({4, 2, 3, 3}), filled({4})}, {}, tensor<float>(shape{3, 4, 6, 5})};
  op_test_case forward_only;
  forward_only.backward = false;
  const tensor<float> middle = run_test_case(first, lower, forward_only).output;
  const op_values<float> upper{{middle}, {filled({4, 4, 3, 3}), filled({4})}, {}, filled({3, 4, 6, 5})};
  lower.output_gradient = tensor<float>(run_test_case(second, upper, {}).gradients[0]);
  double norm = 0;
  const op_results<float> results = run_test_case(first, lower, {});
  for (float g : results.gradients[1]) norm += double{g} * double{g};
  CHECK(std::sqrt(norm) > 1.0);

  for (index_t n = 0; n < 3; ++n) {
    const tensor<float> image(view<const float>(view<const float>(lower.inputs[0]).at(n).data(), {1, 2, 6, 5}));
    const tensor<float> alone =
        run_test_case(first, {{image}, lower.parameters, {}, tensor<float>(shape{1, 4, 6, 5})}, forward_only).output;
    for (index_t i = 0; i < alone.size(); ++i) CHECK(alone[i] == doctest::Approx(middle[n * alone.size() + i]).epsilon(1e-5));
  }
}

TEST_CASE("by hand: the odd pixel of same padding lies right and below, as in TensorFlow") {
  // 2x2 of ones over 1 2 / 3 4: the windows reach over the right and the bottom edge.
  const tensor<float> y = convolve(tensor<float>({1, 1, 2, 2}, {1, 2, 3, 4}), tensor<float>({1, 1, 2, 2}, 1.0F),
                                   {.filters = 1, .kernel = 2, .padding = padding2d::same()});
  REQUIRE(y.dims() == shape{1, 1, 2, 2});
  CHECK(y(0, 0, 0, 0) == 10.0F);
  CHECK(y(0, 0, 0, 1) == 6.0F);
  CHECK(y(0, 0, 1, 0) == 7.0F);
  CHECK(y(0, 0, 1, 1) == 4.0F);
}

TEST_CASE("parameters, fans, names and cost") {
  graph<float> g;
  const node<float> x = g.input({96, 27, 27});
  const node<float> y = conv2d(x, {.filters = 256, .kernel = 5, .padding = 2, .groups = 2, .bias_init = 1.0});
  CHECK(y.name() == "conv1");
  CHECK(y.dims() == shape{1, 256, 27, 27});
  CHECK(conv2d(y, {.filters = 1}).name() == "conv2");
  CHECK(conv2d(y, {.filters = 1, .name = "score"}).name() == "score");

  const std::vector<shape> inputs{{20, 96, 27, 27}};
  const op_plan p = g.at(y.id).operation->plan({inputs, true, {}});
  REQUIRE(p.parameters.size() == 2);
  CHECK(p.parameters[0].name == "weight");
  CHECK(p.parameters[0].dims == shape{256, 48, 5, 5});
  CHECK(p.parameters[0].decay);
  CHECK(p.parameters[1].name == "bias");
  CHECK(p.parameters[1].dims == shape{256});
  CHECK(p.parameters[1].init.value == 1.0);
  CHECK_FALSE(p.parameters[1].decay);
  CHECK(p.multiply_adds == index_t{20} * 256 * 27 * 27 * 48 * 25);
}

TEST_CASE("F30 the fan of a convolution counts the kernel's area") {
  const auto deviation = [](index_t channels, conv2d_options o) {
    const std::vector<shape> inputs{{1, channels, 27, 27}};
    const parameter_spec weight = conv2d_op<float>(std::move(o)).plan({inputs, true, {}}).parameters[0];
    tensor<float> values(weight.dims);
    initialize(view<float>(values), weight.init, weight.fan_in, weight.fan_out, random_key(1));
    double squares = 0;
    for (float value : values) squares += double{value} * double{value};
    return std::sqrt(squares / static_cast<double>(values.size()));
  };
  CHECK(deviation(3, {.filters = 96, .kernel = 11, .stride = 4}) == doctest::Approx(0.074227).epsilon(0.02));
  CHECK(deviation(96, {.filters = 256, .kernel = 5, .padding = 2}) == doctest::Approx(0.028868).epsilon(0.02));
}

TEST_CASE("AlexNet's convolutions cost what is known") {
  const auto cost = [](const shape& x, conv2d_options o) {
    const std::vector<shape> inputs{x};
    return conv2d_op<float>(std::move(o)).plan({inputs, false, {}}).multiply_adds;
  };
  const index_t convolutions = cost({1, 3, 227, 227}, {.filters = 96, .kernel = 11, .stride = 4}) +
                               cost({1, 96, 27, 27}, {.filters = 256, .kernel = 5, .padding = 2}) +
                               cost({1, 256, 13, 13}, {.filters = 384, .kernel = 3, .padding = 1}) +
                               cost({1, 384, 13, 13}, {.filters = 384, .kernel = 3, .padding = 1}) +
                               cost({1, 384, 13, 13}, {.filters = 256, .kernel = 3, .padding = 1});
  const index_t dense = index_t{9216} * 4096 + index_t{4096} * 4096 + index_t{4096} * 2;
  CHECK(convolutions + dense == 1'131'168'288);
}

TEST_CASE("what is wrong is said, with both values") {
  const auto message = [](const shape& x, conv2d_options o) {
    const std::vector<shape> inputs{x};
    try {
      conv2d_op<float>(std::move(o)).plan({inputs, true, {}});
    } catch (const error& e) {
      return std::string(e.what());
    }
    return std::string("nothing");
  };
  CHECK(message({1, 3, 8, 8}, {.kernel = 3}) == "filters must be at least 1, got 0");
  CHECK(message({1, 3, 8, 8}, {.filters = -2}) == "filters must be at least 1, got -2");
  CHECK(message({1, 3, 8, 8}, {.filters = 4, .groups = 0}) == "groups must be at least 1, got 0");
  CHECK(message({1, 3, 8, 8}, {.filters = 4, .groups = 2}) == "channels must be a multiple of groups, got 3 and 2");
  CHECK(message({1, 4, 8, 8}, {.filters = 3, .groups = 2}) == "filters must be a multiple of groups, got 3 and 2");
  CHECK(message({1, 3, 8, 8}, {.filters = 4, .kernel = {0, 3}}) == "kernel must be at least 1, got 0x3");
  CHECK(message({1, 3, 8, 8}, {.filters = 4, .kernel = 3, .stride = 0}) == "stride must be at least 1, got 0x0");
  CHECK(message({1, 3, 8, 4}, {.filters = 4, .kernel = 7, .padding = 1}) ==
        "a window of 7 does not fit into the width of 4 + 1 + 1 (image + padding)");
  CHECK(message({1, 3, 4, 8}, {.filters = 4, .kernel = 3, .dilation = 2}) ==
        "a window of 5 does not fit into the height of 4 + 0 + 0 (image + padding)");
  const index_t far = index_t{1} << 30;
  CHECK(message({1, 16, 8, 8}, {.filters = 16, .kernel = 3, .padding = far, .dilation = far}) ==
        "shape: 16x2147483656x2147483656 has more elements than can be counted");
  CHECK(message({1, 192}, {.filters = 4}) == "a convolution wants an input of (n, c, h, w), got 1x192");
  CHECK(message({1, 0, 9, 9}, {.filters = 4, .groups = 2}) == "a convolution wants an input of (n, c, h, w), got 1x0x9x9");

  graph<float> g;
  CHECK_THROWS_WITH_AS(conv2d(g.input({3, 8, 8}), {.filters = 4, .groups = 2}),
                       "conv1: channels must be a multiple of groups, got 3 and 2", shape_error);
}

TEST_CASE("hyper-parameters are told by name") {
  const attribute_list a =
      conv2d_op<float>({.filters = 8, .kernel = {1, 7}, .padding = {0, 1, 2, 3}, .groups = 2, .bias = false}).describe();
  const auto value = [&](std::string_view name) {
    for (const auto& [key, v] : a)
      if (key == name) return v;
    return attribute_value("missing");
  };
  CHECK(value("filters") == attribute_value(index_t{8}));
  CHECK(value("kernel_shape") == attribute_value(std::vector<index_t>{1, 7}));
  CHECK(value("strides") == attribute_value(std::vector<index_t>{1, 1}));
  CHECK(value("group") == attribute_value(index_t{2}));
  CHECK(value("bias") == attribute_value(false));
  CHECK(value("pads") == attribute_value(std::vector<index_t>{0, 2, 1, 3}));
}

TEST_CASE("by Winograd and directly: the same values and gradients") {
  for (const index_t kernel : {3, 5}) {
    std::vector<tensor<double>> seen;
    for (const bool winograd : {true, false}) {
      graph<double> g;
      auto x = relu(conv2d(g.input({3, 12, 12}), {.filters = 32, .kernel = 3, .padding = 1}));
      x = relu(conv2d(x, {.filters = 40, .kernel = kernel, .padding = kernel / 2}));
      network<double> net(std::move(g), {x}, {.winograd = winograd});
      session run(net);
      tensor<double> image({24, 3, 12, 12});
      random_stream s{random_key(7)};
      for (index_t i = 0; i < image.size(); ++i) image.data()[i] = s.uniform(-1.0, 1.0);
      seen.emplace_back(run.forward(image));
      const view<double> dy = run.output_gradient();
      for (index_t i = 0; i < dy.size(); ++i) dy.data()[i] = s.uniform(-1.0, 1.0);
      run.backward();
      for (const char* name : {"conv1.weight", "conv2.weight", "conv2.bias"}) seen.emplace_back(net.parameter_gradient(name));
    }
    const kernels::conv_geometry g{32, 12, 12, 40, kernel, kernel, 1, 1, 1, 1, kernel / 2, kernel / 2, kernel / 2, kernel / 2, 1};
    REQUIRE(kernels::winograd::is_profitable(24, g));
    for (std::size_t i = 0; i < 4; ++i) {
      double difference = 0, size = 0;
      for (index_t k = 0; k < seen[i].size(); ++k) {
        difference = (std::max)(difference, std::abs(seen[i].data()[k] - seen[i + 4].data()[k]));
        size = (std::max)(size, std::abs(seen[i].data()[k]));
      }
      CHECK(difference < 1e-12 * size);
      CHECK(difference > 0);  // two ways indeed
    }
  }
}
