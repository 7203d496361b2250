#pragma once
/// Sums over the shards of a batch whose bits depend on the number of shards alone, not on how many processes there are and which
/// of them has which shards.
///
/// The order of additions is a binary tree over the shards: [0, n) is the left part [0, p), where p is the largest power of two
/// below n, plus the rest, and so on. A process adds up what whole branches it has by itself; each process gets its part of all
/// branches, adds them up the rest of the tree, and gives the sum to all. So the bytes that are sent are those of a
/// reduce-scatter and an all-gather, and all get the same bits.

#include <algorithm>
#include <cstddef>
#include <vector>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/context.hpp"
#include "minicnn/core/shards.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"
#include "minicnn/train/team.hpp"

namespace minicnn::inline MINICNN_ABI {

/// sum = a + b over `n` elements, a multiple of a cache line; `sum` may be either of them.
template <class T>
struct add_kernel {
  template <class V>
  MINICNN_INLINE static void run(const T* a, const T* b, T* sum, index_t n) {
    constexpr index_t lanes = V::template lanes<T>;
    for (index_t i = 0; i < n; i += lanes) {
      kernels::vec<T, V> x, y;
      kernels::load<V>(x, a + i);
      kernels::load<V>(y, b + i);
      kernels::store<V>(sum + i, x + y);
    }
  }
};

namespace detail {

/// Whether `left` and `right`, neighbours in this order, are the two halves of a branch of the tree over [0, all).
inline bool are_halves(index_range left, index_range right, index_t all) {
  const index_t half = left.size();
  return (half & (half - 1)) == 0 && left.begin % (2 * half) == 0 && right.end == (std::min)(left.begin + 2 * half, all);
}

/// Appends the largest branches of the tree over [0, all) that lie in `run`.
inline void append_branches(index_range run, index_t all, std::vector<index_range>& branches) {
  const std::size_t first = branches.size();
  for (index_t s = run.begin; s < run.end; ++s) {
    index_range now{s, s + 1};
    while (branches.size() > first && are_halves(branches.back(), now, all)) {
      now.begin = branches.back().begin;
      branches.pop_back();
    }
    branches.push_back(now);
  }
}

}  // namespace detail

/// For one arena of gradients, or of what running statistics change by. After the construction nothing is allocated.
template <class T>
class shard_sum {
 public:
  /// For batches of up to `shards` shards and arenas of `elements` values, whole cache lines.
  MINICNN_COLD shard_sum(team& ranks, index_t shards, index_t elements, const context& ctx)
      : ranks_(&ranks), elements_(elements), ctx_(ctx) {
    const auto count = static_cast<std::size_t>(ranks.size());
    cut_.resize(count + 1), sends_.resize(count);
    for (std::size_t r = 0; r <= count; ++r) cut_[r] = begin_of_part(elements / unit, ranks.size(), static_cast<index_t>(r));
    std::size_t memory = 0, rounds = 0;
    for (index_t n = 1; n <= shards; ++n) {
      branches_.clear();
      detail::append_branches(range_of_part(n, ranks.size(), ranks.rank()), n, branches_);
      memory = (std::max)(memory, held_at_most(n));
      for (index_t r = 0; r < ranks.size() && ranks.size() > 1; ++r) {
        branches_.clear();
        detail::append_branches(range_of_part(n, ranks.size(), r), n, branches_);
        rounds = (std::max)(rounds, branches_.size());
      }
    }
    const auto most = static_cast<std::size_t>(shards) + 1;
    branches_.reserve(most), held_.reserve(most), arrived_.reserve(most);
    for (std::size_t i = 0; i < memory; ++i) held_memory_.emplace_back(elements);
    const index_t own = own_lines() * unit;
    if (ranks.size() > 1) received_ = aligned_buffer<T>(static_cast<index_t>(rounds) * ranks.size() * own);
  }

  /// Begins a batch of `shards` shards.
  void begin(index_t shards) {
    shards_ = shards;
    run_ = range_of_part(shards, ranks_->size(), ranks_->rank());
    held_.clear();
  }

  /// Takes in `values` of this process's next shard, in ascending order; they are free to be overwritten afterwards, but for
  /// those of the last shard, which `finish` needs.
  void add(T* values) {
    const index_t shard = held_.empty() ? run_.begin : held_.back().shards.end;
    branch now{{shard, shard + 1}, values};
    const bool last = shard + 1 == run_.end;
    while (!held_.empty() && detail::are_halves(held_.back().shards, now.shards, shards_)) {
      T* const into = last ? values : held_.back().values;
      sum(held_.back().values, now.values, into, elements_);
      now = {{held_.back().shards.begin, now.shards.end}, into};
      held_.pop_back();
    }
    if (!last && now.values == values) {
      now.values = held_memory_[held_.size()].data();
      parallel_for(ctx_.threads, elements_ / unit, grain / unit, [&](index_t begin, index_t end) {
        std::copy(values + begin * unit, values + end * unit, now.values + begin * unit);
      });
    }
    held_.push_back(now);
  }

