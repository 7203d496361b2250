#pragma once
/// Reads NumPy's .npz files as `numpy.savez` writes them: a zip archive of stored entries NAME.npy, each a header and the
/// elements.
///
/// Nothing in the file is run. Read are bool, integers of 8 to 64 bits and floats of 16 to 64, all little-endian; what else
/// stands beside them (texts, pickled objects, big-endian numbers) is passed over, and named where a tensor is wanted in its
/// place. Compressed entries are refused. Arrays in Fortran's order are read as the arrays that they are, so what was transposed
/// before saving comes out right.

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/formats/zip_reader.hpp"
#include "minicnn/io/tensor_bytes.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One array of an .npz file.
struct npz_tensor {
  std::string name;  ///< without ".npy"
  dtype type = dtype::f32;
  shape dims;
  bool fortran_order = false;  ///< the first index runs fastest
  index_t begin = 0;           ///< of the elements within the archive's entry
};

/// An .npz file open for reading. Reading is thread-safe.
class npz_file {
 public:
  /// Throws file_error, naming the array at fault, if the file cannot be read or has something else than plain arrays in it.
  static npz_file open(const std::string& path) { return npz_file(path); }

  const std::string& path() const { return archive_.path(); }

  /// All arrays, sorted by name.
  const std::vector<npz_tensor>& entries() const { return entries_; }

