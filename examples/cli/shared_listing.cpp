#include "shared_listing.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "paths.hpp"
#include "ranks.hpp"

namespace cli {

using minicnn::fail;
using minicnn::image_dataset;
using minicnn::index_t;

namespace {

/// Values one behind another, written by the first rank and read by the others in the same order.
class message {
 public:
  message() = default;
  explicit message(std::string bytes) : bytes_(std::move(bytes)), reading_(true) {}

  bool reading() const { return reading_; }
  const std::string& bytes() const { return bytes_; }

  template <class T>
  void value(T& v) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (reading_)
      std::memcpy(&v, take(sizeof v).data(), sizeof v);
    else
      bytes_.append(reinterpret_cast<const char*>(&v), sizeof v);
  }
  void value(std::string& text) {
    if (const std::size_t size = counted(text.size()); reading_)
      text = take(size);
    else
      bytes_ += text;
  }
  /// `each(element)` for every element.
  template <class T, class F>
  void list(std::vector<T>& v, const F& each) {
    v.resize(counted(v.size()));
    for (T& one : v) each(one);
  }
  template <class T>
  void list(std::vector<T>& v) {
    list(v, [this](T& one) { value(one); });
  }

 private:
  std::size_t counted(std::size_t size) {
    auto count = static_cast<std::uint64_t>(size);
    value(count);
    return static_cast<std::size_t>(count);
  }
  std::string_view take(std::size_t size) {
    const std::string_view all(bytes_), part = all.substr(at_, size);
    at_ += size;
    return part;
  }

  std::string bytes_;
  std::size_t at_ = 0;
  bool reading_ = false;
};

/// Writes or reads paths and sizes of tar files, and file, offset and length of each member. `here`: what the first rank's path
/// is called on this one.
template <class F>
void pass_archive(message& m, image_dataset& data, const F& here) {
  struct tar {
    std::string path;
    std::uint64_t bytes = 0;
  };
  struct place {
    index_t offset = 0, size = 0;
    std::size_t file = 0;
  };
  std::vector<tar> files;
  std::vector<place> members;
  if (data.archive != nullptr) {
    for (const std::string& path : data.archive->paths()) files.push_back({path, std::filesystem::file_size(system_path(path))});
    for (index_t i = 0; i < data.archive->size(); ++i)
      members.push_back({data.archive->offset_of(i), data.archive->size_of(i), data.archive->file_of(i)});
  }
  m.list(files, [&](tar& t) { m.value(t.path), m.value(t.bytes); });
  m.list(members);
  if (!m.reading() || files.empty()) return;
  auto archive = std::make_shared<minicnn::picture_archive>();
  for (const tar& t : files) {
    const std::string path = here(t.path);
    (void)archive->add_file(path);
    const std::uintmax_t bytes = std::filesystem::file_size(system_path(path));
    if (bytes != t.bytes) fail<minicnn::file_error>(path, ": wanted the ", t.bytes, " bytes that rank 0 has, got ", bytes);
  }
  archive->reserve(static_cast<index_t>(members.size()));
  for (const place& p : members) (void)archive->add(p.file, p.offset, p.size);
  data.archive = std::move(archive);
}

/// Writes or reads a data set, names without the root that they begin with.
template <class F>
void pass(message& m, image_dataset& data, const F& here) {
  const std::string root = data.root;
  m.value(data.root);
  if (m.reading()) data.root = here(data.root);
  m.value(data.channels), m.value(data.layout), m.list(data.classes), m.list(data.target_names), m.list(data.targets);
  m.list(data.samples, [&](minicnn::sample& s) {
    bool below = s.path.starts_with(root);
    std::string name = below ? s.path.substr(root.size()) : s.path;
    m.value(below), m.value(name), m.value(s.label), m.value(s.id), m.value(s.target), m.value(s.member);
    if (m.reading()) s.path = below ? data.root + name : here(name);
  });
  pass_archive(m, data, here);
}

/// `path` of a machine where the data are `theirs`, as it is called here, where they are `mine`: what differs is exchanged.
std::string as_called_here(const std::string& path, std::string_view theirs, std::string_view mine) {
  while (theirs.size() > 1 && theirs.ends_with('/')) theirs.remove_suffix(1);
  while (mine.size() > 1 && mine.ends_with('/')) mine.remove_suffix(1);
  if (theirs == mine) return path;
  std::size_t common = 0;  // whole names at the end: pictures/train-{00..99}.tar
  for (std::size_t n = 1; n <= (std::min)(theirs.size(), mine.size()); ++n) {
    if (theirs[theirs.size() - n] != mine[mine.size() - n]) break;
    if (mine[mine.size() - n] == '/') common = n;
  }
  theirs.remove_suffix(common), mine.remove_suffix(common);
  if (!path.starts_with(theirs)) fail(path, ": wanted a path that begins with ", theirs, ", to look for it in ", mine);
  return std::string(mine) + path.substr(theirs.size());
}

}  // namespace

image_dataset open_together(minicnn::team& ranks, const std::string& path, const std::function<image_dataset()>& open) {
  if (ranks.size() == 1) return open();
  const bool first = ranks.rank() == 0;
  image_dataset data;
  std::string bytes;
  together_as_asked(ranks, [&] {
    if (!first) return;
    data = open();
    if (!data.pictures.empty()) return;
    message m;
    std::string here = path;
    m.value(here);
    pass(m, data, [](const std::string& same) { return same; });
    bytes = m.bytes();
  });
  std::uint64_t size = bytes.size();
  ranks.broadcast(&size, sizeof size, 0);
  bytes.resize(static_cast<std::size_t>(size));
  ranks.broadcast(bytes.data(), static_cast<index_t>(size), 0);
  together(ranks, [&] {
    if (first) return;
    if (size == 0) return data = open(), void();
    message m(std::move(bytes));
    std::string theirs;
    m.value(theirs);
    pass(m, data, [&](const std::string& name) { return as_called_here(name, theirs, path); });
  });
  return data;
}

}  // namespace cli
