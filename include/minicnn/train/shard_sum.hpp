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
#include <cstdint>
#include <type_traits>
#include <vector>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/context.hpp"
#include "minicnn/core/shards.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"
#include "minicnn/train/team.hpp"
#include "minicnn/train/wire.hpp"

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

struct exchange_options {
  wire_format wire = wire_format::fp32;  ///< bf16 for networks of float alone
  index_t buckets = 1;                   ///< parts of the arena that are exchanged one after the other, from its end on
};

/// For one arena of gradients, or of what running statistics change by. After the construction nothing is allocated.
template <class T>
class shard_sum {
 public:
  /// For batches of up to `shards` shards and arenas of `elements` values, whole cache lines.
  MINICNN_COLD shard_sum(team& ranks, index_t shards, index_t elements, const context& ctx, exchange_options o = {})
      : ranks_(&ranks), options_(o), elements_(elements), ctx_(ctx) {
    if (rounds_values() && !std::is_same_v<T, float>) fail<option_error>("shards: gradients of double are not sent in bf16");
    const auto count = static_cast<std::size_t>(ranks.size());
    cut_.resize(count + 1), half_cut_.resize(count + 1), sends_.resize(count), half_sends_.resize(count);
    std::size_t memory = 0, rounds = 0;
    for (index_t n = 1; n <= shards; ++n) {
      memory = (std::max)(memory, held_at_most(n));
      for (index_t r = 0; r < ranks.size() && ranks.size() > 1; ++r) rounds = (std::max)(rounds, branches_of(r, n).size());
    }
    const auto most = static_cast<std::size_t>(shards) + 1;
    branches_.reserve(most), held_.reserve(most), arrived_.reserve(most);
    for (std::size_t i = 0; i < memory; ++i) held_memory_.emplace_back(elements);
    if (ranks.size() == 1) return;
    index_t own = 0;
    for (index_t b = 0; b < buckets(); ++b) cut_bucket(b), own = (std::max)(own, kernels::round_up(own_lines(), index_t{2}));
    received_ = aligned_buffer<T>(static_cast<index_t>(rounds) * ranks.size() * own * unit);
    if (!rounds_values()) return;
    halves_ = aligned_buffer<std::uint16_t>(kernels::round_up(elements, 2 * unit));
    received_halves_ = aligned_buffer<std::uint16_t>(ranks.size() * own * unit);
  }

  index_t elements() const { return elements_; }
  index_t buckets() const { return options_.buckets; }
  /// The first element of a bucket. Bucket 0 ends with the arena, each other one where the one before begins.
  index_t bucket_begin(index_t bucket) const { return bucket_lines(bucket).begin * unit; }

  /// Begins a batch of `shards` shards.
  void begin(index_t shards) {
    shards_ = shards;
    run_ = range_of_part(shards, ranks_->size(), ranks_->rank());
    next_ = run_.begin;
    held_.clear();
    own_ = nullptr, joined_ = 0;
  }

  /// Takes in `values` of this process's next shard, in ascending order; they are free to be overwritten afterwards.
  void add(T* values) {
    const index_t shard = next_++;
    if (next_ == run_.end) return add_last(values);
    if (rounds_values()) each_piece(elements_, ctx_.threads, [&](index_t at, index_t n) { round_values(values + at, n); });
    branch now{{shard, shard + 1}, values};
    while (!held_.empty() && detail::are_halves(held_.back().shards, now.shards, shards_)) {
      T* const into = held_.back().values;
      const T* const right = now.values;
      each_piece(elements_, ctx_.threads, [&](index_t at, index_t n) { sum(into + at, right + at, into + at, n); });
      now = {{held_.back().shards.begin, now.shards.end}, into};
      held_.pop_back();
    }
    if (now.values == values) {
      now.values = held_memory_[held_.size()].data();
      each_piece(elements_, ctx_.threads,
                 [&](index_t at, index_t n) { std::copy(values + at, values + at + n, now.values + at); });
    }
    held_.push_back(now);
  }

  /// Says that the last shard's values will be in `values`, each bucket of them when it is finished.
  void add_last(T* values) {
    own_ = values;
    next_ = run_.end;
    index_range now{run_.end - 1, run_.end};
    for (joined_ = 0; joined_ < held_.size(); ++joined_) {
      const index_range left = held_[held_.size() - 1 - joined_].shards;
      if (!detail::are_halves(left, now, shards_)) break;
      now.begin = left.begin;
    }
  }

