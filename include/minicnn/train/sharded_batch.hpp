#pragma once
/// One batch in shards, on one process or on several: a shard is a forward and a backward of its own, gradients are added by a
/// tree over the shards, and running statistics move by the mean over them. The result depends on the number of shards, not on
/// where they are computed.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "minicnn/core/batch.hpp"
#include "minicnn/core/std_gaps.hpp"
#include "minicnn/train/exchange_thread.hpp"
#include "minicnn/train/shard_sum.hpp"
#include "minicnn/train/task.hpp"
#include "minicnn/train/training_state.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What a batch adds to the figures of its epoch; the same on all ranks.
struct batch_figures {
  index_t images = 0;                        ///< 0: the epoch is over
  double loss = 0, weight = 0, correct = 0;  ///< sums over the shards
  double seconds = 0;                        ///< the clock of rank 0
};

/// What batches have taken a rank, in seconds: its own shards, and the exchange, in which it waits for the others.
struct rank_time {
  index_t batches = 0;
  double computing = 0, waiting = 0;
};

/// Images [part.begin, part.end) of a batch.
template <class T>
batch<T> slice(const batch<T>& b, index_range part) {
  const auto first = static_cast<std::size_t>(part.begin), count = static_cast<std::size_t>(part.size());
  const auto rows = [&](const view<const T>& all) {
    shape dims = all.dims();
    dims.set(0, part.size());
    return view<const T>(all.data() + part.begin * all.dims().size_from(1), dims);
  };
  batch<T> out;
  out.images = rows(b.images);
  if (!b.labels.empty()) out.labels = b.labels.subspan(first, count);
  if (!b.indices.empty()) out.indices = b.indices.subspan(first, count);
  if (b.targets.present()) out.targets = rows(b.targets);
  if (b.soft_labels.present()) out.soft_labels = rows(b.soft_labels);
  return out;
}

struct shard_options {
  index_t shards = 1;
  wire_format wire = wire_format::fp32;
  bool overlap = false;  ///< gradients are exchanged while backward goes on, by a thread of its own
};

template <class T>
class sharded_batch {
 public:
  MINICNN_COLD sharded_batch(network<T>& net, session<T>& run, const task<T>& what, team& ranks, const shard_options& o)
      : net_(net),
        session_(run),
        task_(what),
        ranks_(ranks),
        shards_(o.shards),
        gradients_(ranks, o.shards, net.gradient_arena().size(), net.ctx(),
                   {.wire = o.wire, .buckets = o.overlap ? buckets_of(net.gradient_arena().size()) : 1}),
        statistics_(ranks, o.shards, net.buffer_arena().size(), net.ctx()),
        before_(net.buffer_arena().size()),
        change_(net.buffer_arena().size()) {
    if (o.overlap && ranks.size() > 1) {
      if (const std::string why = ranks.one_thread_only(); !why.empty()) fail<option_error>("overlap: ", why);
      list_offsets(), exchange_ = std::make_unique<exchange_thread<T>>(gradients_);
    }
    const index_t most = (o.shards + ranks.size() - 1) / ranks.size();
    record_bytes_ = static_cast<index_t>(sizeof(header)) + most * static_cast<index_t>(sizeof(shard_figures));
    mine_.resize(static_cast<std::size_t>(record_bytes_));
    all_.resize(static_cast<std::size_t>(record_bytes_ * ranks.size()));
    rank_times_.resize(static_cast<std::size_t>(ranks.size()));
  }

  /// Plans memory for the shards of batches like this one.
  void reserve(const shape& input) {
    shape dims = input;
    dims.set(0, largest_shard(input[0]));
    session_.reserve(dims);
  }

  /// `next` gives the batch, or null at the end of the epoch, or throws. Computes this rank's shards of it, exchanges what they
  /// say about themselves, and leaves the gradients of the whole batch, as if it weighed as much as it has images, in the
  /// network. Throws team_failure on all ranks if anything failed on one; then the network is what it was. `own`: the images of
  /// this rank.
  template <class Next>
  batch_figures run(const Next& next, double seconds, batch<T>& own) {
    header here{0, 0, seconds, spent_};
    lap();
    std::exception_ptr failure;
    const std::uint64_t step = net_.step();
    const view<T> statistics = net_.buffer_arena();
    std::copy(statistics.begin(), statistics.end(), before_.data());
    bool asked = false;
    try {
      const batch<T>* b = next();
      asked = true;
      if (b != nullptr) here.images = b->size(), compute(*b, own);
    } catch (...) {
      failure = std::current_exception();
      here.images = asked ? failed : data_failed_code;
    }
    spent_.computing += lap();
    // Before the last backward, which may be exchanging gradients: no rank begins with that unless all are well.
    const batch_figures sums = exchange_figures(here, failure, step);
    if (sums.images == 0) return sums;
    spent_.waiting += lap();
    exchange_gradients();
    move_statistics();
    spent_.waiting += lap(), spent_.batches += 1;
    return sums;
  }

