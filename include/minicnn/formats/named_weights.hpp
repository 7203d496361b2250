#pragma once
/// Weights from files of other programs: tensors matched by name, with everything that does not fit named at once.

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "minicnn/core/printable.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/formats/torchvision_names.hpp"
#include "minicnn/graph/network.hpp"
#include "minicnn/io/dtype.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Tensors of a file that no network has: counters of batch normalisation, of averaging and of the profiler thop, what layers
/// keep besides, and the state of a training run of ours.
inline bool passed_over(std::string_view name) {
  for (const std::string_view end : {"num_batches_tracked", "total_ops", "total_params", "_extra_state"})
    if (name.ends_with(end)) return true;
  return name == "n_averaged" || name.starts_with("training.");
}

/// Whether a tensor belongs to a loss that was trained with, as the weights of classes do: "criterion.weight".
inline bool of_a_loss(std::string_view name) {
  const std::string_view first = name.substr(0, name.find('.'));
  return first.find("criterion") != first.npos || first == "loss" || first.starts_with("loss_") || first.ends_with("_loss") ||
         name == "class_weights" || name == "class_weight" || name == "pos_weight";
}

/// The name without what wrappers of parts of a network put into its middle: "layer1._orig_mod.0.conv1.weight" after
/// torch.compile(net.layer1).
inline std::string without_wrappers(std::string_view name) {
  static constexpr std::string_view wrappers[] = {"_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.",
                                                  "module."};
  std::string out;
  while (!name.empty()) {
    const std::size_t end = (std::min)(name.find('.'), name.size() - 1) + 1;
    const std::string_view part = name.substr(0, end);
    if (std::find(std::begin(wrappers), std::end(wrappers), part) == std::end(wrappers)) out += part;
    name.remove_prefix(end);
  }
  return out;
}

/// What stands before the names of most of the tensors `names`: wrappers ("module.", "_orig_mod.", "model.", and one within
/// another; "model/" and its like of NumPy files) put theirs there. The shortest of those that fit equally many.
template <class File>
std::string common_prefix(const File& file, const std::vector<tensor_name>& names) {
  std::set<std::string_view> wanted;
  for (const tensor_name& n : names) wanted.insert(n.other);
  std::map<std::string, index_t, std::less<>> fits;
  for (const auto& e : file.entries()) {
    const std::string plain = without_wrappers(e.name);
    const std::string_view name = plain;
    for (std::size_t at = 0; at < name.size(); at = (std::min)(name.find_first_of("./:|", at), name.size() - 1) + 1)
      if (wanted.count(name.substr(at)) > 0) fits[std::string(name.substr(0, at))] += 1;
  }
  std::string best;
  for (const auto& [prefix, count] : fits)
    if (count > fits[best] || (count == fits[best] && prefix.size() < best.size())) best = prefix;
  return best;
}

/// " (is a list)" for what a file has in the place of a tensor; else nothing.
template <class File>
std::string instead_of_tensor(const File& file, const std::string& name) {
  if constexpr (requires { file.instead_of_tensor(name); })
    if (const std::string text = file.instead_of_tensor(name); !text.empty()) return " (is " + text + ")";
  return {};
}

/// "a, b, c and 4 more".
inline std::string some_of(const std::vector<std::string>& texts) {
  constexpr std::size_t shown = 8;
  std::string out;
  for (std::size_t i = 0; i < (std::min)(shown, texts.size()); ++i) out += (i == 0 ? "" : ", ") + texts[i];
  if (texts.size() > shown) out += text_of(" and ", texts.size() - shown, " more");
  return out;
}

}  // namespace detail

