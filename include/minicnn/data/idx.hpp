#pragma once
/// IDX files, the format of MNIST and its kin: pictures in one file, labels in another. Packed ones (.gz) are read as they are.
///
/// All numbers are big-endian. Bytes 0 and 1 are 0, byte 2 is the type of the elements, byte 3 the number of dimensions; then a
/// 32-bit size for each dimension and the elements. Pictures: unsigned bytes (count, rows, columns), magic number 2051; labels:
/// unsigned bytes (count), magic number 2049.

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/shape.hpp"
#include "minicnn/data/dataset.hpp"
#include "minicnn/files/sequential_file.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

inline constexpr std::uint32_t idx_pictures = 2051, idx_labels = 2049;

inline std::uint32_t idx_number(sequential_file& file) {
  unsigned char b[4];
  file.read(b, 4);
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

/// "labels (magic number 2049)".
inline std::string idx_kind(std::uint32_t magic) {
  if (magic == idx_pictures) return "pictures (magic number 2051)";
  if (magic == idx_labels) return "labels (magic number 2049)";
  constexpr std::array<std::pair<std::uint32_t, const char*>, 6> types{{{0x08, "unsigned bytes"},
                                                                        {0x09, "signed bytes"},
                                                                        {0x0B, "16-bit integers"},
                                                                        {0x0C, "32-bit integers"},
                                                                        {0x0D, "floats"},
                                                                        {0x0E, "doubles"}}};
  if (magic <= 0xFFFF)
    for (const auto& [type, name] : types)
      if (magic >> 8 == type) return text_of(name, " in ", magic & 0xFFU, " dimensions (magic number ", magic, ")");
  return text_of("something else (magic number ", magic, ")");
}

/// Reads the head of a file of kind `wanted` and returns its sizes.
inline std::vector<index_t> read_idx_head(sequential_file& file, std::uint32_t wanted) {
  const std::uint32_t magic = idx_number(file);
  const auto swapped = [](std::uint32_t n) { return n << 24 | (n & 0xFF00U) << 8 | (n >> 8 & 0xFF00U) | n >> 24; };
  if (swapped(magic) == idx_pictures || swapped(magic) == idx_labels)
    fail<file_error>(file.path(), ": its magic number ", swapped(magic), " is little-endian; IDX files are big-endian");
  if (magic != wanted) fail<file_error>(file.path(), ": wanted ", idx_kind(wanted), ", got ", idx_kind(magic));
  std::vector<index_t> sizes;
  index_t bytes = 4;
  for (std::uint32_t d = 0; d < (magic & 0xFFU); ++d) {
    sizes.push_back(idx_number(file));
    bytes += 4;
  }
  index_t elements = 1;
  for (const index_t s : sizes) {
    if (s < 1) fail<file_error>(file.path(), ": holds no ", wanted == idx_pictures ? "pictures" : "labels");
    // Beyond what any file holds: also keeps the product from overflowing.
    elements = elements > (index_t{1} << 62) / s ? index_t{1} << 62 : elements * s;
  }
  bytes = bytes > (index_t{1} << 62) - elements ? elements : bytes + elements;
  if (file.packed() ? bytes > file.most_bytes() : bytes != file.most_bytes()) {
    std::string dims;
    for (const index_t s : sizes) dims += (dims.empty() ? "" : " x ") + to_text(s);
    fail<file_error>(file.path(), ": its head announces ", dims, " bytes, which makes a file of ", bytes, ", got ",
                     file.packed() ? "at most " : "", file.most_bytes());
  }
  return sizes;
}

}  // namespace detail

struct idx_options {
  int classes = 0;  ///< labels must be below it; 0: the largest label says how many there are
  /// Called now and then while pictures are read, with the file's name and the pictures read and to be read.
  std::function<void(const std::string& file, index_t done, index_t total)> progress = {};
};

/// The labels in the file `path`. Throws file_error (path, wanted, got), also for a label that is not below `classes` (0: any).
inline std::vector<std::uint8_t> read_idx_labels(const std::string& path, int classes = 0) {
  sequential_file file(path);
  const index_t count = detail::read_idx_head(file, detail::idx_labels).front();
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(count));
  file.read(labels.data(), count);
  file.expect_end();
  for (std::size_t i = 0; classes > 0 && i < labels.size(); ++i)
    if (labels[i] >= classes)
      fail<file_error>(path, ": label ", static_cast<int>(labels[i]), " of picture ", i, ", wanted 0 to ", classes - 1);
  return labels;
}

/// The pictures in the file `path`, of one channel; each goes straight to its place. Throws file_error (path, wanted, got).
inline std::vector<image_u8> read_idx_pictures(const std::string& path, const idx_options& o = {}) {
  sequential_file file(path);
  const std::vector<index_t> sizes = detail::read_idx_head(file, detail::idx_pictures);
  std::vector<image_u8> pictures;  // grows as they come: a packed file may announce many more than it has
  for (index_t i = 0; i < sizes[0]; ++i) {
    image_u8& p = pictures.emplace_back(image_u8{sizes[1], sizes[2], 1, {}});
    p.pixels.resize(static_cast<std::size_t>(sizes[1] * sizes[2]));
    file.read(p.pixels.data(), sizes[1] * sizes[2]);
    if (o.progress && i % 1024 == 0) o.progress(path, i, sizes[0]);
  }
  file.expect_end();
  return pictures;
}

/// The data set of a file of pictures and one of labels. Classes are called "0", "1", ...; sample number 3 is called
/// "PATH#3" in messages. An empty `labels`: no labels. Throws file_error.
inline image_dataset read_idx(const std::string& pictures, const std::string& labels, const idx_options& o = {}) {
  image_dataset data;
  data.root = pictures;
  data.channels = 1;
  std::vector<std::uint8_t> values;
  if (!labels.empty()) {
    values = read_idx_labels(labels, o.classes);  // first: it is small, and may be wrong
    const int classes = o.classes > 0 ? o.classes : *std::max_element(values.begin(), values.end()) + 1;
    for (int c = 0; c < classes; ++c) data.classes.push_back(to_text(c));
  }
  data.pictures = read_idx_pictures(pictures, o);
  if (!labels.empty() && values.size() != data.pictures.size())
    fail<file_error>(labels, ": ", values.size(), " labels for the ", data.pictures.size(), " pictures of ", pictures);
  const std::size_t slash = pictures.find_last_of('/');
  std::string name = pictures.substr(slash == std::string::npos ? 0 : slash + 1);
  if (name.ends_with(".gz")) name.resize(name.size() - 3);  // packed or not, a picture keeps its id
  for (std::size_t i = 0; i < data.pictures.size(); ++i)
    data.samples.push_back(
        {text_of(pictures, "#", i), labels.empty() ? -1 : static_cast<int>(values[i]), sample_id(text_of(name, "#", i))});
  return data;
}

}  // namespace minicnn::inline MINICNN_ABI
