#pragma once
/// The inner loops of depthwise convolution: one plane and one filter at a time, in buffers that stay in the cache.
///
/// A plane is copied to planes of a buffer, one for each phase of the strides, with zeros around. A tap then reads whole vectors
/// at a fixed distance from a result, whatever the stride. Some rows of results are made at a time: taps above each other read
/// the same rows, and loads that are not aligned cost more than multiplications.

#include <algorithm>
#include <utility>

#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Rows of results that are made together (maps of networks have 7, 14, 28, ...), and most taps above each other that are applied
/// together.
inline constexpr int depthwise_rows = 7, depthwise_taps = 3;

/// A position divided by a stride of 1 or 2, rounded down: a division would take as long as some vectors.
struct phase {
  index_t whole, rest;
  phase(index_t position, index_t stride) : whole(position >> (stride - 1)), rest(position & (stride - 1)) {}
};

/// Where a plane goes: cell (y, x) to row top + y / stride_h, column x / stride_w of the plane of their remainders. All else is
/// zero. Rows begin where whole vectors do, and the zeros behind a row are also those before the next.
struct depthwise_layout {
  index_t height = 0, width = 0;           ///< of the plane that is copied
  index_t stride_h = 1, stride_w = 1;      ///< 1 or 2
  index_t top = 0, rows = 0, columns = 0;  ///< of a plane of the buffer: rows of zeros before the first, rows, columns
  index_t lead = 0, plane_size = 0;        ///< elements before the first row, and of all, with what is read behind

  index_t size() const { return stride_h * stride_w * plane_size; }
  /// Offset of a row and column of the plane, which may lie outside.
  index_t offset(index_t row, index_t column) const {
    const phase h(row, stride_h), w(column, stride_w);
    return (h.rest * stride_w + w.rest) * plane_size + lead + (top + h.whole) * columns + w.whole;
  }
};

/// Taps above each other: places among the weights, and the distance at which the first reads. The next read a row further on.
struct depthwise_run {
  index_t offset;
  int count;
  index_t weight[depthwise_taps];
};

/// Planes that follow each other, and the buffer that one at a time is copied to, which holds zeros, or a plane of the same
/// layout.
template <class T>
struct depthwise_source {
  depthwise_layout layout;
  const T* data;
  index_t planes;
  T* buffer = nullptr;

  index_t size() const { return layout.height * layout.width; }
  MINICNN_INLINE void prefetch(index_t plane, index_t from, index_t to) const {
    for (const T* const next = data + plane * size(); from < to; from += pack_slack<T>) __builtin_prefetch(next + from, 0, 2);
  }

  template <class V>
  MINICNN_INLINE void copy(index_t plane) const {
    const depthwise_layout& l = layout;
    const T* const from = data + plane * size();
    const index_t rows = (std::min)(l.height, (l.rows - l.top) * l.stride_h);
    if ((planes - plane - 1) * size() < 2 * V::template lanes<T>)  // whole vectors would read past the last plane
      for (index_t i = 0; i < rows * l.width; ++i) buffer[l.offset(i / l.width, i % l.width)] = from[i];
    else if (l.stride_w == 1)
      copy_rows<V, 1>(from, rows);
    else
      copy_rows<V, 2>(from, rows);
  }

 private:
  /// Columns of both phases at once.
  template <class V, int Stride>
  MINICNN_INLINE void copy_rows(const T* plane, index_t rows) const {
    constexpr int lanes = V::template lanes<T>;
    const index_t width = layout.width, columns = layout.columns, stride = layout.stride_h, evens = (width + Stride - 1) / Stride;
    for (index_t h = 0; h < (std::min)(stride, rows); ++h) {
      T *row = buffer + layout.offset(h, 0), *odd_row = Stride == 1 ? row : buffer + layout.offset(h, 1);
      for (index_t y = h; y < rows; y += stride, row += columns, odd_row += columns) {
        const T* const from = plane + y * width;
        for (index_t i = 0; i < evens; i += lanes) {
          vec<T, V> even, odd;
          if constexpr (Stride == 2) {
            load_pairs<V>(even, odd, from + 2 * i);
            store<V>(odd_row + i, odd);
          } else {
            load<V>(even, from + i);
          }
          store<V>(row + i, even);
        }
        // What is stored behind a row here is zero, or the next row, which comes later.
        store<V>(row + evens, vec<T, V>{});
        if constexpr (Stride == 2) store<V>(odd_row + width / 2, vec<T, V>{});
      }
    }
  }
};

