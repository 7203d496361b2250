#pragma once
/// The safetensors format (https://huggingface.co/docs/safetensors): 8 bytes little-endian header length, a JSON header
/// {"name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, "__metadata__": {"key": "text"}}, the data.
///
/// The reader is strict. Refused are: a header longer than the file or 100 MB; unknown types and keys; sizes that do not
/// follow from type and shape; tensors that overlap, leave a hole or reach past the end; bytes after the last tensor (as
/// the reference implementation does); more than six dimensions. Nothing is allocated from a size that the file merely claims.

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

#include "minicnn/core/sort_indices.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/io/dtype.hpp"
#include "minicnn/io/json_parser.hpp"
#include "minicnn/io/safetensors_writer.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One tensor of a file: its bytes are [begin, end) of the data section.
struct tensor_entry {
  std::string name;
  dtype type = dtype::f32;
  shape dims;
  index_t begin = 0;
  index_t end = 0;
};

namespace detail {
/// The longest header that the reference implementation takes.
inline constexpr index_t max_safetensors_header = 100'000'000;
}  // namespace detail

/// A safetensors file open for reading. Only the header is kept in memory. Reading is thread-safe.
class safetensors_file {
 public:
  /// Throws file_error if the file cannot be read or is not valid; the text names the tensor at fault.
  static safetensors_file open(const std::string& path) { return safetensors_file(path); }

  const std::string& path() const { return file_.path(); }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// The metadata text of that key, or null.
  const std::string* find_metadata(const std::string& key) const {
    const auto found = metadata_.find(key);
    return found == metadata_.end() ? nullptr : &found->second;
  }

  /// All tensors, in the order of their data.
  const std::vector<tensor_entry>& entries() const { return entries_; }

