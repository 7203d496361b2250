#pragma once
/// What a file is, told by its structure: a few first bytes are shared by formats that have nothing to do with each other.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "minicnn/core/utf8.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/formats/zip_reader.hpp"
#include "minicnn/io/safetensors.hpp"

namespace minicnn::inline MINICNN_ABI {

enum class file_kind {
  safetensors,
  torch_zip,     ///< torch.save since version 1.6
  torch_legacy,  ///< torch.save before
  torch_script,
  npz,
  npy,
  pickle,
  keras,
  hdf5,
  onnx,
  gguf,
  tensorflow_lite,
  zip,
  tar,
  gzip,
  compressed,  ///< by xz, bzip2, Zstandard or 7-Zip
  picture,
  git_lfs,
  web_page,
  text,
  program,
  empty,
  unknown
};

/// In words: "a PyTorch file".
inline std::string_view description(file_kind kind) {
  static constexpr std::string_view texts[] = {"a safetensors file",
                                               "a PyTorch file",
                                               "a PyTorch file of the format before version 1.6",
                                               "a TorchScript archive",
                                               "a NumPy archive (.npz)",
                                               "a single NumPy array (.npy)",
                                               "a Python pickle that is not torch.save's",
                                               "a Keras file",
                                               "an HDF5 file (Keras saves such)",
                                               "an ONNX model",
                                               "a GGUF file",
                                               "a TensorFlow Lite model",
                                               "a zip archive without tensors",
                                               "a tar archive",
                                               "gzip data",
                                               "compressed data",
                                               "a picture",
                                               "a pointer of Git LFS: the file itself was not fetched",
                                               "a web page: the download went wrong",
                                               "a text",
                                               "a program",
                                               "an empty file",
                                               "a file of no kind that is known here"};
  return texts[static_cast<std::size_t>(kind)];
}

namespace detail {

/// The first bytes of a file, and its size.
struct file_start {
  std::string bytes;
  std::uint64_t size = 0;

  bool at(std::size_t place, std::string_view text) const {
    return bytes.size() >= place + text.size() && std::string_view(bytes).substr(place, text.size()) == text;
  }
  std::uint64_t number(std::size_t place, std::size_t count) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count && place + i < bytes.size(); ++i)
      value |= std::uint64_t{static_cast<unsigned char>(bytes[place + i])} << (8 * i);
    return value;
  }
};

/// A length and the beginning of a JSON object. Cut files count: their reader says what is missing.
inline bool is_safetensors(const file_start& s) {
  return s.size > 9 && s.number(0, 8) >= 2 && s.number(0, 8) <= static_cast<std::uint64_t>(max_safetensors_header) &&
         s.at(8, "{") && s.bytes.size() > 9 && std::string_view("\"} \t\r\n").find(s.bytes[9]) != std::string_view::npos;
}

