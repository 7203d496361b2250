#pragma once
/// Where the pictures of tar files lie, and the labels beside them: what one pass over the headers finds.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "minicnn/data/folder_tree.hpp"
#include "minicnn/data/tar_reader.hpp"
#include "minicnn/files/text_lines.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// Texts, each kept once, by number.
class text_table {
 public:
  std::uint32_t number_of(std::string text) {
    const auto [at, added] = numbers_.try_emplace(std::move(text), static_cast<std::uint32_t>(texts_.size()));
    if (added) texts_.push_back(&at->first);
    return at->second;
  }
  const std::string& operator[](std::uint32_t number) const { return *texts_[number]; }
  std::size_t size() const { return texts_.size(); }
  void clear() { texts_.clear(), numbers_.clear(); }

 private:
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<const std::string*> texts_;
};

/// 24 bytes a picture, besides what is left of names without their numbers: "n01440764/n01440764_*.JPEG" is kept once.
///
/// As WebDataset has it, the members of a sample stand side by side and are called alike but for their endings: 0001.jpg,
/// 0001.cls. Of .txt members it is known at the end only whether they hold names of classes; where there are .cls members they do
/// not count.
class tar_index {
 public:
  explicit tar_index(ignored_files& ignored) : ignored_(&ignored) {}

  static constexpr std::uint32_t no_label = 0xFFFFFFFF;

  /// Reads the headers of another file, and the labels in it. Throws what tar_reader does.
  void add(const std::string& path) {
    tar_reader tar(path);
    first_.push_back(entries_.size());
    paths_.push_back(path);
    key_.clear();
    group_ = entries_.size();
    label_ = no_label;
    while (const tar_member* m = tar.next()) take(tar, *m);
    if (!tar.closed()) unclosed_.push_back(path);
  }

  std::size_t size() const { return entries_.size(); }
  const std::vector<std::string>& paths() const { return paths_; }
  const std::vector<std::string>& unclosed() const { return unclosed_; }  ///< files without the two blocks of zeros at their end

  std::size_t file_of(std::size_t i) const {
    return static_cast<std::size_t>(std::upper_bound(first_.begin(), first_.end(), i) - first_.begin()) - 1;
  }
  index_t offset_of(std::size_t i) const { return entries_[i].offset; }
  index_t size_of(std::size_t i) const { return entries_[i].size; }

  std::string name_of(std::size_t i) const {
    const std::string& pattern = patterns_[entries_[i].pattern];
    const std::size_t gap = pattern.find('\0');
    const auto width = static_cast<unsigned char>(pattern[gap + 1]);
    std::string number = width == no_number ? "" : text_of(entries_[i].number);
    if (width != no_number && number.size() < width) number.insert(0, width - number.size(), '0');
    return pattern.substr(0, gap) + number + pattern.substr(gap + 2);
  }

