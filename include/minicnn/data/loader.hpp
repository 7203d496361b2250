#pragma once
/// Batches of a data set, made ahead of time by threads of their own.
///
///     loader<float> data(set, split.train, {.batch_size = 64, .transform = t, .training = true});
///     data.start_epoch(epoch);
///     while (const batch<float>* b = data.next()) step(b->images, b->labels);

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/batch.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/core/shards.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/data/balanced_order.hpp"
#include "minicnn/data/block_order.hpp"
#include "minicnn/data/picture_source.hpp"

namespace minicnn::inline MINICNN_ABI {

struct loader_options {
  index_t batch_size = 20;
  image_transform transform = {};
  bool training = false;  ///< shuffles every epoch anew and applies the transform's augmentation
  std::uint64_t seed = 0;
  int workers = 1;       ///< threads that prepare batches; 0: the caller's own thread does, in `next`
  index_t prefetch = 2;  ///< batches prepared ahead of the one in use
  /// In training: every class as often as the others. An epoch has as many pictures as there are, those of small classes several
  /// times, each time augmented anew, of large ones a part, which changes from epoch to epoch.
  bool balance = false;
  shuffle_mode shuffle = shuffle_mode::full;  ///< how training orders an epoch; not together with `balance`
  bool drop_last = false;                     ///< leaves out a last batch that is smaller than the others
  /// Decodes every picture once beforehand and leaves out those that cannot be decoded. One that goes later is left out too: in
  /// training another of the epoch takes its place, so that batches and steps are as many as before.
  bool skip_bad = false;
  /// What `picture_source::check` of the samples has found, in their order: with `skip_bad` nothing is decoded to find it again.
  std::optional<std::vector<bad_file>> known_bad = {};
  std::int64_t cache_bytes = 0;  ///< decoded pictures kept in memory, at most so many bytes of them
  bool preload = false;          ///< fills that memory beforehand
  int preload_threads = 0;       ///< for that; 0: all processors
  /// Told now and then, by one thread, how many pictures have been decoded beforehand (`skip_bad`, `preload`).
  std::function<void(index_t done, index_t total)> on_read = {};
};

/// What a batch holds depends on the seed, the epoch and the samples alone, never on the number of workers. After the first
/// epoch nothing is allocated but what the picture decoder needs. Not for use by two threads at a time.
template <class T>
class loader {
 public:
  /// Batches of the samples `chosen` of `data`, which must outlive the loader. Throws option_error for options outside their
  /// range or nothing to load, and with `skip_bad` file_error if no picture is left.
  loader(const image_dataset& data, sample_indices chosen, loader_options options)
      : data_(&data),
        options_(std::move(options)),
        given_(options_.transform),
        samples_(std::move(chosen)),
        source_(data, options_.cache_bytes) {
    if (options_.workers < 0 || options_.workers > max_threads)
      fail<option_error>("loader: workers ", options_.workers, " is outside 0 to ", max_threads);
    if (options_.prefetch < 1) fail<option_error>("loader: prefetch ", options_.prefetch, " is below 1");
    for (const index_t i : samples_)
      if (i < 0 || i >= data.size()) fail<option_error>("loader: sample ", i, " of a data set of ", data.size());
    if (samples_.empty()) fail<option_error>("loader: no pictures to load");
    check(options_.transform);
    if (options_.balance && options_.shuffle == shuffle_mode::blocks)
      fail<option_error>("loader: balanced classes and shuffling by blocks are two orders; choose one");
    if (options_.skip_bad) leave_out_bad();
    if (options_.preload && options_.cache_bytes > 0 && (!options_.skip_bad || options_.known_bad))
      (void)source_.check(samples_, options_.preload_threads,
                          options_.on_read);  // a picture that cannot be read is an error when it is asked for
    if (options_.training && options_.shuffle == shuffle_mode::blocks) stored_ = detail::storage_order(data, samples_);
    if (options_.batch_size < 1) fail<option_error>("loader: batch size ", options_.batch_size, " is below 1");
    if (batches() == 0) fail<option_error>("loader: ", size(), " pictures make no whole batch of ", options_.batch_size);
    const int threads = (std::max)(1, options_.workers);
    workspaces_.resize(static_cast<std::size_t>(threads));
    slots_.resize(options_.workers == 0 ? 1 : static_cast<std::size_t>(options_.prefetch) + 1);
    reserve();
    start_workers();
  }
  loader(const image_dataset&&, sample_indices, loader_options) = delete;  // would not outlive the statement
  ~loader() { stop_workers(); }
  loader(const loader&) = delete;
  loader& operator=(const loader&) = delete;

  /// Samples of an epoch (before `drop_last`), and batches.
  index_t size() const { return static_cast<index_t>(samples_.size()); }
  index_t batches() const {
    return options_.drop_last ? size() / options_.batch_size : (size() + options_.batch_size - 1) / options_.batch_size;
  }
  const loader_options& options() const { return options_; }

