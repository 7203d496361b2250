#pragma once
/// Classification with a teacher: Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
///
///     const loaded_model<float> teacher = load_model<float>("large.safetensors");
///     distillation<float> task(teacher.net, {.share = 0.5, .temperature = 2});

#include <memory>
#include <utility>
#include <vector>

#include "minicnn/train/classification.hpp"

namespace minicnn::inline MINICNN_ABI {

struct distillation_options {
  double share = 0.5;        ///< of the teacher in the loss, above 0 to 1; labels have the rest
  double temperature = 2.0;  ///< that logits of both are divided by, at least 0.1
  cross_entropy_options labels = {};
  /// What the teacher is shown is factor[channel] * x + offset[channel] of the student's pictures, where it is used to another
  /// normalisation. Empty: the same pictures.
  std::vector<double> factor = {}, offset = {};
};

/// (1 - share) * cross-entropy with the labels + share * temperature^2 * KL(softmax(teacher / temperature) || softmax(student /
/// temperature)), mean over the batch: the factor keeps the size of gradients. The teacher predicts the very pictures that the
/// student is trained on. In evaluation the labels alone count.
///
/// The teacher must outlive the task, which serves one thread at a time. It allocates when it first meets a batch or image size.
template <class T = float>
class distillation final : public task<T> {
 public:
  /// Throws option_error for options outside their range.
  MINICNN_COLD distillation(const network<T>& teacher, distillation_options o)
      : options_(std::move(o)),
        hard_(options_.labels),
        run_(std::make_unique<session<T>>(teacher, session_options{.threads = teacher.threads()})) {
    if (!(options_.share > 0 && options_.share <= 1))
      fail<option_error>("distillation: share is ", options_.share, ", wanted above 0 to 1");
    if (!(options_.temperature >= 0.1 && options_.temperature <= 1e3))
      fail<option_error>("distillation: temperature is ", options_.temperature, ", wanted 0.1 to 1000");
    if (options_.factor.size() != options_.offset.size())
      fail<option_error>("distillation: ", options_.factor.size(), " factors and ", options_.offset.size(), " offsets");
  }

  std::string_view kind() const override { return "classification"; }

  /// Throws shape_error where the teacher has another number of classes.
  double loss(const view<const T>& y, const batch<T>& b, const view<T>& gradient, double scale) const override {
    const double share = options_.share, hard = hard_.loss(y, b, gradient, scale * (1 - share));
    const view<const T> told = run_->predict(shown(b.images));
    if (!(told.dims() == y.dims()))
      fail<shape_error>("distillation: the teacher answers ", told.dims(), ", the student ", y.dims());
    const index_t n = y.dim(0), classes = y.dims().size_from(1);
    double soft = 0;
    for (index_t i = 0; i < n; ++i)
      soft += divergence(told.data() + i * classes, y.data() + i * classes, classes,
                         gradient.present() ? gradient.data() + i * classes : nullptr, scale * share / static_cast<double>(n));
    return (1 - share) * hard + share * soft / static_cast<double>(n);
  }
  double evaluation_loss(const view<const T>& y, const batch<T>& b) const override { return hard_.evaluation_loss(y, b); }
  double weight(const batch<T>& b) const override { return hard_.weight(b); }
  double correct(const view<const T>& y, const batch<T>& b) const override { return hard_.correct(y, b); }
  void measure(evaluation& e) const override { hard_.measure(e); }
  double uninformed_loss(index_t) const override { return evaluation::nan; }

 private:
  view<const T> shown(const view<const T>& images) const {
    if (options_.factor.empty()) return images;
    const index_t channels = images.dim(1), area = images.dims().size_from(2);
    if (channels != static_cast<index_t>(options_.factor.size()))
      fail<shape_error>("distillation: ", options_.factor.size(), " factors, images are ", images.dims());
    if (shown_.size() < static_cast<std::size_t>(images.size())) shown_.resize(static_cast<std::size_t>(images.size()));
    for (index_t i = 0; i < images.size(); ++i) {
      const auto c = static_cast<std::size_t>(i / area % channels);
      shown_[static_cast<std::size_t>(i)] = static_cast<T>(options_.factor[c]) * images[i] + static_cast<T>(options_.offset[c]);
    }
    return {shown_.data(), images.dims()};
  }

  /// temperature^2 * KL of one row, and its derivative times `scale`, which is added.
  double divergence(const T* teacher, const T* student, index_t classes, T* gradient, double scale) const {
    const double t = options_.temperature;
    const auto log_sum = [&](const T* z, double top) {
      double sum = 0;
      for (index_t k = 0; k < classes; ++k) sum += std::exp((static_cast<double>(z[k]) - top) / t);
      return std::log(sum);
    };
    const double top = static_cast<double>(*std::max_element(teacher, teacher + classes)), rest = log_sum(teacher, top);
    const double own_top = static_cast<double>(*std::max_element(student, student + classes)),
                 own_rest = log_sum(student, own_top);
    double sum = 0;
    for (index_t k = 0; k < classes; ++k) {
      const double log_p = (static_cast<double>(teacher[k]) - top) / t - rest,
                   log_q = (static_cast<double>(student[k]) - own_top) / t - own_rest;
      const double p = std::exp(log_p);
      sum += p * (log_p - log_q);
      if (gradient != nullptr) gradient[k] += static_cast<T>(scale * t * (std::exp(log_q) - p));
    }
    return t * t * sum;
  }

  distillation_options options_;
  classification<T> hard_;
  std::unique_ptr<session<T>> run_;
  mutable std::vector<T> shown_;
};

}  // namespace minicnn::inline MINICNN_ABI
