#include "import_weights.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::file_kind;

namespace {

/// What helps where the program reads no such file.
std::string advice(file_kind kind) {
  switch (kind) {
    case file_kind::torch_legacy:
      return "; save it again with a newer PyTorch: torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\")";
    case file_kind::torch_script:
      return "; save its weights alone: torch.save(torch.jit.load(\"old.pt\", \"cpu\").state_dict(), \"new.pth\")";
    case file_kind::npy:
    case file_kind::pickle:
    case file_kind::keras:
    case file_kind::hdf5:
      return "; save the weights by name with numpy.savez";
    case file_kind::gzip:
    case file_kind::compressed:
    case file_kind::tar:
    case file_kind::zip:
      return "; unpack it first";
    default:
      return "; wanted a safetensors, PyTorch (.pth) or NumPy (.npz) file of weights";
  }
}

}  // namespace

file_kind kind_of_weights(const std::string& path) {
  const file_kind kind = minicnn::kind_of_file(path);
  if (kind == file_kind::safetensors || kind == file_kind::torch_zip || kind == file_kind::npz) return kind;
  if (kind == file_kind::onnx)
    fail<file_error>(path, ": is ", description(kind), "; `minicnn import --from ", path,
                     " --out NEW.safetensors` makes a weights file of it");
  fail<file_error>(path, ": is ", description(kind), advice(kind));
}

minicnn::safetensors_file open_weights(const std::string& path) {
  const file_kind kind = kind_of_weights(path);
  const auto foreign = [&](const char* more) {
    fail<file_error>(path, ": is ", description(kind), more, "; `minicnn import --model MODEL --from ", path,
                     " --out NEW.safetensors` makes a weights file of it");
  };
  if (kind != file_kind::safetensors) foreign("");
  auto file = minicnn::safetensors_file::open(path);
  if (file.find_metadata("model") == nullptr || file.find_metadata("classes") == nullptr) foreign(" without minicnn's metadata");
  return file;
}

}  // namespace cli
