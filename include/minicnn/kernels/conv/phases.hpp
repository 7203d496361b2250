#pragma once
/// Phases of a strided convolution's input, for its gradient: position h belongs to phase h mod stride, and meets tap kh of
/// output row (h + pad - kh * dilation) / stride where that is whole. So all positions of a phase meet the same taps.
///
/// The phases' gradients are computed as planes of their own and then joined: what is strided is then one pass, by whole vectors
/// for strides along rows of 1 and 2 and by single values above, instead of every store of a product.

#include <algorithm>
#include <utility>

#include "minicnn/kernels/conv/geometry.hpp"
#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// One axis of the phases.
struct phase_axis {
  index_t size, kernel, stride, dilation, pad;

  /// Input positions of a phase; phase 0 has most.
  index_t positions(index_t phase) const { return phase < size ? divide_up(size - phase, stride) : 0; }
  bool meets(index_t phase, index_t tap) const { return (phase + pad - tap * dilation) % stride == 0; }
  /// Output position that input position `phase` meets at `tap`.
  index_t shift(index_t phase, index_t tap) const { return (phase + pad - tap * dilation) / stride; }
  index_t taps(index_t phase) const {
    index_t count = 0;
    for (index_t tap = 0; tap < kernel; ++tap) count += meets(phase, tap) ? 1 : 0;
    return count;
  }
  /// Whether there is anything to compute: other phases' gradients are zero.
  bool used(index_t phase) const { return positions(phase) > 0 && taps(phase) > 0; }
  index_t used_phases() const {
    index_t count = 0;
    for (index_t phase = 0; phase < stride; ++phase) count += used(phase) ? 1 : 0;
    return count;
  }
  /// Zero rows needed before the first output row, and rows needed in all.
  void extent(index_t& before, index_t& rows) const {
    before = 0;
    index_t after = 0;
    for (index_t phase = 0; phase < stride; ++phase)
      for (index_t tap = 0; tap < kernel; ++tap) {
        if (positions(phase) == 0 || !meets(phase, tap)) continue;
        before = (std::max)(before, -shift(phase, tap));
        after = (std::max)(after, shift(phase, tap) + positions(phase));
      }
    rows = before + after;
  }
};

/// Planes of the input's gradient: (image, channel, used phase along h, used phase along w, row, column).
struct phase_planes {
  phase_axis h, w;
  index_t channels, rows, columns, used_h, used_w;

  explicit phase_planes(const conv_geometry& g)
      : h{g.height, g.kernel_h, g.stride_h, g.dilation_h, g.pad_top},
        w{g.width, g.kernel_w, g.stride_w, g.dilation_w, g.pad_left},
        channels(g.channels),
        rows(h.positions(0)),
        columns(w.positions(0)),
        used_h(h.used_phases()),
        used_w(w.used_phases()) {}

  /// Whether the only phase is the gradient itself.
  bool direct() const { return h.stride == 1 && w.stride == 1; }
  index_t plane_size() const { return rows * columns; }
  index_t channel_size() const { return used_h * used_w * plane_size(); }
  index_t image_size() const { return channels * channel_size(); }
};

/// Calls f(phase_h, phase_w, taps of a filter) for all used phases.
template <class F>
void for_phases(const phase_planes& p, const F& f) {
  for (index_t phase_h = 0; phase_h < p.h.stride; ++phase_h)
    for (index_t phase_w = 0; phase_w < p.w.stride; ++phase_w)
      if (p.h.used(phase_h) && p.w.used(phase_w)) f(phase_h, phase_w, p.h.taps(phase_h) * p.w.taps(phase_w));
}

