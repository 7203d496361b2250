#include "golden.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

using namespace minicnn;

TEST_CASE("golden: the formula gives the same bits here as in Python") {
  const auto file = golden::open("formula");
  const auto plain = file.load<double>("values.salt_1"), scaled = file.load<double>("scaled.salt_123456789");
  REQUIRE(plain.size() == 64);
  int wrong = 0;
  for (index_t i = 0; i < plain.size(); ++i) wrong += plain[i] != golden::value(i, 1);
  CHECK(wrong == 0);
  const auto here = golden::filled(shape{64}, 123456789, 3.0, 0.25);
  CHECK(golden::relative_difference(view<const double>(here), view<const double>(scaled)) < 1e-15);

  double sum = 0, low = 1, high = -1;
  for (index_t i = 0; i < 100000; ++i) {
    const double v = golden::value(i, 5);
    sum += v;
    low = (std::min)(low, v);
    high = (std::max)(high, v);
  }
  CHECK(std::abs(sum / 100000) < 0.004);  // four deviations of the mean
  CHECK(low >= -0.5);
  CHECK(low < -0.499);
  CHECK(high < 0.5);
  CHECK(high > 0.499);
}

TEST_CASE("golden: relative difference") {
  const tensor<double> a(shape{2}, {3.0, 4.0}), zero(shape{2});
  const tensor<float> b(shape{2}, {3.0F, 4.5F});
  const auto of = [](const auto& got, const auto& wanted) {
    return golden::relative_difference(view(got.data(), got.dims()), view(wanted.data(), wanted.dims()));
  };
  CHECK(of(a, a) == 0);
  CHECK(of(b, a) == doctest::Approx(0.1));
  CHECK(of(zero, a) == 1);
  CHECK(of(a, zero) == 5);
  const tensor<double> broken(shape{2}, {3.0, std::numeric_limits<double>::quiet_NaN()});
  CHECK(!(of(broken, a) < 1));
  CHECK_THROWS_AS(of(a, tensor<double>(shape{1, 2})), shape_error);
}

TEST_CASE("golden: every file opens and holds finite numbers") {
  for (const char* name : {"formula", "conv2d", "dense", "activation", "channels", "pooling", "lrn", "batch_norm", "loss",
                           "optimizer", "alexnet_narrow"}) {
    CAPTURE(name);
    const auto file = golden::open(name);
    CHECK(!file.metadata().empty());
    CHECK(!file.entries().empty());
    for (const tensor_entry& entry : file.entries()) {
      CAPTURE(entry.name);
      const tensor<double> values = file.load<double>(entry.name);
      CHECK(std::isfinite(golden::length(view<const double>(values))));
    }
  }
}

TEST_CASE("golden: dense, computed here, agrees with PyTorch") {
  const auto file = golden::open("dense");
  const auto x = golden::filled(shape{3, 10}, golden::input, 2.0), w = golden::filled(shape{7, 10}, golden::weight);
  const auto b = golden::filled(shape{7}, golden::bias), g = golden::filled(shape{3, 7}, golden::upstream, 2.0);
  tensor<double> y(shape{3, 7}), gx(shape{3, 10}), gw(shape{7, 10}), gb(shape{7});
  for (index_t n = 0; n < 3; ++n)
    for (index_t o = 0; o < 7; ++o) {
      y(n, o) = b[o];
      gb[o] += g(n, o);
      for (index_t i = 0; i < 10; ++i) {
        y(n, o) += w(o, i) * x(n, i);
        gx(n, i) += g(n, o) * w(o, i);
        gw(o, i) += g(n, o) * x(n, i);
      }
    }
  CHECK(golden::relative_difference(view<double>(y), file, "bias.output") < 1e-14);
  CHECK(golden::relative_difference(view<double>(gx), file, "bias.input.gradient") < 1e-14);
  CHECK(golden::relative_difference(view<double>(gw), file, "bias.weight.gradient") < 1e-14);
  CHECK(golden::relative_difference(view<double>(gb), file, "bias.bias.gradient") < 1e-14);
}

TEST_CASE("golden: response normalisation with alpha not divided by size agrees with PyTorch") {
  const auto file = golden::open("lrn");
  const auto check = [&](const char* name, const shape& dims, double scale, index_t size, double alpha, double k) {
    CAPTURE(name);
    const auto x = golden::filled(dims, golden::input, scale);
    tensor<double> y(dims);
    const index_t channels = dims[1], pixels = dims[2] * dims[3];
    for (index_t n = 0; n < dims[0]; ++n)
      for (index_t c = 0; c < channels; ++c)
        for (index_t p = 0; p < pixels; ++p) {
          const auto at = [&](index_t channel) { return (n * channels + channel) * pixels + p; };
          double sum = 0;
          for (index_t j = (std::max)(c - size / 2, index_t{0}); j <= (std::min)(c + (size - 1) / 2, channels - 1); ++j)
            sum += x[at(j)] * x[at(j)];
          y[at(c)] = x[at(c)] * std::pow(k + alpha * sum, -0.75);
        }
    CHECK(golden::relative_difference(view<double>(y), file, std::string(name) + ".output") < 1e-14);
  };
  check("size_5", {2, 7, 3, 4}, 4.0, 5, 0.1, 2.0);
  check("article", {2, 12, 3, 3}, 200.0, 9, 0.001 / 9, 1.0);
  check("fewer_channels_than_window", {2, 3, 2, 3}, 4.0, 9, 0.2, 1.0);
  check("even_size_4", {2, 6, 2, 3}, 4.0, 4, 0.3, 1.0);
}

TEST_CASE("golden: Adam, computed here, agrees with PyTorch") {
  const auto wanted = golden::open("optimizer").load<double>("adam_betas_eps.parameters");
  tensor<double> rows(shape{5, 9});
  auto p = golden::filled(shape{9}, golden::parameter);
  tensor<double> m(shape{9}), v(shape{9});
  for (index_t s = 0; s < 5; ++s)
    for (index_t i = 0; i < 9; ++i) {
      const double g = 2.0 * golden::value(i, golden::step + static_cast<std::uint64_t>(s));
      m[i] = 0.8 * m[i] + 0.2 * g;
      v[i] = 0.95 * v[i] + 0.05 * g * g;
      const double mean = m[i] / (1 - std::pow(0.8, s + 1)), square = v[i] / (1 - std::pow(0.95, s + 1));
      p[i] -= 0.02 * mean / (std::sqrt(square) + 0.1);
      rows(s, i) = p[i];
    }
  CHECK(golden::relative_difference(view<double>(rows), view<const double>(wanted)) < 1e-14);
}
