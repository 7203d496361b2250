#pragma once
// JSON that the program prints. It carries UTF-8 and finite numbers alone, but paths and figures may be neither.

#include <minicnn/core/printable.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/model/predictor.hpp>
#include <string>
#include <utility>
#include <vector>

namespace cli {

/// On one line; numbers that are not finite as null, bytes that are not UTF-8 as "\\xff".
inline std::string json_text(const minicnn::json& value) { return minicnn::write_json(value, {.tolerant = true}); }

/// Adds "path"; bytes that are not UTF-8 are written as "\\xff" there, and all bytes in hexadecimal as "path_bytes" beside it.
inline void put_path(minicnn::json& text, const std::string& path) {
  text["path"] = minicnn::as_utf8(path);
  if (minicnn::valid_utf8_prefix(path) == path.size()) return;
  std::string bytes;
  for (const char c : path) minicnn::detail::append_hexadecimal(bytes, static_cast<unsigned char>(c), 2);
  text["path_bytes"] = bytes;
}

/// Members as text, those of inner objects as "model.name".
inline std::vector<std::pair<std::string, std::string>> flat_members(const minicnn::json& object) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const auto& [name, value] : object.as_object()) {
    if (!value.is_object()) {
      all.emplace_back(name, value.is_string() ? value.as_string() : json_text(value));
      continue;
    }
    for (auto& [inner, text] : flat_members(value)) all.emplace_back(name + "." + inner, std::move(text));
  }
  return all;
}

/// Adds "class", "probability" and "probabilities" of the first `shown` classes.
inline void add_ranking(minicnn::json& text, const std::vector<minicnn::ranked_class>& classes, std::size_t shown) {
  text["class"] = classes[0].name;
  text["probability"] = classes[0].probability;
  minicnn::json::object probabilities;
  for (std::size_t k = 0; k < shown && k < classes.size(); ++k)
    probabilities.emplace_back(classes[k].name, classes[k].probability);
  text["probabilities"] = std::move(probabilities);
}

}  // namespace cli