/// Joins channels [begin, end), counted across images: to = (or += if `add`) the phases of `from`, zero where a phase is not
/// used. Reads up to a vector past a row of `from`.
struct join_phases_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const phase_planes* planes, const T* from, T* to, index_t begin, index_t end, bool add) {
    constexpr int lanes = V::template lanes<T>;
    const phase_planes p = *planes;
    const bool even = p.w.used(0), odd = p.w.stride == 2 && p.w.used(1);
    from += begin * p.channel_size();
    to += begin * p.h.size * p.w.size;
    for (index_t channel = begin; channel < end; ++channel, to += p.h.size * p.w.size)
      for (index_t phase = 0; phase < p.h.stride; ++phase) {
        const bool used = p.h.used(phase);
        for (index_t r = 0; r < p.h.positions(phase); ++r) {
          T* const row = to + (phase + r * p.h.stride) * p.w.size;
          const T* const source = from + r * p.columns;
          if (!used)
            zero_row<V>(row, add ? 0 : p.w.size);
          else if (p.w.stride == 1)
            copy_run<lanes>(row, source, p.w.size, add);
          else if (p.w.stride == 2)
            join_pair<V>(even ? source : nullptr, odd ? source + (p.used_w - 1) * p.plane_size() : nullptr, row, p.w.size, add);
        }
        if (used && p.w.stride > 2) join_singles(p, phase, from, to, add);
        if (used) from += p.used_w * p.plane_size();
      }
  }

 private:
  template <class V, class T>
  MINICNN_INLINE static void zero_row(T* row, index_t count) {
    constexpr index_t lanes = V::template lanes<T>;
    index_t i = 0;
    for (; i + lanes <= count; i += lanes) store<V>(row + i, vec<T, V>{});
    for (; i < count; ++i) row[i] = T{0};
  }

  /// Two phases to a row of `width`; null: not used.
  template <class V, class T>
  MINICNN_INLINE static void join_pair(const T* even, const T* odd, T* row, index_t width, bool add) {
    constexpr int lanes = V::template lanes<T>;
    for (index_t i = 0; i < width; i += 2 * lanes) {
      vec<T, V> a{}, b{};
      if (even != nullptr) load<V>(a, even + i / 2);
      if (odd != nullptr) load<V>(b, odd + i / 2);
      interleave(a, b, std::make_integer_sequence<int, lanes>{});
      if (width - i >= 2 * lanes) {
        store_or_add<V>(row + i, a, add);
        store_or_add<V>(row + i + lanes, b, add);
      } else {
        T rest[2 * lanes];
        store<V>(rest, a);
        store<V>(rest + lanes, b);
        copy_run<lanes>(row + i, static_cast<const T*>(rest), width - i, add);
      }
    }
  }

  template <class V, class T>
  MINICNN_INLINE static void store_or_add(T* to, vec<T, V>& value, bool add) {
    if (add) {
      vec<T, V> before;
      load<V>(before, static_cast<const T*>(to));
      value += before;
    }
    store<V>(to, value);
  }

  /// All rows of a used phase along h, a phase along w at a time.
  template <class T>
  MINICNN_INLINE static void join_singles(const phase_planes& p, index_t phase_h, const T* from, T* to, bool add) {
    for (index_t phase_w = 0; phase_w < p.w.stride; ++phase_w) {
      const bool used = p.w.used(phase_w);
      for (index_t r = 0; r < p.h.positions(phase_h); ++r)
        for (index_t i = 0; i < p.w.positions(phase_w); ++i) {
          T& value = to[(phase_h + r * p.h.stride) * p.w.size + phase_w + i * p.w.stride];
          const T more = used ? from[r * p.columns + i] : T{0};
          value = add ? value + more : more;
        }
      if (used) from += p.plane_size();
    }
  }
};

/// to (images, channels, height, width) = (or += if `add`) the phases of `from`.
template <class T>
void join_phases(const context& ctx, const phase_planes& phases, index_t images, const T* from, T* to, bool add) {
  parallel_for(ctx.threads, images * phases.channels, 1, [&](index_t begin, index_t end) {
    dispatch<join_phases_kernel>(ctx.instruction_set, &phases, from, to, begin, end, add);
  });
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
