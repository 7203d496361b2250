#pragma once
/// Where a checkpoint has its tensors: training scripts save them under keys of their own, beside much else.

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/printable.hpp"
#include "minicnn/formats/pickle_value.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A dictionary of tensors by name.
struct state_dict_entries {
  std::map<std::string, int> tensors;         ///< places in the pickle
  std::map<std::string, std::string> others;  ///< names of what is no tensor, and what it is
  std::string key;                            ///< that was chosen where others have as many tensors: "model"
  std::vector<std::string> other_keys;        ///< these others: "model_ema"
};

namespace detail {

class state_dict_finder {
 public:
  state_dict_finder(const pickle_objects& objects, const std::string& path) : objects_(objects), path_(path) {}

  state_dict_entries run() {
    const pickle_value& root = objects_[objects_.root];
    const pickle_value* found = under_known_key(root, 0);
    if (found == nullptr) found = by_level(root);
    if (is_module(*found))
      collect_module(*found, "", 0);
    else
      collect(*found);
    return std::move(entries_);
  }

 private:
  using type = pickle_value::type;

  /// What has keys and values: a dictionary, or an object with its items or, as argparse.Namespace, its attributes; else null.
  const pickle_value* keyed(const pickle_value& v) const {
    if (v.kind == type::dictionary || (v.kind == type::object && !v.items.empty())) return &v;
    return attributes_of(v);
  }

  /// How many tensors it has under names. Modules count as one that has many. Counted once: many may hold the same dictionary.
  std::size_t tensors_in(const pickle_value& v) {
    if (is_module(v)) return many;
    const pickle_value* from = keyed(v);
    if (from == nullptr) return 0;
    const auto [place, added] = counts_.try_emplace(from, 0);
    for (std::size_t i = 0; added && i + 1 < from->items.size(); i += 2)
      place->second += objects_[from->items[i]].kind == type::text && objects_[from->items[i + 1]].kind == type::tensor;
    return place->second;
  }

  /// A torch.nn.Module is pickled as its attributes.
  const pickle_value* attributes_of(const pickle_value& v) const {
    if (v.kind != type::object || v.number == 0) return nullptr;
    const pickle_value& attributes = objects_[static_cast<int>(v.number - 1)];
    return attributes.kind == type::dictionary ? &attributes : nullptr;
  }
  bool is_module(const pickle_value& v) {
    const pickle_value* attributes = attributes_of(v);
    if (attributes == nullptr) return false;
    const auto [place, added] = are_modules_.try_emplace(attributes, false);
    if (added)
      place->second = objects_.find(*attributes, "_parameters") != nullptr && objects_.find(*attributes, "_modules") != nullptr;
    return place->second;
  }

  /// Trained weights before averages of them, which scripts keep besides.
  const pickle_value* under_known_key(const pickle_value& v, int depth) {
    static constexpr const char* keys[] = {"state_dict", "model_state_dict", "model_state", "model",
                                           "net",        "network",          "module",      "weights",
                                           "params",     "state_dict_ema",   "model_ema",   "ema"};
    const pickle_value* from = keyed(v);
    if (from == nullptr || is_module(v) || depth > 3 || !searched_.insert(from).second) return nullptr;
    for (const char* key : keys) {
      const pickle_value* inner = objects_.find(*from, key);
      if (inner == nullptr) continue;
      const pickle_value* found = under_known_key(*inner, depth + 1);
      if (found == nullptr && tensors_in(*inner) > 0) found = inner;
      if (found != nullptr) note_choice(*from, key, *found);
      if (found != nullptr) return found;
    }
    return nullptr;
  }

