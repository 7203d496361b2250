#pragma once
/// Gradient of a convolution with respect to its weights and bias.
///
/// dW (filters x taps) = dy (filters x positions) * patches (positions x taps). The positions of the whole batch are the summed
/// dimension: rows of dy are multiplied where they lie, or transposed while packing, patches are copied (conv_patches.hpp), or
/// for 1 x 1 filters, whose patches are pixels, transposed too. Tasks are blocks of dW. Where dW is small the positions are cut
/// into slices, whose number depends on the shape alone, and the slices' sums are added in order, so that any number of threads
/// gives the same bits.

#include "minicnn/kernels/conv/implicit_gemm.hpp"
#include "minicnn/kernels/conv/patches.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

struct sum_lines_kernel {
  /// sums[i] = (or += unless `first`) the sum of line i of packed panels.
  template <class V, class T>
  MINICNN_INLINE static void run(const T* packed, index_t panels, index_t width, index_t depth, bool first, T* sums) {
    constexpr int lanes = V::template lanes<T>;
    for (index_t panel = 0; panel < panels; ++panel, packed += width * depth, sums += width)
      for (index_t i = 0; i < width; i += lanes) {
        vec<T, V> sum[4] = {};
        index_t k = 0;
        for (; k + 4 <= depth; k += 4) {
          MINICNN_UNROLL
          for (int u = 0; u < 4; ++u) {
            vec<T, V> x;
            load<V>(x, packed + (k + u) * width + i);
            sum[u] += x;
          }
        }
        for (; k < depth; ++k) {
          vec<T, V> x;
          load<V>(x, packed + k * width + i);
          sum[0] += x;
        }
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        for (index_t lane = 0; lane < lanes && i + lane < width; ++lane)
          sums[i + lane] = first ? sum[0][lane] : sums[i + lane] + sum[0][lane];
      }
  }
};

/// sums[i] = (or += unless `first`) the sum of row i, `length` long, of rows `stride` apart.
struct sum_rows_kernel {
  template <class V, class T>
  MINICNN_INLINE static void run(const T* from, index_t rows, index_t stride, index_t length, bool first, T* sums) {
    constexpr int lanes = V::template lanes<T>;
    for (index_t row = 0; row < rows; ++row, from += stride) {
      vec<T, V> sum[2] = {}, x;
      index_t k = 0;
      for (; k + 2 * lanes <= length; k += 2 * lanes) {
        load<V>(x, from + k);
        sum[0] += x;
        load<V>(x, from + k + lanes);
        sum[1] += x;
      }
      T total = sum_of_lanes<V, T>(sum[0] + sum[1]);
      for (; k < length; ++k) total += from[k];
      sums[row] = first ? total : sums[row] + total;
    }
  }
};

/// Sizes of a weight gradient that depend on the shape alone.
template <class T>
struct weight_gradient_plan {
  patch_layout patches;
  padded_layout points;  ///< of the pixels that filters of 1 x 1 meet
  bool pointwise;
  index_t filters, taps, images, slices;

  weight_gradient_plan(index_t batch, const conv_geometry& g)
      : patches(g),
        points(padded_input(g)),
        pointwise(g.taps() == 1 && patches.channel_last),
        filters(g.group_filters()),
        taps(patches.taps) {
    images = batch;
    if (!in_place()) images = (std::min)(batch, images_within(image_size() * static_cast<index_t>(sizeof(T))));
    const index_t area = filters * taps, block = index_t{1} << 16;
    slices = (std::min)(index_t{16}, divide_up(8 * block, area));
  }