  /// What `skip_bad` left out: in the order of the samples, then what went during the epochs so far. Without `skip_bad` the
  /// picture that made `next` throw.
  const std::vector<bad_file>& bad_files() const { return bad_; }

  /// Changes the size of the network's input, and in proportion the side that pictures are resized to before a crop. With the
  /// next epoch; the running one ends.
  void set_size(index_t size) {
    image_transform t = given_;
    if (t.resize_to != 0)
      t.resize_to = (std::max)(size, static_cast<index_t>(std::llround(static_cast<double>(t.resize_to) *
                                                                       static_cast<double>(size) / static_cast<double>(t.size))));
    t.size = size;
    check(t);
    if (t.size == options_.transform.size && t.resize_to == options_.transform.resize_to) return;
    cancel();
    options_.transform = t;
    reserve();
  }
  /// Loads the images of one process of several alone, with the next epoch: `deal_of_rank` says which. A picture that goes during
  /// an epoch is an error then with `skip_bad` too, since the others do not know of it.
  void deal(const deal_of_rank& mine) {
    cancel();
    deal_ = mine;
  }

  /// Begins epoch number `epoch`, whatever has become of the one before. Equal numbers give equal batches. `first_batch`
  /// batches are passed over without loading them: how an interrupted run goes on.
  void start_epoch(index_t epoch, index_t first_batch = 0) {
    if (first_batch < 0 || first_batch > batches())
      fail<option_error>("loader: first batch ", first_batch, " is outside 0 to ", batches());
    cancel();
    order_ = samples_;
    epoch_ = epoch;
    epoch_key_ = random_key(options_.seed).of(static_cast<std::uint64_t>(epoch));
    if (options_.balance && options_.training)
      balance_.draw(*data_, samples_, random_stream(epoch_key_.of(shuffling)), order_);
    else if (!stored_.empty())
      blocks_.draw(stored_, random_stream(epoch_key_.of(shuffling)), order_);
    else if (options_.training)
      random_stream(epoch_key_.of(shuffling)).shuffle(order_);
    const std::lock_guard lock(mutex_);
    running_ = true;
    delivered_ = released_ = first_batch;
    total_ = (std::min)(size(), batches() * options_.batch_size);
    next_ticket_ = wanted_from(first_batch * options_.batch_size);
    for (index_t b = 0; b < static_cast<index_t>(slots_.size()); ++b) prepare(first_batch + b);
    work_.notify_all();
  }

  /// The next batch, or null at the end of the epoch. Throws what went wrong with the first bad picture of the batch, which
  /// ends the epoch (file_error names the file), and error if no epoch runs.
  const batch<T>* next() {
    if (!running_) fail("loader: next() without start_epoch()");
    for (;;) {
      slot& s = slots_[static_cast<std::size_t>(delivered_) % slots_.size()];
      {
        std::unique_lock lock(mutex_);
        if (released_ < delivered_) {
          prepare(released_++ + static_cast<index_t>(slots_.size()));
          work_.notify_all();
        }
        if (delivered_ == batches()) return nullptr;
        if (options_.workers > 0) done_.wait(lock, [&] { return s.missing == 0; });
      }
      if (options_.workers == 0)
        while (s.missing > 0 && !s.failure) run_ticket(take_ticket(), workspaces_.front());
      for (const bad_file& b : s.bad) remember(b);
      if (s.failure) {
        const std::exception_ptr failure = std::exchange(s.failure, nullptr);
        cancel();
        std::rethrow_exception(failure);
      }
      ++delivered_;
      close_gaps(s);
      if (s.count == 0) continue;  // an evaluation's batch of which nothing is left
      const auto count = static_cast<index_t>(s.count);
      const index_t side = options_.transform.size;
      batch_ = {view<const T>(s.images.data(), {count, data_->channels, side, side}),
                std::span<const std::int32_t>(s.labels).first(s.count), std::span<const index_t>(s.indices).first(s.count)};
      if (target_columns() > 0) batch_.targets = view<const T>(s.targets.data(), {count, target_columns()});
      return &batch_;
    }
  }

 private:
  static constexpr std::uint64_t shuffling = 1, augmenting = 2, turning = std::uint64_t{1} << 63;  // epochs are keys too

  /// Room for one batch. Workers write to places of their own in it; `missing` and `failure` are guarded by the mutex.
  struct slot {
    aligned_buffer<T> images, targets;
    std::vector<std::int32_t> labels;
    std::vector<index_t> indices;
    std::size_t count = 0;
    index_t missing = 0;
    std::exception_ptr failure;
    index_t failed_ticket = 0;
    std::vector<bad_file> bad;  ///< pictures that went, and are left out
  };

