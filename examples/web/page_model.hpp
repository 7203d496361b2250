#pragma once
// The network that a web page holds, and its answers as JSON: all of answer.cpp that needs no WebAssembly.

#include <memory>
#include <minicnn/analysis/grad_cam.hpp>
#include <minicnn/data/image.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/model/classifier.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../cli/picture_encoding.hpp"

namespace web {

using minicnn::json;

/// No function throws: an exception would reach JavaScript as a number.
class page_model {
 public:
  explicit page_model(std::string path) : path_(std::move(path)) {}

  /// {"note": "alexnet-small, 128x128 pixels, tells apart: cat, dog"} or {"error"}, where the file is no classifier's.
  std::string note() {
    return said([&](json& out) {
      const minicnn::model_info& info = model().info();
      std::string classes;
      for (const std::string& name : info.classes) classes += (classes.empty() ? "" : ", ") + name;
      out.set("note", minicnn::text_of(minicnn::model_title(info.config), ", ", info.transform.size, "x", info.transform.size,
                                       " pixels, tells apart: ", classes));
    });
  }

  /// The answer for a whole picture file: what `minicnn serve` gives, {"class", "probability", "probabilities", "overlay"} or
  /// {"error"}; "overlay_error" where the network explains nothing.
  std::string answer(const std::string& file, bool explained) {
    return said([&](json& out) {
      const minicnn::image_u8 picture =
          minicnn::decode_image({reinterpret_cast<const unsigned char*>(file.data()), file.size()}, "");
      const std::vector<minicnn::ranked_class> ranked = model().predict(picture);
      out.set("class", ranked.front().name).set("probability", ranked.front().probability);
      json probabilities = json::object{};
      for (const minicnn::ranked_class& r : ranked) probabilities.set(r.name, r.probability);
      out.set("probabilities", probabilities);
      if (!explained) return;
      try {
        out.set("overlay", overlay_of(picture));
      } catch (const minicnn::error& e) {  // of 8-bit weights, which have no gradients, or a network without feature maps
        out.set("overlay_error", e.what());
      }
    });
  }

 private:
  minicnn::classifier<float>& model() {
    if (!predict_) predict_ = minicnn::load_classifier(path_);
    return *predict_;
  }

  /// The part of the picture that the network saw, coloured by what spoke for the class that it named, as an image's address.
  std::string overlay_of(const minicnn::image_u8& picture) {
    const minicnn::model_info& info = model().info();
    if (!explain_) explain_ = std::make_unique<minicnn::grad_cam<float>>(model().net());
    minicnn::tensor<float> input(model().net().input_dims());
    apply(picture, info.transform, minicnn::random_key(), /*training=*/false, input.data(), workspace_);
    const minicnn::tensor<float> map = (*explain_)(input);
    const minicnn::index_t own = info.transform.size, side = own * ((320 + own - 1) / own);
    const minicnn::rgb_picture seen = cli::seen_part(picture, info.transform, side, workspace_);
    return cli::jpeg_uri(minicnn::overlay(seen, minicnn::view<const float>(map).at(0)), 85);
  }

  /// What `say` puts into an object, or the reason why it could not, without the name of the file, which nobody knows here.
  template <class F>
  std::string said(const F& say) const {
    json out = json::object{};
    try {
      say(out);
    } catch (const std::exception& e) {
      std::string reason = e.what();
      for (const std::string& name : {path_ + ": ", std::string(": ")})
        if (reason.starts_with(name)) reason.erase(0, name.size());
      out = json{{"error", reason}};
    }
    return minicnn::write_json(out, {.tolerant = true});
  }

  std::string path_;
  std::optional<minicnn::classifier<float>> predict_;
  std::unique_ptr<minicnn::grad_cam<float>> explain_;
  minicnn::image_workspace workspace_;
};

}  // namespace web
