#pragma once
/// PyTorch's files of tensors: what `torch.save(model.state_dict(), "f.pth")` writes since version 1.6. A zip archive of stored
/// entries: NAME/data.pkl, a pickle that names the tensors, and NAME/data/0, NAME/data/1, ... with their elements.
///
/// Nothing in the file is run (see pickle.hpp). Refused, besides what zip_file and parse_pickle refuse: tensors that reach
/// outside their storage or have more elements than it, negative strides, more than six dimensions, storages that the archive
/// does not have or that are too short.

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "minicnn/core/tensor.hpp"
#include "minicnn/formats/pickle.hpp"
#include "minicnn/formats/state_dict.hpp"
#include "minicnn/formats/zip_reader.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One tensor of a .pth file: element (i, j, ...) is element offset + i * strides[0] + j * strides[1] + ... of its storage.
struct pth_tensor {
  std::string name;
  dtype type = dtype::f32;
  shape dims;
  std::vector<index_t> strides;
  index_t offset = 0;
  std::string storage;  ///< name of the archive's entry
};

/// A .pth file open for reading: a dictionary of tensors, or a checkpoint that has one under a key such as "state_dict" or
/// "model", or a whole model, whose parameters and buffers are found by name. Whatever else a checkpoint holds (epochs, optimizer
/// settings, objects of any class) is passed over; nothing of it is run. Reading is thread-safe.
class pth_file {
 public:
  /// Throws file_error if the file cannot be read, is no such file, or has something else than data in it.
  static pth_file open(const std::string& path) { return pth_file(path); }

  const std::string& path() const { return archive_.path(); }

  /// All tensors, sorted by name.
  const std::vector<pth_tensor>& entries() const { return entries_; }

  /// The tensor of that name, or null.
  const pth_tensor* find(std::string_view name) const {
    const auto found = std::lower_bound(entries_.begin(), entries_.end(), name,
                                        [](const pth_tensor& e, std::string_view key) { return e.name < key; });
    return found == entries_.end() || found->name != name ? nullptr : &*found;
  }

  /// What is in the place of a tensor that the dictionary has under that name, "numpy.ndarray"; empty for a tensor or nothing.
  std::string instead_of_tensor(const std::string& name) const {
    const auto found = others_.find(name);
    return found == others_.end() ? "" : found->second;
  }

  /// The key of the checkpoint that these tensors were under, where others have as many ("model" beside "model_ema"); else empty.
  const std::string& key() const { return key_; }
  const std::vector<std::string>& other_keys() const { return other_keys_; }

  /// Copies a tensor to `out`, whose shape must be the stored one, as float or double from every stored type. Its storage must
  /// have the right checksum. Throws file_error.
  template <class T>
  void read(std::string_view name, view<T> out) const {
    const pth_tensor* entry = find(name);
    if (entry == nullptr) fail<file_error>(path(), ": no tensor \"", name, "\"");
    if (!(entry->dims == out.dims()))
      fail<file_error>(path(), ": tensor \"", name, "\": wanted shape ", out.dims(), ", got ", entry->dims);
    if (out.size() == 0) return;
    const zip_entry& storage = *archive_.find(entry->storage);
    const std::string bytes = archive_.read(storage, storage.size);
    const auto* elements = reinterpret_cast<const unsigned char*>(bytes.data());
    detail::with_dtype(entry->type, [&](auto stored) {
      using from = decltype(stored);
      std::vector<index_t> at(entry->strides.size(), 0);
      index_t place = entry->offset;
      for (T& value : out) {
        value =
            detail::convert_element<T>(detail::load_little_endian<from>(elements + place * static_cast<index_t>(sizeof(from))));
        // The next index, last axis first.
        for (std::size_t axis = at.size(); axis-- > 0;) {
          place += entry->strides[axis];
          if (++at[axis] < entry->dims[static_cast<int>(axis)]) break;
          place -= at[axis] * entry->strides[axis];
          at[axis] = 0;
        }
      }
    });
  }

  /// A new tensor of the stored shape, elements converted as `read` does.
  template <class T>
  tensor<T> load(std::string_view name) const {
    const pth_tensor* entry = find(name);
    if (entry == nullptr) fail<file_error>(path(), ": no tensor \"", name, "\"");
    tensor<T> out(entry->dims);
    read(name, view<T>(out));
    return out;
  }

 private:
  using type = pickle_value::type;

