#pragma once
/// Training in one call.
///
///     classification task;
///     sgd<float> optimizer(net, {.learning_rate = 0.05, .momentum = 0.9, .nesterov = true});
///     fit(net, optimizer, task, train_data, validation_data, {.epochs = 10, .lr_schedule = one_cycle_schedule{}});
///     fit(net, data, {.epochs = 10});    // the same with the usual choices
///
/// What `task` says about loss, figures and the best epoch holds in training, validation and `evaluate` alike:
/// classification.hpp, multi_label.hpp, regression.hpp, ordinal.hpp, joint_task.hpp or one of your own (task.hpp). Validation
/// data may be left out.
///
/// Data is what the concept `batch_data` says: minicnn::loader, or your own. A second `fit` goes on where the first ended:
/// `network::epochs` counts epochs, and order and augmentation of the data follow from its number. The schedule begins anew.

#include <utility>
#include <vector>

#include "minicnn/train/classification.hpp"
#include "minicnn/train/sgd.hpp"
#include "minicnn/train/trainer.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Trains `net` and returns the epochs' figures.
template <class T, batch_data Train, batch_data Validation>
std::vector<epoch_record> fit(network<T>& net, optimizer<T>& opt, const task<T>& what, Train& train, Validation& validation,
                              fit_options o = {}) {
  trainer<T> loop(net, opt, what, train, validation, std::move(o));
  loop.run();
  return std::move(loop.state.history);
}

/// The same without validation: its figures are NaN, and every epoch counts as the best so far.
template <class T, batch_data Train>
std::vector<epoch_record> fit(network<T>& net, optimizer<T>& opt, const task<T>& what, Train& train, fit_options o = {}) {
  trainer<T> loop(net, opt, what, train, std::move(o));
  loop.run();
  return std::move(loop.state.history);
}

/// A training run with the usual choices: SGD with Nesterov momentum, one cycle.
struct training_options {
  index_t epochs = 10;
  double learning_rate = 0.02;  ///< peak of the cycle
  double momentum = 0.9;
  double weight_decay = 5e-4;  ///< of weights, as PyTorch's SGD has it
  double clip_norm = 5;        ///< 0: not clipped
  schedule lr_schedule = one_cycle_schedule{};
  std::vector<training_callback*> callbacks = {};
};

/// Trains `net` for `what` on `data.train` and validates on `data.validation` (`folder_data`, or any struct of the two; a struct
/// of `train` alone, and data by itself, go without validation). Returns the epochs' figures.
template <class T, class Data>
std::vector<epoch_record> fit(network<T>& net, Data& data, const task<T>& what, training_options o = {}) {
  sgd<T> optimizer(
      net,
      {.learning_rate = o.learning_rate, .momentum = o.momentum, .nesterov = o.momentum > 0, .weight_decay = o.weight_decay});
  fit_options loop;
  loop.epochs = o.epochs;
  loop.lr_schedule = std::move(o.lr_schedule);
  loop.clip_norm = o.clip_norm;
  loop.callbacks = std::move(o.callbacks);
  if constexpr (batch_data<Data>)
    return fit(net, optimizer, what, data, std::move(loop));
  else if constexpr (requires { data.validation; })
    return fit(net, optimizer, what, data.train, data.validation, std::move(loop));
  else
    return fit(net, optimizer, what, data.train, std::move(loop));
}

/// The same for classes: softmax cross-entropy.
template <class T, class Data>
std::vector<epoch_record> fit(network<T>& net, Data& data, training_options o = {}) {
  return fit(net, data, static_cast<const task<T>&>(classification<T>()), std::move(o));
}

}  // namespace minicnn::inline MINICNN_ABI