  static constexpr index_t nothing = -1;  ///< in `slot::indices`: no picture at this place

  void remember(const bad_file& bad) {
    const bool known = std::any_of(bad_.begin(), bad_.end(), [&](const bad_file& b) { return b.index == bad.index; });
    if (!known) bad_.push_back(bad);
  }

  /// Pictures that are there move together over places without one.
  void close_gaps(slot& s) const {
    if (s.bad.empty()) return;
    std::size_t kept = 0;
    const auto size = static_cast<std::size_t>(image_elements());
    for (std::size_t i = 0; i < s.count; ++i) {
      if (s.indices[i] == nothing) continue;
      if (kept != i) std::copy_n(s.images.data() + i * size, size, s.images.data() + kept * size);
      if (const auto columns = static_cast<std::size_t>(target_columns()); kept != i && columns > 0)
        std::copy_n(s.targets.data() + i * columns, columns, s.targets.data() + kept * columns);
      s.labels[kept] = s.labels[i];
      s.indices[kept++] = s.indices[i];
    }
    s.count = kept;
  }

  index_t image_elements() const { return data_->channels * options_.transform.size * options_.transform.size; }
  index_t target_columns() const { return static_cast<index_t>(data_->target_names.size()); }

  void reserve() {
    const index_t count = (std::min)(options_.batch_size, size());
    const index_t elements = shape{count, image_elements()}.size();
    for (slot& s : slots_) {
      if (s.images.size() < elements) s.images = aligned_buffer<T>(elements);
      if (s.targets.size() < count * target_columns()) s.targets = aligned_buffer<T>(count * target_columns());
      s.labels.resize(static_cast<std::size_t>(count));
      s.indices.resize(static_cast<std::size_t>(count));
    }
  }

  void leave_out_bad() {
    bad_ = options_.known_bad ? *options_.known_bad : source_.check(samples_, 0, options_.on_read);
    if (bad_.size() == samples_.size())
      fail<file_error>(bad_.front().path, ": ", bad_.front().reason, "; none of ", samples_.size(), " pictures can be read");
    auto bad = bad_.begin();
    std::erase_if(samples_, [&](index_t i) { return bad != bad_.end() && bad->index == i && (++bad, true); });
  }

  index_t images_of(index_t b) const {
    return (std::max)(index_t{0}, (std::min)(options_.batch_size, total_ - b * options_.batch_size));
  }
  /// Whether the place of batch `b` is to be filled.
  bool wanted(index_t b, index_t place) const {
    if (deal_.ranks == 1) return true;
    if (!options_.training) return range_of_part(batches(), deal_.ranks, deal_.rank).has(b);
    const index_t count = images_of(b);
    const index_range own = images_of_rank(count, deal_.shards, deal_.ranks, deal_.rank);
    return own.has(place) || (deal_.pairs && own.has(count - 1 - place));
  }
  index_t wanted_of(index_t b) const {
    index_t count = 0;
    for (index_t place = 0; place < images_of(b); ++place) count += wanted(b, place) ? 1 : 0;
    return count;
  }
  /// The first ticket from `ticket` on that stands for a wanted place.
  index_t wanted_from(index_t ticket) const {
    while (ticket < total_ && !wanted(ticket / options_.batch_size, ticket % options_.batch_size)) ++ticket;
    return ticket;
  }
  index_t take_ticket() {
    const index_t ticket = next_ticket_;
    next_ticket_ = wanted_from(ticket + 1);
    return ticket;
  }

  /// Makes the slot of batch `b` ready to be filled; with the mutex held.
  void prepare(index_t b) {
    slot& s = slots_[static_cast<std::size_t>(b) % slots_.size()];
    s.missing = wanted_of(b);
    s.count = static_cast<std::size_t>(options_.training ? images_of(b) : s.missing);
    s.failure = nullptr;
    s.bad.clear();
  }

  /// Puts sample `index` at the place of `ticket` in its batch. False if it cannot be read and is left out; `bad` then has why.
  bool fill(slot& s, index_t ticket, index_t index, image_workspace& workspace, std::vector<bad_file>& bad) {
    const index_t place = ticket % options_.batch_size;
    try {
      const image_u8& image = source_.get(index, workspace);
      if (image.channels != data_->channels)
        fail<shape_error>(data_->samples[static_cast<std::size_t>(index)].path, ": ", image.channels,
                          " channels, the data set has ", data_->channels);
      random_key key = epoch_key_.of(augmenting).of(static_cast<std::uint64_t>(index));
      if (options_.balance) key = key.of(static_cast<std::uint64_t>(ticket));  // a picture may come several times
      const augmentation& augment = options_.transform.augment;
      std::optional<bool> mirrored;
      if (options_.training && augment.alternate_flip)
        mirrored = alternating_flip(augment, random_key(options_.seed).of(turning).of(static_cast<std::uint64_t>(index)), epoch_);
      apply(image, options_.transform, key, options_.training, s.images.data() + place * image_elements(), workspace, mirrored);
      s.labels[static_cast<std::size_t>(place)] = data_->samples[static_cast<std::size_t>(index)].label;
      s.indices[static_cast<std::size_t>(place)] = index;
      if (target_columns() > 0) copy_targets(index, s.targets.data() + place * target_columns());
      return true;
    } catch (const file_error& e) {
      bad.push_back(as_bad_file(*data_, index, e.what()));
      if (!options_.skip_bad || deal_.ranks > 1) throw;
      return false;
    }
  }

