#pragma once
/// Training at several image sizes, small ones first ("progressive resizing"): early epochs cost less, late ones see what later
/// pictures will be evaluated at. Or sizes that change from epoch to epoch, as SPP-net was trained with 180 and 224 pixels (He et
/// al. 2014, section 2.3).
/// `size_schedule` is the callback that trains so.

#include <algorithm>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// From which part of a run on images have which size.
struct size_step {
  index_t size = 0;  ///< pixels a side
  double from = 0;   ///< fraction of the run's steps in [0, 1), the first one 0
  double cost = 0;   ///< mean time of a step over that of one at the run's first size; 0: not measured, taken from the area
  std::vector<index_t> turns = {};  ///< more sizes, which epochs take in turn after `size`
};

/// The size of an epoch, counted from 0 over the whole run.
inline index_t size_in_epoch(const size_step& s, index_t epoch) {
  const auto turn = static_cast<std::size_t>(epoch) % (s.turns.size() + 1);
  return turn == 0 ? s.size : s.turns[turn - 1];
}

/// The largest of a step's sizes.
inline index_t largest_size(const size_step& s) {
  index_t largest = s.size;
  for (const index_t size : s.turns) largest = (std::max)(largest, size);
  return largest;
}

/// Throws option_error unless fractions rise from 0 and sizes are positive. None at all is good: one size.
MINICNN_COLD inline void check_sizes(const std::vector<size_step>& sizes) {
  double before = -1;
  for (const size_step& s : sizes) {
    for (std::size_t turn = 0; turn <= s.turns.size(); ++turn)
      if (const index_t size = size_in_epoch(s, static_cast<index_t>(turn)); size < 1 || size > 1 << 16)
        fail<option_error>("sizes: ", size, " pixels, wanted 1 to ", 1 << 16);
    if (!(s.from > before && s.from < 1) || (before < 0 && s.from > 0))
      fail<option_error>("sizes: fraction ", s.from, " of size ", s.size, ", wanted fractions that rise from 0 to below 1");
    before = s.from;
  }
}

/// Which of `sizes` counts at `progress`, a fraction of the run. `sizes` must not be empty.
inline const size_step& size_at(const std::vector<size_step>& sizes, double progress) {
  std::size_t i = 0;
  while (i + 1 < sizes.size() && sizes[i + 1].from <= progress) i += 1;
  return sizes[i];
}

/// Time of the steps up to `progress` over that of a whole run at the first size; 1 at the end where there is but one size.
MINICNN_COLD inline double work_until(const std::vector<size_step>& sizes, double progress) {
  if (sizes.empty()) return progress;
  const auto square = [](index_t size) { return static_cast<double>(size) * static_cast<double>(size); };
  const auto area = [&](const size_step& s) {
    double sum = square(s.size);
    for (const index_t size : s.turns) sum += square(size);
    return sum / static_cast<double>(s.turns.size() + 1);
  };
  double work = 0;
  for (std::size_t i = 0; i < sizes.size() && sizes[i].from < progress; ++i) {
    const double end = i + 1 < sizes.size() && sizes[i + 1].from < progress ? sizes[i + 1].from : progress;
    work += (end - sizes[i].from) * (sizes[i].cost > 0 ? sizes[i].cost : area(sizes[i]) / square(sizes[0].size));
  }
  return work;
}

}  // namespace minicnn::inline MINICNN_ABI