  /// The members of `from` beside `key` that hold, themselves or one key deeper, about as many tensors as were found there.
  void note_choice(const pickle_value& from, const std::string& key, const pickle_value& found) {
    for (std::size_t i = 0; i + 1 < from.items.size(); i += 2) {
      const std::string& name = objects_[from.items[i]].text;
      const pickle_value& other = objects_[from.items[i + 1]];
      std::size_t tensors = tensors_in(other);
      if (const pickle_value* inner = is_module(other) ? nullptr : keyed(other))
        for (std::size_t k = 1; k < inner->items.size(); k += 2)
          tensors = (std::max)(tensors, tensors_in(objects_[inner->items[k]]));
      if (name.empty() || name == key || 2 * tensors <= tensors_in(found)) continue;
      entries_.key = key;
      entries_.other_keys.push_back(name);
    }
  }

  struct member {
    int id;
    std::string path;  ///< its keys, "stage.net"
  };

  void add_members(const pickle_value& v, const std::string& path, std::vector<member>& out) {
    const pickle_value* from = is_module(v) ? nullptr : keyed(v);
    const bool list = v.kind == type::list || v.kind == type::tuple;
    if (from == nullptr && !list) return;
    if (list) from = &v;
    for (std::size_t i = list ? 0 : 1; i < from->items.size(); i += list ? 1 : 2) {
      const int id = from->items[i];
      const pickle_value& one = objects_[id];
      const bool inner_list = one.kind == type::list || one.kind == type::tuple;
      const pickle_value* what = inner_list ? &one : keyed(one);
      if (what == nullptr || !seen_.insert(what).second) continue;
      const std::string key = list ? to_text(i) : objects_[from->items[i - 1]].text.substr(0, 100);
      out.push_back({id, path.empty() ? key : path + "." + key});
    }
  }

  /// The outermost dictionary with tensors; of members on one level the only one that has some. Where a few stand beside a
  /// member that has far more, as a best score does, that member is meant. Throws file_error.
  const pickle_value* by_level(const pickle_value& root) {
    std::vector<member> level;
    seen_.insert(keyed(root) != nullptr ? keyed(root) : &root);
    add_members(root, "", level);
    const std::size_t own = tensors_in(root);
    const bool few =
        std::any_of(level.begin(), level.end(), [&](const member& m) { return tensors_in(objects_[m.id]) / 2 > own; });
    if (own > 0 && !few) return &root;
    for (int depth = 0; depth < 4 && !level.empty(); ++depth) {
      const pickle_value* found = nullptr;
      std::string paths;
      int count = 0;
      std::vector<member> next;
      for (const member& m : level) {
        const pickle_value& v = objects_[m.id];
        add_members(v, m.path, next);
        const std::size_t tensors = tensors_in(v);
        if (tensors == 0 || tensors / 2 < (depth == 0 ? own : 0)) continue;
        found = &v;
        if (++count <= 8) paths += (count == 1 ? "" : ", ") + m.path;
      }
      if (count > 1) fail<file_error>(path_, ": has tensors under several keys: ", paths, "; ", advice);
      if (found != nullptr) return found;
      level = std::move(next);
    }
    refuse(root);
  }

  /// Says what there is in the place of tensors.
  [[noreturn]] void refuse(const pickle_value& root) const {
    if (keyed(root) == nullptr && root.kind != type::list && root.kind != type::tuple)
      fail<file_error>(path_, ": holds ", described(root), ", no dictionary of tensors; ", advice);
    std::string instead;
    std::vector<const pickle_value*> places = {keyed(root)};  // of its own members, and of theirs
    for (std::size_t i = 1; places[0] != nullptr && i < places[0]->items.size(); i += 2)
      places.push_back(keyed(objects_[places[0]->items[i]]));
    for (const pickle_value* from : places)
      for (std::size_t i = 0; from != nullptr && i + 1 < from->items.size(); i += 2) {
        const pickle_value& name = objects_[from->items[i]];
        const std::string what = described(objects_[from->items[i + 1]]);
        if (name.kind != type::text) continue;
        if (what == array)
          fail<file_error>(
              path_, ": holds NumPy arrays, no tensors (\"", printable(name.text),
              "\" is one); save tensors, torch.from_numpy(array), or the arrays by numpy.savez, whose files are read");
        if (instead.empty() && name.text.ends_with("weight")) instead = text_of(" (\"", name.text, "\" is ", what, ")");
      }
    fail<file_error>(path_, ": no tensors in it, and no \"state_dict\"", instead, "; ", advice);
  }