  /// The array of that name, or null.
  const npz_tensor* find(std::string_view name) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), name,
                                        [](const npz_tensor& e, std::string_view key) { return e.name < key; });
    return found == entries_.end() || found->name != name ? nullptr : &*found;
  }

  /// What is in the place of a tensor under that name, "an array of type '|O'"; empty for a tensor or nothing.
  std::string instead_of_tensor(const std::string& name) const {
    const auto found = others_.find(name);
    return found == others_.end() ? "" : "an array of type " + found->second;
  }

  /// Copies an array to `out`, whose shape must be the stored one, as float or double from every stored type. Its checksum must
  /// be right. Throws file_error.
  template <class T>
  void read(std::string_view name, view<T> out) const {
    const npz_tensor* entry = find(name);
    if (entry == nullptr) fail<file_error>(path(), ": no tensor \"", name, "\"");
    if (!(entry->dims == out.dims()))
      fail<file_error>(path(), ": tensor \"", name, "\": wanted shape ", out.dims(), ", got ", entry->dims);
    const zip_entry& stored = *archive_.find(entry->name + ".npy");
    const std::string bytes = archive_.read(stored, stored.size);
    const auto* elements = reinterpret_cast<const unsigned char*>(bytes.data()) + entry->begin;
    detail::with_dtype(entry->type, [&](auto element) {
      using from = decltype(element);
      const auto at = [&](index_t i) {
        return detail::convert_element<T>(detail::load_little_endian<from>(elements + i * static_cast<index_t>(sizeof(from))));
      };
      for (index_t i = 0; i < out.size(); ++i) out[i] = at(entry->fortran_order ? fortran_place(entry->dims, i) : i);
    });
  }

  /// A new tensor of the stored shape, elements converted as `read` does.
  template <class T>
  tensor<T> load(std::string_view name) const {
    const npz_tensor* entry = find(name);
    if (entry == nullptr) fail<file_error>(path(), ": no tensor \"", name, "\"");
    tensor<T> out(entry->dims);
    read(name, view<T>(out));
    return out;
  }

 private:
  explicit npz_file(const std::string& path) : archive_(zip_file::open(path)) {
    for (const zip_entry& e : archive_.entries())
      if (e.name.ends_with(".npy")) read_entry(e);
    if (entries_.empty() && others_.empty())
      fail<file_error>(path, ": not a file of numpy.savez: the archive has no .npy entries");
    if (entries_.empty()) {
      const auto& [name, type] = *others_.begin();
      fail<file_error>(path, ": tensor \"", name, "\": type ", type, ", which is not read");
    }
    std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  }

  /// Where in Fortran's order the element lies that is number `i` in C's.
  static index_t fortran_place(const shape& dims, index_t i) {
    index_t place = 0, below = 1;  // `below`: extents of the axes before, multiplied
    for (const index_t extent : dims) below *= extent;
    for (int axis = dims.rank(); axis-- > 0;) {
      below /= dims[axis];
      place += i % dims[axis] * below;
      i /= dims[axis];
    }
    return place;
  }

  void read_entry(const zip_entry& e) {
    archive_.check_stored(e);
    npz_tensor out;
    out.name = e.name.substr(0, e.name.size() - 4);
    const auto refuse = [&](const auto&... parts) { fail<file_error>(path(), ": tensor \"", out.name, "\": ", parts...); };
    std::string start(static_cast<std::size_t>((std::min)(e.size, index_t{12})), '\0');
    archive_.file().read_at(e.begin, start.data(), static_cast<index_t>(start.size()));
    if (start.size() < 12 || !start.starts_with("\x93NUMPY")) refuse("does not begin as a .npy file does");
    const bool first_version = start[6] == 1;
    if (start[6] < 1 || start[6] > 3) refuse("version ", static_cast<int>(start[6]), " of the .npy format, wanted 1 to 3");
    index_t length = 0;
    for (int i = first_version ? 2 : 4; i-- > 0;)
      length = length * 256 + static_cast<unsigned char>(start[8 + static_cast<std::size_t>(i)]);
    const index_t before = first_version ? 10 : 12;
    if (length > max_header || length > e.size - before) refuse("a header of ", length, " bytes in an entry of ", e.size);
    std::string header(static_cast<std::size_t>(length), '\0');
    archive_.file().read_at(e.begin + before, header.data(), length);
    out.begin = before + length;

    const std::string_view type = text_after(header, "descr");
    const std::optional<dtype> known = type.size() < 3 ? std::nullopt : type_of(type.substr(1, type.size() - 2));
    if (!known) {
      if (type.empty()) refuse("no type in its header");
      others_[out.name] = type.front() == '[' ? "[...]" : type.substr(0, 100);
      return;
    }
    out.type = *known;
    const std::string_view order = text_after(header, "fortran_order");
    if (order != "True" && order != "False") refuse("no fortran_order in its header");
    out.fortran_order = order == "True";
    const auto extents = numbers(text_after(header, "shape"));
    if (!extents) refuse("no shape in its header");
    try {
      out.dims = shape(extents->begin(), extents->end());
    } catch (const error& reason) {
      refuse(reason.what());
    }
    const index_t room = e.size - out.begin;
    if (out.dims.size() > room / dtype_size(out.type) || out.dims.size() * dtype_size(out.type) != room)
      refuse("shape ", out.dims, " of ", dtype_name(out.type), ", but ", room, " bytes");
    entries_.push_back(std::move(out));
  }

  /// The value of a key in the header, a Python literal: a quoted text or a tuple with its marks, or a word.
  static std::string_view text_after(std::string_view header, std::string_view key) {
    std::size_t at = header.find(text_of("'", key, "':"));
    if (at == header.npos) return {};
    at = header.find_first_not_of(' ', at + key.size() + 3);
    if (at == header.npos) return {};
    const std::string_view rest = header.substr(at);
    const char first = rest.front();
    const std::size_t end = first == '\'' ? rest.find('\'', 1) : first == '(' ? rest.find(')') : rest.find_first_of(",}");
    if (end == rest.npos) return {};
    return rest.substr(0, first == '\'' || first == '(' ? end + 1 : end);
  }

  static std::optional<dtype> type_of(std::string_view descr) {
    static constexpr struct {
      std::string_view descr;
      dtype type;
    } known[] = {{"<f8", dtype::f64}, {"<f4", dtype::f32}, {"<f2", dtype::f16}, {"<i8", dtype::i64},    {"<i4", dtype::i32},
                 {"<i2", dtype::i16}, {"|i1", dtype::i8},  {"|u1", dtype::u8},  {"|b1", dtype::boolean}};
    for (const auto& k : known)
      if (k.descr == descr) return k.type;
    return std::nullopt;
  }

  /// "(64, 3)", "(7,)" or "()".
  static std::optional<std::vector<index_t>> numbers(std::string_view tuple) {
    if (tuple.size() < 2 || tuple.front() != '(') return std::nullopt;
    std::vector<index_t> out;
    for (std::string_view rest = tuple.substr(1, tuple.size() - 2); !rest.empty();) {
      const std::string_view item = rest.substr(0, rest.find(','));
      index_t value = 0;
      const auto [end, failure] = std::from_chars(item.data(), item.data() + item.size(), value);
      if (failure != std::errc() || end != item.data() + item.size() || value < 0) return std::nullopt;
      out.push_back(value);
      rest.remove_prefix((std::min)(rest.size(), item.size() + 1));
      rest.remove_prefix((std::min)(rest.size(), rest.find_first_not_of(' ')));
    }
    return out;
  }

  static constexpr index_t max_header = index_t{1} << 16;

  zip_file archive_;
  std::vector<npz_tensor> entries_;
  std::map<std::string, std::string> others_;  ///< of types that are no tensor's
};

}  // namespace minicnn::inline MINICNN_ABI
