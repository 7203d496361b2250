#include "import_weights.hpp"

#include <algorithm>
#include <filesystem>

#include "paths.hpp"

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

file_kind kind_of_input(const std::string& path) {
  std::error_code failed;
  if (std::filesystem::is_directory(system_path(path), failed)) {
    const std::string slash = path.ends_with('/') ? "" : "/";
    for (const char* name : {"best.safetensors", "last.safetensors"})
      if (std::filesystem::exists(system_path(path + slash + name), failed))
        fail<file_error>(path, ": is the folder of a run, wanted a file; its weights are ", path, slash, name);
    fail<file_error>(path, ": is a folder, wanted a file of weights");
  }
  return minicnn::kind_of_file(path);
}

std::string about_quantized(const minicnn::safetensors_file& file, const std::string& why) {
  const auto& all = file.entries();
  if (std::none_of(all.begin(), all.end(), [](const auto& e) { return e.type == minicnn::dtype::i8; })) return "";
  const std::string* from = file.find_metadata(quantized_from);
  return "is an 8-bit file for prediction; " + why + "; use the file it was made from" +
         (from == nullptr ? "" : " (it was called " + *from + ")");
}

void refuse_quantized(const std::string& path, const std::string& why) {
  if (kind_of_weights(path) != file_kind::safetensors) return;
  if (const std::string text = about_quantized(minicnn::safetensors_file::open(path), why); !text.empty())
    fail<file_error>(path, ": ", text);
}

file_kind kind_of_weights(const std::string& path) {
  const file_kind kind = kind_of_input(path);
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

minicnn::safetensors_file open_training(const std::string& path) {
  const std::string anew = "; put the run's own file back, or begin anew with --overwrite";
  const file_kind kind = kind_of_input(path);
  if (kind != file_kind::safetensors) fail<file_error>(path, ": is ", description(kind), ", no training to go on with", anew);
  auto file = minicnn::safetensors_file::open(path);
  if (const std::string text = about_quantized(file, "no training goes on from it"); !text.empty())
    fail<file_error>(path, ": ", text, anew);
  if (file.find_metadata("position") == nullptr)
    fail<file_error>(path, ": holds weights alone, no training to go on with", anew,
                     " (from these weights: --init-from, once they lie elsewhere)");
  return file;
}

}  // namespace cli
