#include "start_passes.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <minicnn/core/shards.hpp>
#include <string>
#include <string_view>
#include <type_traits>

namespace cli {

using minicnn::bad_file;
using minicnn::index_t;

namespace {

std::span<const index_t> own_part(std::span<const index_t> chosen, const minicnn::team& ranks) {
  const auto part = minicnn::range_of_part(static_cast<index_t>(chosen.size()), ranks.size(), ranks.rank());
  return chosen.subspan(static_cast<std::size_t>(part.begin), static_cast<std::size_t>(part.size()));
}

}  // namespace

std::vector<bad_file> find_bad(const minicnn::image_dataset& data, std::span<const index_t> chosen, int threads,
                               minicnn::team& ranks, const std::function<void(index_t, index_t)>& progress) {
  std::string mine;  // "INDEX REASON\0" of each
  together(ranks, [&] {
    minicnn::picture_source source(data);
    for (const bad_file& b : source.check(own_part(chosen, ranks), threads, progress))
      mine += minicnn::text_of(b.index, " ", b.reason) + '\0';
  });
  std::vector<bad_file> bad;
  for (const std::string& one : gather_bytes(ranks, mine))
    for (std::string_view rest = one; !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find('\0'));
      const std::size_t space = line.find(' ');
      index_t index = 0;
      std::from_chars(line.data(), line.data() + space, index);
      bad.push_back({index, data.samples[static_cast<std::size_t>(index)].path, std::string(line.substr(space + 1))});
      rest.remove_prefix(line.size() + 1);
    }
  return bad;
}

minicnn::channel_statistics find_colours(const minicnn::image_dataset& data, std::span<const index_t> chosen, int threads,
                                         minicnn::team& ranks) {
  using sums = minicnn::channel_accumulator;  // whole numbers: their order does not matter
  static_assert(std::is_trivially_copyable_v<sums>);
  sums mine;
  together(ranks, [&] { mine = minicnn::colour_sums(data, own_part(chosen, ranks), threads); });
  std::vector<sums> of_ranks(static_cast<std::size_t>(ranks.size()));
  ranks.gather(&mine, of_ranks.data(), sizeof mine);
  sums all;
  for (const sums& one : of_ranks) all.add(one);
  return all.result();
}

minicnn::tensor<float> read_as_fed(const minicnn::image_dataset& data, std::span<const index_t> chosen,
                                   minicnn::loader_options how, minicnn::team& ranks) {
  const auto count = static_cast<index_t>(chosen.size());
  minicnn::tensor<float> images({count, data.channels, how.transform.size, how.transform.size});
  const auto begin_of = [&](index_t rank) {
    return images.data() + minicnn::begin_of_part(count, ranks.size(), rank) * images.dims().size_from(1);
  };
  together(ranks, [&] {
    const std::span<const index_t> own = own_part(chosen, ranks);
    if (own.empty()) return;
    how.skip_bad = false;
    minicnn::loader<float> pictures(data, {own.begin(), own.end()}, how);
    pictures.start_epoch(0);
    float* to = begin_of(ranks.rank());
    while (const minicnn::batch<float>* b = pictures.next()) to = std::copy(b->images.begin(), b->images.end(), to);
  });
  for (index_t r = 0; r < ranks.size(); ++r)
    ranks.broadcast(begin_of(r), (begin_of(r + 1) - begin_of(r)) * static_cast<index_t>(sizeof(float)), r);
  return images;
}

}  // namespace cli