  /// Whether `run` threw because the data of some rank did.
  bool data_failed() const { return data_failed_; }

  /// Of every rank, without the latest batch.
  const std::vector<rank_time>& rank_times() const { return rank_times_; }

 private:
  /// Parts that are large enough for a network's delays not to count, and small enough to begin early.
  static index_t buckets_of(index_t elements) {
    return std::clamp(elements * static_cast<index_t>(sizeof(T)) >> 21, index_t{1}, index_t{16});
  }

  struct header {
    index_t images, shards;
    double seconds;
    rank_time spent;
  };
  struct shard_figures {
    double loss, weight, correct;
  };
  static constexpr index_t failed = -1, data_failed_code = -2;

  /// For every node where the gradients of its parameters and of those behind it begin.
  MINICNN_COLD void list_offsets() {
    first_gradient_.assign(net_.nodes().size(), net_.gradient_arena().size());
    for (const parameter_info& p : net_.parameters()) {
      index_t& first = first_gradient_[static_cast<std::size_t>(p.node)];
      first = (std::min)(first, p.offset);
    }
    for (std::size_t i = first_gradient_.size(); i-- > 1;)
      first_gradient_[i - 1] = (std::min)(first_gradient_[i - 1], first_gradient_[i]);
  }

  index_t largest_shard(index_t images) const {
    const index_t used = (std::max)(shards_of_batch(images, shards_), index_t{1});
    return (std::max)((images + used - 1) / used, (std::min)(images, index_t{3}));  // of an odd small batch
  }

  /// Seconds since it was asked last.
  double lap() {
    const auto before = std::exchange(lap_, std::chrono::steady_clock::now());
    return std::chrono::duration<double>(lap_ - before).count();
  }

  shard_figures* figures_of(std::vector<char>& records, index_t rank) const {
    return reinterpret_cast<shard_figures*>(records.data() + rank * record_bytes_ + static_cast<index_t>(sizeof(header)));
  }

  void compute(const batch<T>& b, batch<T>& own) {
    const index_t images = b.size(), used = shards_of_batch(images, shards_);
    if (images == 0) fail<shape_error>("fit: a batch without images");
    reserve(b.images.dims());
    const index_range run = range_of_part(used, ranks_.size(), ranks_.rank());
    own = slice(b, images_of_rank(images, shards_, ranks_.size(), ranks_.rank()));
    gradients_.begin(used), statistics_.begin(used);
    const view<T> statistics = net_.buffer_arena();
    const std::uint64_t step = net_.step();
    shard_figures* figures = figures_of(mine_, 0);
    computes_ = run.size() > 0;
    for (index_t s = run.begin; s < run.end; ++s) {
      net_.step(step + static_cast<std::uint64_t>(s));
      *figures++ = compute_loss(slice(b, range_of_part(images, used, s)), static_cast<double>(images));
      for (index_t i = 0; i < statistics.size(); ++i) change_.data()[i] = statistics[i] - before_.data()[i];
      if (statistics.size() > 0) statistics_.add(change_.data());
      if (s + 1 == run.end) break;  // its backward comes when all ranks have come so far
      session_.backward();
      std::copy(before_.data(), before_.data() + before_.size(), statistics.begin());
      gradients_.add(net_.gradient_arena().data());
    }
    net_.step(step + static_cast<std::uint64_t>(shards_));
    used_ = used;
  }

  /// Forward, and the loss with its gradients.
  shard_figures compute_loss(const batch<T>& b, double images) {
    session_.forward(b.images);
    const network_outputs<T> outputs = outputs_.of(session_);
    const double weight = task_.weight(b);
    // Without weight the loss says nothing; output gradients are zero then.
    const double loss = weight > 0 ? task_.losses(outputs, b, weight / images) : 0.0;
    return {loss * weight, weight, task_.correct(outputs.values[0], b)};
  }

