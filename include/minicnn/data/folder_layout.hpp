#pragma once
/// Which layout a folder of pictures has, decided by all that is in it: one stray file changes nothing.

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/data/folder_tree.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

enum class folder_layout { classes, labelled, unlabelled };

/// The label of cat.12.jpg: other names with dots (a date, a time, an ending twice) are no labels. Empty: none.
inline std::string numbered_label(const std::string& file) {
  std::string label = label_in(file);
  return label.empty() || number_of(std::string_view(file).substr(label.size() + 1)) ? label : "";
}

/// "a, b, c"; long lists are cut.
inline std::string few_names(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + names[i];
  return names.size() > most ? text + text_of(" and ", names.size() - most, " more") : text;
}

/// Tells sets from classes. A folder that is itself a labelled data set (class folders, or cat.1.jpg and dog.1.jpg) is no class.
class layout_judge {
 public:
  layout_judge(const folder_tree& top, std::string root) : top_(top), root_(std::move(root)) {
    for (const folder_tree& f : top.folders)
      if (f.total() > 0) full_.push_back(&f);
    for (const std::string& file : top.pictures)
      if (const std::string label = label_in(file); !label.empty()) ++labels_[label], ++labelled_;
  }

  /// val2017, Test_set, heldout-000.tar: by the first word.
  static bool called_for_testing(std::string_view name) {
    static constexpr std::array<std::string_view, 12> parts{
        "val", "valid", "validation", "valset", "test", "testing", "testset", "evaluation", "eval", "dev", "holdout", "heldout"};
    return one_of(first_word(name), parts);
  }

  /// Throws file_error for parts of a set, for a folder under two names, and where two layouts have about as much for them.
  folder_layout decide() const {
    const folder_layout layout = by_majority();
    if (layout != folder_layout::classes) return layout;
    refuse_same(top_);
    refuse_parts();
    return layout;
  }

 private:
  /// dogs, a link to cats: each picture would have both labels. Within one class it is no matter.
  void refuse_same(const folder_tree& f) const {
    const auto in = [](const std::string& name) { return name.substr(0, name.find('/')); };
    if (!f.same_as.empty() && in(f.same_as) != in(f.name))
      fail<file_error>(root_, ": ", f.same_as, " and ", f.name,
                       " are one folder, by a link or a mount: its pictures would be of two classes; remove one");
    for (const folder_tree& inner : f.folders) refuse_same(inner);
  }

  folder_layout by_majority() const {
    const auto loose = static_cast<index_t>(top_.pictures.size());
    const bool names = labels_.size() >= 2, folders = full_.size() >= 2;
    const folder_layout files =
        2 * labelled_ > loose || (2 * labelled_ == loose && names) ? folder_layout::labelled : folder_layout::unlabelled;
    if (top_.below == 0) return files;
    if (files == folder_layout::labelled && names && folders) {
      if (4 * (std::min)(labelled_, top_.below) > (std::max)(labelled_, top_.below))
        fail<file_error>(root_, ": holds ", labelled_, " pictures with labels in their names (", top_.pictures.front(), ") and ",
                         top_.below, " in folders (", few_names(names_of(full_)),
                         "): which are meant? Move the others elsewhere");
      return labelled_ > top_.below ? files : folder_layout::classes;
    }
    if (folders) return top_.below >= loose ? folder_layout::classes : files;
    if (files == folder_layout::labelled && names) return files;
    return top_.below > loose ? folder_layout::classes : files;
  }

  static std::vector<std::string> names_of(const std::vector<const folder_tree*>& folders) {
    std::vector<std::string> names;
    for (const folder_tree* f : folders) names.push_back(f->name);
    return names;
  }

  /// What a folder would be called a data set by: the folders or labels that it tells apart, in lower case, and where they lie.
  struct inner_set {
    std::set<std::string> labels;
    std::string folder;
    bool folders = false;  ///< labels are names of folders
    bool complete() const { return labels.size() >= 2; }
  };

  static inner_set look_into(const folder_tree& f) {
    const auto direct = static_cast<index_t>(f.pictures.size());
    inner_set out{{}, f.name};
    if (f.below > direct) {
      if (f.folders.size() == 1)  // a folder around the folder, as archives make them
        if (inner_set deeper = look_into(f.folders.front()); deeper.complete()) return deeper;
      for (const folder_tree& inner : f.folders) out.labels.insert(lower_case(inner.name.substr(f.name.size() + 1)));
      out.folders = true;
      return out;
    }
    std::map<std::string, index_t> labels;
    index_t count = 0, most = 0;
    for (const std::string& file : f.pictures)
      if (const std::string label = numbered_label(file); !label.empty())
        most = (std::max)(most, ++labels[lower_case(label)]), ++count;
    if (2 * count > direct && 4 * most <= 3 * count)  // a few of another class among many are mistakes
      for (const auto& [label, n] : labels) out.labels.insert(label);
    return out;
  }

  static std::string first_word(std::string_view name) {
    const std::string text = lower_case(std::string(name));
    const std::size_t begin = text.find_first_of("abcdefghijklmnopqrstuvwxyz");
    if (begin == text.npos) return "";
    return text.substr(begin, text.find_first_not_of("abcdefghijklmnopqrstuvwxyz", begin) - begin);
  }

