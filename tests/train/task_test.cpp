#include "minicnn/train/task.hpp"

#include <doctest/doctest.h>

#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/train/classification.hpp"
#include "minicnn/train/fit.hpp"
#include "minicnn/train/joint_task.hpp"
#include "minicnn/train/multi_label.hpp"
#include "minicnn/train/ordinal.hpp"
#include "minicnn/train/regression.hpp"
#include "train/task_data.hpp"

using namespace minicnn;
using task_data::points;

namespace {

/// A network of one hidden layer.
network<float> small(int outputs, std::uint64_t seed = 3) {
  graph<float> g;
  return network<float>(std::move(g), {dense(relu(dense(g.input({3}), 16)), outputs)}, {.seed = seed, .threads = 1});
}

/// Trains, and returns the last epoch's figures.
template <class Task>
epoch_record train(network<float>& net, const Task& what, const points& like, index_t epochs = 20) {
  points training = like, validation = task_data::other(like);
  sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9});
  return fit(net, optimizer, what, training, validation, {.epochs = epochs}).back();
}

/// Mean absolute error; what a task of one's own looks like.
class absolute_error final : public task<float> {
 public:
  double loss(const view<const float>& y, const batch<float>& b, const view<float>& gradient, double scale) const override {
    const double n = static_cast<double>(y.size());
    double sum = 0;
    for (index_t i = 0; i < y.size(); ++i) {
      const double gap = static_cast<double>(y[i]) - static_cast<double>(b.targets[i]);
      sum += std::abs(gap) / n;
      if (gradient.present()) gradient[i] = static_cast<float>((gap > 0 ? 1 : -1) * scale / n);
    }
    return sum;
  }
};

}  // namespace

TEST_CASE("a network with one logit is validated with its own loss") {
  auto net = small(1);
  const binary_classification<float> what;
  const epoch_record last = train(net, what, task_data::two_classes(200));
  CHECK(last.val_accuracy > 0.9);
  CHECK(last.val_loss < 0.3);
  // What fit said is what evaluate says.
  points validation = task_data::other(task_data::two_classes(200));
  const evaluation e = evaluate(net, validation, what);
  CHECK(e.loss == last.val_loss);
  CHECK(e.value("AUC") > 0.95);
  CHECK(e.confusion[0][0] + e.confusion[1][1] == static_cast<index_t>(std::lround(e.accuracy * 200)));
}

TEST_CASE("several labels an image, real numbers, ranks: each task trains and says its own figures") {
  {
    auto net = small(3);
    const multi_label<float> what;
    const epoch_record last = train(net, what, task_data::several_labels(300));
    points validation = task_data::other(task_data::several_labels(300));
    const evaluation e = evaluate(net, validation, what);
    CHECK(e.loss == last.val_loss);
    CHECK(e.value("mAP") > 0.9);
    REQUIRE(e.per_label.size() == 3);
    CHECK(e.per_label[2].f1 > 0.8);
    CHECK(e.confusion.empty());
  }
  {
    auto net = small(2);
    points all = task_data::numbers(300);
    const regression<float> what(standardize(all.targets(), 2));
    const epoch_record last = train(net, what, all, 40);
    points validation = task_data::other(all);
    const evaluation e = evaluate(net, validation, what);
    CHECK(e.loss == last.val_loss);
    CHECK(std::isnan(last.val_accuracy));
    CHECK(e.value("R2") > 0.9);
    CHECK(e.per_target[1].rmse < 0.4 * what.scaling().std[1]);
  }
  {
    auto net = small(3);
    const ordinal<float> what;
    const epoch_record last = train(net, what, task_data::ranks(300));
    CHECK(last.val_accuracy > 0.7);
    points validation = task_data::other(task_data::ranks(300));
    CHECK(evaluate(net, validation, what).value("MAE") < 0.4);
  }
}

TEST_CASE("a task of one's own needs a loss and nothing else") {
  auto net = small(2);
  const absolute_error what;
  const double before = train(net, what, task_data::numbers(100), 1).val_loss,
               after = train(net, what, task_data::numbers(100)).val_loss;
  CHECK(after < 0.6 * before);
}

