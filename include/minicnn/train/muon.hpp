#pragma once
/// Muon, momentum orthogonalised by Newton-Schulz (Jordan et al., 2024, kellerjordan.github.io/posts/muon): filters of
/// convolutions are matrices of a row a filter, and a step moves every direction of such a matrix alike. All other parameters go
/// by SGD.
///
///     g = gradient_scale * gradient + weight_decay * w
///     b = momentum * b + g
///     u = orthogonalised(nesterov ? g + momentum * b : b)
///     w = w - rate * decoupled_weight_decay * w - rate * sqrt(max(1, rows / columns)) * u
///
/// or with `normalize_weights`, as in airbench94_muon: w = w * sqrt(rows) / |w| - rate * u.

#include <algorithm>
#include <cmath>

#include "minicnn/kernels/product/gemm.hpp"
#include "minicnn/train/sgd.hpp"

namespace minicnn::inline MINICNN_ABI {

struct muon_options {
  double learning_rate = 0.02;  ///< of filters
  double momentum = 0.95;       ///< of filters, in [0, 1)
  bool nesterov = true;         ///< of both
  int iterations = 5;  ///< of Newton-Schulz, 1 to 20; the result's singular values lie between about 0.7 and 1.2 from 5 on
  bool normalize_weights = false;  ///< filters keep a length of sqrt(rows), so they need no decay, and have none
  double rest_learning_rate = 0.02;
  double rest_momentum = 0.9;
  double weight_decay = 0.0;            ///< as in sgd_options
  double decoupled_weight_decay = 0.0;  ///< as in sgd_options
  std::vector<parameter_rule> rules = {};
};

/// Turns matrices into ones of the same rows and columns' spaces whose singular values are near 1, by
/// X <- a X + b (X X^T) X + c (X X^T)^2 X with a, b, c = 3.4445, -4.7750, 2.0315, from X / |X|.
template <class T>
class newton_schulz {
 public:
  /// With memory for matrices of up to `most` elements whose shorter side is up to `shorter`.
  newton_schulz(const context& ctx, index_t most, index_t shorter, index_t longer)
      : ctx_(ctx),
        bytes_(2 * scratch::bytes_for<T>(most) + 2 * scratch::bytes_for<T>(shorter * shorter) +
               (std::max)(product_bytes(shorter, shorter, longer), product_bytes(longer, longer, shorter))),
        block_(bytes_) {}

  /// Room for a matrix of `size` elements, where `run` finds it.
  T* matrix(index_t size) { return scratch(block_.data(), bytes_).take<T>(size); }

  /// Orthogonalises the rows x columns matrix at `matrix(rows * columns)`, and returns where the result is.
  const T* run(index_t rows, index_t columns, int iterations) {
    scratch work(block_.data(), bytes_);
    T* x = work.take<T>(rows * columns);
    T* next = work.take<T>(rows * columns);
    const index_t side = (std::min)(rows, columns);
    T* square = work.take<T>(side * side);
    T* factor = work.take<T>(side * side);
    const view<T> all(x, {rows * columns});
    scale(all, 1.0 / (std::sqrt(sum_of_squares(view<const T>(all), ctx_).value) + 1e-7));
    for (int i = 0; i < iterations; ++i) {
      const kernels::matrix<T> m = kernels::row_major<T>(x, rows, columns), t = kernels::transposed(m);
      const bool wide = rows <= columns;
      multiply(wide ? m : t, wide ? t : m, square, work);  // A
      // X <- (a + (b + c A) A) X, or from the right.
      polynomial(square, side, 2.0315, -4.7750, next);
      multiply(kernels::row_major<T>(next, side, side), kernels::row_major<T>(square, side, side), factor, work);
      for (index_t k = 0; k < side; ++k) factor[k * side + k] += T(3.4445);
      const kernels::matrix<T> f = kernels::row_major<T>(factor, side, side);
      multiply(wide ? f : m, wide ? m : f, next, work);
      std::swap(x, next);
    }
    return x;
  }

 private:
  index_t product_bytes(index_t m, index_t n, index_t k) const {
    return scratch::bytes_for<std::byte>(kernels::gemm_scratch_bytes<T>(ctx_.threads, m, n, k));
  }

  /// C = A B, contiguous.
  void multiply(const kernels::matrix<T>& a, const kernels::matrix<T>& b, T* c, scratch work) const {
    kernels::gemm<T>(ctx_, a, b, c, b.columns, {}, work);
  }

  void scale(const view<T>& x, double factor) const {
    parallel_for(ctx_.threads, x.size(), index_t{1} << 15, [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i) x[i] *= static_cast<T>(factor);
    });
  }

