#pragma once
/// The one grammar of numbers in text: decimal, finite, the whole of the text, whatever the locale.

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

#include "minicnn/core/std_gaps.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// `text` by std::from_chars, which knows no plus sign; none unless all of it is taken.
template <class N>
std::optional<N> number_in(std::string_view text, std::string_view characters) {
  if (text.find_first_not_of(characters) != text.npos) return std::nullopt;  // no hexadecimal, inf, nan, spaces
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  N value{};
  std::from_chars_result read{};
  if constexpr (std::floating_point<N>)
    read = float_from_chars(text.data(), text.data() + text.size(), value);
  else
    read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace detail

/// A number as 3, -0.5, .5, 5. or 1e-3. None for any other text, and for numbers that a double cannot hold with its full
/// precision (beyond 1.8e308, or not 0 and below 2.2e-308). Never -0.
inline std::optional<double> parse_number(std::string_view text) {
  const std::optional<double> x = detail::number_in<double>(text, "0123456789+-.eE");
  constexpr double least = (std::numeric_limits<double>::min)();
  if (!x || (*x > -least && *x < least && *x != 0.0)) return std::nullopt;
  return *x + 0.0;
}

/// A whole number as 3, -3 or 007 (which is 7). None for any other text, and beyond the range of `N`.
template <class N = std::int64_t>
std::optional<N> parse_whole_number(std::string_view text) {
  return detail::number_in<N>(text, "0123456789+-");
}

}  // namespace minicnn::inline MINICNN_ABI