  /// What stands at `ticket` of the epoch's order; in training, where that has gone, the next one that can be read.
  void fill_some(slot& s, index_t ticket, image_workspace& workspace, std::vector<bad_file>& bad) {
    const std::size_t all = order_.size(), tries = options_.training ? all : 1;
    for (std::size_t i = 0; i < tries; ++i)
      if (fill(s, ticket, order_[(static_cast<std::size_t>(ticket) + i) % all], workspace, bad)) return;
    s.indices[static_cast<std::size_t>(ticket % options_.batch_size)] = nothing;
    if (options_.training)
      fail<file_error>(bad.front().path, ": ", bad.front().reason, "; none of ", all, " pictures can be read any more");
  }

  /// Loads the sample at place `ticket` of the epoch into its place in its batch.
  void run_ticket(index_t ticket, image_workspace& workspace) {
    slot& s = slots_[static_cast<std::size_t>(ticket / options_.batch_size) % slots_.size()];
    std::exception_ptr failure;
    std::vector<bad_file> bad;
    try {
      fill_some(s, ticket, workspace, bad);
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    if (options_.skip_bad || (failure && (!s.failure || ticket < s.failed_ticket))) {
      if (!options_.skip_bad) s.bad.clear();
      s.bad.insert(s.bad.end(), bad.begin(), bad.end());
    }
    if (failure && (!s.failure || ticket < s.failed_ticket)) {
      s.failure = failure;
      s.failed_ticket = ticket;
    }
    if (--s.missing == 0) done_.notify_all();
  }

  void copy_targets(index_t index, T* to) const {
    const std::span<const double> from = data_->targets_of(index);
    if (from.empty()) fail<shape_error>(data_->samples[static_cast<std::size_t>(index)].path, ": has no targets");
    std::transform(from.begin(), from.end(), to, [](double value) { return static_cast<T>(value); });
  }

  /// The next ticket may be taken once the slot of its batch is free.
  bool has_work() const {
    return next_ticket_ < total_ && next_ticket_ / options_.batch_size < released_ + static_cast<index_t>(slots_.size());
  }

  void work(image_workspace& workspace) {
    std::unique_lock lock(mutex_);
    for (;;) {
      work_.wait(lock, [&] { return stopping_ || has_work(); });
      if (stopping_) return;
      const index_t ticket = take_ticket();
      ++active_;
      lock.unlock();
      run_ticket(ticket, workspace);
      lock.lock();
      if (--active_ == 0) done_.notify_all();
    }
  }

  /// Ends the running epoch and waits until no worker touches its memory.
  void cancel() {
    std::unique_lock lock(mutex_);
    running_ = false;
    total_ = 0;
    done_.wait(lock, [&] { return active_ == 0; });
  }

  void start_workers() {
    try {
      for (int i = 0; i < options_.workers; ++i)
        threads_.emplace_back([this, i] { work(workspaces_[static_cast<std::size_t>(i)]); });
    } catch (...) {
      stop_workers();
      throw;
    }
  }

  void stop_workers() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    work_.notify_all();
    for (std::thread& t : threads_) t.join();
    threads_.clear();
  }

  const image_dataset* data_;
  loader_options options_;
  deal_of_rank deal_;
  const image_transform given_;  ///< which sizes are proportions of
  sample_indices samples_, order_;
  sample_indices stored_;  ///< the samples as they are stored, for shuffling by blocks
  detail::balanced_order balance_;
  detail::block_order blocks_;
  picture_source source_;
  std::vector<bad_file> bad_;
  std::vector<image_workspace> workspaces_;
  std::vector<slot> slots_;
  batch<T> batch_;
  random_key epoch_key_;
  index_t epoch_ = 0;

  std::mutex mutex_;
  std::condition_variable work_, done_;
  bool stopping_ = false, running_ = false;
  index_t total_ = 0, next_ticket_ = 0, delivered_ = 0, released_ = 0, active_ = 0;
  std::vector<std::thread> threads_;
};

}  // namespace minicnn::inline MINICNN_ABI
