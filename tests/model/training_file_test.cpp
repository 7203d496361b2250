#include "minicnn/model/training_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/pictures.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/fit.hpp"

using namespace minicnn;

namespace {

/// Bars whose height is their class, with noise.
image_dataset bars(int count) {
  image_dataset data;
  data.classes = {"high", "middle", "low"};
  data.channels = 1;
  random_stream random(random_key(7));
  for (int i = 0; i < count; ++i) {
    image_u8 p{28, 28, 1, std::vector<unsigned char>(28 * 28)};
    for (std::size_t at = 0; at < p.pixels.size(); ++at) {
      const int row = static_cast<int>(at) / 28;
      p.pixels[at] = static_cast<unsigned char>(random.below(90) + (row / 9 == i % 3 ? 120 : 0));
    }
    data.pictures.push_back(std::move(p));
    data.samples.push_back({"bar " + std::to_string(i), i % 3});
  }
  return data;
}

struct stop_after final : training_callback {
  explicit stop_after(index_t epochs) : epochs_(epochs) {}
  void on_epoch(const epoch_record& row, const evaluation&) override { done_ = row.epoch >= epochs_; }
  bool stop() const override { return done_; }
  index_t epochs_;
  bool done_ = false;
};

const model_config config{.name = "lenet5", .classes = 3};

/// Everything of a training made anew, as a new process would.
struct training {
  explicit training(const image_dataset& data_set) : pictures(data_set) {}
  const image_dataset& pictures;
  model_info info{.config = config, .classes = pictures.classes, .transform = {.padding = 2, .size = 32}};
  network<float> net = make_model(config, {.seed = 3, .threads = 2});
  adam<float> opt{net, {.learning_rate = 0.003}};
  ema<float> average{net, 0.9};
  classification<float> task;
  json recipe = json::object{{"epochs", 4}}, data = json::object{{"count", static_cast<index_t>(pictures.samples.size())}};

  /// Trains on from `resume` ("": from the start) up to `last_epoch` of four; writes `path`. Returns the epochs' figures.
  std::vector<epoch_record> run(index_t last_epoch, const std::string& resume, const std::string& path) {
    const sample_indices all = all_samples(pictures);
    const sample_indices val(all.begin(), all.begin() + 12), rest(all.begin() + 12, all.end());
    image_transform t = info.transform;
    loader<float> validation(pictures, val, {.batch_size = 8, .transform = t});
    t.augment.crop = crop_mode::random;
    t.resize_to = 36;
    loader<float> train(pictures, rest, {.batch_size = 8, .transform = t, .training = true});
    stop_after stop(last_epoch);
    trainer<float> loop(net, opt, task, train, validation,
                        {.epochs = 4, .lr_schedule = one_cycle_schedule{}, .callbacks = {&average, &stop}});
    if (!resume.empty()) loop.state = load_training(resume, net, opt, &average, recipe, data);
    loop.run();
    save_training(path, net, opt, &average, loop.state, info, recipe, data);
    return loop.state.history;
  }
};

}  // namespace

TEST_CASE("two epochs, a file, and two more by new objects end with the bytes of four epochs") {
  const temporary_folder folder;
  const image_dataset pictures = bars(60);
  const auto whole = training(pictures).run(4, "", folder / "whole.safetensors");
  training(pictures).run(2, "", folder / "half.safetensors");
  const auto resumed = training(pictures).run(4, folder / "half.safetensors", folder / "resumed.safetensors");
  CHECK(read_file(folder / "whole.safetensors") == read_file(folder / "resumed.safetensors"));
  CHECK(read_file(folder / "whole.safetensors") != read_file(folder / "half.safetensors"));
  REQUIRE(resumed.size() == 4);
  for (std::size_t e = 0; e < 4; ++e) {
    CHECK(resumed[e].epoch == whole[e].epoch);
    CHECK(resumed[e].train_loss == whole[e].train_loss);
    CHECK(resumed[e].val_loss == whole[e].val_loss);
  }
}

