// IDX files, packed or not: pictures, or labels.

#include "fuzz/target.hpp"
#include "minicnn/data/idx.hpp"

MINICNN_FUZZ_TARGET(idx) {
  const fuzz::memory_file file(input);
  try {
    (void)minicnn::read_idx_labels(file.path(), 10);
  } catch (const minicnn::file_error&) {
    const auto pictures = minicnn::read_idx_pictures(file.path());
    fuzz::require(!pictures.empty());
  }
}
