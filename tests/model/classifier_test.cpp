#include "minicnn/model/classifier.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "data/pictures.hpp"
#include "io/temporary_folder.hpp"

using namespace minicnn;

namespace {

/// A model with weights drawn from a seed: its answers differ from picture to picture.
struct drawn_model {
  temporary_folder folder;
  std::string path = folder / "m.safetensors";
  explicit drawn_model(int channels = 3, double temperature = 1, bool margin = false) {
    const model_config config{.name = "lenet5", .classes = 3, .channels = channels};
    model_info info{.config = config, .classes = {"ant", "bee", "cow"}, .transform = {.size = 32}};
    if (margin) info.transform.resize_to = 40;
    info.transform.normalize.scale = 1.0F / 255;
    info.temperature = temperature;
    save_model(make_model(config, {.seed = 11, .threads = 1}), info, path);
  }
};

std::vector<image_u8> some_pictures() {
  return {pictures::ramp(40, 50), pictures::plain(20, 30, 200, 10, 90), pictures::ramp(64, 33), pictures::plain(32, 32, 0, 0, 0)};
}

/// Probabilities in the network's order.
std::vector<double> by_output(const std::vector<ranked_class>& ranked) {
  std::vector<double> out(ranked.size());
  for (const ranked_class& r : ranked) out[static_cast<std::size_t>(r.index)] = r.probability;
  return out;
}

/// softmax(logits / temperature) by the textbook, from the network alone.
std::vector<double> expected(const std::string& path, const image_u8& picture, double temperature, bool mirrored = false) {
  const loaded_model<float> model = load_model(path, 1);
  image_transform t = model.info.transform;
  t.mirrored = mirrored;
  tensor<float> input({1, model.info.config.channels, t.size, t.size});
  image_workspace workspace;
  apply(picture, t, random_key(), false, input.data(), workspace);
  const tensor<float> logits = model.net.predict(input);
  std::vector<double> out;
  double sum = 0;
  for (const float z : logits) out.push_back(std::exp(double{z} / temperature)), sum += out.back();
  for (double& p : out) p /= sum;
  return out;
}

void check_near(const std::vector<double>& got, const std::vector<double>& wanted) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t k = 0; k < got.size(); ++k) CHECK(got[k] == doctest::Approx(wanted[k]).epsilon(1e-5));
}

}  // namespace

TEST_CASE("classes come by probability, which are softmax of the logits over the temperature") {
  const drawn_model file(3, 1.5);
  const auto model = load_classifier(file.path);
  for (const image_u8& p : some_pictures()) {
    const std::vector<ranked_class> got = model.predict(p);
    REQUIRE(got.size() == 3);
    CHECK(std::is_sorted(got.begin(), got.end(), [](auto& a, auto& b) { return a.probability > b.probability; }));
    for (const ranked_class& r : got) CHECK(r.name == model.classes()[static_cast<std::size_t>(r.index)]);
    check_near(by_output(got), expected(file.path, p, 1.5));
  }
  const auto sharper = load_classifier(file.path, {.temperature = 0.5});
  check_near(by_output(sharper.predict(some_pictures()[0])), expected(file.path, some_pictures()[0], 0.5));
}

TEST_CASE("a picture's answer depends neither on its company nor on threads, to the last bit") {
  const drawn_model file;
  const auto one = load_classifier(file.path, {.threads = 1}), two = load_classifier(file.path, {.threads = 2});
  const std::vector<image_u8> all = some_pictures();
  const auto together = two.predict(std::span<const image_u8>(all));
  REQUIRE(together.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CHECK(by_output(together[i]) == by_output(two.predict(all[i])));
    CHECK(by_output(together[i]) == by_output(one.predict(all[i])));
  }
  CHECK(two.predict(std::span<const image_u8>()).empty());
}

