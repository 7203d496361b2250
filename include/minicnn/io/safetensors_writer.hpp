#pragma once
/// Writing safetensors files; safetensors.hpp describes the format and reads them.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/io/dtype.hpp"
#include "minicnn/io/json_value.hpp"
#include "minicnn/io/json_writer.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {
/// Elements converted at a time.
inline constexpr index_t convert_chunk = 8192;
}  // namespace detail

/// Collects tensors and writes them as one file. The same content gives the same bytes: metadata is sorted by key, tensors
/// keep the order in which they were added, except that wider element types come first (stable), as in the reference
/// implementation, so that every tensor is aligned to its element type. The header is padded with spaces to 8 bytes.
class safetensors_writer {
 public:
  /// Adds or replaces one metadata text.
  void metadata(std::string key, std::string value) { metadata_[std::move(key)] = std::move(value); }

  /// Adds a tensor stored in its own type. Only the view is kept: the elements must stay alive and unchanged until `write`.
  /// Throws option_error if the name was added before or is "__metadata__".
  template <class T>
  void add(std::string_view name, view<T> data) {
    add_item(name, data.data(), dtype_of<T>(), dtype_of<T>(), data.dims());
  }
  template <class T>
  void add(std::string_view name, const tensor<T>& data) {
    add(name, view<const T>(data));
  }

  /// The same, converted from float or double to F64, F32, F16 or BF16 (rounded to nearest even), or from whole numbers of -128
  /// to 127 to I8, while writing.
  template <class T>
  void add(std::string_view name, view<T> data, dtype stored_as) {
    add_item(name, data.data(), dtype_of<T>(), stored_as, data.dims());
  }
  template <class T>
  void add(std::string_view name, const tensor<T>& data, dtype stored_as) {
    add(name, view<const T>(data), stored_as);
  }

  /// Writes the file; it appears under its name only when it is complete. Throws file_error.
  MINICNN_COLD void write(const std::string& path) const {
    std::vector<const item*> order;
    for (const item& one : items_) order.push_back(&one);
    std::stable_sort(order.begin(), order.end(),
                     [](const item* a, const item* b) { return dtype_size(a->stored) > dtype_size(b->stored); });
    const std::string header = header_text(order);
    atomic_file file(path);
    unsigned char prefix[8];
    detail::store_little_endian(static_cast<std::int64_t>(header.size()), prefix);
    file.write(prefix, 8);
    file.write(header);
    for (const item* one : order) write_data(file, *one);
    file.commit();
  }

 private:
  struct item {
    std::string name;
    const void* data;
    dtype source;
    dtype stored;
    shape dims;
  };

  void add_item(std::string_view name, const void* data, dtype source, dtype stored, const shape& dims) {
    const bool converts = source <= dtype::f32 && (stored <= dtype::bf16 || stored == dtype::i8);
    if (source != stored && !converts)
      fail<option_error>("safetensors: tensor \"", name, "\": cannot store ", dtype_name(source), " as ", dtype_name(stored));
    if (name == "__metadata__") fail<option_error>("safetensors: a tensor cannot be called ", name);
    if (!names_.emplace(name).second) fail<option_error>("safetensors: tensor \"", name, "\" added twice");
    items_.push_back({std::string(name), data, source, stored, dims});
  }

  MINICNN_COLD std::string header_text(const std::vector<const item*>& order) const {
    json::object header;
    if (!metadata_.empty()) {
      json::object texts;
      for (const auto& [key, text] : metadata_) texts.emplace_back(key, text);
      header.emplace_back("__metadata__", std::move(texts));
    }
    index_t place = 0;
    for (const item* one : order) {
      const index_t end = place + one->dims.size() * dtype_size(one->stored);
      header.emplace_back(one->name, json::object{{"dtype", dtype_name(one->stored)},
                                                  {"shape", json::array(one->dims.begin(), one->dims.end())},
                                                  {"data_offsets", json::array{place, end}}});
      place = end;
    }
    std::string text = write_json(std::move(header));
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  }

  static void write_data(atomic_file& file, const item& one) {
    const index_t count = one.dims.size();
    if (one.source == one.stored && std::endian::native == std::endian::little) {
      file.write(one.data, count * dtype_size(one.stored));
      return;
    }
    detail::with_dtype(one.source, [&](auto source) {
      detail::with_dtype(one.stored, [&](auto stored) {
        using from = decltype(source);
        using to = decltype(stored);
        if constexpr (std::is_same_v<from, to> || ((std::is_same_v<from, float> || std::is_same_v<from, double>)&&(
                                                      dtype_of<to>() <= dtype::bf16 || dtype_of<to>() == dtype::i8)))
          write_converted<to>(file, static_cast<const from*>(one.data), count);
      });
    });
  }

  template <class To, class From>
  static void write_converted(atomic_file& file, const From* data, index_t count) {
    std::vector<unsigned char> bytes(static_cast<std::size_t>((std::min)(detail::convert_chunk, count)) * sizeof(To));
    for (index_t i = 0; i < count; i += detail::convert_chunk) {
      const index_t part = (std::min)(detail::convert_chunk, count - i);
      for (index_t k = 0; k < part; ++k)
        detail::store_little_endian(detail::convert_element<To>(data[i + k]),
                                    bytes.data() + static_cast<std::size_t>(k) * sizeof(To));
      file.write(bytes.data(), part * static_cast<index_t>(sizeof(To)));
    }
  }

  std::map<std::string, std::string> metadata_;
  std::set<std::string> names_;
  std::vector<item> items_;
};

}  // namespace minicnn::inline MINICNN_ABI
