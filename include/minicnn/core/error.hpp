#pragma once
/// Errors of the library: exceptions whose text names the thing at fault, what was wanted and what was found.

#include <charconv>
#include <concepts>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include "minicnn/core/std_gaps.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Base of everything that the library throws.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes that do not fit each other or an operation.
class shape_error : public error {
 public:
  using error::error;
};

/// A size that cannot be represented or allocated.
class length_error : public error {
 public:
  using error::error;
};

/// A file that is missing, unreadable, damaged or of the wrong kind. The text starts with its path.
class file_error : public error {
 public:
  using error::error;
};

/// An option or argument outside its range.
class option_error : public error {
 public:
  using error::error;
};

/// Text of a number as the C locale writes it, whatever locale the program has set. Floating point: shortest text
/// that reads back as the same value.
template <class N>
requires std::integral<N> || std::floating_point<N> std::string to_text(N value) {
  if constexpr (std::same_as<N, bool>) {
    return value ? "true" : "false";
  } else {
    char buffer[64];
    if constexpr (std::floating_point<N>)
      return std::string(buffer, detail::float_to_chars(buffer, buffer + sizeof buffer, value).ptr);
    else
      return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  }
}
/// A character as it is, not its number.
inline std::string to_text(char character) { return std::string(1, character); }
inline std::string to_text(std::string_view text) { return std::string(text); }
inline std::string to_text(const char* text) { return std::string(text); }

namespace detail {

/// One piece of a text: a value and how to append it. The same two pointers for every type, so that the many messages of the
/// library share one function that joins them: they would otherwise be a tenth of what the compiler has to do.
struct text_part {
  const void* value;
  void (*append)(std::string& out, const void* value);
};

inline void append_c_string(std::string& out, const void* value) { out += static_cast<const char*>(value); }

template <class P>
void append_text(std::string& out, const void* value) {
  const P& part = *static_cast<const P*>(value);
  if constexpr (requires { part.text(); })
    out += part.text();
  else
    out += to_text(part);
}

template <class P>
constexpr text_part part_of(const P& part) {
  return {&part, append_text<P>};
}
template <std::size_t n>
constexpr text_part part_of(const char (&literal)[n]) {
  return {literal, append_c_string};
}

MINICNN_COLD inline std::string join(const text_part* parts, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) parts[i].append(out, parts[i].value);
  return out;
}

template <class E>
[[noreturn]] MINICNN_COLD void throw_text(const text_part* parts, std::size_t count) {
  throw E(join(parts, count));
}

}  // namespace detail

/// Joins text, numbers and anything with a `text()` member: `text_of("conv1: got ", s)`.
template <class... Parts>
std::string text_of(const Parts&... parts) {
  const detail::text_part list[] = {detail::part_of(parts)...};
  return detail::join(list, sizeof...(parts));
}

/// Throws `E` with the joined text.
template <class E = error, class... Parts>
[[noreturn]] MINICNN_INLINE void fail(const Parts&... parts) {
  const detail::text_part list[] = {detail::part_of(parts)...};
  detail::throw_text<E>(list, sizeof...(parts));
}

}  // namespace minicnn::inline MINICNN_ABI
