#pragma once
/// Training at several image sizes, small ones first ("progressive resizing"): early epochs cost less, late ones see what later
/// pictures will be evaluated at. Or sizes that change from epoch to epoch, as SPP-net was trained with 180 and 224 pixels (He et
/// al. 2014, section 2.3).
/// `size_schedule` is the callback that trains so.
///
///     parse_sizes("128:0,160:0.6,192:0.85");  // 128 px, after 60 % of the run 160, after 85 % 192
///     parse_sizes("180/224");                 // in turn, an epoch each

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/number.hpp"
#include "minicnn/core/printable.hpp"
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

/// Reads "128:0,160:0.6,192:0.85", one size, "128", or sizes in turn, "180/224" or "128/160:0,192/224:0.7", whatever the locale.
/// Throws option_error.
MINICNN_COLD inline std::vector<size_step> parse_sizes(std::string_view text) {
  std::vector<size_step> sizes;
  const auto number = [&](std::string_view item, auto& value, const auto& read) {
    const auto got = read(item);
    if (!got)
      fail<option_error>("sizes \"", excerpt(text), "\": \"", excerpt(item),
                         "\" is no number; wanted SIZE:FRACTION,SIZE:FRACTION or SIZE/SIZE");
    value = *got;
  };
  for (std::string_view rest = text; !text.empty();) {
    const std::size_t comma = rest.find(',');
    const std::string_view item = rest.substr(0, comma);
    const std::size_t colon = item.find(':');
    size_step s;
    std::string_view turns = item.substr(0, colon);
    number(turns.substr(0, turns.find('/')), s.size, parse_whole_number<index_t>);
    while (turns.find('/') != turns.npos) {
      turns.remove_prefix(turns.find('/') + 1);
      number(turns.substr(0, turns.find('/')), s.turns.emplace_back(), parse_whole_number<index_t>);
    }
    if (colon != std::string_view::npos) number(item.substr(colon + 1), s.from, parse_number);
    sizes.push_back(s);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  check_sizes(sizes);
  return sizes;
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
