#include "weights.hpp"

#include <minicnn/io/checkpoint.hpp>
#include <nlohmann/json.hpp>

namespace cli {

using json = nlohmann::ordered_json;
using minicnn::fail;
using minicnn::file_error;

namespace {

json picture_json(const minicnn::image_transform& t) {
  return {{"padding", t.padding},
          {"size", t.size},
          {"resize_to", t.resize_to},
          {"fit", t.fit == minicnn::fit_mode::crop ? "crop" : "stretch"},
          {"filter", t.filter == minicnn::interpolation::antialiased ? "antialiased" : "tensorflow"},
          {"mean", t.normalize.mean},
          {"deviation", t.normalize.deviation},
          {"scale", t.normalize.scale}};
}

/// One of two words, or an error.
bool choose(const json& text, const char* first, const char* second) {
  const std::string word = text.get<std::string>();
  if (word != first && word != second) fail("wanted ", first, " or ", second, ", got \"", word, "\"");
  return word == first;
}

minicnn::image_transform picture_from(const json& text) {
  minicnn::image_transform t;
  t.padding = text.value("padding", minicnn::index_t{0});  // files of version 0.1 have none
  text.at("size").get_to(t.size);
  text.at("resize_to").get_to(t.resize_to);
  t.fit = choose(text.at("fit"), "crop", "stretch") ? minicnn::fit_mode::crop : minicnn::fit_mode::stretch;
  t.filter = choose(text.at("filter"), "antialiased", "tensorflow") ? minicnn::interpolation::antialiased
                                                                    : minicnn::interpolation::tensorflow1;
  text.at("mean").get_to(t.normalize.mean);
  text.at("deviation").get_to(t.normalize.deviation);
  text.at("scale").get_to(t.normalize.scale);
  check(t);
  return t;
}

/// Calls `read` with the JSON of one metadata entry; whatever goes wrong names file and entry.
template <class F>
void entry(const minicnn::safetensors_file& file, const char* key, const F& read) {
  const std::string* text = file.find_metadata(key);
  if (text == nullptr) fail<file_error>(file.path(), ": no metadata \"", key, "\": not a weights file of minicnn train");
  try {
    read(json::parse(*text));
  } catch (const std::exception& e) {
    fail<file_error>(file.path(), ": metadata \"", key, "\": ", e.what());
  }
}

}  // namespace

std::map<std::string, std::string> to_metadata(const weights_info& info) {
  return {{"format", "minicnn"},
          {"version", minicnn::version_string},
          {"model", to_json(info.model).dump()},
          {"classes", json(info.classes).dump()},
          {"picture", picture_json(info.picture).dump()},
          {"split", json({{"seed", info.split_seed}, {"val_fraction", info.val_fraction}, {"limit", info.limit}}).dump()},
          {"tta", json(info.tta).dump()},
          {"temperature", json(info.temperature).dump()},
          {"clip", json(info.clip).dump()}};
}

weights_info info_from_metadata(const minicnn::safetensors_file& file) {
  weights_info info;
  entry(file, "model", [&](const json& text) { info.model = model_from_json(text); });
  entry(file, "classes", [&](const json& text) {
    text.get_to(info.classes);
    if (static_cast<int>(info.classes.size()) != info.model.classes)
      fail("wanted ", info.model.classes, " names, got ", info.classes.size());
  });
  entry(file, "picture", [&](const json& text) { info.picture = picture_from(text); });
  entry(file, "split", [&](const json& text) {
    text.at("seed").get_to(info.split_seed);
    text.at("val_fraction").get_to(info.val_fraction);
    text.at("limit").get_to(info.limit);
  });
  entry(file, "tta", [&](const json& text) {
    text.get_to(info.tta);
    if (info.tta != "none" && info.tta != "flip" && info.tta != "ten-crop") fail("wanted none, flip or ten-crop, got ", info.tta);
  });
  entry(file, "temperature", [&](const json& text) {
    text.get_to(info.temperature);
    if (!(info.temperature > 0)) fail("wanted a number above 0, got ", info.temperature);
  });
  if (file.find_metadata("clip") != nullptr)  // files of version 0.1 have none
    entry(file, "clip", [&](const json& text) {
      text.get_to(info.clip);
      if (!(info.clip >= 0 && info.clip < 0.5)) fail("wanted 0 to below 0.5, got ", info.clip);
    });
  return info;
}

loaded_model load_model(const std::string& path, int threads) {
  const auto file = minicnn::safetensors_file::open(path);
  weights_info info = info_from_metadata(file);
  minicnn::network<float> net = make_model(info.model, 0, threads, false);  // the file has all values
  minicnn::load_weights(net, file);
  info.model.channels = static_cast<int>(net.input_dims()[1]);  // a file may leave it to the model
  return {std::move(info), std::move(net)};
}

}  // namespace cli
