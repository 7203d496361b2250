#pragma once
/// An ONNX model as a file: read, checked, and what is wrong with it.

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/files/file.hpp"
#include "minicnn/formats/onnx_constant.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The bytes of a model, which all else refers to. Neither copied nor moved.
class onnx_source {
 public:
  /// Throws file_error for a file that is no model, and for one of an operator set that is not known.
  explicit onnx_source(const std::string& path)
      : path_(path), bytes_(read_file(path, index_t{0x7FFFFFFF})), total_(count_bytes()), memory_(folder(), total_) {
    if (model_.nodes.empty()) wrong("has no operators");
    if (model_.outputs.empty()) wrong("has no output");
    if (model_.opset < 6 || model_.opset > 21) wrong("operator set: wanted 7 to 21, got ", model_.opset);
    if (model_.has_sparse) wrong("has initializers that are stored as sparse");
  }
  onnx_source(const onnx_source&) = delete;
  onnx_source& operator=(const onnx_source&) = delete;

  onnx_model& model() { return model_; }
  onnx_memory& memory() { return memory_; }
  /// Bytes of the model and of the files beside it.
  index_t total_bytes() const { return total_; }

  template <class... Parts>
  [[noreturn]] void wrong(const Parts&... parts) const {
    fail<file_error>(path_, ": ", parts...);
  }

 private:
  std::string folder() const { return detail::path_text(detail::system_path(path_).parent_path()); }

  index_t count_bytes() {
    try {
      onnx_parser(model_).model(bytes_);
    } catch (const error& e) {
      wrong("is no ONNX model: ", e.what());
    }
    std::map<std::string_view, index_t> beside;
    for (const onnx_tensor& t : model_.initializers)
      for (const auto& [key, value] : t.place)
        if (t.external && key == "location" && beside.count(value) == 0) beside[value] = external_bytes(t);
    auto bytes = static_cast<index_t>(bytes_.size());
    for (const auto& [location, size] : beside) bytes += (std::min)(size, index_t{1} << 40);
    return bytes;
  }
  index_t external_bytes(const onnx_tensor& t) const {
    try {
      return input_file(external_place(t, folder()).path).size();
    } catch (const error& e) {
      wrong("tensor ", excerpt(t.name), ": ", e.what());
    }
  }

  std::string path_, bytes_;
  onnx_model model_;
  index_t total_;
  onnx_memory memory_;
};

/// What cannot be expressed: operators of one kind that fail for one reason are told together.
class onnx_refusals {
 public:
  void add(const onnx_node& n, std::string_view reason) {
    const std::string kind = excerpt(n.type) + ": " + std::string(reason);
    const std::string name = excerpt(!n.name.empty() ? n.name : n.outputs.empty() ? "?" : n.outputs[0]);
    const auto [place, fresh] = places_.emplace(kind, kinds_.size());
    if (fresh)
      kinds_.emplace_back(kind, name);
    else
      kinds_[place->second].second += ", " + name;
  }
  bool empty() const { return kinds_.empty(); }

  /// "Resize: no layer for this operator (up1, up2); Conv: attribute group ... (conv3)".
  std::string text() const {
    std::string out;
    for (const auto& [kind, names] : kinds_) out += text_of(out.empty() ? "" : "; ", kind, " (", names, ")");
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::string>> kinds_;
  std::map<std::string, std::size_t> places_;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
