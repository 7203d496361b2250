#pragma once
/// The order in which people number files: "cat.2.jpg" before "cat.10.jpg".

#include <algorithm>
#include <string_view>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Whether `a` comes before `b`: runs of digits compare as numbers of any length, everything else byte by byte. Names that
/// are equal this way ("1" and "01") follow byte order, so that the order is total.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number = [&](std::string_view text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    const std::size_t begin = at;
    while (at < text.size() && digit(text[at])) ++at;
    return text.substr(begin, at - begin);
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const std::string_view x = number(a, i), y = number(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else {
      const auto x = static_cast<unsigned char>(a[i++]), y = static_cast<unsigned char>(b[j++]);
      if (x != y) return x < y;
    }
  }
  if (i < a.size() || j < b.size()) return i == a.size();
  return a < b;
}

}  // namespace minicnn::inline MINICNN_ABI
