#pragma once
/// Weights from files of other programs: tensors matched by name, with everything that does not fit named at once.

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "minicnn/files/file.hpp"
#include "minicnn/formats/torchvision_names.hpp"
#include "minicnn/graph/network.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Tensors of a file that no network has: counters of batch normalisation, and the state of a training run of ours.
inline bool passed_over(std::string_view name) { return name.ends_with("num_batches_tracked") || name.starts_with("training."); }

/// Models that ran on several devices are saved with this before each name.
inline constexpr std::string_view parallel_prefix = "module.";

/// "a, b, c and 4 more".
inline std::string some_of(const std::vector<std::string>& texts) {
  constexpr std::size_t shown = 8;
  std::string out;
  for (std::size_t i = 0; i < (std::min)(shown, texts.size()); ++i) out += (i == 0 ? "" : ", ") + texts[i];
  if (texts.size() > shown) out += text_of(" and ", texts.size() - shown, " more");
  return out;
}

}  // namespace detail

/// A file's tensors by name, without "module." where every name has it, and without what no network has.
template <class File>
auto tensors_by_name(const File& file) {
  using entry = typename std::decay_t<decltype(file.entries())>::value_type;
  const auto parallel = [](const entry& e) { return e.name.starts_with(detail::parallel_prefix); };
  const bool all = std::all_of(file.entries().begin(), file.entries().end(), parallel);
  std::map<std::string, const entry*> found;
  for (const entry& e : file.entries())
    if (!detail::passed_over(e.name)) found[e.name.substr(all ? detail::parallel_prefix.size() : 0)] = &e;
  return found;
}

/// How many of the names are in the file.
template <class File>
index_t count_present(const File& file, const std::vector<tensor_name>& names) {
  const auto found = tensors_by_name(file);
  return std::count_if(names.begin(), names.end(), [&](const tensor_name& n) { return found.count(n.other) > 0; });
}

/// Reads the tensors `names` of the network from a `pth_file` or `safetensors_file`, where they are called `names[i].other`.
/// Tensors of the file called as one of `without` are passed over. Throws file_error with all tensors that are missing, left over
/// or of another shape (wanted and got); the network is then as it was.
template <class T, class File>
void load_named_weights(network<T>& net, const File& file, const std::vector<tensor_name>& names,
                        const std::vector<tensor_name>& without = {}) {
  auto found = tensors_by_name(file);
  for (const tensor_name& n : without) found.erase(n.other);
  std::vector<std::string> missing, unexpected, wrong, sources;
  for (const tensor_name& n : names) {
    const auto entry = found.find(n.other);
    if (entry == found.end()) {
      missing.push_back(n.other);
      continue;
    }
    if (!(entry->second->dims == n.dims))
      wrong.push_back(text_of(n.other, " (wanted ", n.dims, ", got ", entry->second->dims, ")"));
    sources.push_back(entry->second->name);
    found.erase(entry);
  }
  for (const auto& [name, entry] : found) unexpected.push_back(name);
  std::string text;
  const auto report = [&](const char* what, const std::vector<std::string>& list) {
    if (!list.empty()) text += text_of(text.empty() ? "" : "; ", list.size(), what, detail::some_of(list));
  };
  report(" missing: ", missing);
  report(" of another shape: ", wrong);
  report(" that the network does not have: ", unexpected);
  if (!text.empty()) fail<file_error>(file.path(), ": tensors do not fit the network: ", text);

  std::vector<tensor<T>> loaded;
  for (std::size_t i = 0; i < names.size(); ++i) {
    loaded.emplace_back(names[i].dims);
    file.read(sources[i], view<T>(loaded.back()));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const view<T> place = !names[i].buffer ? net.parameter(names[i].own) : net.buffer(names[i].own);
    std::copy(loaded[i].begin(), loaded[i].end(), place.begin());
  }
}

}  // namespace minicnn::inline MINICNN_ABI
