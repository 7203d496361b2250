#pragma once
/// Errors of the library: exceptions whose text names the thing at fault, what was wanted and what was found.

#include <charconv>
#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>

#include "minicnn/version.hpp"

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
    const auto result = std::to_chars(buffer, buffer + sizeof buffer, value);
    return std::string(buffer, result.ptr);
  }
}
inline std::string to_text(std::string_view text) { return std::string(text); }
inline std::string to_text(const char* text) { return std::string(text); }

namespace detail {
template <class P>
void append_text(std::string& out, const P& part) {
  if constexpr (requires { part.text(); })
    out += part.text();
  else
    out += to_text(part);
}
}  // namespace detail

/// Joins text, numbers and anything with a `text()` member: `text_of("conv1: got ", s)`.
template <class... Parts>
std::string text_of(const Parts&... parts) {
  std::string out;
  (detail::append_text(out, parts), ...);
  return out;
}

/// Throws `E` with the joined text.
template <class E = error, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw E(text_of(parts...));
}

}  // namespace minicnn::inline MINICNN_ABI
