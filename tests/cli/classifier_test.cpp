// What the library answers from a weights file is what the program prints for the same picture alone, to the last digit.
#include <minicnn/data/image.hpp>
#include <minicnn/model/classifier.hpp>
#include <optional>
#include <random>

#include "program.hpp"

using program::run;

namespace {

/// Weights drawn from a seed at 32 pixels with a margin, and pictures of noise.
struct drawn {
  pictures::folder folder{"classifier"};
  std::string weights = folder.path("w.safetensors");
  std::vector<std::string> paths;

  explicit drawn(int channels) {
    const minicnn::model_config config{.name = "resnet20", .classes = 3, .channels = channels};
    minicnn::model_info info{.config = config, .classes = {"ant", "bee", "cow"}, .transform = {.size = 32, .resize_to = 40}};
    info.transform.normalize = {.mean = {120, 110, 100}, .std = {60, 61, 62}};
    info.tta = "flip";
    info.temperature = 1.3;
    minicnn::save_model(minicnn::make_model(config, {.seed = 2}), info, weights);
    std::mt19937 random(5);
    for (int i = 0; i < 5; ++i) {
      minicnn::image_u8 image{20 + 9 * i, 50 - 5 * i, 3, {}};
      for (minicnn::index_t at = 0; at < image.height * image.width * 3; ++at)
        image.pixels.push_back(static_cast<unsigned char>(random() % 256));
      paths.push_back(folder.write(std::to_string(i) + ".png", pictures::png(image)));
    }
  }
};

void check_equal(const drawn& d, const minicnn::classifier_options& o, const std::string& options) {
  const auto model = minicnn::load_classifier(d.weights, o);
  std::string quoted;
  for (const std::string& path : d.paths) quoted += " '" + path + "'";
  const auto printed = run("predict --batch-size 1 --json --weights '" + d.weights + "'" + options + quoted);
  REQUIRE_MESSAGE(printed.code == 0, printed.err);
  REQUIRE(printed.lines().size() == d.paths.size());
  for (std::size_t i = 0; i < d.paths.size(); ++i) {
    const auto line = nlohmann::ordered_json::parse(printed.lines()[i]);
    const std::vector<minicnn::ranked_class> ranked = model.predict(minicnn::load_image(d.paths[i]));
    CHECK(line["path"] == d.paths[i]);
    CHECK(line["class"] == ranked.front().name);
    CHECK(line["probability"].get<double>() == ranked.front().probability);
    REQUIRE(line["probabilities"].size() == ranked.size());
    auto member = line["probabilities"].begin();
    for (const minicnn::ranked_class& r : ranked) {
      CHECK(member.key() == r.name);
      CHECK(member->get<double>() == r.probability);
      ++member;
    }
  }
}

}  // namespace

TEST_CASE("load_classifier answers what predict --json prints, to the last digit") {
  const drawn colour(3);
  check_equal(colour, {}, "");
  check_equal(colour, {.threads = 1}, " --threads 1");
  check_equal(colour, {.tta = "ten-crop", .image_size = 40, .temperature = 0.7},
              " --tta ten-crop --image-size 40 --temperature 0.7");
  check_equal(drawn(1), {.tta = "none"}, " --tta none");
}