  /// The tensor of that name, or null.
  const tensor_entry* find(std::string_view name) const {
    const auto found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                        [&](std::size_t i, std::string_view key) { return entries_[i].name < key; });
    return found == by_name_.end() || entries_[*found].name != name ? nullptr : &entries_[*found];
  }

  /// As `find`, but throws file_error if there is no such tensor.
  const tensor_entry& at(std::string_view name) const {
    const tensor_entry* entry = find(name);
    if (entry == nullptr) fail<file_error>(path(), ": no tensor \"", name, "\"");
    return *entry;
  }

  /// Copies a tensor to `out`, whose shape must be the stored one. float and double take every stored type (rounded to
  /// nearest where they are narrower); other types take only what was stored as such. Throws file_error.
  template <class T>
  void read(std::string_view name, view<T> out) const {
    const tensor_entry& entry = at(name);
    if (!(entry.dims == out.dims()))
      fail<file_error>(path(), ": tensor \"", name, "\": wanted shape ", out.dims(), ", got ", entry.dims);
    constexpr bool converts = std::is_same_v<T, float> || std::is_same_v<T, double>;
    if (!converts && entry.type != dtype_of<T>())
      fail<file_error>(path(), ": tensor \"", name, "\": wanted type ", dtype_name(dtype_of<T>()), ", got ",
                       dtype_name(entry.type));
    if constexpr (converts)
      detail::with_dtype(entry.type, [&](auto stored) { read_as<decltype(stored)>(entry, out); });
    else
      read_as<T>(entry, out);
  }
  template <class T>
  void read(std::string_view name, tensor<T>& out) const {
    read(name, view<T>(out));
  }

  /// A new tensor of the stored shape, elements converted as `read` does.
  template <class T>
  tensor<T> load(std::string_view name) const {
    tensor<T> out(at(name).dims);
    read(name, view<T>(out));
    return out;
  }

 private:
  MINICNN_COLD explicit safetensors_file(const std::string& path) : file_(path) {
    const index_t size = file_.size();
    if (size < 8) fail<file_error>(path, ": not a safetensors file: has ", size, " bytes, fewer than 8");
    unsigned char prefix[8];
    file_.read_at(0, prefix, 8);
    const auto length = load_length(prefix);
    if (length > static_cast<std::uint64_t>(size - 8))
      fail<file_error>(path, ": not a safetensors file: a header of ", length, " bytes in a file of ", size);
    if (length > static_cast<std::uint64_t>(detail::max_safetensors_header))
      fail<file_error>(path, ": header of ", length, " bytes, more than ", detail::max_safetensors_header);
    std::string text(static_cast<std::size_t>(length), '\0');
    file_.read_at(8, text.data(), static_cast<index_t>(length));
    data_start_ = 8 + static_cast<index_t>(length);
    if (text.empty() || text[0] != '{') fail<file_error>(path, ": not a safetensors file: the header is no JSON object");
    const json header = parse_json(text, path + ": header", 8);
    for (const auto& [name, value] : header.as_object()) {
      if (name == "__metadata__")
        read_metadata(value);
      else
        entries_.push_back(read_entry(name, value));
    }
    check_layout(size - data_start_);
  }

  static std::uint64_t load_length(const unsigned char* place) {
    return static_cast<std::uint64_t>(detail::load_little_endian<std::int64_t>(place));
  }

  MINICNN_COLD void read_metadata(const json& value) {
    if (!value.is_object()) fail<file_error>(path(), ": __metadata__: wanted an object, got ", value.kind());
    for (const auto& [key, text] : value.as_object()) {
      if (!text.is_string()) fail<file_error>(path(), ": __metadata__: \"", key, "\": wanted a string, got ", text.kind());
      metadata_[key] = text.as_string();
    }
  }

  MINICNN_COLD tensor_entry read_entry(const std::string& name, const json& value) const {
    const auto refuse = [&](const auto&... parts) { fail<file_error>(path(), ": tensor \"", name, "\": ", parts...); };
    if (!value.is_object()) refuse("wanted an object, got ", value.kind());
    for (const auto& [key, unused] : value.as_object())
      if (key != "dtype" && key != "shape" && key != "data_offsets") refuse("unknown key \"", key, "\"");
    const auto member = [&](const char* key) -> const json& {
      const json* found = value.find(key);
      if (found == nullptr) refuse("no ", key);
      return *found;
    };
    tensor_entry entry;
    entry.name = name;

    const json& type = member("dtype");
    if (!type.is_string()) refuse("dtype: wanted a string, got ", type.kind());
    const auto known = dtype_from_name(type.as_string());
    if (!known) refuse("unknown dtype \"", type.as_string(), "\"");
    entry.type = *known;

    const auto sizes = [&](const char* key) {
      const json& list = member(key);
      if (!list.is_array()) refuse(key, ": wanted an array, got ", list.kind());
      std::vector<index_t> out;
      for (const json& item : list.as_array()) {
        if (!item.is_int()) refuse(key, ": wanted integers below 2^63, got ", item.kind());
        if (item.as_int() < 0) refuse(key, ": ", item.as_int(), " is negative");
        out.push_back(item.as_int());
      }
      return out;
    };
    const std::vector<index_t> extents = sizes("shape");
    try {
      entry.dims = shape(extents.begin(), extents.end());
    } catch (const error& reason) {
      refuse(reason.what());
    }
    const std::vector<index_t> offsets = sizes("data_offsets");
    if (offsets.size() != 2) refuse("data_offsets: wanted 2 numbers, got ", offsets.size());
    entry.begin = offsets[0];
    entry.end = offsets[1];
    if (entry.begin > entry.end) refuse("data_offsets: begin ", entry.begin, " after end ", entry.end);
    // Cannot overflow: a shape's element count leaves room for 16 bytes each.
    const index_t wanted = entry.dims.size() * dtype_size(entry.type);
    if (entry.end - entry.begin != wanted)
      refuse("shape ", entry.dims, " of ", dtype_name(entry.type), " takes ", wanted, " bytes, data_offsets hold ",
             entry.end - entry.begin);
    return entry;
  }

  /// Sorted by place, each tensor must begin where the one before ended, and the last must end with the file.
  MINICNN_COLD void check_layout(index_t data_bytes) {
    const auto earlier = [&](std::size_t i, std::size_t j) {
      const tensor_entry &a = entries_[i], &b = entries_[j];
      return a.begin != b.begin ? a.begin < b.begin : a.end != b.end ? a.end < b.end : a.name < b.name;
    };
    std::vector<tensor_entry> in_file;
    for (const std::size_t i : sorted_indices(entries_.size(), earlier)) in_file.push_back(std::move(entries_[i]));
    entries_ = std::move(in_file);
    index_t place = 0;
    for (const tensor_entry& entry : entries_) {
      const auto refuse = [&](const auto&... parts) { fail<file_error>(path(), ": tensor \"", entry.name, "\": ", parts...); };
      if (entry.begin < place) refuse("begins at byte ", entry.begin, " inside another tensor, which ends at ", place);
      if (entry.begin > place) refuse("begins at byte ", entry.begin, " after a hole from ", place);
      if (entry.end > data_bytes) refuse("ends at byte ", entry.end, " of ", data_bytes, " bytes of data: is the file cut off?");
      place = entry.end;
    }
    if (place != data_bytes) fail<file_error>(path(), ": ", data_bytes - place, " bytes after the last tensor");
    by_name_ = sorted_indices(entries_.size(), [&](std::size_t a, std::size_t b) { return entries_[a].name < entries_[b].name; });
  }

  template <class Stored, class T>
  void read_as(const tensor_entry& entry, view<T> out) const {
    constexpr auto width = static_cast<index_t>(sizeof(Stored));
    const index_t start = data_start_ + entry.begin;
    if constexpr (std::is_same_v<Stored, T> && !std::is_same_v<T, bool> && std::endian::native == std::endian::little) {
      file_.read_at(start, out.data(), entry.end - entry.begin);
    } else {
      std::vector<unsigned char> bytes(
          static_cast<std::size_t>((std::min)(detail::convert_chunk * width, entry.end - entry.begin)));
      for (index_t i = 0; i < out.size(); i += detail::convert_chunk) {
        const index_t count = (std::min)(detail::convert_chunk, out.size() - i);
        file_.read_at(start + i * width, bytes.data(), count * width);
        for (index_t k = 0; k < count; ++k)
          out[i + k] = detail::convert_element<T>(detail::load_little_endian<Stored>(bytes.data() + k * width));
      }
    }
  }

  input_file file_;
  index_t data_start_ = 0;
  std::map<std::string, std::string> metadata_;
  std::vector<tensor_entry> entries_;
  std::vector<std::size_t> by_name_;
};

}  // namespace minicnn::inline MINICNN_ABI
