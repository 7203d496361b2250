#pragma once
/// Weights files that are enough by themselves: how to build the network, how to feed it, what its outputs mean.
///
///     save_model(net, {.config = config, .classes = pictures.classes, .transform = transform}, "cats.safetensors");
///     loaded_model<float> model = load_model("cats.safetensors");

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/io/checkpoint.hpp"
#include "minicnn/model/registry.hpp"
#include "minicnn/model/task_info.hpp"
#include "minicnn/model/transform_json.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Temperatures that leave every probability a finite number; what training fits lies well within.
inline constexpr double least_temperature = 1e-4, most_temperature = 1e6;

/// What a weights file says about its network, besides the weights.
struct model_info {
  model_config config;
  std::vector<std::string> classes;  ///< in the order of the outputs
  image_transform transform;         ///< of evaluation; its augmentation is not stored
  std::uint64_t split_seed = 0;      ///< of the stratified split that training made
  double val_fraction = 0.1;
  std::int64_t limit = 0;                  ///< images taken before the split, 0: all
  std::string tta = "none";                ///< test-time augmentation: none, flip or ten-crop
  double temperature = 1.0;                ///< logits are divided by it
  double clip = 0.0;                       ///< submissions keep probabilities so far from 0 and 1
  int fold = 0, folds = 0;                 ///< the validation part was fold `fold` (from 1) of `folds`; 0: a fraction
  task_info task = {};                     ///< what the outputs mean; `classes` are then names of labels or numbers
  std::vector<std::string> warnings = {};  ///< of reading: what is odd, a line each; not stored
};

namespace detail {

template <class T>
void want(bool holds, const char* name, const char* wanted, const T& got) {
  if (!holds) fail(name, ": wanted ", wanted, ", got ", got);
}

/// Before anything is built: a file may say what it likes.
inline void check_config(const model_config& c) {
  want(c.classes >= 1 && c.classes <= 1 << 20, "classes", "1 to 1048576", c.classes);
  want(c.channels >= 0 && c.channels <= 1024, "channels", "0 to 1024", c.channels);
  want(c.image_size >= 1 && c.image_size <= 1 << 14, "image_size", "1 to 16384", c.image_size);
  want(c.dropout == -1 || (c.dropout >= 0 && c.dropout < 1), "dropout", "0 to below 1", c.dropout);
  want(std::isfinite(c.dense_bias), "dense_bias", "a finite number", c.dense_bias);
  want(std::isfinite(c.logits_bias), "logits_bias", "a finite number", c.logits_bias);
  want(c.pooled >= 0 && c.pooled <= 1024, "pooled", "0 to 1024", c.pooled);
  (void)completed(c);
  (void)initializer_named(c.init);
}

inline void check_classes(const model_info& info) {
  if (static_cast<int>(info.classes.size()) != info.config.classes)
    fail("wanted ", info.config.classes, " names, got ", info.classes.size());
  for (const std::string& name : info.classes)
    if (name.empty()) fail("a class without a name");
}
inline void check_size(const model_info& info) {
  if (info.transform.size != info.config.image_size)
    fail("size: wanted ", info.config.image_size, ", the network's image_size, got ", info.transform.size);
}
inline void check_split(const model_info& info) {
  want(info.val_fraction >= 0 && info.val_fraction < 1, "val_fraction", "0 to below 1", info.val_fraction);
  want(info.limit >= 0, "limit", "0 or more", info.limit);
  want(info.folds == 0 ? info.fold == 0 : info.fold >= 1 && info.fold <= info.folds, "fold", "1 to the number of folds",
       info.fold);
}
inline void check_tta(const model_info& info) {
  if (info.tta != "none" && info.tta != "flip" && info.tta != "ten-crop") fail("wanted none, flip or ten-crop, got ", info.tta);
}
inline void check_temperature(const model_info& info) {
  if (!(info.temperature >= least_temperature && info.temperature <= most_temperature))
    fail("wanted a number from ", least_temperature, " to ", most_temperature, ", got ", info.temperature);
}
inline void check_clip(const model_info& info) { want(info.clip >= 0 && info.clip < 0.5, "clip", "0 to below 0.5", info.clip); }

inline void check_info(const model_info& info) {
  check_config(info.config);
  check_classes(info);
  check(info.transform);
  check_size(info);
  check_split(info);
  check_tta(info);
  check_temperature(info);
  check_clip(info);
}

/// "", or in words that the file comes from a newer version, which may mean something else by the same words.
inline std::string version_warning(const safetensors_file& file) {
  const std::string* text = file.find_metadata("version");
  if (text == nullptr) return "";
  const auto numbers = [](std::string_view version) {
    int major = -1, minor = -1;
    const char* const last = version.data() + version.size();
    const auto first = std::from_chars(version.data(), last, major);
    if (first.ptr != last && *first.ptr == '.') std::from_chars(first.ptr + 1, last, minor);
    return std::pair(major, minor);
  };
  const auto theirs = numbers(*text), ours = numbers(version_string);
  if (theirs.first < 0 || theirs.second < 0) return text_of(file.path(), ": metadata \"version\": \"", *text, "\" is no version");
  if (theirs > ours) return text_of(file.path(), ": was written by minicnn ", *text, ", this is ", version_string);
  return "";
}

/// Calls `read` with the JSON of one metadata entry; whatever goes wrong names file and entry.
template <class F>
void read_entry(const safetensors_file& file, const char* key, const F& read) {
  const std::string* text = file.find_metadata(key);
  if (text == nullptr) fail<file_error>(file.path(), ": no metadata \"", key, "\": not a weights file of minicnn train");
  try {
    read(parse_json(*text));
  } catch (const std::exception& e) {
    fail<file_error>(file.path(), ": metadata \"", key, "\": ", e.what());
  }
}

}  // namespace detail

