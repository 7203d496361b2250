#pragma once
// What is wrong with a data set.

#include <minicnn/data/dataset.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/io/json.hpp>
#include <string>
#include <vector>

namespace cli {

struct odd_picture {
  minicnn::index_t index;  ///< of the sample
  /// tiny, thin, huge, wrong-extension, extra-bytes, grey, cmyk, 16-bit, palette, alpha or orientation.
  std::string kind;
  std::string reason;
};

struct broken_picture {
  minicnn::index_t index;
  /// empty, truncated, unreadable, missing, not-a-file, not-a-picture, too-large or damaged.
  std::string kind;
  std::string reason;
};

/// Smallest, middle and largest value.
struct spread {
  minicnn::index_t smallest = 0, median = 0, largest = 0;
};

struct diagnosis {
  std::vector<broken_picture> broken;  ///< cannot be read
  std::vector<odd_picture> odd;        ///< can be read, but may not be what was meant; a picture may be odd in several ways
  /// Samples that are the same picture, pixel by pixel, two or more each; with different labels at least one of them is wrong.
  std::vector<std::vector<minicnn::index_t>> duplicates;
  spread width, height;
  minicnn::index_t readable = 0;
};

/// Reads every picture on `threads` threads (0: all).
diagnosis examine(const minicnn::image_dataset& data, int threads);

/// Whether the samples, duplicates of each other, have different labels.
bool labels_differ(const minicnn::image_dataset& data, const std::vector<minicnn::index_t>& samples);

minicnn::json to_json(const minicnn::image_dataset& data, const diagnosis& d);
std::string to_table(const minicnn::image_dataset& data, const diagnosis& d);

}  // namespace cli
