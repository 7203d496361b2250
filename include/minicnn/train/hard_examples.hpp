#pragma once
/// Training on those pictures of each batch that were learned worst: by their latest losses (as in Jiang et al., "Accelerating
/// deep learning by focusing on the biggest losers", 2019, with losses of their last training step in place of a pass of their
/// own).
///
///     hard_examples<float> hard(data.size(), task, {.keep = 0.5});
///     trainer<float> run(net, optimizer, hard.task(), hard.source(source_of<float>(train)), source_of<float>(validation),
///                        {.epochs = 20, .callbacks = {&hard}});

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "minicnn/train/batch_source.hpp"
#include "minicnn/train/task.hpp"
#include "minicnn/train/training_callback.hpp"

namespace minicnn::inline MINICNN_ABI {

struct hard_example_options {
  double keep = 0.5;  ///< part of each batch that is trained on, above 0 to 1
  double from = 0.3;  ///< of the run, after which batches are cut: the first epoch that begins then
  double to = 0.9;    ///< of the run, from which on they are whole again
  double most = 3.0;  ///< losses above count as this: pictures that stay so bad may have wrong labels
};

/// Remembers the cross-entropy that each picture had when it was last trained on, and leaves out of each batch those whose is
/// least. What is left out keeps its loss, so that its turn comes when the others have become better. Pictures never seen come
/// first.
///
/// Batches have `indices` and class labels. Epochs have as many steps as without. Throws option_error for options outside their
/// range.
template <class T = float>
class hard_examples final : public training_callback {
 public:
  /// `pictures`: of the data set that `indices` count in. `what` must outlive it.
  hard_examples(index_t pictures, const minicnn::task<T>& what, const hard_example_options& o)
      : options_(o), recorder_(what, *this) {
    if (!(o.keep > 0 && o.keep <= 1)) fail<option_error>("hard examples: keep is ", o.keep, ", wanted above 0 to 1");
    if (!(o.from >= 0 && o.from <= o.to && o.to <= 1))
      fail<option_error>("hard examples: from ", o.from, " to ", o.to, ", wanted 0 to 1");
    if (!(o.most > 0)) fail<option_error>("hard examples: most is ", o.most, ", wanted above 0");
    losses_.assign(static_cast<std::size_t>(pictures), static_cast<T>(unseen));
  }

  /// What to train by, and on.
  const minicnn::task<T>& task() const { return recorder_; }
  std::unique_ptr<batch_source<T>> source(std::unique_ptr<batch_source<T>> data) {
    return std::make_unique<cutter>(std::move(data), *this);
  }

  void on_epoch_begin(training_run& run) override {
    const double epochs = static_cast<double>((std::max)(run.epochs() - run.state.first_epoch, index_t{1}));
    const double progress = static_cast<double>(run.state.epoch - run.state.first_epoch) / epochs;
    active_ = progress >= options_.from && progress < options_.to;
  }

  /// The latest loss of each picture, all that a resumed run needs (`save_training`).
  std::vector<state_tensor<T>> state() {
    return {{"hard_examples.losses", {losses_.data(), {static_cast<index_t>(losses_.size())}}}};
  }

 private:
  static constexpr double unseen = 1e9;

  /// The task, which writes down losses as they are computed.
  class recorder final : public minicnn::task<T> {
   public:
    recorder(const minicnn::task<T>& what, hard_examples& owner) : what_(what), owner_(owner) { this->best_by(what.best_by()); }
    std::string_view kind() const override { return what_.kind(); }
    double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
      return what_.loss(y, b, gradient, scale);
    }
    double evaluation_loss(const view<const T>& y, const batch<T>& b) const override { return what_.evaluation_loss(y, b); }
    double weight(const batch<T>& b) const override { return what_.weight(b); }
    double correct(const view<const T>& y, const batch<T>& b) const override { return what_.correct(y, b); }
    void measure(evaluation& e) const override { what_.measure(e); }
    double uninformed_loss(index_t columns) const override { return what_.uninformed_loss(columns); }
    int output_count() const override { return what_.output_count(); }
    double losses(const network_outputs<T>& o, const batch<T>& b, double scale) const override {
      owner_.record(o.values[0], b);
      return what_.losses(o, b, scale);
    }
    void observe(evaluation& e, std::span<const view<const T>> outputs, const batch<T>& b) const override {
      what_.observe(e, outputs, b);
    }

