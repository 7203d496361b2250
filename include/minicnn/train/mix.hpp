#pragma once
/// Batches whose pictures are mixed in pairs, and their labels with them: mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al.,
/// ICCV 2019). For `classification`, which takes soft labels.
///
///     auto mixed = mix<float>(source_of<float>(train), {.mixup = 0.2, .cutmix = 1.0, .classes = 10});
///     trainer<float> run(net, optimizer, task, std::move(mixed), source_of<float>(validation), {.epochs = 90});

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "minicnn/core/random.hpp"
#include "minicnn/train/batch_source.hpp"

namespace minicnn::inline MINICNN_ABI {

struct mix_options {
  double mixup = 0;     ///< pictures are weighted by a number from Beta(mixup, mixup); 0: off
  double cutmix = 0;    ///< a box of the other picture, whose part of the area is from Beta(cutmix, cutmix); 0: off
  index_t classes = 0;  ///< of the labels
  std::uint64_t seed = 0;
};

/// A number from Beta(a, a): of two gammas (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
inline double symmetric_beta(double a, random_stream& random) {
  const auto gamma = [&] {
    const double d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
    for (;;) {
      const double x = random.normal(), v = std::pow(1 + c * x, 3);
      if (v <= 0 || std::log(1 - random.uniform()) >= 0.5 * x * x + d - d * v + d * std::log(v)) continue;
      return a < 1 ? d * v * std::pow(1 - random.uniform(), 1 / a) : d * v;
    }
  };
  const double first = gamma(), second = gamma();
  return first + second > 0 ? first / (first + second) : random.chance(0.5) ? 1.0 : 0.0;
}

/// Mixes picture i of a batch of n with picture n - 1 - i, all pairs of a batch in the same way. Where both kinds are on, each
/// batch has one of them, as often one as the other. `labels` stay those of the pictures that have the larger part. What is mixed
/// depends on seed, epoch and batch alone. Allocates when it meets a larger batch than before.
template <class T>
class mixed_source final : public batch_source<T> {
 public:
  /// Throws option_error for options outside 0 to 100, without classes or with both kinds off.
  mixed_source(std::unique_ptr<batch_source<T>> data, const mix_options& o) : data_(std::move(data)), options_(o) {
    for (const double a : {o.mixup, o.cutmix})
      if (!(a >= 0 && a <= 100)) fail<option_error>("mix: ", a, ", wanted 0 to 100");
    if (o.mixup <= 0 && o.cutmix <= 0) fail<option_error>("mix: mixup and cutmix are both 0");
    if (o.classes < 1) fail<option_error>("mix: ", o.classes, " classes, wanted at least 1");
  }

  void start_epoch(index_t epoch, index_t first_batch) override {
    data_->start_epoch(epoch, first_batch);
    key_ = random_key(options_.seed).of(mixing).of(static_cast<std::uint64_t>(epoch));
    number_ = first_batch;
  }
  index_t size() const override { return data_->size(); }
  index_t batches() const override { return data_->batches(); }
  bool resizable() const override { return data_->resizable(); }
  void set_size(index_t pixels) override { data_->set_size(pixels); }
  /// Of a batch a rank then has its own pictures mixed, and needs their partners for that.
  bool deal(const deal_of_rank& mine) override {
    deal_ = mine, deal_.pairs = true;
    return data_->deal(deal_);
  }

  /// Throws shape_error for batches without labels or with images that are no pictures, option_error for labels outside the
  /// classes.
  const batch<T>* next() override {
    const batch<T>* b = data_->next();
    if (b == nullptr) return nullptr;
    const shape& dims = b->images.dims();
    if (dims.rank() != 4 || static_cast<index_t>(b->labels.size()) != dims[0])
      fail<shape_error>("mix: images are ", dims, ", and have ", static_cast<index_t>(b->labels.size()), " labels");
    if (images_.size() < static_cast<std::size_t>(dims.size())) images_.resize(static_cast<std::size_t>(dims.size()));
    random_stream random(key_.of(static_cast<std::uint64_t>(number_++)));
    const bool cut = options_.mixup <= 0 || (options_.cutmix > 0 && random.chance(0.5));
    const double drawn = symmetric_beta(cut ? options_.cutmix : options_.mixup, random);
    const double own = (std::max)(drawn, 1 - drawn);
    const double share = cut ? paste(b->images, own, random) : blend(b->images, own);
    mixed_ = *b;
    mixed_.images = view<const T>(images_.data(), dims);
    mixed_.soft_labels = soften(b->labels, share);
    return &mixed_;
  }

