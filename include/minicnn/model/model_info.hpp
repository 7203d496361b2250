#pragma once
/// What a weights file says about its network besides the weights: how to build it, how to feed it, what its outputs mean.

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "minicnn/io/json_writer.hpp"
#include "minicnn/model/model_names.hpp"
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
  std::string tta = "none";                ///< test-time augmentation: none, flip, flip-shift or ten-crop
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
inline void check_tta(const model_info& info) { (void)test_views_named(info.tta); }
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

}  // namespace minicnn::inline MINICNN_ABI
