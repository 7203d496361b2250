#include "weights.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <minicnn/io/checkpoint.hpp>
#include <nlohmann/json.hpp>
#include <utility>

#include "foreign_weights.hpp"
#include "messages.hpp"

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

template <class T>
void wanted(bool holds, const char* name, const char* what, T got) {
  if (!holds) fail(name, ": wanted ", what, ", got ", got);
}

/// Before anything is built: a file may say what it likes.
void check_model(const model_options& m) {
  wanted(m.classes >= 1 && m.classes <= 1 << 20, "classes", "1 to 1048576", m.classes);
  wanted(m.channels >= 0 && m.channels <= 1024, "channels", "0 to 1024", m.channels);
  wanted(m.image_size >= 1 && m.image_size <= 1 << 14, "image_size", "1 to 16384", m.image_size);
  wanted(m.dropout == -1 || (m.dropout >= 0 && m.dropout < 1), "dropout", "0 to below 1", m.dropout);
  wanted(std::isfinite(m.dense_bias), "dense_bias", "a finite number", m.dense_bias);
  wanted(std::isfinite(m.logits_bias), "logits_bias", "a finite number", m.logits_bias);
  wanted(m.pooled >= 0 && m.pooled <= 1024, "pooled", "0 to 1024", m.pooled);
  (void)completed(m);
  check_init(m.init);
}

/// Files of newer versions may mean something else by the same words.
void check_version(const minicnn::safetensors_file& file) {
  const std::string* text = file.find_metadata("version");
  if (text == nullptr) return;
  const auto numbers = [](const std::string& version) {
    int major = -1, minor = -1;
    const char* const last = version.data() + version.size();
    const auto first = std::from_chars(version.data(), last, major);
    if (first.ptr != last && *first.ptr == '.') std::from_chars(first.ptr + 1, last, minor);
    return std::pair(major, minor);
  };
  const auto theirs = numbers(*text), ours = numbers(minicnn::version_string);
  if (theirs.first < 0 || theirs.second < 0)
    warn(minicnn::text_of(file.path(), ": metadata \"version\": \"", *text, "\" is no version"));
  else if (theirs > ours)
    warn(minicnn::text_of(file.path(), ": was written by minicnn ", *text, ", this is ", minicnn::version_string));
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
  wanted(std::isfinite(t.normalize.scale) && t.normalize.scale > 0, "scale", "a number above 0", t.normalize.scale);
  for (std::size_t c = 0; c < 3; ++c) {
    wanted(std::isfinite(t.normalize.mean[c]), "mean", "finite numbers", t.normalize.mean[c]);
    wanted(std::isfinite(t.normalize.deviation[c]), "deviation", "finite numbers", t.normalize.deviation[c]);
  }
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

std::vector<std::string> distinct_names(const std::vector<std::string>& names) {
  std::map<std::string, int> count;
  for (const std::string& name : names) count[name] += 1;
  std::vector<std::string> out = names;
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (count[names[k]] < 2) continue;
    do {
      out[k] += minicnn::text_of(" (", k, ")");
    } while (count.count(out[k]) > 0);
    count[out[k]] = 1;
  }
  return out;
}

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
  check_version(file);
  entry(file, "model", [&](const json& text) { check_model(info.model = model_from_json(text)); });
  entry(file, "classes", [&](const json& text) {
    text.get_to(info.classes);
    if (static_cast<int>(info.classes.size()) != info.model.classes)
      fail("wanted ", info.model.classes, " names, got ", info.classes.size());
    for (const std::string& name : info.classes)
      if (name.empty()) fail("a class without a name");
    info.classes = distinct_names(info.classes);
  });
  entry(file, "picture", [&](const json& text) {
    info.picture = picture_from(text);
    if (info.picture.size != info.model.image_size)
      fail("size: wanted ", info.model.image_size, ", the network's image_size, got ", info.picture.size);
  });
  if (const int usual = default_image_size(info.model.name); info.model.image_size > 4 * (std::max)(usual, 64))
    warn(minicnn::text_of(file.path(), ": its network takes pictures of ", info.model.image_size, " pixels a side, ",
                          info.model.name, " was made for ", usual));
  entry(file, "split", [&](const json& text) {
    text.at("seed").get_to(info.split_seed);
    text.at("val_fraction").get_to(info.val_fraction);
    text.at("limit").get_to(info.limit);
    wanted(info.val_fraction >= 0 && info.val_fraction < 1, "val_fraction", "0 to below 1", info.val_fraction);
    wanted(info.limit >= 0, "limit", "0 or more", info.limit);
  });
  entry(file, "tta", [&](const json& text) {
    text.get_to(info.tta);
    if (info.tta != "none" && info.tta != "flip" && info.tta != "ten-crop") fail("wanted none, flip or ten-crop, got ", info.tta);
  });
  entry(file, "temperature", [&](const json& text) {
    text.get_to(info.temperature);
    if (!(info.temperature >= least_temperature && info.temperature <= most_temperature))
      fail("wanted a number from ", least_temperature, " to ", most_temperature, ", got ", info.temperature);
  });
  if (file.find_metadata("clip") != nullptr)  // files of version 0.1 have none
    entry(file, "clip", [&](const json& text) {
      text.get_to(info.clip);
      if (!(info.clip >= 0 && info.clip < 0.5)) fail("wanted 0 to below 0.5, got ", info.clip);
    });
  return info;
}

loaded_model load_model(const std::string& path, int threads) {
  const auto file = open_weights(path);
  weights_info info = info_from_metadata(file);
  minicnn::index_t values = 1;
  for (const minicnn::tensor_entry& e : file.entries())
    if (!e.name.starts_with(minicnn::training_prefix)) values += e.dims.size();
  minicnn::network<float> net = [&] {
    try {
      return make_model(info.model, 0, threads, false, values);  // the file has all values
    } catch (const minicnn::shape_error& e) {
      fail<file_error>(path, ": metadata \"model\": ", e.what());
    }
  }();
  minicnn::load_weights(net, file);
  info.model.channels = static_cast<int>(net.input_dims()[1]);  // a file may leave it to the model
  return {std::move(info), std::move(net)};
}

}  // namespace cli