  /// Puts the sum over all shards of the batch, of all processes, into `total`, which is the arena of the last shard.
  void finish(T* total) {
    for (index_t b = 0; b < buckets(); ++b) finish(b, total, ctx_.threads);
  }

  /// The same for one bucket: all processes finish them in ascending order.
  void finish(index_t bucket, T* total, int threads) {
    const index_range lines = bucket_lines(bucket);
    if (own_ != nullptr) join_own(lines.begin * unit, lines.size() * unit, threads);
    if (ranks_->size() == 1) {
      if (rounds_values() && shards_ > 1)
        each_piece(lines.size() * unit, threads,
                   [&](index_t at, index_t n) { round_values(total + lines.begin * unit + at, n); });
      return;
    }
    cut_bucket(bucket);
    send_branches(threads);
    arrange();
    T* const part = total + cut_[me()] * unit;
    each_piece(own_lines() * unit, threads, [&](index_t at, index_t n) { sum_piece(at, n, part); });
    if (!rounds_values()) return ranks_->collect(total, cut_);
    each_piece(own_lines() * unit, threads, [&](index_t at, index_t n) {
      round_values(part + at, n);
      narrow(part + at, halves_.data() + cut_[me()] * unit + at, n);
    });
    ranks_->collect(halves_.data(), half_cut_);
    each_piece(lines.size() * unit, threads, [&](index_t at, index_t n) {
      widen(halves_.data() + lines.begin * unit + at, total + lines.begin * unit + at, n);
    });
  }

 private:
  static constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
  static_assert(alignment == team::line_bytes);
  static constexpr index_t piece = 4096;

  struct branch {
    index_range shards;
    T* values;
  };

  bool rounds_values() const { return options_.wire == wire_format::bf16; }
  std::size_t me() const { return static_cast<std::size_t>(ranks_->rank()); }
  index_t own_lines() const { return cut_[me() + 1] - cut_[me()]; }

  /// Lines of a bucket. It begins at an even line, since two lines of float are one of bfloat16.
  index_range bucket_lines(index_t bucket) const {
    const index_t lines = elements_ / unit, pairs = (lines + 1) / 2;
    const index_range part = range_of_part(pairs, buckets(), buckets() - 1 - bucket);
    return {2 * part.begin, (std::min)(2 * part.end, lines)};
  }

  /// Which lines of the bucket each rank adds up; the same lines in bfloat16.
  void cut_bucket(index_t bucket) {
    const index_range lines = bucket_lines(bucket);
    const index_t pairs = (lines.size() + 1) / 2;
    for (std::size_t r = 0; r < cut_.size(); ++r) {
      const index_t begin = lines.begin + 2 * begin_of_part(pairs, ranks_->size(), static_cast<index_t>(r));
      cut_[r] = (std::min)(begin, lines.end), half_cut_[r] = (cut_[r] + 1) / 2;
    }
  }

  const std::vector<index_range>& branches_of(index_t rank, index_t shards) {
    branches_.clear();
    detail::append_branches(range_of_part(shards, ranks_->size(), rank), shards, branches_);
    return branches_;
  }

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

  /// Calls `body(begin, count)` for pieces of `count` elements, whole lines.
  template <class F>
  void each_piece(index_t count, int threads, const F& body) const {
    parallel_for(threads, (count + piece - 1) / piece, 4, [&](index_t first, index_t last) {
      for (index_t p = first; p < last; ++p) body(p * piece, (std::min)(piece, count - p * piece));
    });
  }

  void sum(const T* a, const T* b, T* to, index_t count) const {
    kernels::dispatch<add_kernel<T>>(ctx_.instruction_set, a, b, to, count);
  }
  void round_values(T* values, index_t count) const {
    if constexpr (std::is_same_v<T, float>) kernels::round_to_bf16(ctx_.instruction_set, count, values);
  }
  void narrow(const T* from, std::uint16_t* to, index_t count) const {
    if constexpr (std::is_same_v<T, float>) kernels::dispatch<detail::narrow_words_kernel>(ctx_.instruction_set, from, to, count);
  }
  void widen(const std::uint16_t* from, T* to, index_t count) const {
    if constexpr (std::is_same_v<T, float>) kernels::dispatch<detail::widen_words_kernel>(ctx_.instruction_set, from, to, count);
  }

