#pragma once
/// How pictures are fed to a network, as JSON in its weights file.

#include <array>
#include <cmath>
#include <string>

#include "minicnn/data/transform.hpp"
#include "minicnn/io/json_value.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The evaluation part of a transform. Its augmentation belongs to the recipe of a training, not to the network.
inline json to_json(const image_transform& t) {
  const auto numbers = [](const std::array<float, 3>& values) {
    json::array out;
    for (const float x : values) out.emplace_back(static_cast<double>(x));
    return out;
  };
  return json::object{{"padding", t.padding},
                      {"size", t.size},
                      {"resize_to", t.resize_to},
                      {"fit", t.fit == fit_mode::crop ? "crop" : "stretch"},
                      {"filter", t.filter == interpolation::antialiased ? "antialiased" : "tensorflow"},
                      {"mean", numbers(t.normalize.mean)},
                      {"deviation", numbers(t.normalize.std)},
                      {"scale", static_cast<double>(t.normalize.scale)}};
}

namespace detail {

/// One of two words, or an error naming all three.
inline bool is_first_of(const json& text, const char* first, const char* second) {
  const std::string& word = text.as_string();
  if (word != first && word != second) fail("wanted ", first, " or ", second, ", got \"", word, "\"");
  return word == first;
}

inline std::array<float, 3> three_numbers(const json& text, const char* name) {
  const json::array& values = text.as_array();
  if (values.size() != 3) fail(name, ": wanted 3 numbers, got ", values.size());
  std::array<float, 3> out{};
  for (std::size_t c = 0; c < 3; ++c) {
    out[c] = static_cast<float>(values[c].as_double());
    if (!std::isfinite(out[c])) fail(name, ": wanted finite numbers, got ", values[c].as_double());
  }
  return out;
}

}  // namespace detail

/// Throws error naming the member that is missing, of another kind or outside its range.
inline image_transform transform_from(const json& text) {
  image_transform t;
  if (const json* padding = text.find("padding")) t.padding = padding->as_int();  // files of version 0.1 have none
  t.size = text.at("size").as_int();
  t.resize_to = text.at("resize_to").as_int();
  t.fit = detail::is_first_of(text.at("fit"), "crop", "stretch") ? fit_mode::crop : fit_mode::stretch;
  const bool antialiased = detail::is_first_of(text.at("filter"), "antialiased", "tensorflow");
  t.filter = antialiased ? interpolation::antialiased : interpolation::tensorflow1;
  t.normalize.mean = detail::three_numbers(text.at("mean"), "mean");
  t.normalize.std = detail::three_numbers(text.at("deviation"), "deviation");
  t.normalize.scale = static_cast<float>(text.at("scale").as_double());
  if (!(t.normalize.scale > 0) || !std::isfinite(t.normalize.scale))
    fail("scale: wanted a number above 0, got ", t.normalize.scale);
  check(t);
  return t;
}

}  // namespace minicnn::inline MINICNN_ABI