/// Planes of maps to planes of results, channel c of each image by filter c.
template <class T>
struct depthwise_job {
  depthwise_source<T> from;
  const T* weight;
  index_t channels, taps;
  const depthwise_run* runs;
  index_t run_count[4] = {};  ///< of each phase of the results
  const T* bias = nullptr;    ///< null: none
  // Result (y, x) is at row (y + top) / stride_h, column (x + left) / stride_w of the plane of their remainders.
  index_t top = 0, left = 0, stride_h = 1, stride_w = 1;
  T* sums = nullptr;                                     ///< planes of phases; null: there is but one, the result
  index_t sum_rows = 0, sum_columns = 0, sum_plane = 0;  ///< of a plane of sums: rows, columns, elements
  index_t rows, columns;                                 ///< of the results
  T* to;
  index_t image_step;  ///< elements from image to image of the results
  bool add;
  fused_activation<T> activation = {};
};

/// A plane of results: its channel's filter, and where it goes.
template <class T>
struct depthwise_result {
  index_t number;
  const T* weight;
  T bias;
  T* to;
  index_t room;  ///< elements that may be written from `to` on
};

struct depthwise_kernel {
  /// Planes [begin, end), counted across images.
  template <class V, class T>
  MINICNN_INLINE static void run(const depthwise_job<T>* job, index_t begin, index_t end) {
    const depthwise_job<T>& j = *job;
    const index_t size = j.rows * j.columns;
    index_t image = begin / j.channels, channel = begin % j.channels;
    for (index_t p = begin; p < end; ++p) {
      // What is stored behind a plane is written again later, as far as this call's planes follow each other.
      const index_t following = j.image_step == j.channels * size ? end - p : (std::min)(end - p, j.channels - channel);
      make<V>(j, depthwise_result<T>{p, j.weight + channel * j.taps, j.bias == nullptr ? T{0} : j.bias[channel],
                                     j.to + image * j.image_step + channel * size, following * size});
      if (++channel == j.channels) channel = 0, ++image;
    }
  }

 private:
  template <class V, class T>
  MINICNN_INLINE static void make(const depthwise_job<T>& j, const depthwise_result<T>& plane) {
    j.from.template copy<V>(plane.number);
    const depthwise_run* runs = j.runs;
    for (index_t phase = 0; phase < j.stride_h * j.stride_w; runs += j.run_count[phase++]) {
      T* const sums = j.sums == nullptr ? nullptr : j.sums + phase * j.sum_plane;
      if constexpr (V::bytes == 64)
        if (2 * j.columns <= j.stride_w * V::template lanes<T>) {  // half a vector holds a row
          convolve<simd<32>>(j, plane, runs, j.run_count[phase], sums);
          continue;
        }
      convolve<V>(j, plane, runs, j.run_count[phase], sums);
    }
    if (j.sums != nullptr && j.stride_w == 1) join<V, 1>(j, plane);
    if (j.sums != nullptr && j.stride_w == 2) join<V, 2>(j, plane);
    j.activation.finish(plane.to, j.rows * j.columns);
  }