  /// Backward of the last shard, and the sum over all of them.
  void exchange_gradients() {
    T* const arena = net_.gradient_arena().data();
    if (computes_) gradients_.add_last(arena);
    if (exchange_ == nullptr) {
      if (computes_) last_backward([](std::size_t) {});
      return gradients_.finish(arena);
    }
    exchange_->begin(arena);
    if (computes_) last_backward([&](std::size_t node) { exchange_->written_from(first_gradient_[node]); });
    exchange_->finish();
  }

  /// The others are about to exchange gradients, or doing so: they would wait for those of a backward that failed.
  template <class Done>
  void last_backward(const Done& done) {
    try {
      session_.backward(false, done);
      spent_.computing += lap();
    } catch (const std::exception& e) {
      if (ranks_.size() > 1) ranks_.end_all(text_of("backward: ", e.what()));
      throw;
    }
  }

  /// All ranks' records; sums in the order of shards.
  batch_figures exchange_figures(header here, const std::exception_ptr& failure, std::uint64_t step) {
    here.shards = shards_;
    std::memcpy(mine_.data(), &here, sizeof here);
    ranks_.gather(mine_.data(), all_.data(), record_bytes_);
    bool fault = false;
    data_failed_ = false;
    batch_figures sums;
    for (index_t r = 0; r < ranks_.size(); ++r) {
      header there;
      std::memcpy(&there, all_.data() + r * record_bytes_, sizeof there);
      rank_times_[static_cast<std::size_t>(r)] = there.spent;
      if (r == 0) sums.images = there.images, sums.seconds = there.seconds;
      data_failed_ = data_failed_ || there.images == data_failed_code;
      fault = fault || there.images < 0 || there.images != sums.images || there.shards != shards_;
      if (fault || sums.images == 0) continue;
      const shard_figures* f = figures_of(all_, r);
      for (index_t s = range_of_part(used_, ranks_.size(), r).size(); s > 0; --s, ++f)
        sums.loss += f->loss, sums.weight += f->weight, sums.correct += f->correct;
    }
    if (fault) {
      net_.step(step);
      std::copy(before_.data(), before_.data() + before_.size(), net_.buffer_arena().begin());
      explain(failure, here);
    }
    return sums;
  }

  [[noreturn]] MINICNN_COLD void explain(const std::exception_ptr& failure, const header& here) {
    fail_together(ranks_, failure);
    want_same(ranks_, "the batch", text_of(here.images, " images in ", here.shards, " shards"));
    fail("fit: ranks differ");  // does not happen: something has differed
  }

  void move_statistics() {
    const view<T> statistics = net_.buffer_arena();
    if (statistics.size() == 0) return;
    statistics_.finish(change_.data());
    const T share = T(1) / static_cast<T>(used_);
    for (index_t i = 0; i < statistics.size(); ++i) statistics[i] = before_.data()[i] + change_.data()[i] * share;
  }

  network<T>& net_;
  session<T>& session_;
  const task<T>& task_;
  team& ranks_;
  index_t shards_, used_ = 1, record_bytes_ = 0;
  bool data_failed_ = false, computes_ = false;
  shard_sum<T> gradients_, statistics_;
  std::vector<index_t> first_gradient_;
  std::unique_ptr<exchange_thread<T>> exchange_;
  aligned_buffer<T> before_, change_;
  output_table<T> outputs_;
  std::vector<char> mine_, all_;
  std::chrono::steady_clock::time_point lap_;
  rank_time spent_;
  std::vector<rank_time> rank_times_;
};

/// Throws team_failure with the ranks' hashes unless parameters and buffers are the same on all of them: memory that errs, and
/// kernels that differ, show before anything is saved.
template <class T>
MINICNN_COLD void want_same_weights(team& ranks, const network<T>& net, const training_state& at) {
  using word = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const view<const T>& arena : {net.parameter_arena(), net.buffer_arena()})
    for (const T value : arena) hash = (hash ^ detail::bit_cast<word>(value)) * 0x100000001B3ULL;
  want_same(ranks, text_of("the hash of the weights after epoch ", at.epoch, " and ", at.batch, " batches"), to_text(hash));
}

}  // namespace minicnn::inline MINICNN_ABI
