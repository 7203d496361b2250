#pragma once
/// Formulas of the activations other than ReLU and of their derivatives, for `transform_elements`.
///
/// Each has `forward(y, x)` and `backward(dx, kept, dy)`, where `kept` is x if `reads_input`, else y: what can be had from
/// the output alone needs no other memory, and lets the output take the input's place.

#include <cmath>
#include <numbers>

#include "minicnn/kernels/simd/fused_activation.hpp"
#include "minicnn/kernels/simd/normal_distribution.hpp"
#include "minicnn/kernels/simd/vector_math.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// x for x > 0, slope * x below. Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.
template <class T>
struct leaky_relu_formula {
  static constexpr bool reads_input = false;
  T slope;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    y = x < T{0} ? slope * x : x;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = y > T{0} ? dy : slope * dy;
  }
};

/// x for x > 0, alpha * (exp(x) - 1) below. Clevert et al., "Fast and accurate deep network learning by exponential
/// linear units", 2016.
template <class T>
struct elu_formula {
  static constexpr bool reads_input = false;
  T alpha;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    vec<T, V> below = x < T{0} ? x : vec<T, V>{};
    vector_expm1<V, T>(below, below);
    y = x < T{0} ? alpha * below : x;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = y > T{0} ? dy : (y + alpha) * dy;
  }
};

/// x * Phi(x), Phi the normal distribution's. Hendrycks and Gimpel, "Gaussian error linear units", 2016; exact, not the
/// approximation by tanh.
template <class T>
struct gelu_formula {
  static constexpr bool reads_input = true;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    vec<T, V> phi, bell;
    vector_normal<V, T>(phi, bell, x);
    y = x * phi;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& x, const vec<T, V>& dy) const {
    vec<T, V> phi, bell;
    vector_normal<V, T>(phi, bell, x);
    dx = (phi + x * bell * T(std::numbers::inv_sqrtpi / std::numbers::sqrt2)) * dy;
  }
};

/// 1 / (1 + exp(-x)).
template <class T>
struct sigmoid_formula {
  static constexpr bool reads_input = false;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    vector_sigmoid<V, T>(y, x);
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = y * (T{1} - y) * dy;
  }
};

/// tanh(x) = (1 - e) / (1 + e) with e = exp(-2 |x|), signed as x; by way of e - 1, which keeps small values exact.
template <class T>
struct tanh_formula {
  static constexpr bool reads_input = false;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    vec<T, V> e;
    vector_expm1<V, T>(e, x < T{0} ? T{2} * x : T{-2} * x);
    const vec<T, V> size = -e / (T{2} + e);
    y = x < T{0} ? -size : size;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = (T{1} - y * y) * dy;
  }
};

/// x * sigmoid(x), also called swish. Elfwing et al., "Sigmoid-weighted linear units", 2018.
template <class T>
struct silu_formula {
  static constexpr bool reads_input = true;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    vec<T, V> s;
    vector_sigmoid<V, T>(s, x);
    y = x * s;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& x, const vec<T, V>& dy) const {
    vec<T, V> s;
    vector_sigmoid<V, T>(s, x);
    dx = s * (T{1} + x * (T{1} - s)) * dy;
  }
};

/// log(1 + exp(x)), which is max(x, 0) + log1p(exp(-|x|)) without overflow.
template <class T>
struct softplus_formula {
  static constexpr bool reads_input = false;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    vec<T, V> e;
    vector_exp<V, T>(e, x < T{0} ? x : -x);
    for (int i = 0; i < V::template lanes<T>; ++i) e[i] = std::log1p(e[i]);
    y = x < T{0} ? e : x + e;
  }
  /// sigmoid(x) = 1 - exp(-y)
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    vec<T, V> e;
    vector_expm1<V, T>(e, -y);
    dx = -e * dy;
  }
};

/// x * min(max(x + 3, 0), 6) / 6. Howard et al., "Searching for MobileNetV3", 2019.
template <class T>
struct hard_swish_formula {
  static constexpr bool reads_input = true;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    const vec<T, V> middle = x * (x + T{3}) * T(1.0 / 6.0);
    y = x > T{3} ? x : middle;
    y = x < T{-3} ? vec<T, V>{} : y;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& x, const vec<T, V>& dy) const {
    const vec<T, V> middle = (T{2} * x + T{3}) * T(1.0 / 6.0) * dy;
    dx = x > T{3} ? dy : middle;
    dx = x < T{-3} ? vec<T, V>{} : dx;
  }
};

/// min(max(x, low), high). With 0 and 6 the ReLU6 of MobileNets: Krizhevsky, "Convolutional deep belief networks on CIFAR-10",
/// 2010. Where x lies outside or at an end the gradient is 0.
template <class T>
struct clip_formula {
  static constexpr bool reads_input = false;
  T low, high;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    y = x;
    fused_activation<T>::clip(low, high).template bound<V>(y);
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = (y - low) * (high - y) > T{0} ? dy : vec<T, V>{};  // one comparison: g++ 12 makes scalar code of two that meet
  }
};

/// min(max(slope * x + offset, 0), 1); slope is not 0. Courbariaux et al., "BinaryConnect", 2015.
template <class T>
struct hard_sigmoid_formula {
  static constexpr bool reads_input = false;
  T slope, offset;
  template <class V>
  MINICNN_INLINE void forward(vec<T, V>& y, const vec<T, V>& x) const {
    y = slope * x + offset;
    y = y < T{0} ? vec<T, V>{} : y;
    y = y > T{1} ? T{1} + vec<T, V>{} : y;
  }
  template <class V>
  MINICNN_INLINE void backward(vec<T, V>& dx, const vec<T, V>& y, const vec<T, V>& dy) const {
    dx = y * (T{1} - y) > T{0} ? slope * dy : vec<T, V>{};
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
