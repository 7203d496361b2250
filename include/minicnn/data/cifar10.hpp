#pragma once
/// CIFAR-10's binary version: data_batch_1.bin to data_batch_5.bin, test_batch.bin, batches.meta.txt
/// (Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
///
/// A file is a run of records of 3073 bytes: the label, then 32 x 32 pixels as three planes, red, green, blue, row by row.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/data/dataset.hpp"
#include "minicnn/files/sequential_file.hpp"
#include "minicnn/files/text_lines.hpp"

namespace minicnn::inline MINICNN_ABI {

inline constexpr index_t cifar10_side = 32, cifar10_record = 1 + 3 * cifar10_side * cifar10_side;

/// The published names, by label.
inline std::vector<std::string> cifar10_classes() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

/// Appends the pictures of the file `path` to `data`, whose classes are set. Each record goes straight to its place. Throws
/// file_error for a file that is no whole number of records, and for a label that is none of the classes.
inline void read_cifar10_file(const std::string& path, image_dataset& data,
                              const std::function<void(const std::string&, index_t, index_t)>& progress = {}) {
  sequential_file file(path);
  const index_t bytes = file.most_bytes();
  if (!file.packed() && (bytes == 0 || bytes % cifar10_record != 0))
    fail<file_error>(path, ": wanted records of ", cifar10_record, " bytes (a label and 32 x 32 x 3 pixels), got ", bytes,
                     " bytes: ", bytes / cifar10_record, " records and ", bytes % cifar10_record, " bytes");
  const std::size_t slash = path.find_last_of('/');
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  std::vector<unsigned char> planes(static_cast<std::size_t>(cifar10_record - 1));
  const auto pixels = static_cast<std::size_t>(cifar10_side * cifar10_side);
  for (index_t i = 0;; ++i) {
    unsigned char label = 0;
    if (file.read_some(&label, 1) == 0) break;
    if (label >= data.classes.size())
      fail<file_error>(path, ": record ", i, ": label ", static_cast<int>(label), ", wanted 0 to ", data.classes.size() - 1);
    file.read(planes.data(), cifar10_record - 1);
    image_u8 picture{cifar10_side, cifar10_side, 3, std::vector<unsigned char>(3 * pixels)};
    for (std::size_t p = 0; p < pixels; ++p)
      for (std::size_t c = 0; c < 3; ++c) picture.pixels[3 * p + c] = planes[c * pixels + p];
    data.pictures.push_back(std::move(picture));
    data.samples.push_back({text_of(path, "#", i), static_cast<int>(label), sample_id(text_of(name, "#", i))});
    if (progress && i % 1024 == 0) progress(path, i, file.packed() ? 0 : bytes / cifar10_record);
  }
}

/// The names in a batches.meta.txt: a line each, empty lines passed over.
inline std::vector<std::string> read_class_names(const std::string& path) {
  std::vector<std::string> names;
  for (const text_line& line : read_lines(path, index_t{1} << 20))
    if (const std::string_view name = trimmed(line.text); !name.empty()) names.emplace_back(name);
  if (names.empty()) fail<file_error>(path, ": holds no names of classes");
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (names[i] == names[k]) fail<file_error>(path, ": the class \"", names[i], "\" is there twice");
  return names;
}

}  // namespace minicnn::inline MINICNN_ABI