  index_t padded_filters() const { return filters + most_tile_rows; }
  index_t padded_taps() const { return round_up(taps, most_tile_columns<T>); }
  index_t block_columns() const { return (std::min)(padded_taps(), 2 * conv_limits<T>::columns); }
  /// Sums of one slice: tiles of any height and width cover no more than this.
  index_t slice_sums() const { return padded_filters() * padded_taps(); }
  /// Whether x is read where it lies, and else the size of a copied image.
  bool in_place() const { return pointwise ? points.is_copy() : patches.in_place; }
  index_t image_size() const { return pointwise ? points.image_size() : patches.image_size; }
  /// Whether taps are summed channel-last, and so must be put in order.
  bool reordered() const { return patches.channel_last && !pointwise; }
  /// Whether sums are stored where they belong; else a last pass brings them there.
  bool straight() const { return slices == 1 && !reordered(); }
  index_t copied() const { return (in_place() ? 0 : images * image_size()) + 2 * pack_slack<T>; }
  index_t packed_a() const {
    return (std::min)(padded_filters(), conv_limits<T>::rows + most_tile_rows) * conv_limits<T>::depth +
           pack_slack<T> * most_tile_columns<T>;
  }
  index_t packed_b() const { return most_tile_columns<T> * (conv_limits<T>::depth + pack_slack<T>); }
  /// A vector of two lanes may be a piece for each lane; runs are no shorter than one element.
  index_t pieces() const { return block_columns() + 1; }

  index_t thread_bytes() const {
    return scratch::bytes_for<T>(packed_a()) + scratch::bytes_for<T>(packed_b()) +
           2 * scratch::bytes_for<pack_run>(conv_limits<T>::depth) + scratch::bytes_for<index_t>(conv_limits<T>::depth) +
           scratch::bytes_for<gather_piece>(pieces()) + scratch::bytes_for<index_t>(pieces());
  }
  index_t bytes(int threads) const {
    return scratch::bytes_for<T>(copied()) + scratch::bytes_for<index_t>(patches.channels + most_tile_columns<T>) +
           scratch::bytes_for<index_t>(padded_filters() + most_tile_columns<T>) + scratch::bytes_for<T>(slices * slice_sums()) +
           scratch::bytes_for<T>(straight() ? 0 : slices * filters * taps) + scratch::bytes_for<T>(slices * padded_filters()) +
           scratch::bytes_for<std::byte>(threads * thread_bytes());
  }
};

/// Fills `pieces` and `first` for the taps [begin, end), padded to whole panels.
inline void patch_pieces(const patch_layout& p, const conv_geometry& g, index_t begin, index_t end, index_t lanes,
                         gather_piece* pieces, index_t* first) {
  index_t count = 0, v = 0;
  for (index_t j0 = begin; j0 < round_up(end - begin, 2 * lanes) + begin; j0 += lanes) {
    first[v++] = count;
    for (index_t j = j0; j < (std::min)(j0 + lanes, end);) {
      const index_t within = j % p.run_length, length = (std::min)(p.run_length - within, (std::min)(j0 + lanes, end) - j);
      pieces[count++] = {p.run_offset(g, j / p.run_length) + within - (j - j0), static_cast<int>(j - j0),
                         static_cast<int>(j - j0 + length)};
      j += length;
    }
  }
  first[v] = count;
}

/// Bytes of scratch for `conv_backward_weight`; never less for a bigger batch or thread count.
template <class T>
index_t conv_backward_weight_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  return weight_gradient_plan<T>(batch, g).bytes(threads);
}

