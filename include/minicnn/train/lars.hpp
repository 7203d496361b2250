#pragma once
/// LARS, layer-wise adaptive rates for large batches: You, Gitman and Ginsburg, "Large batch training of convolutional networks",
/// 2017. SGD with momentum, whose step for a parameter tensor is proportional to the length of that tensor:
///
///     g = gradient_scale * gradient
///     t = trust * |w| / (|g| + weight_decay * |w|), or 1 where |w| or |g| is 0
///     b = momentum * b + t * (g + weight_decay * w)
///     w = w - rate * (nesterov ? t * (g + weight_decay * w) + momentum * b : b)
///
/// as NVIDIA's LARC has it, with the rate outside. Biases and normalisation, whose `decay` is false, go by SGD.

#include <algorithm>
#include <cmath>

#include "minicnn/train/sgd.hpp"

namespace minicnn::inline MINICNN_ABI {

struct lars_options {
  double learning_rate = 1.0;
  double momentum = 0.9;  ///< in [0, 1)
  bool nesterov = false;
  double trust = 0.001;
  double weight_decay = 0.0;  ///< in the gradient; on parameters whose `decay` is true
  std::vector<parameter_rule> rules = {};
};

template <class T = float>
class lars final : public optimizer<T> {
 public:
  explicit lars(network<T>& net, const lars_options& o = {})
      : optimizer<T>(net, o.learning_rate, o.weight_decay, 0.0, o.rules), options_(o) {
    this->check_range("momentum", o.momentum, 0.0, 1.0 - 1e-9);
    this->check_range("trust", o.trust, 1e-12, 1e6);
    velocity_ = this->add_state("velocity");
  }

  std::string_view kind() const override { return "lars"; }
  const lars_options& options() const { return options_; }

 private:
  bool takes_whole(const parameter_info& p) const override { return p.decay; }

  void update_whole(const parameter_info& p, const parameter_settings& s, double rate, double gradient_scale) override {
    const auto length = [&](const view<T>& arena) {
      return std::sqrt(sum_of_squares(view<const T>(arena.data() + p.offset, p.dims), this->net().ctx()).value);
    };
    const double weights = length(this->net().parameter_arena());
    const double gradients = length(this->net().gradient_arena()) * std::abs(gradient_scale);
    const double all = gradients + s.weight_decay * weights;
    const double trust = weights > 0 && gradients > 0 ? options_.trust * weights / all : 1.0;
    constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
    parallel_for(this->net().threads(), (p.dims.size() + unit - 1) / unit, index_t{1} << 11, [&](index_t begin, index_t end) {
      descend(p.offset + begin * unit, p.offset + end * unit, s, rate, gradient_scale, trust);
    });
  }

  void update(index_t begin, index_t end, const parameter_settings& s, double rate, double gradient_scale) override {
    descend(begin, end, s, rate, gradient_scale, 1.0);
  }

  void descend(index_t begin, index_t end, const parameter_settings& s, double rate, double gradient_scale, double trust) {
    const auto as = [](double x) { return static_cast<T>(x); };
    const bool nesterov = options_.nesterov && options_.momentum > 0;
    const sgd_constants<T> c{as(gradient_scale * trust),
                             as(s.weight_decay * trust),
                             as(options_.momentum),
                             as(nesterov ? 1.0 : 0.0),
                             as(nesterov ? options_.momentum : 1.0),
                             as(rate),
                             as(1.0)};
    kernels::dispatch<sgd_kernel<T>>(this->net().ctx().instruction_set,
                                     static_cast<const T*>(this->net().gradient_arena().data() + begin), velocity_ + begin,
                                     this->net().parameter_arena().data() + begin, end - begin, c);
  }

  lars_options options_;
  T* velocity_ = nullptr;
};

}  // namespace minicnn::inline MINICNN_ABI
