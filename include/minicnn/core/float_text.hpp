#pragma once
/// Floating-point numbers to text and back by printf and strtod, as std::to_chars and std::from_chars do it: for standard
/// libraries that have these for integers only (libc++ before 20, and that of Debian's emscripten). Texts may differ from theirs
/// in notation (1e+05 or 100000), never in value.

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <clocale>
#include <concepts>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail::by_printf {

/// `precision` digits in `format`. The decimal point of printf is the locale's, that of the result is a point.
template <std::floating_point N>
std::to_chars_result float_to_chars(char* first, char* last, N value, std::chars_format format, int precision) {
  const char* pattern = format == std::chars_format::fixed ? "%.*f" : format == std::chars_format::scientific ? "%.*e" : "%.*g";
  const std::ptrdiff_t room = last - first;
  const int count = std::snprintf(first, static_cast<std::size_t>(room), pattern, precision, static_cast<double>(value));
  if (count < 0 || count >= room) return {last, std::errc::value_too_large};
  char* end = first + count;
  const std::string_view locale_point = std::localeconv()->decimal_point;
  if (char* point = std::search(first, end, locale_point.begin(), locale_point.end()); point != end) {
    *point = '.';
    end = std::copy(point + locale_point.size(), end, point + 1);
  }
  return {end, std::errc()};
}

/// A decimal number, inf or nan at the beginning of the text; no spaces, no plus sign in front, no hexadecimal digits.
template <std::floating_point N>
std::from_chars_result float_from_chars(const char* first, const char* last, N& value) {
  const char* stop = first;
  while (stop != last && std::strchr("0123456789+-.eEinfatyINFATY", *stop) != nullptr && *stop != '\0') ++stop;
  if (stop == first || *first == '+') return {first, std::errc::invalid_argument};
  std::string text(first, stop);
  const std::string_view locale_point = std::localeconv()->decimal_point;
  const std::size_t point = text.find('.');
  if (point != text.npos) text.replace(point, 1, locale_point);
  char* end = nullptr;
  errno = 0;
  N read{};
  if constexpr (std::same_as<N, float>)
    read = std::strtof(text.c_str(), &end);
  else
    read = std::strtod(text.c_str(), &end);
  auto taken = static_cast<std::size_t>(end - text.c_str());
  if (taken == 0) return {first, std::errc::invalid_argument};
  if (taken > point) taken -= locale_point.size() - 1;
  const char* const after = first + taken;
  if (errno == ERANGE && (read == 0 || read - read != 0)) return {after, std::errc::result_out_of_range};  // not subnormal
  value = read;
  return {after, std::errc()};
}

/// The fewest digits that read back as the same value.
template <std::floating_point N>
std::to_chars_result float_to_chars(char* first, char* last, N value) {
  for (int digits = 1;; ++digits) {
    const std::to_chars_result out = float_to_chars(first, last, value, std::chars_format::general, digits);
    N back{};
    if (out.ec != std::errc() || digits == std::numeric_limits<N>::max_digits10) return out;
    if (float_from_chars(first, out.ptr, back).ec == std::errc() && back == value) return out;
  }
}

}  // namespace detail::by_printf

}  // namespace minicnn::inline MINICNN_ABI