  /// The last shard's elements [begin, begin + count), and with them those of the branches that it completes.
  void join_own(index_t begin, index_t count, int threads) {
    each_piece(count, threads, [&](index_t at, index_t n) {
      T* const to = own_ + begin + at;
      if (rounds_values()) round_values(to, n);
      for (std::size_t j = 0; j < joined_; ++j) sum(held_[held_.size() - 1 - j].values + begin + at, to, to, n);
    });
  }

  /// Our i-th branch, null if we have none.
  const T* own_branch(std::size_t i) const {
    const std::size_t before = held_.size() - joined_;
    return i < before ? held_[i].values : i == before ? own_ : nullptr;
  }

  /// Round i: the i-th branch of every rank that has so many. In bfloat16 go those of one shard, which are rounded: sums of
  /// several have more digits.
  void send_branches(int threads) {
    for (std::size_t round = 0;; ++round) {
      index_t all = 0, halves = 0;
      for (index_t r = 0; r < ranks_->size(); ++r) {
        const std::vector<index_range>& theirs = branches_of(r, shards_);
        const bool sends = theirs.size() > round, half = sends && rounds_values() && theirs[round].size() == 1;
        sends_[static_cast<std::size_t>(r)] = half ? 2 : sends ? 1 : 0;
        all += sends ? 1 : 0, halves += half ? 1 : 0;
      }
      if (all == 0) return;
      if (halves > 0) send_halves(round, threads);
      for (char& s : sends_) s = s == 1 ? 1 : 0;
      if (all > halves) ranks_->scatter(own_branch(round), cut_, sends_, place(round, 0));
    }
  }

  void send_halves(std::size_t round, int threads) {
    const index_t begin = cut_.front() * unit, count = cut_.back() * unit - begin;
    if (sends_[me()] == 2) {
      const T* const from = own_branch(round) + begin;
      each_piece(count, threads, [&](index_t at, index_t n) { narrow(from + at, halves_.data() + begin + at, n); });
    }
    half_sends_.assign(sends_.begin(), sends_.end());
    for (char& s : half_sends_) s = s == 2 ? 1 : 0;
    ranks_->scatter(halves_.data(), half_cut_, half_sends_, received_halves_.data());
    const index_t own = (half_cut_[me() + 1] - half_cut_[me()]) * 2 * unit;
    for (index_t r = 0; r < ranks_->size(); ++r) {
      if (half_sends_[static_cast<std::size_t>(r)] == 0) continue;
      each_piece(own_lines() * unit, threads,
                 [&](index_t at, index_t n) { widen(received_halves_.data() + r * own + at, place(round, r) + at, n); });
    }
  }

  T* place(std::size_t round, index_t rank) {
    return received_.data() + (static_cast<index_t>(round) * ranks_->size() + rank) * own_lines() * unit;
  }

  /// Lists what has arrived, in the order of shards.
  void arrange() {
    arrived_.clear();
    for (index_t r = 0; r < ranks_->size(); ++r) {
      const std::vector<index_range>& theirs = branches_of(r, shards_);
      for (std::size_t i = 0; i < theirs.size(); ++i) arrived_.push_back({theirs[i], place(i, r)});
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
        sum(left.values + at, now.values + at, into + at, count);
        now = {{left.shards.begin, now.shards.end}, into};
      }
      open[height++] = now;
    }
    if (open[0].values != to) std::copy(open[0].values + at, open[0].values + at + count, to + at);
  }

  team* ranks_;
  exchange_options options_;
  index_t elements_, shards_ = 0, next_ = 0;
  index_range run_;
  context ctx_;
  std::vector<index_t> cut_, half_cut_;
  std::vector<char> sends_, half_sends_;
  T* own_ = nullptr;        // values of the last shard
  std::size_t joined_ = 0;  // branches that it completes, the last ones of held_
  std::vector<branch> held_, arrived_;
  std::vector<index_range> branches_;
  std::vector<aligned_buffer<T>> held_memory_;
  aligned_buffer<T> received_;
  aligned_buffer<std::uint16_t> halves_, received_halves_;
};

}  // namespace minicnn::inline MINICNN_ABI
