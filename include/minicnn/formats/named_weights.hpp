#pragma once
/// Weights from files of other programs: tensors matched by name, with everything that does not fit named at once.

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
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

/// Of the beginning "ema_model.module." of names what says that it is an average of the weights, "ema_model."; else nothing.
inline std::string_view average_in(std::string_view prefix) {
  static constexpr std::string_view words[] = {"ema", "EMA", "Ema",     "LitEma",   "ModelEma",      "swa",
                                               "SWA", "avg", "average", "averaged", "AveragedModel", "shadow"};
  for (std::size_t at = 0, end = 0; at < prefix.size(); at = end + 1) {
    end = (std::min)(prefix.find_first_of("./:|_-0123456789", at), prefix.size());
    if (std::find(std::begin(words), std::end(words), prefix.substr(at, end - at)) != std::end(words))
      return prefix.substr(0, prefix.find_first_of("./:|", end) + 1);
  }
  return {};
}

/// What stands before the names `wanted` in a file.
struct name_prefixes {
  std::string best;                ///< before most of them
  std::set<std::string> averages;  ///< before those of averages of the weights beside
};

/// Wrappers ("module.", "_orig_mod.", "model.", and one within another; "model/" and its like of NumPy files) put theirs before
/// the names of most tensors. Of prefixes that fit equally many that of trained weights, not of their average, and of these the
/// shortest. Throws file_error if the file has two copies of most of the tensors, neither of which is an average.
template <class File>
name_prefixes find_prefixes(const File& file, const std::set<std::string_view>& wanted) {
  std::map<std::string, std::size_t, std::less<>> fits;
  for (const auto& e : file.entries()) {
    const std::string plain = without_wrappers(e.name);
    const std::string_view name = plain;
    for (std::size_t at = 0; at < name.size(); at = (std::min)(name.find_first_of("./:|", at), name.size() - 1) + 1)
      if (wanted.count(name.substr(at)) > 0) fits[std::string(name.substr(0, at))] += 1;
  }
  const auto rank = [&](const auto& one) { return std::pair(one.second, average_in(one.first).empty()); };
  name_prefixes out;
  auto best = fits.end();
  for (auto one = fits.begin(); one != fits.end(); ++one) {
    const bool first = best == fits.end() || rank(*one) > rank(*best);
    if (first || (rank(*one) == rank(*best) && one->first.size() < best->first.size())) best = one;
  }
  if (best == fits.end()) return out;
  out.best = best->first;
  for (const auto& one : fits) {
    const std::string_view average = average_in(one.first);
    if (&one != &*best && rank(one) == rank(*best) && one.second * 2 > wanted.size())
      fail<file_error>(file.path(), ": has the network twice, below \"", printable((std::min)(one.first, out.best)),
                       "\" and below \"", printable((std::max)(one.first, out.best)),
                       "\"; save the state dict of one of them alone");
    if (!average.empty() && average_in(out.best).empty() && one.second * 2 > best->second) out.averages.emplace(average);
  }
  return out;
}

inline bool called_a_metric(std::string_view place) {
  for (const std::string_view word :
       {"metric", "acc", "auroc", "f1", "precision", "recall", "confusion", "iou", "dice", "loss", "Acc", "AUROC", "F1"})
    if (place.find(word) != place.npos) return true;
  return false;
}

