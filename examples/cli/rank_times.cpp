#include "rank_times.hpp"

#include <algorithm>
#include <minicnn/core/shards.hpp>
#include <minicnn/report/progress.hpp>

namespace cli {

using minicnn::fixed;
using minicnn::index_t;
using minicnn::text_of;

namespace {

std::string shards_text(index_t n) { return text_of(n, n == 1 ? " shard" : " shards"); }

}  // namespace

std::vector<rank_step> rank_steps(const minicnn::team& ranks, index_t shards, const std::vector<minicnn::rank_time>& times) {
  std::vector<rank_step> out;
  if (times.empty() || times.front().batches == 0) return out;
  for (index_t r = 0; r < ranks.size(); ++r) {
    const minicnn::rank_time& t = times[static_cast<std::size_t>(r)];
    const auto batches = static_cast<double>(t.batches);
    out.push_back(
        {ranks.name(r), minicnn::range_of_part(shards, ranks.size(), r).size(), t.computing / batches, t.waiting / batches});
  }
  return out;
}

std::string text_of_step(const rank_step& s) {
  return text_of("computes ", fixed(s.computing, 3), " s a step for ", shards_text(s.shards), ", waits ", fixed(s.waiting, 3),
                 " s");
}

std::string slow_rank(const std::vector<rank_step>& steps) {
  if (steps.empty()) return "";
  std::vector<rank_step> sorted = steps;
  std::sort(sorted.begin(), sorted.end(), [](const rank_step& a, const rank_step& b) { return a.computing < b.computing; });
  const rank_step &slowest = sorted.back(), &median = sorted[(sorted.size() - 1) / 2];
  if (slowest.computing <= 1.25 * median.computing) return "";
  std::string text = text_of(slowest.name, " is slow: it computes ", fixed(slowest.computing, 3), " s a step, where ",
                             fixed(median.computing, 3), " s is the median of all ranks, and the others wait for it");
  if (slowest.shards > median.shards) text += text_of("; it has ", shards_text(slowest.shards), ", others ", median.shards);
  return text;
}

}  // namespace cli