  /// A plane of sums, or, if that is null, the results.
  template <class V, class T>
  MINICNN_INLINE static void convolve(const depthwise_job<T>& j, const depthwise_result<T>& plane, const depthwise_run* runs,
                                      index_t count, T* sums) {
    constexpr int lanes = V::template lanes<T>;
    const index_t rows = sums == nullptr ? j.rows : j.sum_rows, columns = sums == nullptr ? j.columns : j.sum_columns;
    const index_t pitch = j.from.layout.columns;
    // Meanwhile the next plane comes nearer, and places of results of the next rows.
    const index_t ahead = depthwise_rows * lanes * j.from.layout.stride_h * j.from.layout.stride_w;
    index_t next = 0;
    for (index_t y = 0; y < rows; y += depthwise_rows)
      // Last vectors first: what they write past the ends of rows is written later.
      for (index_t x = (columns - 1) / lanes * lanes; x >= 0; x -= lanes) {
        vec<T, V> sum[depthwise_rows];
        MINICNN_UNROLL
        for (int r = 0; r < depthwise_rows; ++r) sum[r] = vec<T, V>{} + plane.bias;
        j.from.prefetch(plane.number + 1, next, next + ahead);
        next += ahead;
        MINICNN_UNROLL
        for (int r = 0; r < depthwise_rows; ++r)
          if (sums == nullptr) __builtin_prefetch(plane.to + (y + depthwise_rows + r) * columns + x, 1);
        const T* const from = j.from.buffer + y * pitch + x;
        for (const depthwise_run* run = runs; run != runs + count; ++run)
          if (run->count == 3)
            add_run<V, 3>(from + run->offset, pitch, plane.weight, run->weight, sum);
          else if (run->count == 2)
            add_run<V, 2>(from + run->offset, pitch, plane.weight, run->weight, sum);
          else
            add_run<V, 1>(from + run->offset, pitch, plane.weight, run->weight, sum);
        const index_t at = y * columns + x, last = at + (depthwise_rows - 1) * columns;
        if (sums == nullptr && y + depthwise_rows <= rows && (columns - x >= lanes || (!j.add && plane.room - last >= lanes))) {
          MINICNN_UNROLL
          for (int r = 0; r < depthwise_rows; ++r) put_vector<V>(j, sum[r], plane.to + at + r * columns);
          continue;
        }
        T made[depthwise_rows * lanes];  // from here on row by row, which is less to compile
        MINICNN_UNROLL
        for (int r = 0; r < depthwise_rows; ++r) store<V>(made + r * lanes, sum[r]);
        for (index_t r = 0; r < (std::min)(rows - y, index_t{depthwise_rows}); ++r) {
          load<V>(sum[0], static_cast<const T*>(made + r * lanes));
          if (sums != nullptr)
            store<V>(sums + at + r * columns, sum[0]);
          else
            put<V>(j, plane, sum[0], at + r * columns, columns - x);
        }
      }
  }

  /// sum[r] += the taps of a run over rows r, r + 1, ...
  template <class V, int Taps, class T>
  MINICNN_INLINE static void add_run(const T* from, index_t pitch, const T* weight, const index_t* taps, vec<T, V>* sum) {
    const T tap[3] = {weight[taps[0]], weight[taps[Taps > 1 ? 1 : 0]], weight[taps[Taps > 2 ? 2 : 0]]};
    vec<T, V> x;
    MINICNN_UNROLL
    for (int i = 0; i < depthwise_rows + Taps - 1; ++i) {
      load<V>(x, from + i * pitch);
      MINICNN_UNROLL
      for (int r = 0; r < depthwise_rows; ++r)
        if (i - r >= 0 && i - r < Taps) sum[r] += tap[i - r] * x;
    }
  }

  /// The first `left` lanes to the results from `at` on.
  template <class V, class T>
  MINICNN_INLINE static void put(const depthwise_job<T>& j, const depthwise_result<T>& plane, const vec<T, V>& value, index_t at,
                                 index_t left) {
    constexpr int lanes = V::template lanes<T>;
    if (left >= lanes || (!j.add && plane.room - at >= lanes)) return put_vector<V>(j, value, plane.to + at);
    T rest[lanes];
    store<V>(rest, value);
    copy_run<lanes>(plane.to + at, static_cast<const T*>(rest), left, j.add, j.activation);
  }

  template <class V, class T>
  MINICNN_INLINE static void put_vector(const depthwise_job<T>& j, const vec<T, V>& value, T* to) {
    vec<T, V> sum = value, before;
    if (j.add) load<V>(before, static_cast<const T*>(to)), sum += before;
    j.activation.template bound<V>(sum);
    store<V>(to, sum);
  }

