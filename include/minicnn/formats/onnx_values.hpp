#pragma once
/// The numbers of an ONNX tensor, in whatever type and place they are stored.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/formats/onnx_model.hpp"
#include "minicnn/io/dtype.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Elements of a shape that a file claims. Throws error for negative extents and for counts beyond those of any file.
inline index_t onnx_count(const std::vector<index_t>& dims) {
  constexpr index_t most = index_t{1} << 40;
  if (dims.size() > 16) fail("a shape of ", dims.size(), " axes");
  index_t count = 1;
  for (const index_t extent : dims) {
    if (extent < 0 || extent > most) fail("an extent of ", extent);
    if (extent > 0 && count > most / extent) fail("more than ", most, " values");
    count *= extent;
  }
  return count;
}

/// Calls `f` with a value of the C++ type in which a stored type is kept. Throws error for texts, complex numbers and types of
/// less than a byte.
template <class F>
void with_onnx_type(std::int64_t type, const F& f) {
  switch (static_cast<onnx_type>(type)) {
    case onnx_type::f32:
      return f(float{});
    case onnx_type::f64:
      return f(double{});
    case onnx_type::f16:
      return f(float16{});
    case onnx_type::bf16:
      return f(bfloat16{});
    case onnx_type::i64:
      return f(std::int64_t{});
    case onnx_type::i32:
      return f(std::int32_t{});
    case onnx_type::i16:
      return f(std::int16_t{});
    case onnx_type::i8:
      return f(std::int8_t{});
    case onnx_type::u8:
      return f(std::uint8_t{});
    case onnx_type::u16:
      return f(std::uint16_t{});
    case onnx_type::u32:
      return f(std::uint32_t{});
    case onnx_type::u64:
      return f(std::uint64_t{});
    case onnx_type::boolean:
      return f(bool{});
    default:
      fail("values of the type ", type, ", which are no numbers that are read here");
  }
}

inline bool is_floating(std::int64_t type) {
  const auto t = static_cast<onnx_type>(type);
  return t == onnx_type::f32 || t == onnx_type::f64 || t == onnx_type::f16 || t == onnx_type::bf16;
}

/// Where the bytes of a tensor lie that are stored beside the model.
struct onnx_external_place {
  std::string path;
  index_t offset = 0, length = -1;  ///< -1: to the end of the file
};

/// Throws error for a path that leads out of `folder`, by its words or by links, and for numbers that are none.
inline onnx_external_place external_place(const onnx_tensor& t, const std::string& folder) {
  onnx_external_place out;
  std::string_view location;
  for (const auto& [key, value] : t.place) {
    if (key == "location") location = value;
    if (key != "offset" && key != "length") continue;
    const auto number = parse_whole_number<index_t>(value);
    if (!number || *number < 0) fail("external data: ", key, " is \"", excerpt(value), "\"");
    (key == "offset" ? out.offset : out.length) = *number;
  }
  const std::filesystem::path inner = system_path(location);
  if (location.empty() || location.find('\0') != location.npos || inner.is_absolute())
    fail("external data: \"", excerpt(location), "\" is no file in the model's folder");
  for (const auto& part : inner)
    if (part == "..") fail("external data: \"", excerpt(location), "\" leads out of the model's folder");
  std::error_code problem;
  const auto root = std::filesystem::canonical(system_path(folder.empty() ? "." : folder), problem);
  const auto whole = std::filesystem::weakly_canonical(root / inner, problem);
  const auto beyond = whole.lexically_relative(root);
  if (problem || beyond.empty() || *beyond.begin() == "..")
    fail("external data: \"", excerpt(location), "\" leads out of the model's folder");
  out.path = path_text(whole);
  return out;
}

/// The bytes of a tensor of `count` elements of `size` bytes each; they lie in the model, or in `buffer`.
inline std::string_view onnx_bytes(const onnx_tensor& t, index_t count, index_t size, const std::string& folder,
                                   std::string& buffer) {
  if (!t.external) {
    if (static_cast<index_t>(t.raw.size()) != count * size)
      fail("wanted ", count, " values of ", size, " bytes, got ", t.raw.size(), " bytes");
    return t.raw;
  }
  const onnx_external_place place = external_place(t, folder);
  const input_file file(place.path);
  const index_t length = place.length < 0 ? file.size() - place.offset : place.length;
  if (place.offset > file.size() || length != count * size || length > file.size() - place.offset)
    fail(place.path, ": wanted ", count * size, " bytes from ", place.offset, ", the model says ", place.length,
         ", the file has ", file.size());
  buffer.resize(static_cast<std::size_t>(length));
  file.read_at(place.offset, buffer.data(), length);
  return buffer;
}

/// Calls `put(i, value)` with every element as a `To`. Throws error if there are other numbers of values than the shape has.
template <class To, class F>
void each_onnx_value(const onnx_tensor& t, const std::string& folder, const F& put) {
  const index_t count = onnx_count(t.dims);
  const auto listed = [&](const auto& values) {
    if (static_cast<index_t>(values.size()) != count) fail("wanted ", count, " values, got ", values.size());
  };
  with_onnx_type(t.type, [&](auto kind) {
    using stored = decltype(kind);
    const auto convert = [](const auto value) { return convert_element<To>(value); };
    if (t.has_raw || t.external) {
      std::string buffer;
      const std::string_view bytes = onnx_bytes(t, count, sizeof(stored), folder, buffer);
      const auto* place = reinterpret_cast<const unsigned char*>(bytes.data());
      for (index_t i = 0; i < count; ++i)
        put(i, convert(load_little_endian<stored>(place + static_cast<std::size_t>(i) * sizeof(stored))));
    } else if constexpr (std::is_same_v<stored, float>) {
      listed(t.floats);
      for (index_t i = 0; i < count; ++i) put(i, convert(t.floats[static_cast<std::size_t>(i)]));
    } else if constexpr (std::is_same_v<stored, double>) {
      listed(t.doubles);
      for (index_t i = 0; i < count; ++i) put(i, convert(t.doubles[static_cast<std::size_t>(i)]));
    } else {
      listed(t.integers);
      for (index_t i = 0; i < count; ++i) {
        const std::int64_t value = t.integers[static_cast<std::size_t>(i)];
        if constexpr (std::is_same_v<stored, float16> || std::is_same_v<stored, bfloat16>)
          put(i, convert(stored{static_cast<std::uint16_t>(value)}));
        else
          put(i, convert(static_cast<stored>(value)));
      }
    }
  });
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