   private:
    const minicnn::task<T>& what_;
    hard_examples& owner_;
  };

  class cutter final : public batch_source<T> {
   public:
    cutter(std::unique_ptr<batch_source<T>> data, hard_examples& owner) : data_(std::move(data)), owner_(owner) {}
    void start_epoch(index_t epoch, index_t first_batch) override { data_->start_epoch(epoch, first_batch); }
    index_t size() const override { return data_->size(); }
    index_t batches() const override { return data_->batches(); }
    bool resizable() const override { return data_->resizable(); }
    void set_size(index_t pixels) override { data_->set_size(pixels); }
    const batch<T>* next() override {
      const batch<T>* b = data_->next();
      return b == nullptr || !owner_.active_ ? b : owner_.cut(*b);
    }

   private:
    std::unique_ptr<batch_source<T>> data_;
    hard_examples& owner_;
  };

  T& loss_of(index_t picture) {
    if (picture < 0 || picture >= static_cast<index_t>(losses_.size()))
      fail<option_error>("hard examples: picture ", picture, " of ", static_cast<index_t>(losses_.size()));
    return losses_[static_cast<std::size_t>(picture)];
  }

  void record(const view<const T>& y, const batch<T>& b) {
    const index_t classes = y.dims().size_from(1);
    if (static_cast<index_t>(b.indices.size()) != b.size() || b.labels.size() != b.indices.size())
      fail<shape_error>("hard examples: ", b.size(), " images have ", static_cast<index_t>(b.indices.size()), " indices and ",
                        static_cast<index_t>(b.labels.size()), " labels");
    for (index_t i = 0; i < b.size(); ++i) {
      const T* z = y.data() + i * classes;
      const auto at = static_cast<std::size_t>(i);
      const double top = static_cast<double>(*std::max_element(z, z + classes));
      double sum = 0;
      for (index_t k = 0; k < classes; ++k) sum += std::exp(static_cast<double>(z[k]) - top);
      loss_of(b.indices[at]) =
          static_cast<T>((std::min)(options_.most, std::log(sum) + top - static_cast<double>(z[b.labels[at]])));
    }
  }

  /// The hardest of a batch, in their order.
  const batch<T>* cut(const batch<T>& b) {
    const auto n = static_cast<std::size_t>(b.size());
    const auto kept = (std::max)(std::size_t{1}, static_cast<std::size_t>(std::ceil(options_.keep * static_cast<double>(n))));
    if (kept >= n) return &b;
    places_.resize((std::max)(places_.size(), n));
    std::iota(places_.begin(), places_.begin() + static_cast<std::ptrdiff_t>(n), std::size_t{0});
    const auto first = places_.begin(), middle = first + static_cast<std::ptrdiff_t>(kept),
               last = first + static_cast<std::ptrdiff_t>(n);
    std::nth_element(first, middle, last, [&](std::size_t i, std::size_t k) {
      const T own = loss_of(b.indices[i]), other = loss_of(b.indices[k]);
      return own > other || (!(other > own) && i < k);
    });
    std::sort(first, middle);
    const auto size = static_cast<std::size_t>(b.images.dims().size_from(1));
    images_.resize((std::max)(images_.size(), n * size));
    labels_.resize((std::max)(labels_.size(), n)), indices_.resize((std::max)(indices_.size(), n));
    for (std::size_t i = 0; i < kept; ++i) {
      std::copy_n(b.images.data() + places_[i] * size, size, images_.data() + i * size);
      labels_[i] = b.labels[places_[i]], indices_[i] = b.indices[places_[i]];
    }
    shape dims = b.images.dims();
    dims.set(0, static_cast<index_t>(kept));
    cut_ = {};
    cut_.images = view<const T>(images_.data(), dims);
    cut_.labels = std::span<const std::int32_t>(labels_).first(kept),
    cut_.indices = std::span<const index_t>(indices_).first(kept);
    return &cut_;
  }

  hard_example_options options_;
  recorder recorder_;
  bool active_ = false;
  std::vector<T> losses_, images_;
  std::vector<std::size_t> places_;
  std::vector<std::int32_t> labels_;
  std::vector<index_t> indices_;
  batch<T> cut_;
};

}  // namespace minicnn::inline MINICNN_ABI
