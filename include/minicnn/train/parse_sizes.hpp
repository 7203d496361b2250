#pragma once
/// Image sizes of a training run from text.
///
///     parse_sizes("128:0,160:0.6,192:0.85");  // 128 px, after 60 % of the run 160, after 85 % 192
///     parse_sizes("180/224");                 // in turn, an epoch each

#include <string_view>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/core/printable.hpp"
#include "minicnn/train/size_steps.hpp"

namespace minicnn::inline MINICNN_ABI {

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

}  // namespace minicnn::inline MINICNN_ABI
