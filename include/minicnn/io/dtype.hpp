#pragma once
/// Element types of tensors in files.

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>

#include "minicnn/core/half.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How a file stores an element. Named as safetensors names them.
enum class dtype : unsigned char { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

namespace detail {
struct dtype_row {
  std::string_view name;
  index_t bytes;
};
inline constexpr dtype_row dtype_table[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},
                                            {"I32", 4}, {"I16", 2}, {"I8", 1},  {"U8", 1},   {"BOOL", 1}};
}  // namespace detail

/// "F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8" or "BOOL".
inline std::string_view dtype_name(dtype type) { return detail::dtype_table[static_cast<std::size_t>(type)].name; }

/// Bytes per element.
inline index_t dtype_size(dtype type) { return detail::dtype_table[static_cast<std::size_t>(type)].bytes; }

/// The type of that name, or nothing.
inline std::optional<dtype> dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < std::size(detail::dtype_table); ++i)
    if (detail::dtype_table[i].name == name) return static_cast<dtype>(i);
  return std::nullopt;
}

/// The stored type that holds a `T` as it is.
template <class T>
constexpr dtype dtype_of() {
  using U = std::remove_const_t<T>;
  if constexpr (std::is_same_v<U, double>) return dtype::f64;
  if constexpr (std::is_same_v<U, float>) return dtype::f32;
  if constexpr (std::is_same_v<U, float16>) return dtype::f16;
  if constexpr (std::is_same_v<U, bfloat16>) return dtype::bf16;
  if constexpr (std::is_same_v<U, std::int64_t>) return dtype::i64;
  if constexpr (std::is_same_v<U, std::int32_t>) return dtype::i32;
  if constexpr (std::is_same_v<U, std::int16_t>) return dtype::i16;
  if constexpr (std::is_same_v<U, std::int8_t>) return dtype::i8;
  if constexpr (std::is_same_v<U, std::uint8_t>) return dtype::u8;
  if constexpr (std::is_same_v<U, bool>) return dtype::boolean;
}

namespace detail {

/// Calls `f(T{})` with the C++ type that `type` stands for.
template <class F>
decltype(auto) with_dtype(dtype type, const F& f) {
  switch (type) {
    case dtype::f64:
      return f(double{});
    case dtype::f32:
      return f(float{});
    case dtype::f16:
      return f(float16{});
    case dtype::bf16:
      return f(bfloat16{});
    case dtype::i64:
      return f(std::int64_t{});
    case dtype::i32:
      return f(std::int32_t{});
    case dtype::i16:
      return f(std::int16_t{});
    case dtype::i8:
      return f(std::int8_t{});
    case dtype::u8:
      return f(std::uint8_t{});
    default:
      return f(bool{});
  }
}

/// Reads one little-endian element from any address. A stored BOOL counts as true unless its byte is 0.
template <class T>
T load_little_endian(const unsigned char* place) {
  if constexpr (std::is_same_v<T, bool>) {
    return *place != 0;
  } else {
    unsigned char bytes[sizeof(T)];
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes[i] = place[std::endian::native == std::endian::little ? i : sizeof(T) - 1 - i];
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
}

template <class T>
void store_little_endian(T value, unsigned char* place) {
  unsigned char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  for (std::size_t i = 0; i < sizeof(T); ++i)
    place[i] = bytes[std::endian::native == std::endian::little ? i : sizeof(T) - 1 - i];
}

/// Any stored element as another type; narrowing rounds to nearest even.
template <class To, class From>
To convert_element(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (std::is_same_v<From, float16> || std::is_same_v<From, bfloat16>)
    return convert_element<To>(to_float(value));
  else if constexpr (std::is_same_v<To, float16>)
    return to_float16(value);
  else if constexpr (std::is_same_v<To, bfloat16>)
    return to_bfloat16(value);
  else
    return static_cast<To>(value);
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
