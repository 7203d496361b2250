#pragma once
/// What C++20 promises and some standard libraries lack: std::bit_cast, and std::to_chars and std::from_chars of floating-point
/// numbers (libc++ before 20, and that of Debian's emscripten).

#include <charconv>
#include <concepts>
#include <cstddef>
#include <system_error>

#include "minicnn/version.hpp"

#ifndef __cpp_lib_to_chars
#include "minicnn/core/float_text.hpp"
#endif

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// std::bit_cast.
template <class To, class From>
requires(sizeof(To) == sizeof(From)) constexpr To bit_cast(const From& value) { return __builtin_bit_cast(To, value); }

#ifdef __cpp_lib_to_chars

/// std::to_chars: the shortest text that reads back as the same value, or `precision` digits in `format`.
template <std::floating_point N>
std::to_chars_result float_to_chars(char* first, char* last, N value) {
  return std::to_chars(first, last, value);
}
template <std::floating_point N>
std::to_chars_result float_to_chars(char* first, char* last, N value, std::chars_format format, int precision) {
  return std::to_chars(first, last, value, format, precision);
}

/// std::from_chars.
template <std::floating_point N>
std::from_chars_result float_from_chars(const char* first, const char* last, N& value) {
  return std::from_chars(first, last, value);
}

#else

using by_printf::float_from_chars;
using by_printf::float_to_chars;

#endif

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
