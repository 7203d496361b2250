#pragma once
/// Where finished tiles of a product go: stores with bias, addition and activation on the way out.

#include "minicnn/kernels/product/matrix.hpp"
#include "minicnn/kernels/product/tile_shape.hpp"
#include "minicnn/kernels/simd/lanes.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// Where finished tiles go: row i, column j of the block is stored at data[i * row_stride + column[j]].
template <class T>
struct tile_target {
  T* data = nullptr;
  index_t row_stride = 0;
  index_t column_stride = 1;        ///< where `column` is null: column[j] = j * column_stride
  const index_t* column = nullptr;  ///< one offset per column
  index_t rows = 0, columns = 0;    ///< real ones; the rest of the last tiles is padding
  const T* row_bias = nullptr;      ///< null: none
  const T* column_bias = nullptr;   ///< null: none
  fused_activation<T> activation = {};
  bool add = false;
};

/// Stores finished columns of tiles, `column_sums` apart: row by row, several tiles wide, since rows of a target may be pages
/// apart (maps of filters) and memory likes long pieces of them. A row goes by stretches of columns that follow each other in
/// memory: one a vector where rows of outputs are long, more where maps are small.
struct store_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const tile_target<T>* t, const T* sums, index_t column_sums) {
    constexpr int lanes = V::template lanes<T>, width = 2 * lanes, most = 8 * width;
    const tile_target<T> target = *t;
    struct stretch {
      index_t place, column, from;
      int count, left;  ///< real sums, and those that may be read
    } stretches[most];
    for (index_t j0 = 0; j0 < target.columns; j0 += most, sums += 8 * column_sums) {
      const index_t columns = target.columns - j0 < most ? target.columns - j0 : index_t{most};
      index_t count = 0;
      for (index_t j = 0; j < columns; j += stretches[count++].count) {
        const auto place = [&](index_t at) { return target.column == nullptr ? j0 + at : target.column[j0 + at]; };
        const int within = static_cast<int>(j % width);
        const auto follows = [&](index_t n) { return within + n < width && j + n < columns && place(j + n) == place(j) + n; };
        int n = follows(lanes - 1) ? lanes : 1;  // places ascend
        while (n < lanes && follows(n)) ++n;
        stretches[count] = {place(j), j0 + j, j / width * column_sums + within, n, width - within};
      }
      const bool whole = count * lanes == columns && target.column_bias == nullptr && !target.add;
      const T* row = sums;
      for (index_t i = 0; i < target.rows; ++i, row += width) {
        const T row_bias = target.row_bias == nullptr ? T{0} : target.row_bias[i];
        T* const to = target.data + i * target.row_stride;
        for (const stretch* s = stretches; s != stretches + count; ++s) {
          if (i + 4 < target.rows) __builtin_prefetch(to + 4 * target.row_stride + s->place, 1);
          if (!whole) {
            store_stretch<V>(target, row + s->from, s->left, s->column, s->count, row_bias, to + s->place);
            continue;
          }
          vec<T, V> sum;
          load<V>(sum, row + s->from);
          sum += row_bias;
          target.activation.template bound<V>(sum);
          store<V>(to + s->place, sum);
        }
        if (target.activation.map == nullptr) continue;
        for (const stretch* s = stretches; s != stretches + count;) {  // those that follow each other in memory at once
          const index_t place = s->place;
          index_t length = 0;
          for (; s != stretches + count && s->place == place + length; ++s) length += s->count;
          target.activation.finish(to + place, length);
        }
      }
    }
  }

 private:
  /// At most a vector: `count` of the `left` sums there, which are those of column `j` and on.
  template <class V, class T>
  MINICNN_INLINE static void store_stretch(const tile_target<T>& target, const T* sums, index_t left, index_t j, index_t count,
                                           T row_bias, T* to) {
    constexpr int lanes = V::template lanes<T>;
    vec<T, V> sum, other;
    if (left >= lanes)
      load<V>(sum, sums);
    else
      load_part<V>(sum, sums, count);
    sum += row_bias;
    if (target.column_bias != nullptr) {
      if (count == lanes)
        load<V>(other, target.column_bias + j);
      else
        load_part<V>(other, target.column_bias + j, count);
      sum += other;
    }
    if (count == lanes) {
      if (target.add) {
        load<V>(other, to);
        sum += other;
      }
      target.activation.template bound<V>(sum);
      store<V>(to, sum);
      return;
    }
    T values[lanes];
    store<V>(values, sum);
    copy_run<lanes>(to, static_cast<const T*>(values), count, target.add, target.activation);
  }
};

/// Stores finished columns of tiles of two vectors, `column_sums` elements apart.
template <class T>
void store_tiles(isa i, const tile_target<T>& t, const T* sums, index_t column_sums) {
  if (t.column_stride == 1) return dispatch<store_kernel>(i, &t, sums, column_sums);
  const index_t width = tile_columns<T>(i);
  const epilogue<T> ep{t.column_bias, t.row_bias, t.activation, t.add};  // C transposed
  for (index_t j = 0; j < t.columns; ++j)
    for (index_t k = 0; k < t.rows; ++k)
      ep.store(sums[j / width * column_sums + k * width + j % width], j, k, t.data[j * t.column_stride + k * t.row_stride]);
  ep.activation.finish(t.data, t.rows, t.columns, t.column_stride);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