  /// The text of the picture's label; null if it has none.
  const std::string* label_of(std::size_t i) const {
    return entries_[i].label == no_label ? nullptr : &labels_[entries_[i].label];
  }
  std::size_t different_labels() const { return labels_.size(); }
  bool labels_are_classes() const { return from_cls_; }  ///< of .cls members, not of .txt ones
  std::size_t labelled() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(), [](const entry& e) { return e.label != no_label; }));
  }

  index_t unread() const { return unread_; }      ///< pictures of formats that are not read
  index_t links() const { return links_; }        ///< of pictures
  index_t specials() const { return specials_; }  ///< pipes and devices that are called pictures
  index_t lone_labels() const { return lone_; }

 private:
  static constexpr unsigned char no_number = 0xFF;
  static constexpr std::size_t most_labels = 100000;  ///< different ones
  static constexpr index_t longest_label = 255;

  struct entry {
    index_t offset;
    std::uint32_t size, pattern, number, label;
  };

  void leave(index_t ignored_files::*kind, const std::string& name, const char* reason) {
    ignored_->add(kind, paths_.back() + "/" + name, reason);
  }

  void take(tar_reader& tar, const tar_member& m) {
    if (m.kind == tar_kind::folder) return;
    const std::string ending = ending_of(m.name);
    if (is_hidden(m.name)) return leave(&ignored_files::hidden, m.name, "hidden, or made by a system or a program");
    const bool picture = one_of(ending, picture_endings);
    if (m.kind == tar_kind::file && picture) return add_picture(m, ending);
    if (m.kind == tar_kind::file && (ending == "cls" || ending == "txt") && add_label(tar, m, ending)) return;
    (m.kind == tar_kind::link ? links_ : specials_) += picture;
    unread_ += one_of(ending, unread_endings);
    ignored_->pictures += picture || one_of(ending, unread_endings);
    constexpr const char* reasons[] = {"not called a JPEG, PNG or BMP picture", "", "a link", "a pipe, a device or the like"};
    leave(&ignored_files::other, m.name, reasons[static_cast<std::size_t>(m.kind)]);
  }

  /// Names with a part that begins with a dot, and what systems put into archives.
  static bool is_hidden(std::string_view name) {
    while (true) {
      const std::string_view part = name.substr(0, name.find('/'));
      if (part.starts_with('.') || (part.size() < name.size() && is_system_folder(part))) return true;
      if (part.size() == name.size()) return false;
      name.remove_prefix(part.size() + 1);
    }
  }

  /// Begins another sample where the name is another one.
  void enter(const std::string& name, const std::string& ending) {
    const std::string_view key = std::string_view(name).substr(0, name.size() - ending.size() - 1);
    if (key == key_) return;
    key_ = key;
    group_ = entries_.size();
    label_ = no_label;
  }

  void add_picture(const tar_member& m, const std::string& ending) {
    enter(m.name, ending);
    if (label_ != no_label && group_ == entries_.size()) --lone_;
    constexpr index_t most = 0xFFFFFFFF;
    entry e{m.offset, static_cast<std::uint32_t>((std::min)(m.size, most)), 0, 0, label_};
    const std::size_t slash = m.name.find_last_of('/') + 1;  // 0 where there is none
    std::size_t end = m.name.size() - ending.size() - 1;
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    while (end > slash && !digit(m.name[end - 1])) --end;
    std::size_t begin = end;
    while (begin > slash && digit(m.name[begin - 1]) && end - begin < 9) --begin;
    for (std::size_t i = begin; i < end; ++i) e.number = e.number * 10 + static_cast<std::uint32_t>(m.name[i] - '0');
    const bool zeros = end - begin > 1 && m.name[begin] == '0';
    const char width = begin == end ? static_cast<char>(no_number) : static_cast<char>(zeros ? end - begin : 0);
    e.pattern = patterns_.number_of(m.name.substr(0, begin) + '\0' + width + m.name.substr(end));
    entries_.push_back(e);
  }

  /// False for a .txt member that is none.
  bool add_label(tar_reader& tar, const tar_member& m, const std::string& ending) {
    const bool cls = ending == "cls";
    if (cls && !from_cls_) forget_texts(), from_cls_ = true;
    if (!cls && (from_cls_ || given_up_ || m.size > longest_label)) return false;
    std::string text(trimmed(tar.contents(longest_label), " \t\r\n"));
    if (text.empty() || text.find_first_of(std::string_view("\n\0", 2)) != text.npos) {
      if (!cls) return false;
      fail<file_error>(tar.path(), ": at byte ", m.header, ": ", m.name, ": wanted the number or the name of a class");
    }
    enter(m.name, ending);
    label_ = labels_.number_of(std::move(text));
    lone_ += group_ == entries_.size();
    for (std::size_t i = group_; i < entries_.size(); ++i) entries_[i].label = label_;
    if (labels_.size() <= most_labels) return true;
    if (cls) fail<file_error>(tar.path(), ": at byte ", m.header, ": ", m.name, ": more than 100,000 different classes");
    forget_texts();
    given_up_ = true;
    return false;
  }

  /// .txt members were no labels.
  void forget_texts() {
    for (entry& e : entries_) e.label = no_label;
    labels_.clear();
    label_ = no_label;
    lone_ = 0;
  }

  ignored_files* ignored_;
  std::vector<std::string> paths_, unclosed_;
  std::vector<std::size_t> first_;  ///< entry of each file
  std::deque<entry> entries_;       ///< grows without being copied
  text_table patterns_, labels_;
  std::string key_;        ///< of the sample whose members are read
  std::size_t group_ = 0;  ///< its first picture
  std::uint32_t label_ = no_label;
  bool from_cls_ = false, given_up_ = false;
  index_t unread_ = 0, links_ = 0, specials_ = 0, lone_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI::detail