/// dweight = (or += if `add_weight`) the gradient with respect to the weights, for the input x and the gradient dy of the
/// output; the same for the bias unless `dbias` is null.
template <class T>
void conv_backward_weight(const context& ctx, index_t batch, const conv_geometry& g, const T* x, const T* dy, T* dweight,
                          bool add_weight, T* dbias, bool add_bias, scratch& work) {
  const weight_gradient_plan<T> plan(batch, g);
  const patch_layout& patches = plan.patches;
  const isa i = ctx.instruction_set;
  const index_t filters = plan.filters, taps = plan.taps, slices = plan.slices;
  const index_t out_rows = g.out_height(), out_columns = g.out_width(), pixels = out_rows * out_columns;
  const int tile = choose_tile_rows<T>(ctx, filters);
  const index_t width = tile_columns<T>(i), padded_filters = plan.padded_filters();

  T* const copy = work.take<T>(plan.copied()) + pack_slack<T>;
  index_t* const channel_line = work.take<index_t>(patches.channels + most_tile_columns<T>);
  index_t* const filter_line = work.take<index_t>(padded_filters + most_tile_columns<T>);
  T* const sums = work.take<T>(slices * plan.slice_sums());
  T* const slice_weight = work.take<T>(plan.straight() ? 0 : slices * filters * taps);
  T* const slice_bias = work.take<T>(slices * padded_filters);
  std::byte* const block = work.take<std::byte>(ctx.threads * plan.thread_bytes());

  for (index_t f = 0; f < padded_filters + most_tile_columns<T>; ++f) filter_line[f] = (std::min)(f, filters - 1) * pixels;
  if (plan.pointwise)
    for (index_t c = 0; c < taps + most_tile_columns<T>; ++c) channel_line[c] = (std::min)(c, taps - 1) * pixels;

  const block_grid blocks = choose_blocks((ctx.threads + static_cast<int>(slices) - 1) / static_cast<int>(slices), filters, taps,
                                          tile, width, conv_limits<T>::rows, plan.block_columns());
  constexpr index_t depth = conv_limits<T>::depth;
  // Rows of dy that do not compete for the same lines of the first-level cache, and are not too short, are multiplied where they
  // lie, an image at a time.
  const bool unpacked = !ctx.bf16 && pixels >= 128 && !compete_for_lines(pixels * static_cast<index_t>(sizeof(T)));
  const bool straight = plan.straight();

  for (index_t group = 0; group < g.groups; ++group) {
    T* const group_weight = dweight + group * filters * taps;
    for (index_t n0 = 0; n0 < batch; n0 += plan.images) {
      const index_t count = (std::min)(plan.images, batch - n0), positions = count * pixels;
      const T* const from = x + n0 * g.channels * g.height * g.width;
      if (plan.reordered())
        copy_channel_last(ctx, patches, count, group * patches.channels, from, channel_line, copy);
      else if (!plan.in_place() && (group == 0 || plan.images < batch))
        pad_input(ctx, plan.pointwise ? plan.points : patches.planes, count, from, copy);
      const index_t origin = plan.pointwise     ? group * taps * pixels
                             : plan.reordered() ? 0
                                                : group * patches.channels * patches.rows * patches.columns;
      const T* const source = plan.in_place() ? from : copy;
      const index_t source_begin = plan.in_place() ? 0 : -pack_slack<T>, source_end = count * plan.image_size() - source_begin;
      const T* const gradient = dy + (n0 * g.filters + group * filters) * pixels;
      const index_t gradient_size = (count * g.filters - group * filters) * pixels;
      const position_grid maps{count, 1, pixels, 0, g.filters * pixels, 0, plan.image_size(), 0, 1};  // of dy, and of points

      parallel_tasks(ctx.threads, slices * blocks.count(), [&](index_t task, int thread) {
        scratch mine(block + thread * plan.thread_bytes(), plan.thread_bytes());
        T* const packed_a = mine.take<T>(plan.packed_a());
        T* const packed_b = mine.take<T>(plan.packed_b());
        auto* const runs = mine.take<pack_run>(depth);
        auto* const point_runs = mine.take<pack_run>(depth);
        index_t* const position = mine.take<index_t>(depth);
        auto* const pieces = mine.take<gather_piece>(plan.pieces());
        index_t* const first_piece = mine.take<index_t>(plan.pieces());

        const index_t slice = task / blocks.count(), row_block = task % blocks.row_blocks;
        const index_t column_block = task % blocks.count() / blocks.row_blocks;
        const index_t f0 = row_block * blocks.rows, rows = (std::min)(blocks.rows, filters - f0);
        const index_t j0 = column_block * blocks.columns, columns = (std::min)(blocks.columns, taps - j0);
        block_product<T> p{};
        p.a_stride = unpacked ? pixels : 0;
        p.row_tiles = divide_up(rows, tile);
        p.column_tiles = divide_up(columns, width);
        // Column blocks follow each other, and in each the row blocks, as whole tiles.
        p.sums = sums + slice * plan.slice_sums() + j0 * round_up(filters, tile) + f0 * round_up(columns, width);
        T* const to = straight ? group_weight : slice_weight + slice * filters * taps;
        p.target = {to + f0 * taps + j0, taps, nullptr, rows, columns, nullptr, nullptr, false, straight && add_weight};

        if (!plan.pointwise) patch_pieces(patches, g, j0, j0 + columns, width / 2, pieces, first_piece);

        index_t q = positions * slice / slices;
        const index_t end = positions * (slice + 1) / slices;
        p.first = n0 == 0;
        do {
          const index_t left = unpacked ? (std::min)(end - q, pixels - q % pixels) : end - q;
          p.depth = unpacked ? even_piece(left, depth, 1) : (std::min)(depth, left);
          index_t run_count = 0;
          maps.each_run(q, q + p.depth, [&](index_t, index_t length, index_t offset, index_t point) {
            point_runs[run_count] = {point, length};
            runs[run_count++] = {offset, length};
          });
          for (index_t k = 0; !plan.pointwise && k < p.depth; ++k) {
            const index_t n = (q + k) / pixels, row = (q + k) % pixels / out_columns, at = (q + k) % out_columns;
            position[k] = origin + n * patches.image_size + row * g.stride_h * patches.row() + at * g.stride_w * patches.pixel();
          }
          T* const bias_sums = slice_bias + slice * padded_filters + f0;
          if (unpacked) {
            p.a = gradient + runs[0].from + f0 * pixels;
            if (dbias != nullptr && column_block == 0)
              dispatch<sum_rows_kernel>(i, p.a, rows, pixels, p.depth, p.first, bias_sums);
          } else {
            p.a = packed_a;
            pack_runs(i, gradient, gradient_size, filter_line + f0, rows, tile, runs, run_count, packed_a);
            if (dbias != nullptr && column_block == 0)
              dispatch<sum_lines_kernel>(i, p.a, p.row_tiles, index_t{tile}, p.depth, p.first, bias_sums);
            if (ctx.bf16) pack_a_as_bf16(i, p.row_tiles, p.depth, tile, packed_a);
          }
          q += p.depth;
          p.last = q == end && n0 + count == batch;
          multiply_block<T>(i, tile, ctx.bf16, p, [&](index_t panel) {
            if (plan.pointwise) {
              const index_t j = panel * width;
              pack_runs(i, source + origin, source_end - origin, channel_line + j0 + j, (std::min)(width, columns - j), width,
                        point_runs, run_count, packed_b);
              return panel_of_b<T>{packed_b};
            }
            dispatch<gather_kernel>(i, static_cast<const gather_piece*>(pieces),
                                    static_cast<const index_t*>(first_piece + 2 * panel), static_cast<const index_t*>(position),
                                    p.depth, source, source_begin, source_end, packed_b, true);
            return panel_of_b<T>{packed_b};
          });
          p.first = false;
        } while (q < end);
      });
    }

    if (!straight)
      parallel_for(ctx.threads, filters, 1 + (index_t{1} << 14) / taps, [&](index_t begin, index_t end) {
        const index_t channels = plan.reordered() ? patches.channels : taps, window = taps / channels;
        for (index_t f = begin; f < end; ++f)
          for (index_t k = 0; k < window; ++k) {
            const T* const part = slice_weight + f * taps + k * channels;
            T* const to = group_weight + f * taps + k;
            for (index_t c = 0; c < channels; ++c) {
              T sum = add_weight ? to[c * window] : T{0};
              for (index_t slice = 0; slice < slices; ++slice) sum += part[slice * filters * taps + c];
              to[c * window] = sum;
            }
          }
      });
    if (dbias != nullptr)
      for (index_t f = 0; f < filters; ++f) {
        T& sum = dbias[group * filters + f];
        if (!add_bias) sum = T{0};
        for (index_t slice = 0; slice < slices; ++slice) sum += slice_bias[slice * padded_filters + f];
      }
  }
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
