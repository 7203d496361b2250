#pragma once
/// Writes PyTorch's files of tensors: `torch.load("f.pth")` gives an OrderedDict, for `model.load_state_dict`.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/formats/zip_writer.hpp"
#include "minicnn/io/tensor_bytes.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The opcodes of pickle protocol 2 that a dictionary of tensors takes.
class tensor_pickle {
 public:
  tensor_pickle() { out_ = std::string("\x80\x02", 2) + "ccollections\nOrderedDict\n)R("; }

  /// _rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()), with the storage number `key`.
  void tensor(std::string_view name, std::string_view storage_class, int key, const shape& dims) {
    text(name);
    out_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    text("storage");
    out_ += text_of("ctorch\n", storage_class, "\n");
    text(to_text(key));
    text("cpu");
    integer(dims.size());
    out_ += "tQ";
    integer(0);
    out_ += '(';
    for (const index_t extent : dims) integer(extent);
    out_ += "t(";
    for (int axis = 0; axis < dims.rank(); ++axis) integer(dims.size_from(axis + 1));
    out_ +=
        "t\x89"
        "ccollections\nOrderedDict\n)RtR";
  }

  std::string finish() { return out_ + "u."; }

 private:
  void text(std::string_view value) {
    out_ += 'X';
    append_little_endian(out_, value.size(), 4);
    out_ += value;
  }
  void integer(index_t value) {  // never negative here
    if (value < index_t{1} << 31) {
      out_ += 'J';
      append_little_endian(out_, static_cast<std::uint64_t>(value), 4);
    } else {
      out_ += "\x8A\x08";
      append_little_endian(out_, static_cast<std::uint64_t>(value), 8);
    }
  }

  std::string out_;
};

}  // namespace detail

/// Writes float or double tensors, stored as F64, F32, F16 or BF16, and integers `counters` that hold 0 (PyTorch's
/// `num_batches_tracked`). Throws file_error if writing fails.
template <class T>
void write_pth(const std::string& path, std::span<const named_tensor<T>> tensors, std::span<const std::string> counters = {}) {
  static constexpr std::string_view classes[] = {"DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage"};
  detail::tensor_pickle pickle;
  int key = 0;
  for (const named_tensor<T>& one : tensors)
    pickle.tensor(one.name, classes[static_cast<std::size_t>(one.stored)], key++, one.values.dims());
  for (const std::string& name : counters) pickle.tensor(name, "LongStorage", key++, {});
  zip_writer out(path);
  out.add("archive/data.pkl", {pickle.finish()});
  std::string buffer;
  key = 0;
  for (const named_tensor<T>& one : tensors) out.add(text_of("archive/data/", key++), {tensor_bytes(one, buffer)});
  for (std::size_t i = 0; i < counters.size(); ++i)
    out.add(text_of("archive/data/", key++), {std::string_view("\0\0\0\0\0\0\0\0", 8)});
  out.add("archive/version", {"3\n"});
  out.commit();
}

}  // namespace minicnn::inline MINICNN_ABI
