#pragma once
/// Element by element: real numbers to bytes and back, maps of channels, sums. Bytes lie channel last (conv.hpp).

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "minicnn/core/context.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/int8/conv.hpp"

namespace minicnn::inline MINICNN_ABI::int8 {

/// A value of (images, channels, pixels), and how many bytes it takes.
struct extents {
  index_t images = 0, channels = 0, pixels = 1;

  /// Of (n, c, h, w) or (n, c).
  explicit extents(const shape& x) : images(x[0]), channels(x[1]), pixels(x.rank() > 2 ? x.size_from(2) : 1) {}
  index_t stored() const { return padded_channels(channels); }
  index_t bytes() const { return images * pixels * stored(); }
};

/// How many elements a thread should have at least.
inline constexpr index_t byte_grain = 16384;

/// Calls `body(begin, end)` for ranges of the pixels of all images, numbered one behind the other.
template <class F>
void each_pixels(const context& ctx, const extents& e, const F& body) {
  parallel_for(ctx.threads, e.images * e.pixels, 1 + byte_grain / (std::max)(e.stored(), index_t{1}), body);
}

/// Pixels [begin, end) of an image to bytes: nearest(x / scale + zero), the quotient by the rounded reciprocal.
struct quantize_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* x, extents e, index_t begin, index_t end, float factor, float zero, std::uint8_t* y) {
    constexpr index_t lanes = V::template lanes<std::int32_t>;
    const index_t stored = e.stored();
    for (index_t c = 0; c < stored; c += 4)
      for (index_t p = begin; p < end; p += lanes) {
        const index_t count = end - p < lanes ? end - p : lanes;
        vec<std::int32_t, V> word{}, byte;
        for (index_t k = 0; k < 4 && c + k < e.channels; ++k) {
          const T* const from = x + (c + k) * e.pixels + p;
          vec<float, V> value{};
          if (std::is_same_v<T, float> && count == lanes)
            std::memcpy(&value, from, sizeof(value));
          else
            for (index_t i = 0; i < count; ++i) value[i] = static_cast<float>(from[i]);
          value = value * factor;
          rounded_product(value);
          bounded_bytes<V>(byte, value + zero, 0, 255);
          word |= byte << static_cast<int>(8 * k);
        }
        std::uint8_t* const to = y + p * stored + c;
        if (stored == 4 && count == lanes)
          std::memcpy(to, &word, sizeof(word));
        else
          for (index_t i = 0; i < count; ++i) {
            const std::int32_t one = word[i];
            std::memcpy(to + i * stored, &one, 4);
          }
      }
  }
};

/// Pixels [begin, end) of an image to real numbers: (byte - zero) * scale.
struct dequantize_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const std::uint8_t* x, extents e, index_t begin, index_t end, float scale, float zero, T* y) {
    constexpr index_t lanes = V::template lanes<std::int32_t>;
    const index_t stored = e.stored();
    for (index_t c = 0; c < e.channels; c += 4)
      for (index_t p = begin; p < end; p += lanes) {
        const index_t count = end - p < lanes ? end - p : lanes;
        vec<std::int32_t, V> word{};
        for (index_t i = 0; i < count; ++i) {
          std::int32_t one;
          std::memcpy(&one, x + (p + i) * stored + c, 4);
          word[i] = one;
        }
        for (index_t k = 0; k < 4 && c + k < e.channels; ++k) {
          const vec<float, V> value =
              (__builtin_convertvector((word >> static_cast<int>(8 * k)) & 255, vec<float, V>) - zero) * scale;
          T* const to = y + (c + k) * e.pixels + p;
          if (std::is_same_v<T, float> && count == lanes)
            std::memcpy(to, &value, sizeof(value));
          else
            for (index_t i = 0; i < count; ++i) to[i] = static_cast<T>(value[i]);
        }
      }
  }
};

/// y (n, h, w, padded c) = x (n, c, h, w) as bytes.
template <class T>
void quantize(const context& ctx, const extents& e, const T* x, quantization q, std::uint8_t* y) {
  each_pixels(ctx, e, [&](index_t begin, index_t end) {
    for (index_t n = begin / (std::max)(e.pixels, index_t{1}); n * e.pixels < end; ++n)
      kernels::dispatch<quantize_kernel>(ctx.instruction_set, x + n * e.channels * e.pixels, e,
                                         (std::max)(begin - n * e.pixels, index_t{0}), (std::min)(end - n * e.pixels, e.pixels),
                                         1.0F / q.scale, static_cast<float>(q.zero), y + n * e.pixels * e.stored());
  });
}

/// y (n, c, h, w) = x (n, h, w, padded c) as real numbers.
template <class T>
void dequantize(const context& ctx, const extents& e, const std::uint8_t* x, quantization q, T* y) {
  each_pixels(ctx, e, [&](index_t begin, index_t end) {
    for (index_t n = begin / (std::max)(e.pixels, index_t{1}); n * e.pixels < end; ++n)
      kernels::dispatch<dequantize_kernel>(ctx.instruction_set, x + n * e.pixels * e.stored(), e,
                                           (std::max)(begin - n * e.pixels, index_t{0}), (std::min)(end - n * e.pixels, e.pixels),
                                           q.scale, static_cast<float>(q.zero), y + n * e.channels * e.pixels);
  });
}

/// One input of `combine_kernel`: real value / y's scale = byte * factor + constant, a factor and a constant for each channel
/// (null: one for all).
struct byte_source {
  const std::uint8_t* x;
  const float *factors = nullptr, *constants = nullptr;  ///< as many as `stored`
  float factor = 1, constant = 0;
};

/// y = nearest(first + second) within [low, high] for pixels side by side; `second` may have no x. Each product is rounded.
struct combine_kernel {
  template <class V>
  MINICNN_INLINE static void run(byte_source first, byte_source second, index_t stored, index_t pixels, index_t y_stride,
                                 float low, float high, std::uint8_t* y) {
    constexpr index_t lanes = V::template lanes<std::int32_t>;
    for (index_t p = 0; p < pixels; ++p, y += y_stride)
      for (index_t c = 0; c < stored; c += lanes) {
        vec<float, V> sum, more;
        term<V>(sum, first, p * stored + c, c, stored - c);
        if (second.x != nullptr) term<V>(more, second, p * stored + c, c, stored - c), sum += more;
        vec<std::int32_t, V> bytes;
        bounded_bytes<V>(bytes, sum, low, high);
        store_bytes<V>(y + c, bytes, stored - c);
      }
  }

  template <class V>
  MINICNN_INLINE static void term(vec<float, V>& out, const byte_source& s, index_t place, index_t c, index_t count) {
    load_bytes<V>(out, s.x + place, count);
    if (s.factors == nullptr) {
      out = out * s.factor;
      rounded_product(out);
      out += s.constant;
      return;
    }
    vec<float, V> factor, constant;
    load<V>(factor, s.factors + c);
    load<V>(constant, s.constants + c);
    out *= factor;
    rounded_product(out);
    out += constant;
  }
};

/// Room that a list of one number for each channel takes, whole vectors.
inline index_t channel_list(index_t channels) { return (channels + 15) / 16 * 16; }

/// What turns bytes of quantisation `from` into those of `to`: y = byte * factor + constant.
inline byte_source rescaled(const std::uint8_t* x, quantization from, quantization to, float offset) {
  const double factor = static_cast<double>(from.scale) / static_cast<double>(to.scale);
  return {x, nullptr, nullptr, static_cast<float>(factor), static_cast<float>(static_cast<double>(offset) - from.zero * factor)};
}

}  // namespace minicnn::inline MINICNN_ABI::int8