/// Where metrics of torchmetrics stand ("train_acc" of "train_acc.tp"): places that hold what these keep, and nothing else.
template <class File>
std::set<std::string> places_of_metrics(const File& file) {
  static const std::set<std::string_view> states = {
      "tp",          "fp",         "tn",      "fn",        "confmat",   "correct", "total",  "value",
      "mean_value",  "min_val",    "max_val", "max_value", "min_value", "preds",   "target", "measures",
      "confidences", "accuracies", "measure", "sum_value", "score",     "scores"};
  std::map<std::string, bool> places;
  for (const auto& e : file.entries()) {
    const std::size_t dot = (std::min)(e.name.rfind('.'), e.name.size());
    const std::string_view last = std::string_view(e.name).substr((std::min)(dot + 1, e.name.size()));
    if (last == "weight" && e.dims.rank() == 0) continue;  // of a mean
    const std::string name = e.name.substr(0, dot);
    const bool whole = e.type > dtype::bf16, called = called_a_metric(name);
    const bool known = states.count(last) > 0, other = whole && last != "weight" && last != "bias", scalar = e.dims.rank() == 0;
    const bool state = known ? whole || called || scalar : other && (called || scalar);
    const auto place = places.emplace(name, true).first;
    place->second = place->second && state;
  }
  std::set<std::string> out;
  for (const auto& [place, metric] : places)
    if (metric) out.insert(place);
  return out;
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

/// What to do about weights that PyTorch saves in parts, of which it makes them in every pass; nothing where there are none.
inline std::string advice_for_parts(const std::vector<std::string>& unexpected) {
  static constexpr std::array<std::array<std::string_view, 3>, 4> kinds{
      {{"parametrizations.", "parametrized", "torch.nn.utils.parametrize.remove_parametrizations(module, \"weight\")"},
       {"weight_mask", "pruned", "torch.nn.utils.prune.remove(module, \"weight\")"},
       {"weight_u", "under spectral norm", "torch.nn.utils.remove_spectral_norm(module)"},
       {"weight_g", "under weight norm", "torch.nn.utils.remove_weight_norm(module)"}}};
  for (const auto& [part, what, call] : kinds)
    for (const std::string& name : unexpected)
      if (name.ends_with(part) || (part.ends_with('.') && name.find(part) != name.npos))
        return text_of("; weights are ", what, ", saved in parts: make them whole in PyTorch, by ", call,
                       " for each layer, and save again");
  return "";
}

/// The tensors of a file: by name, and those that no network has.
template <class Entry>
struct sorted_tensors {
  std::string prefix;  ///< taken off the names
  std::map<std::string, const Entry*> by_name;
  std::vector<std::string> left_out;  ///< what belongs to losses, metrics and averages; of these "ema_model.*"
};

template <class File>
auto sort_tensors(const File& file, const std::vector<tensor_name>& names) {
  using entry = typename std::decay_t<decltype(file.entries())>::value_type;
  std::set<std::string_view> wanted;
  for (const tensor_name& n : names) wanted.insert(n.other);
  const name_prefixes prefixes = find_prefixes(file, wanted);
  const std::set<std::string> metrics = places_of_metrics(file);
  sorted_tensors<entry> out{prefixes.best, {}, {}};
  for (const std::string& average : prefixes.averages) out.left_out.push_back(average + "*");
  for (const bool with : {true, false})
    for (const entry& e : file.entries()) {
      const std::string plain = without_wrappers(e.name);
      if (plain.starts_with(out.prefix) != with) continue;
      const std::string name = current_name(with ? plain.substr(out.prefix.size()) : plain);
      const auto in = [&](const std::string& average) { return plain.starts_with(average); };
      if (passed_over(name) || std::any_of(prefixes.averages.begin(), prefixes.averages.end(), in)) continue;
      if (wanted.count(name) == 0 && (of_a_loss(name) || metrics.count(e.name.substr(0, e.name.rfind('.'))) > 0)) {
        out.left_out.push_back(e.name);
        continue;
      }
      const auto [first, is_new] = out.by_name.emplace(name, &e);
      if (!is_new)
        out.by_name[e.name + " (beside " + first->second->name + ")"] = &e;  // as wrapped and bare, or a prefix and none
    }
  return out;
}

}  // namespace detail

/// A file's tensors by name, without the prefix that most of `names` have in it, and without what no network has. A tensor
/// without the prefix keeps its name. Throws file_error if the file has the network twice, and neither as an average.
template <class File>
auto tensors_by_name(const File& file, const std::vector<tensor_name>& names) {
  return detail::sort_tensors(file, names).by_name;
}

/// What of the file is passed over though it holds more than counters: tensors of losses and of metrics, and averages of the
/// weights beside the trained ones ("ema_model.*").
template <class File>
std::vector<std::string> tensors_left_out(const File& file, const std::vector<tensor_name>& names) {
  return detail::sort_tensors(file, names).left_out;
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
  auto [prefix, found, left_out] = detail::sort_tensors(file, all);
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
  if (!text.empty())
    fail<file_error>(file.path(), ": tensors do not fit the network: ", text, detail::advice_for_parts(unexpected));

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