 private:
  static constexpr std::uint64_t mixing = std::uint64_t{0x6D6978} << 32;

  index_range dealt_of(index_t n) const { return images_of_rank(n, deal_.shards, deal_.ranks, deal_.rank); }

  double blend(const view<const T>& from, double own) {
    const index_t n = from.dim(0), size = from.dims().size_from(1);
    const index_range here = dealt_of(n);
    const T mine = static_cast<T>(own), other = static_cast<T>(1 - own);
    for (index_t i = here.begin; i < here.end; ++i)
      for (index_t k = 0; k < size; ++k)
        images_[static_cast<std::size_t>(i * size + k)] = mine * from[i * size + k] + other * from[(n - 1 - i) * size + k];
    return own;
  }

  /// Returns the part of the area that is left of each picture.
  double paste(const view<const T>& from, double own, random_stream& random) {
    const index_t n = from.dim(0), channels = from.dim(1), height = from.dim(2), width = from.dim(3);
    const double side = std::sqrt(1 - own);
    const auto span_of = [&](index_t length) {
      const auto reach = static_cast<index_t>(side * static_cast<double>(length));
      const index_t begin = random.below(length) - reach / 2;
      return std::pair{(std::max)(index_t{0}, begin), (std::min)(length, begin + reach)};
    };
    const auto [top, bottom] = span_of(height);
    const auto [left, right] = span_of(width);
    const index_range here = dealt_of(n);
    const index_t size = channels * height * width;
    std::copy(from.data() + here.begin * size, from.data() + here.end * size, images_.begin() + here.begin * size);
    for (index_t i = here.begin; i < here.end; ++i)
      for (index_t c = 0; c < channels; ++c)
        for (index_t y = top; y < bottom; ++y) {
          const index_t row = (c * height + y) * width;
          std::copy_n(from.data() + (n - 1 - i) * size + row + left, (std::max)(index_t{0}, right - left),
                      images_.data() + i * size + row + left);
        }
    const double area = static_cast<double>((std::max)(index_t{0}, bottom - top) * (std::max)(index_t{0}, right - left));
    return 1 - area / static_cast<double>(height * width);
  }

  view<const T> soften(std::span<const std::int32_t> labels, double share) {
    const std::size_t n = labels.size(), classes = static_cast<std::size_t>(options_.classes);
    if (soft_.size() < n * classes) soft_.resize(n * classes);
    std::fill_n(soft_.begin(), n * classes, T{0});
    for (std::size_t i = 0; i < n; ++i) {
      if (labels[i] < 0 || labels[i] >= options_.classes)
        fail<option_error>("mix: a label of ", labels[i], ", wanted 0 to ", options_.classes - 1);
      soft_[i * classes + static_cast<std::size_t>(labels[i])] += static_cast<T>(share);
      soft_[(n - 1 - i) * classes + static_cast<std::size_t>(labels[i])] += static_cast<T>(1 - share);
    }
    return {soft_.data(), {static_cast<index_t>(n), options_.classes}};
  }

  std::unique_ptr<batch_source<T>> data_;
  mix_options options_;
  deal_of_rank deal_;
  random_key key_;
  index_t number_ = 0;
  std::vector<T> images_, soft_;
  batch<T> mixed_;
};

template <class T>
std::unique_ptr<batch_source<T>> mix(std::unique_ptr<batch_source<T>> data, const mix_options& o) {
  return std::make_unique<mixed_source<T>>(std::move(data), o);
}

}  // namespace minicnn::inline MINICNN_ABI