/// `names` with the number of the output behind each that occurs more than once: names are keys in what is written by name.
inline std::vector<std::string> distinct_names(const std::vector<std::string>& names) {
  std::map<std::string, int> count;
  for (const std::string& name : names) count[name] += 1;
  std::vector<std::string> out = names;
  for (std::size_t k = 0; k < names.size(); ++k) {
    if (count[names[k]] < 2) continue;
    do {
      out[k] += text_of(" (", k, ")");
    } while (count.count(out[k]) > 0);
    count[out[k]] = 1;
  }
  return out;
}

/// As metadata of a safetensors file: texts, most of them JSON.
inline std::map<std::string, std::string> to_metadata(const model_info& info) {
  const json::array classes(info.classes.begin(), info.classes.end());
  json::object split{{"seed", info.split_seed}, {"val_fraction", info.val_fraction}, {"limit", info.limit}};
  if (info.folds > 0) split.emplace_back("fold", info.fold), split.emplace_back("folds", info.folds);
  std::map<std::string, std::string> all{{"format", "minicnn"},
                                         {"version", version_string},
                                         {"model", write_json(to_json(info.config))},
                                         {"classes", write_json(classes)},
                                         {"picture", write_json(to_json(info.transform))},
                                         {"split", write_json(split)},
                                         {"tta", write_json(info.tta)},
                                         {"temperature", write_json(info.temperature)},
                                         {"clip", write_json(info.clip)}};
  if (!info.task.classifies()) all["task"] = write_json(to_json(info.task));
  return all;
}

