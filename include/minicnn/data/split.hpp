#pragma once
/// Parts of a data set, chosen at random with every class in proportion.
///
/// A sample's rank within its class is a function of the seed and the sample's id (its name within the set), so a part is
/// the same wherever the set lies and in whatever order its files are listed, and a new file moves few others.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "minicnn/core/random.hpp"
#include "minicnn/data/dataset.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Two parts that share no sample, each in ascending order.
struct data_split {
  sample_indices train, validation;
};

namespace detail {

/// The samples of each label (-1 first) among `chosen`, in random order. `purpose` keeps parts for different ends apart.
inline std::vector<sample_indices> ranked_classes(const image_dataset& data, std::span<const index_t> chosen, std::uint64_t seed,
                                                  std::uint64_t purpose) {
  struct ranked {
    std::uint64_t rank, id;
    index_t index;
    bool operator<(const ranked& other) const {
      if (rank != other.rank) return rank < other.rank;
      return id != other.id ? id < other.id : index < other.index;
    }
  };
  const random_key key = random_key(seed).of(purpose);
  std::vector<std::vector<ranked>> classes(data.classes.size() + 1);
  for (const index_t i : chosen) {
    if (i < 0 || i >= data.size()) fail<option_error>("sample ", i, " of a data set of ", data.size());
    const sample& s = data.samples[static_cast<std::size_t>(i)];
    if (s.label < -1 || s.label >= static_cast<int>(data.classes.size()))
      fail<option_error>(s.path, ": label ", s.label, " of ", data.classes.size(), " classes");
    classes[static_cast<std::size_t>(s.label + 1)].push_back({key.of(s.id).value(), s.id, i});
  }
  std::vector<sample_indices> out;
  for (std::vector<ranked>& members : classes) {
    std::sort(members.begin(), members.end());
    out.emplace_back();
    for (const ranked& r : members) out.back().push_back(r.index);
  }
  return out;
}

}  // namespace detail

/// Splits the samples `chosen`: of each class, `fraction` (0 to below 1) rounded to the nearest number goes to validation;
/// for a fraction above 0 at least one of each class that has two, and never all.
inline data_split stratified_split(const image_dataset& data, std::span<const index_t> chosen, double fraction,
                                   std::uint64_t seed) {
  if (!(fraction >= 0 && fraction < 1)) fail<option_error>("validation fraction ", fraction, " is outside 0 to below 1");
  data_split out;
  for (const sample_indices& members : detail::ranked_classes(data, chosen, seed, 0x73706C6974ULL)) {
    const auto count = static_cast<index_t>(members.size());
    index_t held = std::lround(fraction * static_cast<double>(count));
    if (fraction > 0) held = (std::max)(held, index_t{1});
    held = (std::max)(index_t{0}, (std::min)(held, count - 1));
    out.validation.insert(out.validation.end(), members.begin(), members.begin() + held);
    out.train.insert(out.train.end(), members.begin() + held, members.end());
  }
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.validation.begin(), out.validation.end());
  return out;
}

/// One of `folds` parts of the samples `chosen` for validation, the rest for training: every sample is validated in exactly one
/// fold (0 to folds - 1), and each fold has its share of every class. Samples without a class are one class.
inline data_split stratified_fold(const image_dataset& data, std::span<const index_t> chosen, int fold, int folds,
                                  std::uint64_t seed) {
  if (folds < 2 || fold < 0 || fold >= folds)
    fail<option_error>("fold ", fold, " of ", folds, ": wanted 2 folds or more, numbered from 0");
  data_split out;
  std::size_t turn = 0;  // goes on from class to class, so that folds differ by one sample at most
  for (const sample_indices& members : detail::ranked_classes(data, chosen, seed, 0x73706C6974ULL))
    for (const index_t i : members) {
      const bool held = turn++ % static_cast<std::size_t>(folds) == static_cast<std::size_t>(fold);
      (held ? out.validation : out.train).push_back(i);
    }
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.validation.begin(), out.validation.end());
  return out;
}

/// At most `limit` of the samples `chosen`, in ascending order. Each class keeps its share; what rounding leaves over goes to
/// the classes with the largest remainders, the first of equal ones first (Hamilton's method).
inline sample_indices stratified_subset(const image_dataset& data, std::span<const index_t> chosen, index_t limit,
                                        std::uint64_t seed) {
  if (limit < 1) fail<option_error>("limit ", limit, " is below 1");
  sample_indices out(chosen.begin(), chosen.end());
  if (limit < static_cast<index_t>(chosen.size())) {
    const std::vector<sample_indices> classes = detail::ranked_classes(data, chosen, seed, 0x6C696D6974ULL);
    const auto total = static_cast<index_t>(chosen.size());
    std::vector<index_t> taken(classes.size());
    std::vector<std::size_t> by_remainder(classes.size());
    index_t left = limit;
    for (std::size_t c = 0; c < classes.size(); ++c) {
      by_remainder[c] = c;
      taken[c] = static_cast<index_t>(classes[c].size()) * limit / total;
      left -= taken[c];
    }
    const auto remainder = [&](std::size_t c) { return static_cast<index_t>(classes[c].size()) * limit % total; };
    std::stable_sort(by_remainder.begin(), by_remainder.end(),
                     [&](std::size_t a, std::size_t b) { return remainder(a) > remainder(b); });
    for (std::size_t i = 0; left > 0; ++i, --left) ++taken[by_remainder[i]];
    out.clear();
    for (std::size_t c = 0; c < classes.size(); ++c) out.insert(out.end(), classes[c].begin(), classes[c].begin() + taken[c]);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
