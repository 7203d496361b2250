#pragma once
/// Data sets in tar files: class folders and labels in the members' names, as in folders, or WebDataset's 0001.jpg with 0001.cls.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/data/brace_patterns.hpp"
#include "minicnn/data/cifar10.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/tar_index.hpp"

namespace minicnn::inline MINICNN_ABI {

struct tar_options {
  bool labels = true;  ///< false: all pictures, without labels
  /// Called before each file: its name, how many were read, how many there are.
  std::function<void(const std::string& file, index_t done, index_t total)> progress = {};
};

namespace detail {

class tar_dataset_reader {
 public:
  tar_dataset_reader(std::string root, const std::vector<std::string>& paths, std::string inner, tar_options o)
      : root_(std::move(root)), inner_(std::move(inner)), o_(std::move(o)), index_(ignored_) {
    for (std::size_t i = 0; i < paths.size(); ++i) {
      if (o_.progress) o_.progress(paths[i], static_cast<index_t>(i), static_cast<index_t>(paths.size()));
      index_.add(paths[i]);
    }
  }

  image_dataset run() {
    const bool by_cls = o_.labels && labels_count();
    if (by_cls) names_by_file_ = names_repeat();
    node all;
    for (std::size_t i = 0; i < index_.size(); ++i) place(all, i);
    folder_tree tree;
    convert(chosen(all, by_cls), "", tree);
    folder_reader reader(root_, std::move(ignored_));
    image_dataset data = by_cls || !o_.labels ? reader.run_unlabelled(tree) : reader.run(tree, index_.unread());
    if (by_cls) set_classes(data);
    const std::size_t files = index_.paths().size();
    data.layout += files == 1 ? ", in a tar file" : text_of(", in ", static_cast<index_t>(files), " tar files");
    warn(data, by_cls);
    data.archive = archive();
    return data;
  }

 private:
  /// A folder of members.
  struct node {
    std::map<std::string, node> inner;
    std::vector<std::pair<std::string, index_t>> pictures;
  };

  /// .cls members are labels. .txt ones are where every picture has one and they are few: captions are as many as pictures.
  bool labels_count() const {
    if (index_.labels_are_classes()) return index_.labelled() > 0;
    return index_.different_labels() > 0 && index_.labelled() == index_.size() && 2 * index_.different_labels() <= index_.size();
  }

  /// Whether a name is in several files, as where each numbers its samples from 0.
  bool names_repeat() const {
    std::vector<std::pair<std::uint64_t, std::size_t>> names;
    names.reserve(index_.size());
    for (std::size_t i = 0; i < index_.size(); ++i) names.emplace_back(sample_id(index_.name_of(i)), index_.file_of(i));
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end(), [](const auto& a, const auto& b) {
             return a.first == b.first && a.second != b.second;
           }) != names.end();
  }

  static std::string stem_of(const std::string& path) { return path_text(system_path(path).stem()); }

  void place(node& all, std::size_t i) const {
    std::string name = index_.name_of(i);
    if (names_by_file_) name = stem_of(index_.paths()[index_.file_of(i)]) + "/" + name;
    std::string_view rest = name;
    node* at = &all;
    for (std::size_t slash; (slash = rest.find('/')) != rest.npos; rest.remove_prefix(slash + 1))
      at = &at->inner[std::string(rest.substr(0, slash))];
    at->pictures.emplace_back(rest, static_cast<index_t>(i));
  }

  /// The folder that is the data set.
  node& chosen(node& all, bool by_cls) const {
    node* top = &all;
    if (node* found = inner_.empty() ? nullptr : below(*top, inner_)) return *found;
    while (!by_cls && wraps(*top)) top = &top->inner.begin()->second;
    if (inner_.empty()) return *top;
    if (node* found = below(*top, inner_)) return *found;
    fail<file_error>(root_, ": no such folder in the tar file");
  }

  static node* below(node& n, std::string_view path) {
    const std::string_view part = path.substr(0, path.find('/'));
    const auto at = n.inner.find(std::string(part));
    if (at == n.inner.end()) return nullptr;
    return part.size() == path.size() ? &at->second : below(at->second, path.substr(part.size() + 1));
  }

