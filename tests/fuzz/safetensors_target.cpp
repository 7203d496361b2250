// safetensors files: the header, then every tensor.

#include "fuzz/target.hpp"
#include "minicnn/io/safetensors.hpp"

MINICNN_FUZZ_TARGET(safetensors) {
  const fuzz::memory_file file(input);
  const auto opened = minicnn::safetensors_file::open(file.path());
  for (const minicnn::tensor_entry& entry : opened.entries()) fuzz::require(opened.load<float>(entry.name).dims() == entry.dims);
}