TEST_CASE("several threads ask one classifier at once and get what each would alone") {
  const drawn_model file;
  const auto model = load_classifier(file.path, {.threads = 1});
  const std::vector<image_u8> all = some_pictures();
  std::vector<std::vector<double>> wanted;
  for (const image_u8& p : all) wanted.push_back(by_output(model.predict(p)));
  std::vector<int> wrong(4);
  std::vector<std::thread> callers;
  for (std::size_t c = 0; c < wrong.size(); ++c)
    callers.emplace_back([&, c] {
      for (int round = 0; round < 10; ++round)
        for (std::size_t i = 0; i < all.size(); ++i) wrong[c] += by_output(model.predict(all[i])) != wanted[i];
    });
  for (std::thread& t : callers) t.join();
  CHECK(wrong == std::vector<int>(4));
}

TEST_CASE("test-time augmentation averages probabilities over its views") {
  const drawn_model file;
  const image_u8 picture = pictures::ramp(40, 50);
  const std::vector<double> plain = expected(file.path, picture, 1), mirrored = expected(file.path, picture, 1, true);
  std::vector<double> mean;
  for (std::size_t k = 0; k < plain.size(); ++k) mean.push_back((plain[k] + mirrored[k]) / 2);
  check_near(by_output(load_classifier(file.path, {.tta = "flip"}).predict(picture)), mean);
  const drawn_model with_margin(3, 1, true);
  const auto ten = load_classifier(with_margin.path, {.tta = "ten-crop"});
  const std::vector<double> got = by_output(ten.predict(picture));
  CHECK(got[0] + got[1] + got[2] == doctest::Approx(1));
  CHECK(got != by_output(load_classifier(with_margin.path).predict(picture)));
}

TEST_CASE("colours become grey for a network of one channel, grey becomes three channels for others") {
  const drawn_model grey(1), colour(3);
  image_u8 picture = pictures::ramp(40, 50);
  const auto of_colours = load_classifier(grey.path).predict(picture);
  to_grey(picture);
  CHECK(by_output(of_colours) == by_output(load_classifier(grey.path).predict(picture)));
  image_u8 three = picture;
  set_channels(three, 3);
  CHECK(by_output(load_classifier(colour.path).predict(picture)) == by_output(load_classifier(colour.path).predict(three)));
}

TEST_CASE("what cannot be predicted is an error that says why") {
  const drawn_model file;
  const auto model = load_classifier(file.path);
  CHECK(thrown([&] { (void)model.predict(image_u8{4, 4, 3, {}}); }) == "picture of 4 x 4 pixels and 3 channels has 0 bytes");
  CHECK(thrown([&] { (void)model.predict(image_u8{1, 1, 2, {1, 2}}); }) == "picture 0: has 2 channels, the network wants 3");
  CHECK(thrown([&] { (void)load_classifier(file.path, {.tta = "ten-crop"}); }).starts_with("tta ten-crop: "));
  CHECK(thrown([&] { (void)load_classifier(file.path, {.tta = "five"}); }) ==
        "tta five: wanted none, flip, flip-shift or ten-crop, got five");
  CHECK(thrown([&] { (void)load_classifier(file.path, {.temperature = 0.0}); }) ==
        "temperature: wanted a number from 1e-04 to 1e+06, got 0");
  CHECK_THROWS_AS((void)load_classifier(file.path, {.image_size = 64}), error);  // lenet5's dense layers fix the size
  CHECK_THROWS_AS((void)load_classifier(file.path + ".not"), file_error);
}

TEST_CASE("networks that take any size take another, margins in proportion") {
  const temporary_folder folder;
  const model_config config{.name = "resnet20", .classes = 2};
  model_info info{.config = config, .classes = {"a", "b"}, .transform = {.size = 32, .resize_to = 40}};
  save_model(make_model(config, {.threads = 1}), info, folder / "m.safetensors");
  const auto model = load_classifier(folder / "m.safetensors", {.image_size = 48});
  CHECK(model.info().transform.size == 48);
  CHECK(model.info().transform.resize_to == 60);
  CHECK(model.predict(pictures::ramp(50, 60)).size() == 2);
}