  /// Whether all lies in one folder that is the data set: it holds classes, or is called as the tar file is.
  bool wraps(const node& n) const {
    if (!n.pictures.empty() || n.inner.size() != 1) return false;
    const auto& [name, child] = *n.inner.begin();
    if (child.inner.size() >= 2 || (index_.paths().size() == 1 && name == stem_of(index_.paths().front()))) return true;
    std::vector<std::string> labels;
    for (const auto& [file, member] : child.pictures)
      if (labels.size() < 2 && (labels.empty() || label_in(file) != labels.front()) && !label_in(file).empty())
        labels.push_back(label_in(file));
    return labels.size() >= 2 || (child.pictures.empty() && wraps(child));
  }

  /// Moves the names out of `n`. Throws file_error for two members of one name.
  void convert(node& n, const std::string& name, folder_tree& out) const {
    out.name = name;
    std::sort(n.pictures.begin(), n.pictures.end(), [](const auto& a, const auto& b) {
      return a.first == b.first ? a.second < b.second : natural_less(a.first, b.first);
    });
    for (auto& [file, member] : n.pictures) {
      if (!out.pictures.empty() && out.pictures.back() == file)
        fail<file_error>(place_of(out.members.back()), ": ", name, name.empty() ? "" : "/", file, " is there again in ",
                         place_of(member));
      out.pictures.push_back(std::move(file));
      out.members.push_back(member);
    }
    n.pictures = {};
    for (auto& [inner, child] : n.inner) {
      convert(child, name.empty() ? inner : name + "/" + inner, out.folders.emplace_back());
      out.below += out.folders.back().total();
    }
  }

  std::string place_of(index_t member) const {
    const auto i = static_cast<std::size_t>(member);
    return text_of(index_.paths()[index_.file_of(i)], " at byte ", index_.offset_of(i));
  }

  /// The number that a label's text is; nothing where it is a name.
  static std::optional<int> class_number(std::string_view text) {
    int number = -1;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
    return number;
  }

  const std::string* label_of(const sample& s) const { return index_.label_of(static_cast<std::size_t>(s.member)); }

  /// Numbers are classes by themselves, called as classes.txt beside the file says; other texts are names, numbered in byte
  /// order.
  void set_classes(image_dataset& data) const {
    data.layout = index_.labels_are_classes() ? "labels in .cls members" : "labels in .txt members";
    std::map<std::string, int> names;
    int last = -1;
    bool numbers = true;
    for (const sample& s : data.samples)
      if (const std::string* label = label_of(s)) {
        if (names.emplace(*label, 0).second) {
          const std::optional<int> number = class_number(*label);
          numbers = numbers && number;
          last = (std::max)(last, number.value_or(-1));
        }
      }
    if (numbers) {
      data.classes = numbered_classes(last);
      for (auto& [name, number] : names) number = *class_number(name);
    } else {
      for (auto& [name, number] : names) {
        number = static_cast<int>(data.classes.size());
        data.classes.push_back(name);
      }
    }
    for (sample& s : data.samples)
      if (const std::string* label = label_of(s)) s.label = names.find(*label)->second;
  }

  std::vector<std::string> numbered_classes(int last) const {
    constexpr int most = 100000;
    if (last >= most) fail<file_error>(root_, ": class ", last, " in a .cls member, wanted numbers below ", most);
    const std::string& tar = index_.paths().front();
    const std::size_t slash = tar.find_last_of('/');
    const std::string list = (slash == tar.npos ? "" : tar.substr(0, slash + 1)) + "classes.txt";
    std::vector<std::string> names;
    std::error_code failed;
    if (std::filesystem::exists(system_path(list), failed)) {
      names = read_class_names(list);
      if (static_cast<int>(names.size()) <= last)
        fail<file_error>(list, ": has ", names.size(), " names of classes, .cls members go to class ", last);
      return names;
    }
    for (int i = 0; i <= last; ++i) names.push_back(text_of(i));
    return names;
  }