  explicit pth_file(const std::string& path) : archive_(open_archive(path)) {
    std::string prefix;
    const zip_entry* pickle = nullptr;
    for (const zip_entry& e : archive_.entries()) {
      const auto slash = e.name.find('/');
      if (slash == std::string::npos || std::string_view(e.name).substr(slash) != "/data.pkl") continue;
      if (pickle != nullptr) fail<file_error>(path, ": has both \"", pickle->name, "\" and \"", e.name, "\"");
      pickle = &e;
      prefix = e.name.substr(0, slash + 1);
    }
    if (pickle == nullptr) fail<file_error>(path, ": not a file of torch.save: the archive has no data.pkl");
    if (const zip_entry* order = archive_.find(prefix + "byteorder"); order != nullptr)
      if (const std::string text = archive_.read(*order, 64); text != "little")
        fail<file_error>(path, ": byte order \"", text, "\"; only little-endian files are read");
    const pickle_objects objects = parse_pickle(archive_.read(*pickle, max_pickle), path);
    const state_dict_entries found = find_state_dict(objects, path);
    for (const auto& [name, id] : found.tensors) entries_.push_back(read_entry(objects, name, objects[id], prefix));
    others_ = found.others, key_ = found.key, other_keys_ = found.other_keys;
  }

  static zip_file open_archive(const std::string& path) {
    std::string start(512, '\0');
    {
      const input_file file(path);
      file.read_at(0, start.data(), (std::min)(file.size(), index_t{512}));
    }
    // The magic number that torch.save wrote before version 1.6, as a pickle; and the tar archives of the first versions.
    if (start.starts_with(std::string_view("\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9 j\xA8P\x19.", 15)) ||
        start.substr(257, 5) == "ustar")
      fail<file_error>(
          path,
          ": a PyTorch file of the format before version 1.6, which is not read. Save it again with a newer PyTorch: "
          "torch.save(torch.load(\"old.pth\", map_location=\"cpu\"), \"new.pth\")");
    if (!start.starts_with("PK")) fail<file_error>(path, ": not a file of torch.save: it does not begin as a zip archive does");
    return zip_file::open(path);
  }

  pth_tensor read_entry(const pickle_objects& objects, const std::string& name, const pickle_value& value,
                        const std::string& prefix) const {
    const auto refuse = [&](const auto&... parts) { fail<file_error>(path(), ": tensor \"", name, "\": ", parts...); };
    const auto integers = [&](int id, const char* what) {
      std::vector<index_t> out;
      const pickle_value& list = objects[id];
      if (list.items.size() > shape::max_rank) refuse(list.items.size(), " dimensions, more than ", shape::max_rank);
      for (const int item : list.items) {
        const pickle_value& number = objects[item];
        if (number.kind != type::integer || number.number < 0) refuse(what, " must be integers that are not negative");
        out.push_back(number.number);
      }
      return out;
    };
    const pickle_value& storage = objects[value.items[0]];
    pth_tensor entry;
    entry.name = name;
    entry.type = storage.element;
    const std::vector<index_t> extents = integers(value.items[1], "extents");
    entry.strides = integers(value.items[2], "strides");
    if (extents.size() != entry.strides.size()) refuse(extents.size(), " extents and ", entry.strides.size(), " strides");
    try {
      entry.dims = shape(extents.begin(), extents.end());
    } catch (const error& reason) {
      refuse(reason.what());
    }
    entry.offset = value.number;
    entry.storage = prefix + "data/" + storage.text;
    const zip_entry* stored = archive_.find(entry.storage);
    if (stored == nullptr) refuse("its storage \"", entry.storage, "\" is not in the archive");
    archive_.check_stored(*stored);
    if (storage.number > stored->size / dtype_size(entry.type))
      refuse("a storage of ", storage.number, " elements of ", dtype_name(entry.type), " in ", stored->size, " bytes");
    if (entry.offset < 0 || entry.offset > storage.number)
      refuse("begins at element ", entry.offset, " of a storage of ", storage.number);
    if (entry.dims.size() == 0) return entry;
    // How far the last element may lie behind the first.
    index_t room = storage.number - entry.offset - 1;
    for (std::size_t axis = 0; axis < extents.size() && room >= 0; ++axis) {
      const index_t steps = extents[axis] - 1, stride = entry.strides[axis];
      room = steps > 0 && stride > room / steps ? -1 : room - steps * stride;
    }
    if (room < 0)
      refuse("shape ", entry.dims, " from element ", entry.offset, " reaches outside its storage of ", storage.number,
             " elements");
    // Strides of 0 would let a few bytes stand for any number of elements.
    if (entry.dims.size() > storage.number)
      refuse("shape ", entry.dims, " has more elements than its storage of ", storage.number);
    return entry;
  }

  static constexpr index_t max_pickle = index_t{64} << 20;

  zip_file archive_;
  std::vector<pth_tensor> entries_;
  std::map<std::string, std::string> others_;
  std::string key_;
  std::vector<std::string> other_keys_;
};

}  // namespace minicnn::inline MINICNN_ABI