  /// Planes of sums to results.
  template <class V, int Stride, class T>
  MINICNN_INLINE static void join(const depthwise_job<T>& j, const depthwise_result<T>& plane) {
    constexpr int lanes = V::template lanes<T>;
    const phase first(j.left, Stride), second(j.left + 1, Stride);
    for (index_t y = 0; y < j.rows; ++y) {
      const phase h(y + j.top, j.stride_h);
      const T* const row = j.sums + h.rest * Stride * j.sum_plane + h.whole * j.sum_columns;
      for (index_t x = (j.columns - 1) / (Stride * lanes) * (Stride * lanes); x >= 0; x -= Stride * lanes) {
        vec<T, V> even, odd;
        load<V>(even, row + first.rest * j.sum_plane + first.whole + x / Stride);
        if constexpr (Stride == 2) {
          load<V>(odd, row + second.rest * j.sum_plane + second.whole + x / Stride);
          interleave(even, odd, std::make_integer_sequence<int, lanes>{});
        }
        const index_t at = y * j.columns + x;
        if (Stride == 2 && j.columns - x > lanes) put<V>(j, plane, odd, at + lanes, j.columns - x - lanes);
        put<V>(j, plane, even, at, j.columns - x);
      }
    }
  }
};

/// What a plane adds to the gradient of a filter, a vector of sums a tap.
struct depthwise_weight_kernel {
  /// Plane `plane` of both. Rows of `dy`'s buffer are whole vectors, and zeros follow them up to a multiple of depthwise_rows.
  /// Meanwhile plane `next` comes nearer.
  template <class V, class T>
  MINICNN_INLINE static void run(const depthwise_source<T>* x, const depthwise_source<T>* dy, index_t plane, index_t next,
                                 const depthwise_run* runs, index_t count, T* sums) {
    x->template copy<V>(plane);
    dy->template copy<V>(plane);
    for (const depthwise_run* run = runs; run != runs + count; ++run) {
      x->prefetch(next, (run - runs) * x->size() / count, (run - runs + 1) * x->size() / count);
      dy->prefetch(next, (run - runs) * dy->size() / count, (run - runs + 1) * dy->size() / count);
      if (run->count == 3)
        add_run<V, 3>(*x, *dy, *run, sums);
      else if (run->count == 2)
        add_run<V, 2>(*x, *dy, *run, sums);
      else
        add_run<V, 1>(*x, *dy, *run, sums);
    }
  }

 private:
  template <class V, int Taps, class T>
  MINICNN_INLINE static void add_run(const depthwise_source<T>& x, const depthwise_source<T>& dy, const depthwise_run& run,
                                     T* sums) {
    constexpr index_t lanes = V::template lanes<T>;
    vec<T, V> sum[Taps], d[depthwise_rows], value;
    MINICNN_UNROLL
    for (int t = 0; t < Taps; ++t) load<V>(sum[t], static_cast<const T*>(sums + run.weight[t] * lanes));
    const T* const gradient = dy.buffer + dy.layout.offset(0, 0);
    for (index_t y = 0; y < dy.layout.height; y += depthwise_rows)
      for (index_t at = 0; at < dy.layout.width; at += lanes) {
        MINICNN_UNROLL
        for (int r = 0; r < depthwise_rows; ++r) load<V>(d[r], gradient + (y + r) * dy.layout.columns + at);
        const T* const from = x.buffer + run.offset + y * x.layout.columns + at;
        MINICNN_UNROLL
        for (int i = 0; i < depthwise_rows + Taps - 1; ++i) {
          load<V>(value, from + i * x.layout.columns);
          MINICNN_UNROLL
          for (int t = 0; t < Taps; ++t)
            if (i - t >= 0 && i - t < depthwise_rows) sum[t] += d[i - t] * value;
        }
      }
    MINICNN_UNROLL
    for (int t = 0; t < Taps; ++t) store<V>(sums + run.weight[t] * lanes, sum[t]);
  }
};

/// to[tap] += the sum of the tap's lanes.
struct depthwise_lanes_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* sums, index_t taps, T* to) {
    for (index_t t = 0; t < taps; ++t, sums += V::template lanes<T>) {
      vec<T, V> lanes;
      load<V>(lanes, sums);
      to[t] += sum_of_lanes<V, T>(lanes);
    }
  }
};

}  // namespace minicnn::inline MINICNN_ABI::kernels