  void warn(image_dataset& data, bool by_cls) const {
    const auto add = [&](index_t count, const auto&... what) {
      if (count > 0) data.warnings.push_back(text_of(count, what...));
    };
    add(index_.links(), " pictures are links and are left out; tar --dereference --hard-dereference packs what they lead to");
    add(index_.specials(), " pictures are pipes, devices or the like and are left out");
    add(static_cast<index_t>(index_.unclosed().size()), " tar files have no end and may be cut off, the first of them ",
        index_.unclosed().empty() ? "" : index_.unclosed().front());
    if (!by_cls) return;
    add(static_cast<index_t>(data.samples.size() - index_.labelled()),
        " pictures have no label beside them: members of a sample stand side by side, 1.jpg and 1.cls");
    add(index_.lone_labels(), " labels have no picture beside them");
  }

  std::shared_ptr<const picture_archive> archive() const {
    auto out = std::make_shared<picture_archive>();
    for (const std::string& path : index_.paths()) (void)out->add_file(path);
    out->reserve(static_cast<index_t>(index_.size()));
    for (std::size_t i = 0; i < index_.size(); ++i) (void)out->add(index_.file_of(i), index_.offset_of(i), index_.size_of(i));
    return out;
  }

  std::string root_, inner_;
  tar_options o_;
  ignored_files ignored_;
  tar_index index_;
  bool names_by_file_ = false;
};

/// The path of a tar file in "a.tar", "a.tar/train" and what is named behind it.
inline std::pair<std::string, std::string> split_at_tar(const std::string& path) {
  std::size_t at = path.find(".tar/");
  std::error_code failed;
  for (; at != path.npos; at = path.find(".tar/", at + 1))
    if (!std::filesystem::is_directory(system_path(path.substr(0, at + 4)), failed)) break;
  if (at == path.npos) return {path, ""};
  std::string inner = path.substr(at + 5);
  while (inner.ends_with('/')) inner.pop_back();
  return {path.substr(0, at + 4), inner};
}

}  // namespace detail

/// Whether `path` names tar files: by its ending (.tar, compressed ones too, which are refused with what unpacks them), by a
/// folder within (a.tar/train), or by the header of the file.
inline bool is_tar_path(const std::string& path) {
  const std::string tar = detail::lower_case(detail::split_at_tar(path).first);
  std::error_code failed;
  if (std::filesystem::is_directory(detail::system_path(path), failed)) return false;
  for (const char* ending : {".tar", ".tgz", ".txz", ".tbz2", ".tzst", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.zst", ".tar.lz4"})
    if (tar.ends_with(ending)) return true;
  if (detail::one_of(detail::ending_of(tar), detail::picture_endings)) return false;  // not opened for nothing
  if (!std::filesystem::is_regular_file(detail::system_path(path), failed)) return false;
  try {
    const input_file file(path);
    char magic[5] = {};
    if (file.size() < detail::tar_block) return false;
    file.read_at(257, magic, 5);
    return std::string_view(magic, 5) == "ustar";
  } catch (const file_error&) {
    return false;  // whoever reads it says why it cannot
  }
}

/// The pictures in tar files: one, many by a pattern ("train-{000..146}.tar"), or one's folder ("set.tar/train"). Pictures are
/// read from there when they are asked for; now only headers are, and labels. Their order and ids are those of the same names in
/// a folder, so that training on either gives the same weights. A folder around everything is passed over where it holds classes
/// or is called as the tar file is. Labels, told apart by what is there:
/// - .cls members beside the pictures: numbers, called as the lines of classes.txt beside the tar file say, or names;
/// - .txt members, if every picture has one and they are at most half as many different ones as pictures;
/// - names, as `read_image_folder` takes them.
/// Where such samples are numbered anew in each file, its name stands before theirs. Throws file_error with file, byte and
/// member for damaged tar files (`tar_reader`), for compressed ones, and for two members of one name; option_error for a pattern
/// that is none.
inline image_dataset read_tar_dataset(const std::string& path, tar_options o = {}) {
  const auto [tar, inner] = detail::split_at_tar(path);
  std::error_code failed;
  const bool plain = std::filesystem::exists(detail::system_path(tar), failed);
  return detail::tar_dataset_reader(path, plain ? std::vector{tar} : expand_braces(tar), inner, std::move(o)).run();
}

/// The same of several files, of which pictures are called as if they lay in `root`.
inline image_dataset read_tar_dataset(const std::string& root, const std::vector<std::string>& paths, tar_options o = {}) {
  return detail::tar_dataset_reader(root, paths, "", std::move(o)).run();
}

}  // namespace minicnn::inline MINICNN_ABI