/// A file's tensors by name, without the prefix that most of `names` have in it, and without what no network has. A tensor
/// without the prefix keeps its name.
template <class File>
auto tensors_by_name(const File& file, const std::vector<tensor_name>& names) {
  using entry = typename std::decay_t<decltype(file.entries())>::value_type;
  const std::string prefix = detail::common_prefix(file, names);
  std::map<std::string, const entry*> found;
  const auto wanted = [&](const std::string& name) {
    return std::any_of(names.begin(), names.end(), [&](const tensor_name& n) { return n.other == name; });
  };
  for (const bool with : {true, false})
    for (const entry& e : file.entries()) {
      const std::string plain = detail::without_wrappers(e.name);
      if (plain.starts_with(prefix) != with) continue;
      const std::string name = detail::current_name(with ? plain.substr(prefix.size()) : plain);
      if (detail::of_a_loss(name) && !wanted(name)) continue;
      if (detail::passed_over(name)) continue;
      const auto [first, is_new] = found.emplace(name, &e);
      if (!is_new) found[e.name + " (beside " + first->second->name + ")"] = &e;  // as wrapped and bare, or a prefix and none
    }
  return found;
}

/// Tensors of a loss in the file, which no network has: passed over.
template <class File>
std::vector<std::string> tensors_of_losses(const File& file, const std::vector<tensor_name>& names) {
  const auto found = tensors_by_name(file, names);
  const std::string prefix = detail::common_prefix(file, names);
  std::vector<std::string> out;
  for (const auto& e : file.entries()) {
    const std::string plain = detail::without_wrappers(e.name);
    const std::string name = plain.starts_with(prefix) ? plain.substr(prefix.size()) : plain;
    if (detail::of_a_loss(name) && found.count(name) == 0) out.push_back(e.name);
  }
  return out;
}

/// How many of the names are in the file.
template <class File>
index_t count_present(const File& file, const std::vector<tensor_name>& names) {
  const auto found = tensors_by_name(file, names);
  return std::count_if(names.begin(), names.end(), [&](const tensor_name& n) { return found.count(n.other) > 0; });
}

/// Reads the tensors `names` of the network from a `pth_file` or `safetensors_file`, where they are called `names[i].other`.
/// Tensors of the file called as one of `without` are passed over. Throws file_error with all tensors that are missing, left over
/// or of another shape or type (wanted and got), or that hold NaN or infinity; the network is then as it was.
template <class T, class File>
void load_named_weights(network<T>& net, const File& file, const std::vector<tensor_name>& names,
                        const std::vector<tensor_name>& without = {}) {
  std::vector<tensor_name> all = names;
  all.insert(all.end(), without.begin(), without.end());
  auto found = tensors_by_name(file, all);
  const std::string prefix = detail::common_prefix(file, all);
  for (const tensor_name& n : without) found.erase(n.other);
  std::vector<std::string> missing, unexpected, wrong, sources;
  for (const tensor_name& n : names) {
    const auto entry = found.find(n.other);
    if (entry == found.end()) {
      missing.push_back(n.other + detail::instead_of_tensor(file, prefix + n.other));
      continue;
    }
    if (!(entry->second->dims == n.dims))
      wrong.push_back(text_of(n.other, " (wanted ", n.dims, ", got ", entry->second->dims, ")"));
    else if (entry->second->type > dtype::bf16)
      wrong.push_back(text_of(n.other, " (wanted floating-point numbers, got ", dtype_name(entry->second->type), ")"));
    sources.push_back(entry->second->name);
    found.erase(entry);
  }
  for (const auto& [name, entry] : found) unexpected.push_back(printable(name));
  std::string text;
  const auto report = [&](const char* what, const std::vector<std::string>& list) {
    if (!list.empty()) text += text_of(text.empty() ? "" : "; ", list.size(), what, detail::some_of(list));
  };
  report(" missing: ", missing);
  report(" of another shape or type: ", wrong);
  report(" that the network does not have: ", unexpected);
  if (!text.empty()) fail<file_error>(file.path(), ": tensors do not fit the network: ", text);

  std::vector<tensor<T>> loaded;
  for (std::size_t i = 0; i < names.size(); ++i) {
    loaded.emplace_back(names[i].dims);
    file.read(sources[i], view<T>(loaded.back()));
    for (const T value : loaded.back())
      if (!std::isfinite(value)) fail<file_error>(file.path(), ": tensor \"", sources[i], "\" has values that are not finite");
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const view<T> place = !names[i].buffer ? net.parameter(names[i].own) : net.buffer(names[i].own);
    std::copy(loaded[i].begin(), loaded[i].end(), place.begin());
  }
}

}  // namespace minicnn::inline MINICNN_ABI
