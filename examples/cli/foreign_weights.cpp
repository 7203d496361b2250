#include "foreign_weights.hpp"

#include <algorithm>

namespace cli {

weights_kind kind_of_weights(const std::string& path) {
  char start[2] = {};
  {
    const minicnn::input_file file(path);
    if (file.size() >= 2) file.read_at(0, start, 2);
  }
  if (start[0] == '\x80') return weights_kind::pth;  // of an old PyTorch; opening it says what helps
  if (start[0] != 'P' || start[1] != 'K') return weights_kind::safetensors;
  const auto archive = minicnn::zip_file::open(path);
  const bool arrays = std::any_of(archive.entries().begin(), archive.entries().end(),
                                  [](const minicnn::zip_entry& e) { return e.name.ends_with(".npy"); });
  return arrays ? weights_kind::npz : weights_kind::pth;
}

}  // namespace cli