/// One number of a Protocol Buffers message; false at the end of the file or for more than ten bytes.
inline bool read_varint(const input_file& file, index_t& place, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && place < file.size(); shift += 7) {
    unsigned char byte = 0;
    file.read_at(place++, &byte, 1);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/// A ModelProto: nothing but its fields from the first byte to the last, a graph (7) among them.
inline bool is_onnx(const input_file& file) {
  bool graph = false;
  index_t place = 0;
  for (int fields = 0; place < file.size(); ++fields) {
    std::uint64_t tag = 0, value = 0;
    if (fields > 1000 || !read_varint(file, place, tag) || !read_varint(file, place, value)) return false;
    const std::uint64_t field = tag >> 3, wire = tag & 7;
    const bool known = (field >= 1 && field <= 8) || field == 14 || field == 20 || field == 25 || field == 26;
    if (!known || (wire != 0 && wire != 2)) return false;
    if (wire == 2 && value > static_cast<std::uint64_t>(file.size() - place)) return false;
    if (wire == 2) place += static_cast<index_t>(value);
    graph = graph || (field == 7 && wire == 2);
  }
  return graph;
}

inline file_kind kind_of_zip(const std::string& path) {
  const auto archive = zip_file::open(path);
  const auto any = [&](const auto& test) {
    return std::any_of(archive.entries().begin(), archive.entries().end(), [&](const zip_entry& e) { return test(e.name); });
  };
  const auto ends = [&](std::string_view end) { return any([=](const std::string& name) { return name.ends_with(end); }); };
  if (ends("/data.pkl"))
    return any([](const std::string& name) { return name.find("/code/") != name.npos; }) ? file_kind::torch_script
                                                                                         : file_kind::torch_zip;
  if (ends(".npy")) return file_kind::npz;
  return ends("model.weights.h5") ? file_kind::keras : file_kind::zip;
}

inline bool is_picture(const file_start& s) {
  const std::uint64_t bitmap_header = s.number(14, 4);
  return s.at(0, "\xFF\xD8\xFF") || s.at(0, "\x89PNG\r\n\x1A\n") || s.at(0, "GIF8") || (s.at(0, "RIFF") && s.at(8, "WEBP")) ||
         s.at(0, std::string_view("II*\0", 4)) || s.at(0, std::string_view("MM\0*", 4)) || s.at(4, "ftypavif") ||
         s.at(4, "ftypheic") || (s.at(0, "BM") && (bitmap_header == 12 || (bitmap_header >= 40 && bitmap_header <= 124)));
}

inline file_kind kind_of_text(const file_start& s) {
  const std::string_view text = s.bytes;
  const std::size_t valid = valid_utf8_prefix(text);
  // The last character may be cut.
  const auto binary = [](char c) {
    return c >= 0 && c < ' ' && std::string_view("\t\n\v\f\r\x1B").find(c) == std::string_view::npos;
  };
  if (std::any_of(text.begin(), text.end(), binary) ||
      (valid != text.size() && (s.size == text.size() || text.size() - valid > 3)))
    return file_kind::unknown;
  if (s.at(0, "version https://git-lfs")) return file_kind::git_lfs;
  std::string start(text.substr(0, 64));
  std::transform(start.begin(), start.end(), start.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return start.find("<!doctype html") != start.npos || start.find("<html") != start.npos ? file_kind::web_page : file_kind::text;
}

}  // namespace detail

/// What the file is. Throws file_error if it cannot be read, is no regular file, or begins as a zip archive and is none.
inline file_kind kind_of_file(const std::string& path) {
  const input_file file(path);
  detail::file_start s;
  s.size = static_cast<std::uint64_t>(file.size());
  s.bytes.resize(static_cast<std::size_t>((std::min)(file.size(), index_t{4096})));
  file.read_at(0, s.bytes.data(), static_cast<index_t>(s.bytes.size()));
  if (s.size == 0) return file_kind::empty;
  if (detail::is_safetensors(s)) return file_kind::safetensors;
  if (s.at(0, "PK\3\4") || s.at(0, "PK\5\6")) return detail::kind_of_zip(path);
  if (s.at(0, std::string_view("\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9 j\xA8P\x19.", 15))) return file_kind::torch_legacy;
  if (s.at(257, "ustar")) {  // the first versions of PyTorch wrote such archives
    const bool torch = s.at(0, "sys_info") || s.at(0, "storages") || s.at(0, "tensors") || s.at(0, "pickle");
    return torch ? file_kind::torch_legacy : file_kind::tar;
  }
  if (s.at(0, "\x93NUMPY")) return file_kind::npy;
  if (s.at(0, "\x89HDF\r\n\x1A\n") || s.at(512, "\x89HDF\r\n\x1A\n")) return file_kind::hdf5;
  if (s.at(0, "GGUF") || s.at(0, "ggml") || s.at(0, "ggjt")) return file_kind::gguf;
  if (s.at(4, "TFL3")) return file_kind::tensorflow_lite;
  if (s.at(0, "\x1F\x8B")) return file_kind::gzip;
  if (s.at(0, std::string_view("\xFD"
                               "7zXZ\0",
                               6)) ||
      s.at(0, "BZh") || s.at(0, "\x28\xB5\x2F\xFD") || s.at(0, "7z\xBC\xAF\x27\x1C"))
    return file_kind::compressed;
  if (s.at(0,
           "\x7F"
           "ELF") ||
      s.at(0, "#!"))
    return file_kind::program;
  if (detail::is_picture(s)) return file_kind::picture;
  const std::uint64_t protocol = s.number(1, 1);
  if (s.at(0, "\x80") && protocol >= 2 && protocol <= 5) {
    char last = 0;
    file.read_at(file.size() - 1, &last, 1);
    if (last == '.') return file_kind::pickle;
  }
  if (s.at(0, "\x08") && detail::is_onnx(file)) return file_kind::onnx;
  return detail::kind_of_text(s);
}

}  // namespace minicnn::inline MINICNN_ABI
