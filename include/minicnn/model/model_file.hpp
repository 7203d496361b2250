#pragma once
/// Weights files that are enough by themselves: how to build the network, how to feed it, what its outputs mean.
///
///     save_model(net, {.config = config, .classes = pictures.classes, .transform = transform}, "cats.safetensors");
///     loaded_model<float> model = load_model("cats.safetensors");

#include <algorithm>
#include <charconv>
#include <cmath>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/io/checkpoint.hpp"
#include "minicnn/model/make_model.hpp"
#include "minicnn/model/save_model.hpp"
#ifndef MINICNN_COMPILED
#include "minicnn/model/registry.hpp"
#endif

namespace minicnn::inline MINICNN_ABI {

namespace detail {

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

/// Throws file_error naming the file and the entry that is missing, wrong or outside its range.
inline model_info read_model_info(const safetensors_file& file) {
  model_info info;
  if (std::string text = detail::version_warning(file); !text.empty()) info.warnings.push_back(std::move(text));
  detail::read_entry(file, "model", [&](const json& text) {
    detail::check_config(info.config = model_config_from(text));
    if (const int usual = default_image_size(info.config); info.config.image_size > 4 * (std::max)(usual, 64))
      info.warnings.push_back(text_of(file.path(), ": its network takes pictures of ", info.config.image_size, " pixels a side, ",
                                      model_title(info.config), " was made for ", usual));
  });
  detail::read_entry(file, "classes", [&](const json& text) {
    for (const json& name : text.as_array()) info.classes.push_back(name.as_string());
    detail::check_classes(info);
    info.classes = distinct_names(info.classes);
  });
  detail::read_entry(file, "picture", [&](const json& text) {
    info.transform = transform_from(text);
    detail::check_size(info);
  });
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

namespace detail {

/// Kernels for 8-bit numbers make bytes of whatever they get: their answer would not show that a scale is none.
template <class T>
MINICNN_COLD void check_quantized(const network<T>& net, const std::string& path) {
  const std::vector<parameter_info>& all = net.parameters();
  if (std::none_of(all.begin(), all.end(), [](const parameter_info& p) { return p.int8; })) return;
  for (const parameter_info& p : all)
    for (const T value : net.parameter(p.name))
      if (!std::isfinite(value)) fail<file_error>(path, ": ", p.name, ": wanted finite numbers, got ", value, ": of no use");
}

}  // namespace detail

/// Builds a network by `make(model_config, network_options)` and reads the weights of an open file into it: for programs that
/// hold the layers of one network alone. `threads` as in network_options. Throws file_error, also where the file is another
/// network's.
template <class T = float, class Make>
loaded_model<T> load_model(const safetensors_file& file, int threads, const Make& make) {
  model_info info = read_model_info(file);
  index_t values = 1;
  for (const tensor_entry& e : file.entries())
    if (!std::string_view(e.name).starts_with(training_prefix)) values += e.dims.size();
  network<T> net = [&] {
    try {  // the file has all values: a network of more is not what it describes
      return make(info.config, network_options{.threads = threads, .parameter_limit = values, .initialize = false});
    } catch (const error& e) {
      fail<file_error>(file.path(), ": metadata \"model\": ", e.what());
    }
  }();
  load_weights(net, file);
  detail::check_quantized(net, file.path());
  info.config.channels = static_cast<int>(net.input_dims()[1]);  // a file may leave it to the model
  return {std::move(info), std::move(net)};
}

/// The same for the networks of `make_model`.
template <class T = float>
MINICNN_COLD loaded_model<T> load_model(const safetensors_file& file, int threads = 0) {
  return load_model<T>(file, threads, make_model<T>);
}

template <class T = float>
MINICNN_COLD loaded_model<T> load_model(const std::string& path, int threads = 0) {
  return load_model<T>(safetensors_file::open(path), threads);
}

MINICNN_COMPILED_FLOAT(loaded_model<float> load_model<float>(const safetensors_file&, int));
MINICNN_COMPILED_DOUBLE(loaded_model<double> load_model<double>(const safetensors_file&, int));
MINICNN_COMPILED_FLOAT(loaded_model<float> load_model<float>(const std::string&, int));
MINICNN_COMPILED_DOUBLE(loaded_model<double> load_model<double>(const std::string&, int));

}  // namespace minicnn::inline MINICNN_ABI
