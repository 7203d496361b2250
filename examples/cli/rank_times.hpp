#pragma once
// Which of the processes that train together the others wait for.

#include <minicnn/train/sharded_batch.hpp>
#include <string>
#include <vector>

namespace cli {

/// Means of a rank over the steps of this call, in seconds.
struct rank_step {
  std::string name;
  minicnn::index_t shards;
  double computing, waiting;
};

/// Of all ranks; empty before the second step.
std::vector<rank_step> rank_steps(const minicnn::team& ranks, minicnn::index_t shards,
                                  const std::vector<minicnn::rank_time>& times);

/// "computes 0.210 s a step for 2 shards, waits 0.015 s"
std::string text_of_step(const rank_step& s);

/// Names the rank that computes longest if that is over 1.25 times the median of all (the lower one of two); else empty.
std::string slow_rank(const std::vector<rank_step>& steps);

}  // namespace cli
