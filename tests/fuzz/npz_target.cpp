// NumPy's files: the zip archive, the headers in it, then every array. Bytes that do not begin as an archive are taken as the .npy
// file of one.

#include "fuzz/stored_zip.hpp"
#include "fuzz/target.hpp"
#include "minicnn/io/npz_reader.hpp"

MINICNN_FUZZ_TARGET(npz) {
  const std::string_view text = fuzz::as_text(input);
  const std::string made = fuzz::stored_zip({{"w.npy", text}});
  const fuzz::memory_file file(text.starts_with("PK") ? input : fuzz::as_bytes(made));
  const auto opened = minicnn::npz_file::open(file.path());
  for (const minicnn::npz_tensor& entry : opened.entries()) fuzz::require(opened.load<float>(entry.name).dims() == entry.dims);
}
