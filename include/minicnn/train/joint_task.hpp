#pragma once
/// Several tasks at once: each output of a network has its own loss and its own labels.
///
///     const classification<float> breed;
///     const regression<float> age;
///     joint_task<float> both({{&breed, 1.0}, {&age, 0.5}});     // output 0: labels; output 1: targets
///     fit(net, optimizer, both, train, validation, {.epochs = 10});

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/task.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One output's task. Its labels and targets are those of the batch, or columns of the batch's targets.
template <class T = float>
struct task_part {
  const task<T>* what = nullptr;  ///< must outlive the joint task
  double weight = 1.0;            ///< of its loss in the sum
  /// The first of the part's own columns of the batch's targets, and how many; none: the part sees the whole batch.
  index_t first_column = 0, columns = 0;
  bool class_numbers = false;  ///< the one column holds class numbers, which the part gets as labels
};

/// The loss is the weighted sum of the parts', figures are theirs with the part's number before the name ("0 accuracy"), and
/// `evaluation::parts` has each part's own evaluation. Best is the smallest sum unless `best_by` says otherwise. Not for use by
/// two threads at a time: it has memory for the parts' columns.
template <class T = float>
class joint_task final : public task<T> {
 public:
  explicit joint_task(std::vector<task_part<T>> parts) : parts_(std::move(parts)), memory_(parts_.size()) {
    if (parts_.empty()) fail<option_error>("joint task: no parts");
    for (const task_part<T>& p : parts_) {
      if (p.what == nullptr) fail<option_error>("joint task: a part without a task");
      if (p.what->output_count() != 1) fail<option_error>("joint task: a part of several outputs");
      if (!(p.weight >= 0)) fail<option_error>("joint task: weight ", p.weight, " is negative");
      if (p.class_numbers && p.columns != 1) fail<option_error>("joint task: class numbers want one column, not ", p.columns);
    }
  }

  std::string_view kind() const override { return "joint"; }
  int output_count() const override { return static_cast<int>(parts_.size()); }

  double loss(const view<const T>&, const batch<T>&, const view<T>&, double) const override {
    fail("joint task: wants all outputs at once");
  }

  double losses(const network_outputs<T>& o, const batch<T>& b, double scale) const override {
    if (o.values.size() < parts_.size())
      fail<option_error>("joint task: ", parts_.size(), " parts, the network has ", o.values.size(), " outputs");
    double sum = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      sum += parts_[i].weight * parts_[i].what->loss(o.values[i], of_part(i, b), o.gradients[i], parts_[i].weight * scale);
    return sum;
  }

  void observe(evaluation& e, std::span<const view<const T>> outputs, const batch<T>& b) const override {
    e.images += b.size();
    e.parts.resize(parts_.size());
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].what->observe(e.parts[i], outputs.subspan(i, 1), of_part(i, b));
  }

  void measure(evaluation& e) const override {
    e.loss = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      parts_[i].what->finish(e.parts[i]);
      e.loss += parts_[i].weight * e.parts[i].loss;
      for (const metric& m : e.parts[i].metrics)
        e.metrics.push_back({text_of(static_cast<index_t>(i), " ", m.name), m.value, m.higher_is_better});
    }
  }

 private:
  /// The batch with the labels and targets of part `i`.
  batch<T> of_part(std::size_t i, const batch<T>& b) const {
    const task_part<T>& p = parts_[i];
    batch<T> out = b;
    if (p.columns == 0) return out;
    const index_t all = b.targets.present() ? b.targets.dims().size_from(1) : 0;
    if (p.first_column < 0 || p.first_column + p.columns > all)
      fail<shape_error>("joint task: part ", static_cast<index_t>(i), " wants the target columns ", p.first_column, " to ",
                        p.first_column + p.columns - 1, ", the data has ", all);
    columns& own = memory_[i];
    const auto count = static_cast<std::size_t>(b.size() * p.columns);
    if (own.targets.size() < count) own.targets.resize(count), own.labels.resize(count);
    for (index_t n = 0; n < b.size(); ++n)
      for (index_t k = 0; k < p.columns; ++k) {
        const T value = b.targets[n * all + p.first_column + k];
        own.targets[static_cast<std::size_t>(n * p.columns + k)] = value;
        if (p.class_numbers) own.labels[static_cast<std::size_t>(n)] = static_cast<std::int32_t>(value);
      }
    out.targets = view<const T>(own.targets.data(), {b.size(), p.columns});
    if (p.class_numbers) out.labels = std::span<const std::int32_t>(own.labels).first(count), out.targets = {};
    return out;
  }

  struct columns {
    std::vector<T> targets;
    std::vector<std::int32_t> labels;
  };

  std::vector<task_part<T>> parts_;
  mutable std::vector<columns> memory_;
};

}  // namespace minicnn::inline MINICNN_ABI
