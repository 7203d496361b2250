#pragma once
/// Stochastic gradient descent with momentum, by PyTorch's rule (Sutskever et al., ICML 2013, with the rate outside):
///
///     g = gradient_scale * gradient + weight_decay * w
///     b = momentum * b + g
///     w = w - rate * decoupled_weight_decay * w - rate * (nesterov ? g + momentum * b : b)
///
/// The velocity `b` does not contain the rate, so a lower rate takes hold at once; by Caffe's and Keras' rule
/// (b = momentum * b + rate * g) steps already in the velocity keep the old rate.

#include "minicnn/train/optimizer.hpp"

namespace minicnn::inline MINICNN_ABI {

struct sgd_options {
  double learning_rate = 1e-2;
  double momentum = 0.0;  ///< in [0, 1); 0 needs no state
  bool nesterov = false;
  double weight_decay = 0.0;  ///< PyTorch's `SGD(weight_decay)`, an L2 term in the gradient; on parameters whose `decay` is true
  double decoupled_weight_decay = 0.0;  ///< taken off the weights beside the gradient; on parameters whose `decay` is true
  std::vector<parameter_rule> rules = {};
};

/// One step's constants. The step is `rate * (of_gradient * g + of_velocity * b)`.
template <class T>
struct sgd_constants {
  T gradient_scale, weight_decay, momentum, of_gradient, of_velocity, rate, keep;
};

/// One pass over `n` elements, a multiple of a cache line. `b` is null without momentum.
template <class T>
struct sgd_kernel {
  template <class V>
  MINICNN_INLINE static void run(const T* gradient, T* b, T* w, index_t n, sgd_constants<T> c) {
    constexpr index_t lanes = V::template lanes<T>, line = alignment / static_cast<index_t>(sizeof(T));
    constexpr index_t ahead = 16 * line;  // as in adam_kernel
    for (index_t i = 0; i < n; i += line) {
      __builtin_prefetch(gradient + i + ahead);
      __builtin_prefetch(w + i + ahead, 1);
      if (b != nullptr) __builtin_prefetch(b + i + ahead, 1);
      for (index_t k = i; k < i + line; k += lanes) {
        kernels::vec<T, V> g, value;
        kernels::load<V>(g, gradient + k);
        kernels::load<V>(value, w + k);
        g = g * c.gradient_scale + value * c.weight_decay;
        value *= c.keep;
        if (b != nullptr) {
          kernels::vec<T, V> velocity;
          kernels::load<V>(velocity, b + k);
          velocity = velocity * c.momentum + g;
          kernels::store<V>(b + k, velocity);
          g = g * c.of_gradient + velocity * c.of_velocity;
        }
        value -= g * c.rate;
        kernels::store<V>(w + k, value);
      }
    }
  }
};

template <class T = float>
class sgd final : public optimizer<T> {
 public:
  explicit sgd(network<T>& net, const sgd_options& o = {})
      : optimizer<T>(net, o.learning_rate, o.weight_decay, o.decoupled_weight_decay, o.rules), options_(o) {
    this->check_range("momentum", o.momentum, 0.0, 1.0 - 1e-9);
    if (o.nesterov && o.momentum == 0.0) fail<option_error>("optimizer: nesterov wants a momentum above 0");
    if (o.momentum > 0.0) velocity_ = this->add_state("velocity");
  }

  std::string_view kind() const override { return "sgd"; }
  const sgd_options& options() const { return options_; }

 private:
  void update(index_t begin, index_t end, const parameter_settings& s, double rate, double gradient_scale) override {
    const auto as = [](double x) { return static_cast<T>(x); };
    const bool nesterov = options_.nesterov;
    const sgd_constants<T> c{as(gradient_scale),
                             as(s.weight_decay),
                             as(options_.momentum),
                             as(nesterov ? 1.0 : 0.0),
                             as(nesterov ? options_.momentum : 1.0),
                             as(rate),
                             as(1.0 - rate * s.decoupled_weight_decay)};
    kernels::dispatch<sgd_kernel<T>>(
        this->net().ctx().instruction_set, static_cast<const T*>(this->net().gradient_arena().data() + begin),
        velocity_ == nullptr ? nullptr : velocity_ + begin, this->net().parameter_arena().data() + begin, end - begin, c);
  }

  sgd_options options_;
  T* velocity_ = nullptr;
};

MINICNN_COMPILED_CLASS(sgd);

}  // namespace minicnn::inline MINICNN_ABI
