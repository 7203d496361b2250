#pragma once
// Running the program as a shell does, and a weights file whose predictions can be computed by hand.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <minicnn/io/checkpoint.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "data/pictures.hpp"
#include "weights.hpp"

namespace program {

struct outcome {
  int code = -1;
  std::string out, err;

  nlohmann::ordered_json json() const {
    INFO(out << err);
    REQUIRE(nlohmann::ordered_json::accept(out));
    return nlohmann::ordered_json::parse(out);
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    std::istringstream text(out);
    for (std::string line; std::getline(text, line);) all.push_back(line);
    return all;
  }
};

/// Runs `minicnn ARGUMENTS` in a shell, without input unless the arguments redirect it; `environment` is put before it
/// ("LC_ALL=C").
inline outcome run(const std::string& arguments, const std::string& environment = "") {
  const pictures::folder scratch("run");
  const std::string line = environment + " '" MINICNN_PROGRAM "' </dev/null " + arguments + " >'" + scratch.path("out") +
                           "' 2>'" + scratch.path("err") + "'";
  const int status = std::system(line.c_str());
  REQUIRE(WIFEXITED(status));
  const auto text = [&](const char* name) {
    const pictures::bytes b = pictures::read(scratch.path(name));
    return std::string(b.begin(), b.end());
  };
  return {WEXITSTATUS(status), text("out"), text("err")};
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

/// A folder with the weights file w.safetensors. Its network, alexnet-bn at 63 pixels, passes red through one tap of each
/// layer, so that a picture of one colour has P(dog) = `probability_of_dog(red)`: more than one half above red 128.
class red_means_dog {
 public:
  explicit red_means_dog(double temperature = 1.0) : temperature_(temperature), folder_("weights") {
    minicnn::model_info info;
    info.config.name = "alexnet-bn";
    info.config.image_size = 63;
    info.classes = {"cat", "dog"};
    info.transform.size = 63;
    info.transform.fit = minicnn::fit_mode::crop;
    info.transform.normalize.scale = 1.0F / 255;
    info.split_seed = 3;
    info.val_fraction = 0.25;
    info.temperature = temperature;
    minicnn::network<float> net = minicnn::make_model(info.config, {.seed = 0, .threads = 1});
    for (const minicnn::parameter_info& p : net.parameters()) {
      const minicnn::view<float> values = net.parameter(p.name);
      if (p.name.starts_with("bn")) continue;
      for (float& v : values) v = 0;
      if (!p.name.ends_with(".weight")) continue;
      const minicnn::index_t taps = values.dims().rank() == 4 ? values.dim(2) * values.dim(3) : 1;
      values[taps / 2] = 1;  // the middle of filter 0's first channel
    }
    const minicnn::view<float> last = net.parameter("logits_eval.weight");
    last[0] = 0;
    last[last.dim(1)] = slope;
    net.parameter("logits_eval.bias")[1] = -slope / 2;
    minicnn::save_weights(net, path(), minicnn::to_metadata(info));
  }

  std::string path() const { return folder_.path("w.safetensors"); }
  std::string option() const { return " --weights '" + path() + "' "; }

  double probability_of_dog(int red) const {
    // Five batch norms with mean 0 and variance 1 divide by the root of 1 + eps.
    const double norms = std::pow(1 + 1e-5, -2.5);
    return 1 / (1 + std::exp(-slope * (red / 255.0 * norms - 0.5) / temperature_));
  }

 private:
  static constexpr float slope = 4;
  double temperature_;
  pictures::folder folder_;
};

/// A picture of one colour, as the bytes of a PNG file.
inline pictures::bytes red_png(int red, int height = 70, int width = 80) {
  return pictures::png(pictures::plain(height, width, static_cast<unsigned char>(red), 40, 90));
}

}  // namespace program
