#include "minicnn/lenet5.hpp"

#include <doctest/doctest.h>

#include "networks/against_torch.hpp"

using namespace minicnn;
using against_torch::unset;

TEST_CASE("61,706 parameters, at 32 pixels as at 28 with the padding inside") {
  CHECK(lenet5().parameter_count() == 61706);
  CHECK(lenet5({.image_size = 28}).parameter_count() == 61706);
  CHECK(lenet5({.modern = false}).parameter_count() == 61706);
}

TEST_CASE("28 pixels: the same as a border of two zeros around them") {
  auto small = lenet5({.image_size = 28, .network = unset}), large = lenet5({.network = unset});
  against_torch::fill(small);
  against_torch::fill(large);
  const tensor<float> x = golden::filled<float>({1, 1, 28, 28}, golden::input);
  tensor<float> framed({1, 1, 32, 32});
  for (float& v : framed) v = 0;
  for (index_t r = 0; r < 28; ++r)
    for (index_t c = 0; c < 28; ++c) framed[(r + 2) * 32 + c + 2] = x[r * 28 + c];
  const tensor<float> a = small.predict(x), b = large.predict(framed);
  for (index_t i = 0; i < 10; ++i) CHECK(a[i] == doctest::Approx(b[i]));
}

TEST_CASE("too small an image names the layer") {
  CHECK(lenet5({.image_size = 16}).output_dims() == shape{1, 10});
  CHECK_THROWS_WITH_AS(lenet5({.image_size = 11}), doctest::Contains("c3"), shape_error);
}

TEST_CASE("logits as PyTorch computes them") {
  for (const bool modern : {false, true})
    against_torch::check_logits(modern ? "lenet5_modern" : "lenet5_classic", {2, 1, 32, 32},
                                [&](auto element) { return lenet5<decltype(element)>({.modern = modern, .network = unset}); });
}
