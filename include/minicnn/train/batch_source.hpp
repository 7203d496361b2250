#pragma once
/// Data as the training loop sees it, whatever its type.

#include <memory>

#include "minicnn/core/batch.hpp"
#include "minicnn/core/error.hpp"
#include "minicnn/core/shards.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What `fit` and `evaluate` take: `start_epoch(epoch, first_batch)`, `next()` (a pointer to a batch with `images` and `labels`
/// or `targets`, null at the end), `size()` and `batches()`; and `set_size(pixels)` where training goes through several sizes.
/// Where several processes train, `deal(deal_of_rank)` tells data which images are this one's; data without it loads all of them.
template <class Data>
concept batch_data = requires(Data& data) {
  data.start_epoch(index_t{0}, index_t{0});
  data.next()->images;
  data.size();
  data.batches();
};

template <class T>
class batch_source {
 public:
  virtual ~batch_source() = default;
  virtual void start_epoch(index_t epoch, index_t first_batch) = 0;
  virtual const batch<T>* next() = 0;
  virtual index_t size() const = 0;
  virtual index_t batches() const = 0;
  virtual bool resizable() const = 0;
  virtual void set_size(index_t pixels) = 0;
  /// Whether the data has `deal`, which is called then.
  virtual bool deal(const deal_of_rank&) { return false; }
};

namespace detail {

template <class T, class Data>
class data_reference final : public batch_source<T> {
 public:
  explicit data_reference(Data& data) : data_(data) {}
  void start_epoch(index_t epoch, index_t first_batch) override { data_.start_epoch(epoch, first_batch); }
  const batch<T>* next() override {
    const auto* b = data_.next();
    if (b == nullptr) return nullptr;
    batch_ = as_batch<T>(*b);
    return &batch_;
  }
  index_t size() const override { return data_.size(); }
  index_t batches() const override { return data_.batches(); }
  bool resizable() const override { return can_resize; }
  void set_size(index_t pixels) override {
    if constexpr (can_resize) data_.set_size(pixels);
  }
  bool deal([[maybe_unused]] const deal_of_rank& d) override {
    constexpr bool has_deal = requires(Data & data) { data.deal(d); };
    if constexpr (has_deal) data_.deal(d);
    return has_deal;
  }

 private:
  static constexpr bool can_resize = requires(Data & data) { data.set_size(index_t{1}); };
  Data& data_;
  batch<T> batch_;
};

}  // namespace detail

/// `data` behind one type. It must outlive the result.
template <class T, batch_data Data>
std::unique_ptr<batch_source<T>> source_of(Data& data) {
  return std::make_unique<detail::data_reference<T, Data>>(data);
}

}  // namespace minicnn::inline MINICNN_ABI