  /// train, Training_set, val2017, test1: by the first word.
  static bool called_a_part(std::string_view name) {
    static constexpr std::array<std::string_view, 4> training{"train", "training", "trainset", "trainval"};
    return one_of(first_word(name), training) || called_for_testing(name);
  }

  /// Which part is to train on: seg_train rather than main, main rather than test.
  static int training_first(const folder_tree& f) {
    if (lower_case(f.name).find("train") != f.name.npos || first_word(f.name) == "tr") return 1;
    return called_for_testing(f.name) || first_word(f.name) == "te" ? -1 : 0;
  }

  void refuse_parts() const {
    std::vector<inner_set> sets;
    std::map<std::string, int> shared;
    for (const folder_tree* f : full_) {
      sets.push_back(look_into(*f));
      for (const std::string& label : sets.back().labels) ++shared[label];
    }
    std::erase_if(shared, [](const auto& s) { return s.second < 2; });
    refuse_classes_within(sets);
    std::size_t alike = 0, within = 0, complete = 0, named = 0;
    bool named_set = false, labels_in_names = false;
    for (std::size_t i = 0; i < sets.size(); ++i) {
      const inner_set& s = sets[i];
      const auto common = static_cast<std::size_t>(
          std::count_if(s.labels.begin(), s.labels.end(), [&](const std::string& label) { return shared.count(label) > 0; }));
      alike += common > 0 && 2 * common >= s.labels.size();
      within += common > 0 && common == s.labels.size();
      complete += s.complete();
      const bool part = called_a_part(full_[i]->name);
      named += part;
      named_set = named_set || (part && s.complete());
      labels_in_names = labels_in_names || (s.complete() && full_[i]->below <= static_cast<index_t>(full_[i]->pictures.size()));
    }
    const bool only_one = full_.size() == 1 && complete == 1;
    if (shared.size() < 2 && (complete == 0 || within == 0)) alike = 0;  // one name that is shared says little: "images"
    if ((alike >= 2 && 2 * alike >= full_.size()) || named == full_.size() || named_set || labels_in_names || only_one)
      refuse(sets, only_one);
  }

  /// cat/, dog/ and backup/cat, backup/dog: a copy would be a class of its own.
  void refuse_classes_within(const std::vector<inner_set>& sets) const {
    std::set<std::string> classes;
    for (const folder_tree* f : full_) classes.insert(lower_case(f->name));
    for (std::size_t i = 0; i < sets.size(); ++i) {
      std::vector<std::string> same;
      for (const std::string& label : sets[i].labels)
        if (sets[i].folders && classes.count(label) > 0 && label != lower_case(full_[i]->name)) same.push_back(label);
      if (!same.empty() && 2 * same.size() >= sets[i].labels.size())
        fail<file_error>(root_, ": ", full_[i]->name, " holds folders that are called like the classes beside it (",
                         few_names(same), "); move it elsewhere, or name it alone");
    }
  }

  [[noreturn]] void refuse(const std::vector<inner_set>& sets, bool only_one) const {
    std::size_t largest = 0;  // of those that are called for training, if any
    const auto rank = [&](auto i) { return std::pair(4 * sets[i].complete() + training_first(*full_[i]), full_[i]->total()); };
    for (std::size_t i = 1; i < sets.size(); ++i) largest = rank(i) > rank(largest) ? i : largest;
    const inner_set& s = sets[largest];
    const std::string inner = few_names({s.labels.begin(), s.labels.end()}), slash = root_.ends_with('/') ? "" : "/";
    const std::string holds = s.complete() ? " (" + s.folder + " holds " + inner + ")" : std::string();
    const auto parts = std::count_if(s.labels.begin(), s.labels.end(),
                                     [](const std::string& l) { return called_a_part(l) || l == "tr" || l == "te"; });
    if (s.folder == full_[largest]->name && s.folders && s.complete() && !called_a_part(s.folder) &&
        parts == static_cast<std::ptrdiff_t>(s.labels.size())) {
      const std::string from = std::ranges::max_element(full_[largest]->folders, {}, training_first)->name;
      const std::string part = root_ + slash + from.substr(s.folder.size() + 1);
      fail<file_error>(root_, ": ", few_names(names_of(full_)), ": classes that hold parts of a data set (", inner,
                       "); wanted parts that hold classes: move ", root_, slash, from, " to ", part, "/", s.folder,
                       " and the others likewise, then name ", part);
    }
    const bool classes = s.folders && !only_one &&
                         std::none_of(full_.begin(), full_.end(), [](const folder_tree* f) { return called_a_part(f->name); });
    fail<file_error>(root_, ": ", few_names(names_of(full_)),
                     only_one ? ": a data set within the folder" : ": parts of a data set", ", not classes", holds,
                     "; name one of these folders: ", root_, slash, s.folder,
                     classes ? "; if these are classes, their pictures are to lie in them without folders in between" : "");
  }

  const folder_tree& top_;
  std::string root_;
  std::vector<const folder_tree*> full_;
  std::map<std::string, index_t> labels_;
  index_t labelled_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI::detail