  /// to = c * square + b * identity.
  void polynomial(const T* square, index_t side, double c, double b, T* to) const {
    parallel_for(ctx_.threads, side, 64, [&](index_t begin, index_t end) {
      for (index_t i = begin; i < end; ++i) {
        for (index_t k = 0; k < side; ++k) to[i * side + k] = static_cast<T>(c) * square[i * side + k];
        to[i * side + i] += static_cast<T>(b);
      }
    });
  }

  context ctx_;
  index_t bytes_;
  aligned_buffer<std::byte> block_;
};

template <class T = float>
class muon final : public optimizer<T> {
 public:
  explicit muon(network<T>& net, const muon_options& o = {})
      : optimizer<T>(net, o.learning_rate, o.weight_decay, o.decoupled_weight_decay, o.rules), options_(o), work_(work_for(net)) {
    this->check_range("momentum", o.momentum, 0.0, 1.0 - 1e-9);
    this->check_range("rest_momentum", o.rest_momentum, 0.0, 1.0 - 1e-9);
    this->check_range("rest_learning_rate", o.rest_learning_rate, 0.0, 1e15);
    this->check_range("iterations", o.iterations, 1, 20);
    velocity_ = this->add_state("velocity");
  }

  std::string_view kind() const override { return "muon"; }
  const muon_options& options() const { return options_; }

 private:
  static bool is_filter(const parameter_info& p) { return p.dims.rank() == 4; }

  static newton_schulz<T> work_for(const network<T>& net) {
    index_t most = 0, shorter = 0, longer = 0;
    for (const parameter_info& p : net.parameters()) {
      if (!is_filter(p)) continue;
      const index_t rows = p.dims[0], columns = p.dims.size_from(1);
      most = (std::max)(most, p.dims.size());
      shorter = (std::max)(shorter, (std::min)(rows, columns)), longer = (std::max)({longer, rows, columns});
    }
    return newton_schulz<T>(net.ctx(), most, shorter, longer);
  }

  bool takes_whole(const parameter_info& p) const override { return is_filter(p); }

  void update_whole(const parameter_info& p, const parameter_settings& s, double rate, double gradient_scale) override {
    const index_t rows = p.dims[0], columns = p.dims.size_from(1), size = p.dims.size();
    const T* gradient = this->net().gradient_arena().data() + p.offset;
    T *w = this->net().parameter_arena().data() + p.offset, *b = velocity_ + p.offset, *u = work_.matrix(size);
    const T momentum = static_cast<T>(options_.momentum), scale = static_cast<T>(gradient_scale);
    const T decay = static_cast<T>(s.weight_decay);
    const bool nesterov = options_.nesterov;
    each(size, [&](index_t k) {
      const T g = scale * gradient[k] + decay * w[k];
      b[k] = momentum * b[k] + g;
      u[k] = nesterov ? g + momentum * b[k] : b[k];
    });
    const T* direction = work_.run(rows, columns, options_.iterations);
    double keep = 1.0 - rate * s.decoupled_weight_decay;
    double step = rate * std::sqrt((std::max)(1.0, static_cast<double>(rows) / static_cast<double>(columns)));
    if (options_.normalize_weights) {
      const double length = std::sqrt(sum_of_squares(view<const T>(w, {size}), this->net().ctx()).value);
      keep = length > 0 ? std::sqrt(static_cast<double>(rows)) / length : 1.0;
      step = rate;
    }
    each(size,
         [&, keep = static_cast<T>(keep), step = static_cast<T>(step)](index_t k) { w[k] = w[k] * keep - direction[k] * step; });
  }

  template <class F>
  void each(index_t size, const F& body) {
    parallel_for(this->net().threads(), size, index_t{1} << 14, [&](index_t begin, index_t end) {
      for (index_t k = begin; k < end; ++k) body(k);
    });
  }

  void update(index_t begin, index_t end, const parameter_settings& s, double rate, double gradient_scale) override {
    // The schedule's rate is that of filters.
    const double own = options_.learning_rate > 0 ? rate * (options_.rest_learning_rate / options_.learning_rate) : 0.0;
    const auto as = [](double x) { return static_cast<T>(x); };
    const bool nesterov = options_.nesterov && options_.rest_momentum > 0;
    const sgd_constants<T> c{as(gradient_scale),
                             as(s.weight_decay),
                             as(options_.rest_momentum),
                             as(nesterov ? 1.0 : 0.0),
                             as(nesterov ? options_.rest_momentum : 1.0),
                             as(own),
                             as(1.0 - own * s.decoupled_weight_decay)};
    kernels::dispatch<sgd_kernel<T>>(this->net().ctx().instruction_set,
                                     static_cast<const T*>(this->net().gradient_arena().data() + begin), velocity_ + begin,
                                     this->net().parameter_arena().data() + begin, end - begin, c);
  }

  muon_options options_;
  newton_schulz<T> work_;
  T* velocity_ = nullptr;
};

MINICNN_COMPILED_CLASS(muon);

}  // namespace minicnn::inline MINICNN_ABI