  /// Puts the sum over all shards of the batch, of all processes, into `total`: the arena that `add` was given last.
  void finish(T* total) {
    if (ranks_->size() == 1) return;  // the last `add` has summed up everything
    send_branches();
    arrange();
    const index_t begin = cut_[me()] * unit;
    const index_t own = own_lines();
    parallel_for(ctx_.threads, own, piece / unit, [&](index_t first, index_t last) {
      for (index_t at = first * unit; at < last * unit; at += piece)
        sum_piece(at, (std::min)(piece, last * unit - at), total + begin);
    });
    ranks_->collect(total, cut_);
  }

 private:
  static constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
  static_assert(alignment == team::line_bytes);
  static constexpr index_t grain = index_t{1} << 16, piece = 4096;

  struct branch {
    index_range shards;
    T* values;
  };

  std::size_t me() const { return static_cast<std::size_t>(ranks_->rank()); }
  index_t own_lines() const { return cut_[me() + 1] - cut_[me()]; }

  /// Arenas of our own that `add` fills for a batch of `n` shards.
  std::size_t held_at_most(index_t n) const {
    const index_range run = range_of_part(n, ranks_->size(), ranks_->rank());
    std::vector<index_range> branches;
    std::size_t most = 0;
    for (index_t s = run.begin; s + 1 < run.end; ++s) {
      branches.clear();
      detail::append_branches({run.begin, s + 1}, n, branches);
      most = (std::max)(most, branches.size());
    }
    return most;
  }

  void sum(const T* a, const T* b, T* to, index_t count) {
    parallel_for(ctx_.threads, count / unit, grain / unit, [&](index_t begin, index_t end) {
      kernels::dispatch<add_kernel<T>>(ctx_.instruction_set, a + begin * unit, b + begin * unit, to + begin * unit,
                                       (end - begin) * unit);
    });
  }

  /// Round i: the i-th branch of every rank that has so many.
  void send_branches() {
    for (std::size_t round = 0;; ++round) {
      bool any = false;
      for (index_t r = 0; r < ranks_->size(); ++r) {
        branches_.clear();
        detail::append_branches(range_of_part(shards_, ranks_->size(), r), shards_, branches_);
        const bool sends = branches_.size() > round;
        sends_[static_cast<std::size_t>(r)] = sends ? 1 : 0;
        any = any || sends;
      }
      if (!any) return;
      ranks_->scatter(round < held_.size() ? held_[round].values : nullptr, cut_, sends_, place(round, 0));
    }
  }

  T* place(std::size_t round, index_t rank) {
    return received_.data() + (static_cast<index_t>(round) * ranks_->size() + rank) * own_lines() * unit;
  }

  /// Lists what has arrived, in the order of shards.
  void arrange() {
    arrived_.clear();
    for (index_t r = 0; r < ranks_->size(); ++r) {
      branches_.clear();
      detail::append_branches(range_of_part(shards_, ranks_->size(), r), shards_, branches_);
      for (std::size_t i = 0; i < branches_.size(); ++i) arrived_.push_back({branches_[i], place(i, r)});
    }
  }

  /// Elements [at, at + count) of our part: adds up the tree in the memory of what has arrived.
  void sum_piece(index_t at, index_t count, T* to) const {
    constexpr std::size_t deepest = 64;
    branch open[deepest];
    std::size_t height = 0;
    for (branch now : arrived_) {
      while (height > 0 && detail::are_halves(open[height - 1].shards, now.shards, shards_)) {
        const branch& left = open[--height];
        const bool root = left.shards.begin == 0 && now.shards.end == shards_;
        T* const into = root ? to : left.values;
        kernels::dispatch<add_kernel<T>>(ctx_.instruction_set, static_cast<const T*>(left.values + at),
                                         static_cast<const T*>(now.values + at), into + at, count);
        now = {{left.shards.begin, now.shards.end}, into};
      }
      open[height++] = now;
    }
    if (open[0].values != to) std::copy(open[0].values + at, open[0].values + at + count, to + at);
  }

  team* ranks_;
  index_t elements_, shards_ = 0;
  index_range run_;
  context ctx_;
  std::vector<index_t> cut_;  // in lines: which part of the arena each rank sums up
  std::vector<char> sends_;
  std::vector<branch> held_, arrived_;
  std::vector<index_range> branches_;
  std::vector<aligned_buffer<T>> held_memory_;
  aligned_buffer<T> received_;
};

}  // namespace minicnn::inline MINICNN_ABI
