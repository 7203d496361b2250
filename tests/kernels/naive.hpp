#pragma once
/// Kernels as their definitions read, in double: the oracles of the kernel tests.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "minicnn/core/arena.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/kernels/conv/geometry.hpp"
#include "minicnn/kernels/simd/dispatch.hpp"

/// Oracles are not what the sanitizers are to watch, and take most of the time under them.
#define MINICNN_NAIVE __attribute__((no_sanitize("address", "undefined")))

namespace naive {

using minicnn::index_t;

/// Every instruction set of this machine.
inline std::vector<minicnn::isa> all_isas() {
  std::vector<minicnn::isa> out;
  for (minicnn::isa i : {minicnn::isa::baseline, minicnn::isa::avx2, minicnn::isa::avx512})
    if (i <= minicnn::detect_isa()) out.push_back(i);
  return out;
}

/// Uniform in [-1, 1). The vector has no spare room, so the address sanitizer sees reads past the end.
template <class T>
std::vector<T> random_values(index_t count, std::uint64_t seed) {
  minicnn::random_stream stream{minicnn::random_key(seed)};
  std::vector<T> out(static_cast<std::size_t>(count));
  for (T& x : out) x = static_cast<T>(stream.uniform(-1.0, 1.0));
  out.shrink_to_fit();
  return out;
}

template <class T>
std::vector<double> widened(const std::vector<T>& x) {
  return std::vector<double>(x.begin(), x.end());
}

/// A scratch block of exactly the planned size between guards that must survive.
class guarded_scratch {
 public:
  explicit guarded_scratch(index_t bytes) : bytes_(bytes), block_(bytes + 2 * guard) {
    std::memset(block_.data(), fill, static_cast<std::size_t>(bytes + 2 * guard));
  }
  minicnn::scratch get() { return {reinterpret_cast<std::byte*>(block_.data()) + guard, bytes_}; }
  bool intact() const {
    for (index_t i = 0; i < guard; ++i)
      if (block_.data()[i] != fill || block_.data()[guard + bytes_ + i] != fill) return false;
    return true;
  }

 private:
  static constexpr index_t guard = 4096;
  static constexpr unsigned char fill = 0xFF;  // NaN where it is read as a number
  index_t bytes_;
  minicnn::aligned_buffer<unsigned char> block_;
};

/// Largest |got - want| / (1 + |want|); infinite if anything is not a number.
template <class T>
double worst_error(const std::vector<T>& got, const std::vector<double>& want) {
  double worst = got.size() == want.size() ? 0.0 : INFINITY;
  for (std::size_t i = 0; i < got.size() && i < want.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want[i]) / (1 + std::abs(want[i]));
    if (!(error <= worst)) worst = std::isnan(error) ? INFINITY : error;
  }
  return worst;
}

/// What rounding allows for a sum of `terms` products of uniform numbers in [-1, 1), relative to 1 + |sum|. The partial sums
/// walk randomly: after k terms they have size sqrt(k) / 3, and each addition errs by up to half a unit of that, which adds up
/// to a deviation of about terms / 9 units; the factor covers the worst of some ten thousand results.
template <class T>
double rounding(index_t terms) {
  const double unit = static_cast<double>(std::numeric_limits<T>::epsilon());
  return unit * (4 + 0.5 * static_cast<double>(terms));
}

/// Activations that kernels apply to their results on the way out.
enum class fused { nothing, relu, clip, square };

template <class T>
minicnn::kernels::fused_activation<T> activation(fused how) {
  minicnn::kernels::fused_activation<T> out;
  if (how == fused::relu) out = out.relu();
  if (how == fused::clip) out = out.clip(T(-0.25), T(0.375));
  if (how == fused::square)
    out.map = [](minicnn::isa, const void*, T* values, index_t count) {
      for (index_t i = 0; i < count; ++i) values[i] *= values[i];
    };
  return out;
}

/// What `how` makes of results that nothing was applied to.
template <class T>
std::vector<T> activated(fused how, std::vector<T> values) {
  for (T& x : values)
    x = how == fused::relu     ? std::max(x, T{0})
        : how == fused::clip   ? std::clamp(x, T(-0.25), T(0.375))
        : how == fused::square ? x * x
                               : x;
  return values;
}

inline std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// Calls body(input index, weight index) for each tap of filter f at output (i, j) of image n that lies on the map.
template <class F>
MINICNN_NAIVE void for_taps(const minicnn::kernels::conv_geometry& g, index_t n, index_t f, index_t i, index_t j, const F& body) {
  const index_t first = n * g.channels + f / g.group_filters() * g.group_channels();
  for (index_t c = 0; c < g.group_channels(); ++c)
    for (index_t p = 0; p < g.kernel_h; ++p) {
      const index_t h = i * g.stride_h + p * g.dilation_h - g.pad_top;
      if (h < 0 || h >= g.height) continue;
      for (index_t q = 0; q < g.kernel_w; ++q) {
        const index_t v = j * g.stride_w + q * g.dilation_w - g.pad_left;
        if (v < 0 || v >= g.width) continue;
        body(((first + c) * g.height + h) * g.width + v, ((f * g.group_channels() + c) * g.kernel_h + p) * g.kernel_w + q);
      }
    }
}

/// y (batch, filters, oh, ow) = convolution of x + bias.
MINICNN_NAIVE inline std::vector<double> conv_forward(index_t batch, const minicnn::kernels::conv_geometry& g,
                                                      const std::vector<double>& x, const std::vector<double>& w,
                                                      const std::vector<double>& bias, bool relu) {
  const index_t oh = g.out_height(), ow = g.out_width();
  std::vector<double> y(at(batch * g.filters * oh * ow));
  const double *const from = x.data(), *const weight = w.data();
  for (index_t n = 0; n < batch; ++n)
    for (index_t f = 0; f < g.filters; ++f)
      for (index_t i = 0; i < oh; ++i)
        for (index_t j = 0; j < ow; ++j) {
          double sum = bias.empty() ? 0.0 : bias[at(f)];
          for_taps(g, n, f, i, j, [&](index_t xi, index_t wi) MINICNN_NAIVE { sum += from[xi] * weight[wi]; });
          y[at(((n * g.filters + f) * oh + i) * ow + j)] = relu && sum < 0 ? 0.0 : sum;
        }
  return y;
}

struct conv_gradients {
  std::vector<double> dx, dw, dbias;
};

/// The gradients of sum(y * dy).
MINICNN_NAIVE inline conv_gradients conv_backward(index_t batch, const minicnn::kernels::conv_geometry& g,
                                                  const std::vector<double>& x, const std::vector<double>& w,
                                                  const std::vector<double>& dy) {
  const index_t oh = g.out_height(), ow = g.out_width();
  conv_gradients out{std::vector<double>(x.size()), std::vector<double>(w.size()), std::vector<double>(at(g.filters))};
  const double *const from = x.data(), *const weight = w.data();
  double *const dx = out.dx.data(), *const dw = out.dw.data();
  for (index_t n = 0; n < batch; ++n)
    for (index_t f = 0; f < g.filters; ++f)
      for (index_t i = 0; i < oh; ++i)
        for (index_t j = 0; j < ow; ++j) {
          const double d = dy[at(((n * g.filters + f) * oh + i) * ow + j)];
          out.dbias[at(f)] += d;
          for_taps(g, n, f, i, j, [&](index_t xi, index_t wi) MINICNN_NAIVE {
            dx[xi] += d * weight[wi];
            dw[wi] += d * from[xi];
          });
        }
  return out;
}

}  // namespace naive
