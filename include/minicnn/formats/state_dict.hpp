#pragma once
/// Where a checkpoint has its tensors: training scripts save them under keys of their own, beside much else.

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/formats/pickle_value.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A dictionary of tensors by name.
struct state_dict_entries {
  std::map<std::string, int> tensors;         ///< places in the pickle
  std::map<std::string, std::string> others;  ///< names of what is no tensor, and what it is
};

namespace detail {

class state_dict_finder {
 public:
  state_dict_finder(const pickle_objects& objects, const std::string& path) : objects_(objects), path_(path) {}

  state_dict_entries run() {
    const pickle_value& root = objects_[objects_.root];
    const pickle_value* found = under_known_key(root, 0);
    if (found == nullptr && holds_tensors(root)) found = &root;
    if (found == nullptr) found = only_one(root);
    if (is_module(*found))
      collect_module(*found, "", 0);
    else
      collect(*found);
    return std::move(entries_);
  }

 private:
  using type = pickle_value::type;

  static bool has_keys(const pickle_value& v) {
    return v.kind == type::dictionary || (v.kind == type::object && !v.items.empty());
  }

  bool holds_tensors(const pickle_value& v) const {
    if (is_module(v)) return true;
    if (!has_keys(v)) return false;
    for (std::size_t i = 0; i + 1 < v.items.size(); i += 2)
      if (objects_[v.items[i]].kind == type::text && objects_[v.items[i + 1]].kind == type::tensor) return true;
    return false;
  }

  /// A torch.nn.Module is pickled as its attributes.
  const pickle_value* attributes_of(const pickle_value& v) const {
    if (v.kind != type::object || v.number == 0) return nullptr;
    const pickle_value& attributes = objects_[static_cast<int>(v.number - 1)];
    return attributes.kind == type::dictionary ? &attributes : nullptr;
  }
  bool is_module(const pickle_value& v) const {
    const pickle_value* attributes = attributes_of(v);
    return attributes != nullptr && objects_.find(*attributes, "_parameters") != nullptr &&
           objects_.find(*attributes, "_modules") != nullptr;
  }

  /// Trained weights before averages of them, which scripts keep besides.
  const pickle_value* under_known_key(const pickle_value& v, int depth) const {
    static constexpr const char* keys[] = {"state_dict", "model_state_dict", "model_state", "model",
                                           "net",        "network",          "module",      "weights",
                                           "params",     "state_dict_ema",   "model_ema",   "ema"};
    if (!has_keys(v) || depth > 3) return nullptr;
    for (const char* key : keys) {
      const pickle_value* inner = objects_.find(v, key);
      if (inner == nullptr) continue;
      if (const pickle_value* deeper = under_known_key(*inner, depth + 1); deeper != nullptr) return deeper;
      if (holds_tensors(*inner)) return inner;
    }
    return nullptr;
  }

  /// The one dictionary of tensors among the members of a dictionary, list or tuple, whatever its key. Throws file_error.
  const pickle_value* only_one(const pickle_value& root) const {
    const pickle_value* found = nullptr;
    std::string keys;
    int count = 0;
    const bool keyed = has_keys(root);
    if (!keyed && root.kind != type::list && root.kind != type::tuple)
      fail<file_error>(path_, ": holds ", described(root), ", no dictionary of tensors; ", advice);
    for (std::size_t i = 0; i < root.items.size(); i += keyed ? 2 : 1) {
      const std::size_t at = keyed ? i + 1 : i;
      if (at >= root.items.size() || !holds_tensors(objects_[root.items[at]])) continue;
      found = &objects_[root.items[at]];
      count += 1;
      if (count <= 8) keys += text_of(count == 1 ? "" : ", ", keyed ? objects_[root.items[i]].text : to_text(i));
    }
    if (count == 0) fail<file_error>(path_, ": no tensors in it, and no \"state_dict\"; ", advice);
    if (count > 1) fail<file_error>(path_, ": has tensors under several keys: ", keys, "; ", advice);
    return found;
  }

  void collect(const pickle_value& from) {
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

  /// Modules may be shared, so the depth alone does not bound how often they are met.
  void collect_module(const pickle_value& module, const std::string& prefix, int depth) {
    if (depth > 64 || ++modules_ > 100'000) fail<file_error>(path_, ": modules within modules, too many to be read");
    const pickle_value& attributes = *attributes_of(module);
    for (const char* kind : {"_parameters", "_buffers"})
      if (const pickle_value* tensors = objects_.find(attributes, kind); tensors != nullptr && has_keys(*tensors))
        for (std::size_t i = 0; i + 1 < tensors->items.size(); i += 2)
          if (const pickle_value& value = objects_[tensors->items[i + 1]]; value.kind != type::none)
            add(prefix + objects_[tensors->items[i]].text, tensors->items[i + 1], value);
    const pickle_value& inner = *objects_.find(attributes, "_modules");
    if (!has_keys(inner)) return;
    for (std::size_t i = 0; i + 1 < inner.items.size(); i += 2)
      if (const pickle_value& part = objects_[inner.items[i + 1]]; is_module(part))
        collect_module(part, prefix + objects_[inner.items[i]].text + ".", depth + 1);
  }

  static std::string described(const pickle_value& v) {
    static constexpr std::array<const char*, 13> kinds = {"nothing",   "a truth value", "a number", "a number",     "a text",
                                                          "bytes",     "a tuple",       "a list",   "a dictionary", "a class",
                                                          "a storage", "a tensor",      ""};
    if (v.kind != type::object) return kinds[static_cast<std::size_t>(v.kind)];
    return text_of("an object of ", std::string_view(v.text).substr(0, 200));
  }

  static constexpr const char* advice = "save the state dict alone: torch.save(model.state_dict(), file)";

  const pickle_objects& objects_;
  const std::string& path_;
  state_dict_entries entries_;
  int modules_ = 0;
};

}  // namespace detail

/// The tensors of a checkpoint: those under a key that training scripts use (the first of state_dict, model_state_dict,
/// model_state, model, net, network, module, weights, params, state_dict_ema, model_ema and ema, also within each other), else
/// those of the outermost dictionary, else those of its only member that has some. Throws file_error, with `path` before the
/// text, if there are none or several.
inline state_dict_entries find_state_dict(const pickle_objects& objects, const std::string& path) {
  return detail::state_dict_finder(objects, path).run();
}

}  // namespace minicnn::inline MINICNN_ABI
