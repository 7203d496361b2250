#include "minicnn/train/distillation.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "golden/golden.hpp"
#include "minicnn/layers/scale.hpp"

using namespace minicnn;

namespace {

/// A network that answers what it is shown.
network<double> echo(index_t classes) {
  graph<double> g;
  auto x = g.input({classes});
  return network<double>(std::move(g), {scale(x, {.factor = std::vector<double>(static_cast<std::size_t>(classes), 1.0)})},
                         {.threads = 1});
}

const std::vector<std::int32_t> labels{0, 3, 1, 1, 2};

}  // namespace

TEST_CASE("loss and gradient are PyTorch's") {
  const golden::safetensors_file file = golden::open("recipes");
  const network<double> teacher = echo(4);
  const distillation<double> task(teacher, {.share = 0.3, .temperature = 2.5, .labels = {.label_smoothing = 0.1}});
  const tensor<double> y = golden::filled<double>({5, 4}, golden::input, 8.0),
                       told = golden::filled<double>({5, 4}, golden::target, 6.0);
  tensor<double> gradient({5, 4}), scaled({5, 4});
  batch<double> b;
  b.images = told, b.labels = labels;
  CHECK(task.loss(y, b, gradient, 1.0) == doctest::Approx(file.load<double>("distillation.loss")[0]).epsilon(1e-12));
  CHECK(golden::relative_difference(view<const double>(gradient), file, "distillation.gradient") < 1e-12);
  task.loss(y, b, scaled, 0.25);
  for (index_t i = 0; i < 20; ++i) CHECK(scaled[i] == doctest::Approx(0.25 * gradient[i]));
  CHECK(task.evaluation_loss(y, b) == doctest::Approx(softmax_cross_entropy<double>().value(y, labels)));
}

TEST_CASE("a student that answers as its teacher has nothing to learn from it") {
  const network<double> teacher = echo(4);
  const distillation<double> task(teacher, {.share = 1.0});
  const tensor<double> y = golden::filled<double>({5, 4}, golden::input, 8.0);
  tensor<double> gradient({5, 4});
  batch<double> b;
  b.images = y, b.labels = labels;
  CHECK(task.loss(y, b, gradient, 1.0) == doctest::Approx(0).scale(1));
  for (const double g : gradient) CHECK(g == doctest::Approx(0).scale(1));
}

TEST_CASE("the teacher is shown the pictures on its own scale") {
  graph<double> g;
  auto x = g.input({2, 1, 1});
  const network<double> teacher(std::move(g), {scale(x, {.factor = {1, 1}})}, {.threads = 1});
  tensor<double> seen({1, 2}, {0.3, -0.2}), y({1, 2}, {0.3 * 2 + 1, -0.2 * 4 - 3});
  const view<const double> images(seen.data(), {1, 2, 1, 1}), answer(y.data(), {1, 2, 1, 1});
  const std::vector<std::int32_t> one{0};
  batch<double> b;
  b.images = images, b.labels = one;
  const distillation<double> task(teacher, {.share = 1.0, .factor = {2, 4}, .offset = {1, -3}});
  CHECK(task.loss(answer, b, {}, 1.0) == doctest::Approx(0).scale(1));
}

TEST_CASE("options and teachers that do not fit are refused") {
  const network<double> teacher = echo(3);
  CHECK_THROWS_AS(distillation<double>(teacher, {.share = 0}), option_error);
  CHECK_THROWS_AS(distillation<double>(teacher, {.temperature = 0}), option_error);
  CHECK_THROWS_AS(distillation<double>(teacher, {.factor = {1}}), option_error);
  const distillation<double> task(teacher, {});
  const tensor<double> images({5, 3}, 0.5), y({5, 4}, 0.5);
  batch<double> b;
  b.images = images, b.labels = labels;
  CHECK_THROWS_AS(task.loss(y, b, {}, 1.0), shape_error);
}
