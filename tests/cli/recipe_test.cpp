// What the presets stand for: the values that docs/recipes.md lists.
#include "recipe.hpp"

#include <doctest/doctest.h>

#include <cmath>

namespace {

double deviation(const minicnn::view<const float>& w) {
  double squares = 0;
  for (const float x : w) squares += static_cast<double>(x) * x;
  return std::sqrt(squares / static_cast<double>(w.size()));
}

cli::recipe preset(const std::string& name) {
  cli::recipe_overrides o;
  o.preset = name;
  cli::recipe r = cli::make_recipe(o);
  r.model = minicnn::completed(r.model);
  return r;
}

}  // namespace

TEST_CASE("article: the 2018 recipe to the letter") {
  const cli::recipe r = preset("article");
  CHECK(r.model.name == "alexnet");
  CHECK(r.model.image_size == 227);
  CHECK(r.optimizer == "adam");
  CHECK(r.learning_rate == doctest::Approx(0.001));
  CHECK(r.batch_size == 20);
  CHECK(r.l2 == doctest::Approx(1e-4));
  CHECK_FALSE(r.augment);
  const auto net = minicnn::make_model(r.model, {.seed = 1, .threads = 1});
  CHECK(deviation(net.parameter("conv2.weight")) == doctest::Approx(0.088).epsilon(0.01));  // 0.1, cut at two deviations
  CHECK(net.parameter("fc1.bias")[0] == doctest::Approx(0.1));
  CHECK(net.parameter("logits_eval.bias")[0] == doctest::Approx(0.1));
}

TEST_CASE("classic: the 2012 recipe from Caffe's initial values, with which two classes do not diverge") {
  const cli::recipe r = preset("classic");
  CHECK(r.model.name == "alexnet");
  CHECK(r.batch_size == 128);
  CHECK(r.learning_rate == doctest::Approx(0.01));
  CHECK(r.weight_decay == doctest::Approx(5e-4));
  CHECK_FALSE(r.nesterov);
  const auto net = minicnn::make_model(r.model, {.seed = 1, .threads = 1});
  CHECK(deviation(net.parameter("conv2.weight")) == doctest::Approx(0.01).epsilon(0.01));
  CHECK(deviation(net.parameter("fc1.weight")) == doctest::Approx(0.005).epsilon(0.01));
  CHECK(deviation(net.parameter("logits_eval.weight")) == doctest::Approx(0.01).epsilon(0.05));
  CHECK(net.parameter("fc1.bias")[0] == doctest::Approx(0.1));
  CHECK(net.parameter("conv4.bias")[0] == doctest::Approx(0.1));

  cli::recipe_overrides o;
  o.preset = "classic";
  o.init = "paper";
  const auto paper = minicnn::make_model(minicnn::completed(cli::make_recipe(o).model), {.seed = 1, .threads = 1});
  CHECK(paper.parameter("fc1.bias")[0] == 1);
}

TEST_CASE("options of other networks are taken back") {
  cli::recipe_overrides o;
  o.model = "lenet5";
  o.padded = "on", o.pooled = 2, o.dropout = 0.5;
  const cli::recipe r = cli::make_recipe(o);
  CHECK_FALSE(r.model.padded);
  CHECK(r.model.pooled == 0);
  CHECK(r.model.dropout <= 0);
  o.model = "vgg11";
  CHECK(cli::make_recipe(o).model.dropout == doctest::Approx(0.5));
}

TEST_CASE("best: batch norm, padded pools, rising sizes") {
  const cli::recipe r = preset("best");
  CHECK(r.model.name == "alexnet-bn");
  CHECK(r.model.padded);
  CHECK(r.model.pooled == 2);
  CHECK(r.model.image_size == 192);
  CHECK(r.sizes == "128:0,160:0.7");
  CHECK(r.learning_rate == doctest::Approx(0.03));
  CHECK(r.crop_scale == doctest::Approx(0.35));
  CHECK(r.label_smoothing == doctest::Approx(0.03));
  CHECK(r.tta == "flip");
}