/// Throws file_error naming the file and the entry that is missing, wrong or outside its range.
inline model_info read_model_info(const safetensors_file& file) {
  model_info info;
  if (std::string text = detail::version_warning(file); !text.empty()) info.warnings.push_back(std::move(text));
  detail::read_entry(file, "model", [&](const json& text) { detail::check_config(info.config = model_config_from(text)); });
  detail::read_entry(file, "classes", [&](const json& text) {
    for (const json& name : text.as_array()) info.classes.push_back(name.as_string());
    detail::check_classes(info);
    info.classes = distinct_names(info.classes);
  });
  detail::read_entry(file, "picture", [&](const json& text) {
    info.transform = transform_from(text);
    detail::check_size(info);
  });
  if (const int usual = default_image_size(info.config.name); info.config.image_size > 4 * (std::max)(usual, 64))
    info.warnings.push_back(text_of(file.path(), ": its network takes pictures of ", info.config.image_size, " pixels a side, ",
                                    info.config.name, " was made for ", usual));
  detail::read_entry(file, "split", [&](const json& text) {
    info.split_seed = text.at("seed").as_uint();
    info.val_fraction = text.at("val_fraction").as_double();
    info.limit = text.at("limit").as_int();
    if (text.find("folds") != nullptr)
      info.fold = detail::int_member(text, "fold"), info.folds = detail::int_member(text, "folds");
    detail::check_split(info);
  });
  detail::read_entry(file, "tta", [&](const json& text) {
    info.tta = text.as_string();
    detail::check_tta(info);
  });
  detail::read_entry(file, "temperature", [&](const json& text) {
    info.temperature = text.as_double();
    detail::check_temperature(info);
  });
  if (file.find_metadata("task") != nullptr)
    detail::read_entry(file, "task", [&](const json& text) { info.task = task_info_from(text, info.classes.size()); });
  if (file.find_metadata("clip") != nullptr)  // files of version 0.1 have none
    detail::read_entry(file, "clip", [&](const json& text) {
      info.clip = text.as_double();
      detail::check_clip(info);
    });
  return info;
}

/// A network and what its weights file says about it.
template <class T = float>
struct loaded_model {
  model_info info;
  network<T> net;
};

/// `info` with what is left open in it filled in. Throws option_error naming `path` if it does not fit the network or itself:
/// what is written can be loaded.
template <class T>
MINICNN_COLD model_info checked_info(const network<T>& net, model_info info, const std::string& path) {
  try {
    info.config = completed(info.config);
    info.config.channels = static_cast<int>(net.input_dims()[1]);
    detail::check_info(info);
    detail::want(net.output_dims().size_from(1) == info.config.classes, "classes", "as many as the network has outputs",
                 info.config.classes);
  } catch (const error& e) {
    fail<option_error>(path, ": cannot be written: ", e.what());
  }
  return info;
}

/// Writes weights and `info`. The file appears under its name only when it is complete. Throws option_error if `info` does not
/// fit the network.
template <class T>
void save_model(const network<T>& net, const model_info& info, const std::string& path) {
  save_weights(net, path, to_metadata(checked_info(net, info, path)));
}

/// Builds the network that an open file describes and reads its weights. `threads` as in network_options. Throws file_error.
template <class T = float>
MINICNN_COLD loaded_model<T> load_model(const safetensors_file& file, int threads = 0) {
  model_info info = read_model_info(file);
  index_t values = 1;
  for (const tensor_entry& e : file.entries())
    if (!std::string_view(e.name).starts_with(training_prefix)) values += e.dims.size();
  network<T> net = [&] {
    try {  // the file has all values: a network of more is not what it describes
      return make_model<T>(info.config, {.threads = threads, .parameter_limit = values, .initialize = false});
    } catch (const shape_error& e) {
      fail<file_error>(file.path(), ": metadata \"model\": ", e.what());
    }
  }();
  load_weights(net, file);
  info.config.channels = static_cast<int>(net.input_dims()[1]);  // a file may leave it to the model
  return {std::move(info), std::move(net)};
}

template <class T = float>
loaded_model<T> load_model(const std::string& path, int threads = 0) {
  return load_model<T>(safetensors_file::open(path), threads);
}

MINICNN_COMPILED_FUNCTION(save_model);
MINICNN_COMPILED_FLOAT(loaded_model<float> load_model<float>(const safetensors_file&, int));
MINICNN_COMPILED_DOUBLE(loaded_model<double> load_model<double>(const safetensors_file&, int));

}  // namespace minicnn::inline MINICNN_ABI