TEST_CASE("two outputs with two losses, each with labels of its own") {
  graph<float> g;
  const auto x = relu(dense(g.input({3}), 16));
  network<float> net(std::move(g), {dense(x, 2), dense(x, 2)}, {.seed = 3, .threads = 1});
  session run(net);
  const classification<float> kind;
  points like = task_data::numbers(300);
  const regression<float> size(standardize(like.targets(), 2));
  joint_task<float> both({{&kind, 1.0}, {&size, 0.5}});
  const epoch_record last = train(net, both, like, 40);
  points validation = task_data::other(like);
  const evaluation e = evaluate(net, validation, both);
  REQUIRE(e.parts.size() == 2);
  CHECK(e.loss == doctest::Approx(e.parts[0].loss + 0.5 * e.parts[1].loss));
  CHECK(last.val_loss == e.loss);
  CHECK(e.value("0 accuracy") > 0.85);
  CHECK(e.value("1 R2") > 0.8);

  // Class numbers and numbers in columns of one table.
  joint_task<float> columns({{&kind, 1.0, 0, 1, true}, {&size, 1.0, 1, 2}});
  const tensor<float> images({2, 3}), targets({2, 3}, {1, 10, 20, 0, 30, 40});
  run.forward(images);
  output_table<float> outputs;
  batch<float> b;
  b.images = images, b.targets = targets;
  const double sum = columns.losses(outputs.of(run), b, 1.0);
  const tensor<float> own({2, 2}, {10, 20, 30, 40});
  batch<float> first, second;
  const std::vector<std::int32_t> labels = {1, 0};
  first.images = second.images = images;
  first.labels = labels, second.targets = own;
  CHECK(sum == doctest::Approx(kind.loss(run.output(0), first, {}, 1) + size.loss(run.output(1), second, {}, 1)));
  joint_task<float> beyond({{&kind, 1.0, 0, 1, true}, {&size, 1.0, 2, 2}});
  CHECK_THROWS_WITH_AS(beyond.losses(outputs.of(run), b, 1.0), doctest::Contains("the data has 3"), shape_error);
}

TEST_CASE("what decides which epoch is best is the task's to say") {
  evaluation e;
  e.loss = 3;
  e.metrics = {{"accuracy", 0.25}, {"MAE", 4, false}};
  classification<float> what;
  CHECK(what.score(e) == 3);
  what.best_by("accuracy");
  CHECK(what.score(e) == -0.25);
  what.best_by("MAE");
  CHECK(what.score(e) == 4);
  what.best_by("mAP");
  CHECK_THROWS_WITH_AS(what.score(e), doctest::Contains("there are: accuracy, MAE"), option_error);
}

TEST_CASE("data that does not fit the task is said") {
  auto net = small(2);
  points classes = task_data::two_classes(20), numbers = task_data::numbers(20);
  CHECK_THROWS_WITH_AS(evaluate<float>(net, classes, regression<float>()), doctest::Contains("no targets"), shape_error);
  auto one = small(1);
  CHECK_THROWS_WITH_AS(evaluate<float>(one, numbers, regression<float>()), doctest::Contains("targets"), shape_error);
}

TEST_CASE("evaluate keeps what a network of double gives") {
  graph<double> g;
  network<double> net(std::move(g), {dense(g.input({1}), 2)}, {.seed = 1, .threads = 1});
  net.parameter("fc1.weight")[0] = 1, net.parameter("fc1.weight")[1] = 0;
  net.parameter("fc1.bias")[0] = net.parameter("fc1.bias")[1] = 0;
  struct data {
    tensor<double> x{{1, 1}, {1.0 + 1e-12}};
    std::vector<std::int32_t> y{0};
    batch<double> b{x, y};
    bool given = true;
    void start_epoch(index_t, index_t) { given = false; }
    const batch<double>* next() { return std::exchange(given, true) ? nullptr : &b; }
  } one;
  CHECK(evaluate(net, one, classification<double>()).outputs[0] == 1.0 + 1e-12);
}