TEST_CASE("deep and quick: a residual network, and what is not its own taken back with another") {
  cli::recipe r = preset("deep");
  CHECK(r.model.name == "resnet18-small");
  CHECK(r.model.zero_init);
  CHECK(r.model.image_size == 192);
  CHECK(r.sizes == "96:0,128:0.55,160:0.85");
  CHECK(r.epochs == 54);
  CHECK(r.optimizer == "muon");
  CHECK(r.learning_rate == doctest::Approx(0.02));
  CHECK(r.rest_rate == doctest::Approx(0.05));
  CHECK(r.alternate_flip);
  CHECK(r.crop_scale == doctest::Approx(0.35));
  CHECK(r.tta == "flip");
  r = preset("quick");
  CHECK(r.model.name == "resnet18-small");
  CHECK(r.model.image_size == 160);
  CHECK(r.sizes == "96:0,128:0.75");
  CHECK(r.epochs == 14);
  CHECK(r.batch_size == 128);
  CHECK(r.optimizer == "muon");
  CHECK(r.momentum == doctest::Approx(0.95));
  CHECK(r.rest_rate == doctest::Approx(0.05));
  CHECK(r.rest_momentum == doctest::Approx(0.9));
  CHECK(r.crop_scale == doctest::Approx(0.5));
  cli::recipe_overrides o;
  o.preset = "quick", o.optimizer = "sgd";
  r = cli::make_recipe(o);
  CHECK(r.momentum == doctest::Approx(0.9));
  CHECK(r.learning_rate == doctest::Approx(0.02));
  o = {};
  o.preset = "deep", o.model = "vgg11";
  r = cli::make_recipe(o);
  CHECK_FALSE(r.model.zero_init);
  CHECK(r.sizes.empty());
  CHECK(r.model.image_size == 192);
}

TEST_CASE("shards are a part of the recipe, have two pictures each, and do not go with --accumulate") {
  cli::recipe_overrides o;
  o.batch_size = 64;
  CHECK_FALSE(cli::to_json(cli::make_recipe(o)).has("shards"));  // as runs of versions without them
  o.shards = 32;
  CHECK(cli::to_json(cli::make_recipe(o)).at("shards").as_int() == 32);
  CHECK_FALSE(cli::to_json(cli::make_recipe(o)).has("wire"));
  o.wire = "bf16";
  CHECK(cli::to_json(cli::make_recipe(o)).at("wire").as_string() == "bf16");
  o.shards = 33;
  CHECK_THROWS_WITH_AS(cli::make_recipe(o), "--shards 33: wanted at most 32, two pictures of --batch-size 64 each",
                       minicnn::option_error);
  o.shards = 4, o.accumulate = 2;
  CHECK_THROWS_WITH_AS(cli::make_recipe(o), "--accumulate 2 and --shards 4: --batch-size 128 --shards 8 does the same",
                       minicnn::option_error);
}

TEST_CASE("0 given for what a preset has takes back what goes with it, unless that was given too") {
  cli::recipe_overrides o;
  o.preset = "cifar", o.ema = 0;
  CHECK(preset("cifar").lookahead > 0);
  CHECK(cli::make_recipe(o).lookahead == 0);
  o.lookahead = 5;
  CHECK_THROWS_AS(cli::make_recipe(o), minicnn::option_error);
  for (const char* name : {"best", "deep", "cifar", "classic"}) {
    o = {};
    o.preset = name, o.momentum = 0;
    const cli::recipe r = cli::make_recipe(o);
    CHECK(r.momentum == 0);
    CHECK_FALSE(r.nesterov);
  }
}

TEST_CASE("a size beyond the largest is told as that of the option that said it; no class weights by their name") {
  cli::recipe_overrides o;
  o.sizes = "9999:0", o.image_size = 64;
  CHECK_THROWS_WITH_AS(cli::make_recipe(o), "--sizes 9999: wanted 1 to 8192", minicnn::option_error);
  o.sizes.reset(), o.class_weights = "none";
  CHECK(cli::make_recipe(o).class_weights.empty());
}