  void collect(const pickle_value& value_with_keys) {
    const pickle_value& from = *keyed(value_with_keys);
    for (std::size_t i = 0; i + 1 < from.items.size(); i += 2) {
      const pickle_value &key = objects_[from.items[i]], &value = objects_[from.items[i + 1]];
      if (key.kind == type::text) add(key.text, from.items[i + 1], value);
    }
  }

  void add(const std::string& name, int id, const pickle_value& value) {
    entries_.tensors.erase(name), entries_.others.erase(name);  // of equal keys the last
    if (value.kind == type::tensor)
      entries_.tensors[name] = id;
    else
      entries_.others[name] = described(value);
  }

  /// Modules and what they hold may be shared, so the depth alone does not bound how often they are met.
  void collect_module(const pickle_value& module, const std::string& prefix, int depth) {
    const auto count = [&](const pickle_value& one) {
      work_ += 64 + one.items.size();
      if (work_ > 10'000'000) fail<file_error>(path_, ": modules within modules, too many to be read");
    };
    if (depth > 64 || prefix.size() > 4096) fail<file_error>(path_, ": modules within modules, too many to be read");
    const pickle_value& attributes = *attributes_of(module);
    count(attributes);
    for (const char* kind : {"_parameters", "_buffers"})
      if (const pickle_value* tensors = objects_.find(attributes, kind); tensors != nullptr && keyed(*tensors) == tensors) {
        count(*tensors);
        for (std::size_t i = 0; i + 1 < tensors->items.size(); i += 2)
          if (const pickle_value& value = objects_[tensors->items[i + 1]]; value.kind != type::none)
            add(prefix + objects_[tensors->items[i]].text, tensors->items[i + 1], value);
      }
    const pickle_value& inner = *objects_.find(attributes, "_modules");
    if (keyed(inner) != &inner) return;
    count(inner);
    for (std::size_t i = 0; i + 1 < inner.items.size(); i += 2)
      if (const pickle_value& part = objects_[inner.items[i + 1]]; is_module(part))
        collect_module(part, prefix + objects_[inner.items[i]].text + ".", depth + 1);
  }

  static std::string described(const pickle_value& v) {
    static constexpr std::array<const char*, 13> kinds = {"nothing",   "a truth value", "a number", "a number",     "a text",
                                                          "bytes",     "a tuple",       "a list",   "a dictionary", "a class",
                                                          "a storage", "a tensor",      ""};
    if (v.kind != type::object) return kinds[static_cast<std::size_t>(v.kind)];
    if (v.text.starts_with("numpy.") && v.text.ends_with("core.multiarray._reconstruct")) return array;
    return text_of("an object of ", std::string_view(v.text).substr(0, 200));
  }

  static constexpr std::size_t many = 1000;
  static constexpr const char* array = "a NumPy array";
  static constexpr const char* advice = "save the state dict alone: torch.save(model.state_dict(), file)";

  const pickle_objects& objects_;
  const std::string& path_;
  state_dict_entries entries_;
  std::map<const pickle_value*, std::size_t> counts_;
  std::map<const pickle_value*, bool> are_modules_;
  std::set<const pickle_value*> seen_, searched_;
  std::size_t work_ = 0;
};

}  // namespace detail

/// The tensors of a checkpoint: those under a key that training scripts use (the first of state_dict, model_state_dict,
/// model_state, model, net, network, module, weights, params, state_dict_ema, model_ema and ema, also within each other), else
/// those of the outermost dictionary, else those of its only member that has some, or of the only one within members, up to four
/// deep. Throws file_error, with `path` before the text, if there are none or several.
inline state_dict_entries find_state_dict(const pickle_objects& objects, const std::string& path) {
  return detail::state_dict_finder(objects, path).run();
}

}  // namespace minicnn::inline MINICNN_ABI
