// PyTorch's files: the zip archive, the pickle in it, then every tensor. Bytes that do not begin as an archive are taken as the
// pickle of one, with right checksums: a pickle that was changed within an archive would seldom be looked at.

#include "fuzz/stored_zip.hpp"
#include "fuzz/target.hpp"
#include "minicnn/io/pth.hpp"

MINICNN_FUZZ_TARGET(pth) {
  const std::string_view text = fuzz::as_text(input);
  const std::string storage(64, '\x3F');
  const std::string made = fuzz::stored_zip({{"a/data.pkl", text}, {"a/data/0", storage}});
  const fuzz::memory_file file(text.starts_with("PK") ? input : fuzz::as_bytes(made));
  const auto opened = minicnn::pth_file::open(file.path());
  for (const minicnn::pth_tensor& entry : opened.entries()) fuzz::require(opened.load<float>(entry.name).dims() == entry.dims);
}
