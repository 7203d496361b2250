// A trained network inside a web page: scripts/web.sh compiles this to WebAssembly, worker.js calls it.

#include <emscripten/bind.h>

#include <memory>
#include <minicnn/analysis/grad_cam.hpp>
#include <minicnn/data/image.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/model/classifier.hpp>
#include <span>
#include <string>
#include <vector>

#include "../cli/picture_encoding.hpp"

namespace {

using namespace minicnn;

/// The network that the page holds, and what explains its answers.
struct page_model {
  classifier<float> predict = load_classifier("/weights.safetensors");
  grad_cam<float> explain{predict.net()};
  image_workspace workspace;

  /// The part of the picture that the network saw, coloured by what spoke for the class that it named, as an image's address.
  std::string overlay_of(const image_u8& picture) {
    const model_info& info = predict.info();
    tensor<float> input(predict.net().input_dims());
    apply(picture, info.transform, random_key(), /*training=*/false, input.data(), workspace);
    const tensor<float> map = explain(input);
    const index_t own = info.transform.size, side = own * ((320 + own - 1) / own);
    const rgb_picture seen = cli::seen_part(picture, info.transform, side, workspace);
    return cli::jpeg_uri(overlay(seen, view<const float>(map).at(0)), 85);
  }
};

page_model& model() {
  static page_model loaded;
  return loaded;
}

/// "alexnet_small, 128x128 pixels, tells apart: cat, dog"
std::string note() {
  const model_info& info = model().predict.info();
  std::string classes;
  for (const std::string& name : info.classes) classes += (classes.empty() ? "" : ", ") + name;
  return text_of(info.config.name, ", ", info.transform.size, "x", info.transform.size, " pixels, tells apart: ", classes);
}

/// The reason without the name of the file, which has none here.
std::string as_said(std::string text) { return text.starts_with(": ") ? text.substr(2) : text; }

/// The answer for a whole picture file, as JSON: what `minicnn serve` gives, {"class", "probability", "probabilities", "overlay"}
/// or {"error"}.
std::string answer(const std::string& file, bool explained) {
  json out;
  try {
    const image_u8 picture = decode_image({reinterpret_cast<const unsigned char*>(file.data()), file.size()}, "");
    const std::vector<ranked_class> ranked = model().predict.predict(picture);
    out.set("class", ranked.front().name).set("probability", ranked.front().probability);
    json probabilities = json::object{};
    for (const ranked_class& r : ranked) probabilities.set(r.name, r.probability);
    out.set("probabilities", probabilities);
    if (explained) out.set("overlay", model().overlay_of(picture));
  } catch (const std::exception& e) {
    out = json{{"error", as_said(e.what())}};
  }
  return write_json(out, {.tolerant = true});
}

}  // namespace

EMSCRIPTEN_BINDINGS(minicnn) {
  emscripten::function("note", &note);
  emscripten::function("answer", &answer);
}