TEST_CASE("a training's file is a weights file too") {
  const temporary_folder folder;
  const image_dataset pictures = bars(30);
  training t(pictures);
  t.run(1, "", folder / "last.safetensors");
  const loaded_model<float> model = load_model(folder / "last.safetensors", 1);
  CHECK(model.info.classes == pictures.classes);
  for (const parameter_info& p : t.net.parameters()) {
    const view<const float> a = t.net.parameter(p.name), b = model.net.parameter(p.name);
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
}

TEST_CASE("another recipe, other data and another optimizer are refused, and say what differs") {
  const temporary_folder folder;
  const image_dataset pictures = bars(30);
  const std::string path = folder / "last.safetensors";
  training(pictures).run(1, "", path);
  const auto problem = [&](auto change) {
    training t(pictures);
    change(t);
    return thrown([&] { (void)load_training(path, t.net, t.opt, &t.average, t.recipe, t.data); });
  };
  CHECK(problem([](training&) {}).empty());
  CHECK(problem([](training& t) { t.recipe.set("epochs", 5); }) ==
        path + ": the run was made with recipe.epochs = 4, this call says 5");
  CHECK(problem([](training& t) { t.recipe.set("seed", 1); }) ==
        path + ": the run was made with recipe.seed = nothing, this call says 1");
  CHECK(problem([](training& t) { t.data = json::object{}; }) ==
        path + ": the run was made with data.count = 30, this call says nothing");
  training t(pictures);
  sgd<float> other(t.net, {.momentum = 0.9});
  CHECK(contains(thrown([&] { (void)load_training(path, t.net, other, &t.average, t.recipe, t.data); }), "training.sgd."));
  save_model(t.net, t.info, path);
  CHECK(problem([](training&) {}) == path + ": no metadata \"data\": cannot be resumed");
}

TEST_CASE("a position that cannot be is refused with the file's name") {
  const temporary_folder folder;
  const image_dataset pictures = bars(30);
  training t(pictures);
  t.run(1, "", folder / "last.safetensors");
  const safetensors_file file = safetensors_file::open(folder / "last.safetensors");
  const auto problem = [&](const char* key, const json& value) {
    safetensors_writer out;
    for (const auto& [name, text] : to_metadata(t.info)) out.metadata(name, text);
    json position = read_training_entry(file, "position");
    position.set(key, value);
    out.metadata("position", write_json(position));
    add_weights(out, t.net);
    for (const auto& s : t.opt.state()) out.add(std::string(training_prefix) + s.name, view<const float>(s.data));
    out.write(folder / "bad.safetensors");
    return thrown([&] { (void)load_training(safetensors_file::open(folder / "bad.safetensors"), t.net, t.opt, nullptr); });
  };
  const std::string start = (folder / "bad.safetensors") + ": metadata \"position\": ";
  CHECK(problem("epoch", 1).empty());
  CHECK(problem("epoch", -1) == start + "member \"epoch\": wanted 0 or more, got -1");
  CHECK(problem("seen", "x") == start + "json: wanted integer, got string");
  CHECK(problem("best_confusion", json::array{json::array{1, 2}}) ==
        start + "member \"best_confusion\": wanted as many columns as rows");
  CHECK(problem("history", json::array{json::array{1}}) == start + "member \"history\": wanted 6 numbers an epoch, got 1");
}

TEST_CASE("a task without right answers, and a loss that is none, are kept within an epoch") {
  const temporary_folder folder;
  const image_dataset pictures = bars(30);
  training t(pictures);
  training_state state;
  state.batch = 1, state.seen = 8, state.weight_sum = 8;
  state.correct = state.loss_sum = NAN;
  save_training(folder / "last.safetensors", t.net, t.opt, &t.average, state, t.info);
  const training_state back = load_training(folder / "last.safetensors", t.net, t.opt, &t.average);
  CHECK(back.batch == 1);
  CHECK(std::isnan(back.correct));
  CHECK(std::isnan(back.loss_sum));
}
