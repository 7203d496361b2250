#pragma once
/// Gradient of a convolution with respect to its weights and bias.
///
/// dW (filters x taps) = dy (filters x positions) * patches (positions x taps). The positions of the whole batch are the summed
/// dimension: rows of dy are multiplied in place, or transposed while packing, patches are copied (patches.hpp), or for 1 x 1
/// filters, whose patches are pixels, transposed too. Tasks are blocks of dW. Where dW is small the positions are cut
/// into slices, whose number depends on the shape alone, and the slices' sums are added in order, so that any number of threads
/// gives the same bits.

#include "minicnn/kernels/conv/depthwise.hpp"
#include "minicnn/kernels/conv/implicit_gemm.hpp"
#include "minicnn/kernels/conv/patches.hpp"
#include "minicnn/kernels/product/pack.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// sums[i] = (or += unless `first`) the sum of line i of packed panels.
struct sum_lines_kernel {
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
  static constexpr index_t most_columns = 2 * conv_limits<T>.columns;  ///< of a block

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
  index_t block_columns() const { return (std::min)(padded_taps(), most_columns); }
  /// Sums of one slice: tiles of any height and width cover no more than this.
  index_t slice_sums() const { return padded_filters() * padded_taps(); }
  /// Whether x is read in place, and else the size of a copied image.
  bool in_place() const { return pointwise ? points.is_copy() : patches.in_place; }
  index_t image_size() const { return pointwise ? points.image_size() : patches.image_size; }
  /// Whether taps are summed channel-last, and so must be put in order.
  bool reordered() const { return patches.channel_last && !pointwise; }
  /// Whether sums are stored where they belong; else a last pass brings them there.
  bool straight() const { return slices == 1 && !reordered(); }
  index_t copied() const { return (in_place() ? 0 : images * image_size()) + 2 * pack_slack<T>; }
  index_t packed_a() const {
    return (std::min)(padded_filters(), conv_limits<T>.rows + most_tile_rows) * conv_limits<T>.depth +
           pack_slack<T> * most_tile_columns<T>;
  }
  index_t thread_bytes() const {
    return scratch::bytes_for<T>(packed_a()) +
           scratch::bytes_for<T>(most_tile_columns<T> * (conv_limits<T>.depth + pack_slack<T>));
  }
  index_t bytes(int threads) const {
    return scratch::bytes_for<T>(copied()) + scratch::bytes_for<index_t>(patches.channels + most_tile_columns<T>) +
           scratch::bytes_for<index_t>(padded_filters() + most_tile_columns<T>) + scratch::bytes_for<T>(slices * slice_sums()) +
           scratch::bytes_for<T>(straight() ? 0 : slices * filters * taps) + scratch::bytes_for<T>(slices * padded_filters()) +
           threads * thread_bytes();
  }
};

/// Stretches of the positions [k, k + depth) that are contiguous in maps of `pixels` positions, `image` elements apart, to
/// `runs`; returns how many.
inline index_t map_runs(index_t k, index_t depth, index_t pixels, index_t image, pack_run* runs) {
  index_t count = 0;
  for (const index_t end = k + depth; k < end; k += runs[count++].length)
    runs[count] = {k / pixels * image + k % pixels, (std::min)(end - k, pixels - k % pixels)};
  return count;
}

/// Rows of dy, as the left operand. Sums them for the bias in passing.
template <class T>
struct gradient_rows {
  const tile<T>& of;
  const T* dy;
  index_t size, pixels, image;  ///< elements of dy that may be read, of a map, and from image to image
  const index_t* line;          ///< offsets of filters, and then of one more tile width
  bool in_place;
  T* bias_sums;  ///< of slice s at [s * bias_stride]; null: none
  index_t bias_stride;

  index_t row_stride() const { return in_place ? pixels : 0; }
  const T* rows_of(const product_block& block, index_t k, index_t depth, bool first, T* packed) const {
    const isa i = of.instruction_set;
    pack_run runs[conv_limits<T>.depth];
    const index_t run_count = map_runs(k, depth, pixels, image, runs);
    const T* const rows = in_place ? dy + runs[0].from + block.row * pixels : packed;
    const index_t panels = divide_up(block.rows, of.rows);
    if (!in_place) pack_runs(i, dy, size, line + block.row, block.rows, of.rows, runs, run_count, packed);
    if (bias_sums != nullptr && block.column == 0) {
      T* const sums = bias_sums + block.slice * bias_stride + block.row;
      if (in_place)
        dispatch<sum_rows_kernel>(i, rows, block.rows, pixels, depth, first, sums);
      else
        dispatch<sum_lines_kernel>(i, rows, panels, index_t{of.rows}, depth, first, sums);
    }
    if (!in_place && of.convert_a != nullptr) of.convert_a(of, panels, depth, packed);
    return rows;
  }
};

/// Patches, as the right operand: rows are positions, columns taps.
template <class T>
struct patch_columns {
  const tile<T>& of;
  const patch_layout& patches;
  const conv_geometry& g;
  gather_source<T> from;
  index_t origin;  ///< of the group's channels

  struct block_columns {
    const patch_columns& source;
    gather_pieces<weight_gradient_plan<T>::most_columns> pieces;
    index_t position[conv_limits<T>.depth];  ///< where the steps of a chunk begin
    index_t depth = 0;

    block_columns(const patch_columns& s, const product_block& b) : source(s) {
      const patch_layout& p = s.patches;
      const index_t lanes = s.of.columns / 2, end = b.column + b.columns;
      for (index_t j0 = b.column; j0 < b.column + round_up(b.columns, s.of.columns); j0 += lanes) {
        pieces.begin_vector();
        for (index_t j = j0; j < (std::min)(j0 + lanes, end);) {
          const index_t within = j % p.run_length, length = (std::min)(p.run_length - within, (std::min)(j0 + lanes, end) - j);
          pieces.add(p.run_offset(s.g, j / p.run_length) + within - (j - j0), j - j0, j - j0 + length);
          j += length;
        }
      }
      pieces.finish();
    }

    const index_t* offsets() const { return nullptr; }
    void begin_chunk(index_t k, index_t steps) {
      const conv_geometry& shape = source.g;
      const patch_layout& p = source.patches;
      const index_t columns = shape.out_width(), pixels = shape.out_height() * columns;
      depth = steps;
      for (index_t s = 0; s < steps; ++s) {
        const index_t n = (k + s) / pixels, row = (k + s) % pixels / columns, at = (k + s) % columns;
        position[s] = source.origin + n * p.image_size + row * shape.stride_h * p.row() + at * shape.stride_w * p.pixel();
      }
    }
    packed_panel<T> pack(index_t panel, T* packed) const {
      gather_panel(source.of.instruction_set, pieces, panel, source.from, static_cast<const index_t*>(position), depth, packed,
                   true);
      return {packed};
    }
  };
  block_columns columns_of(const product_block& block) const { return {*this, block}; }
};

/// Pixels that filters of 1 x 1 meet, as the right operand.
template <class T>
struct pixel_columns {
  const tile<T>& of;
  const T* from;
  index_t size, pixels, image;  ///< elements that may be read, of a map, and from image to image
  const index_t* line;          ///< offsets of channels, and then of one more tile width

  struct block_columns {
    const pixel_columns& source;
    product_block block;
    pack_run runs[conv_limits<T>.depth];
    index_t run_count = 0;

    block_columns(const pixel_columns& s, const product_block& b) : source(s), block(b) {}
    const index_t* offsets() const { return nullptr; }
    void begin_chunk(index_t k, index_t steps) { run_count = map_runs(k, steps, source.pixels, source.image, runs); }
    packed_panel<T> pack(index_t panel, T* packed) const {
      const index_t width = source.of.columns, j = panel * width;
      pack_runs(source.of.instruction_set, source.from, source.size, source.line + block.column + j,
                (std::min)(width, block.columns - j), width, static_cast<const pack_run*>(runs), run_count, packed);
      return {packed};
    }
  };
  block_columns columns_of(const product_block& block) const { return {*this, block}; }
};

/// Bytes of scratch for `conv_backward_weight`; never less for a bigger batch or thread count.
template <class T>
index_t conv_backward_weight_scratch_bytes(int threads, index_t batch, const conv_geometry& g) {
  if (is_depthwise(g)) return depthwise_scratch_bytes<T>(threads, g);
  return weight_gradient_plan<T>(batch, g).bytes(threads);
}

/// Adds the slices' sums in order, and puts taps in order.
template <class T>
void join_slices(const context& ctx, const weight_gradient_plan<T>& plan, const T* from, bool add, T* to) {
  const index_t filters = plan.filters, taps = plan.taps, slices = plan.slices;
  const index_t channels = plan.reordered() ? plan.patches.channels : taps, window = taps / channels;
  parallel_for(ctx.threads, filters, 1 + (index_t{1} << 14) / taps, [&](index_t begin, index_t end) {
    for (index_t f = begin; f < end; ++f)
      for (index_t k = 0; k < window; ++k) {
        const T* const part = from + f * taps + k * channels;
        T* const place = to + f * taps + k;
        for (index_t c = 0; c < channels; ++c) {
          T sum = add ? place[c * window] : T{0};
          for (index_t slice = 0; slice < slices; ++slice) sum += part[slice * filters * taps + c];
          place[c * window] = sum;
        }
      }
  });
}

/// The gradients of one group, some images at a time.
template <class T>
class weight_gradient {
 public:
  weight_gradient(const context& ctx, index_t batch, const conv_geometry& g, const weight_gradient_operands<T>& o, scratch& work)
      : ctx_(ctx),
        batch_(batch),
        g_(g),
        o_(o),
        plan_(batch, g),
        pixels_(g.out_height() * g.out_width()),
        tile_(choose_tile<T>(ctx, plan_.filters)),
        copy_(work.take<T>(plan_.copied()) + pack_slack<T>),
        channel_line_(work.take<index_t>(plan_.patches.channels + most_tile_columns<T>)),
        filter_line_(work.take<index_t>(plan_.padded_filters() + most_tile_columns<T>)),
        sums_(work.take<T>(plan_.slices * plan_.slice_sums())),
        slice_weight_(work.take<T>(plan_.straight() ? 0 : plan_.slices * plan_.filters * plan_.taps)),
        slice_bias_(work.take<T>(plan_.slices * plan_.padded_filters())),
        rest_(work.take<std::byte>(ctx.threads * plan_.thread_bytes()), ctx.threads * plan_.thread_bytes()) {
    for (index_t f = 0; f < plan_.padded_filters() + most_tile_columns<T>; ++f)
      filter_line_[f] = (std::min)(f, plan_.filters - 1) * pixels_;
    for (index_t c = 0; plan_.pointwise && c < plan_.taps + most_tile_columns<T>; ++c)
      channel_line_[c] = (std::min)(c, plan_.taps - 1) * pixels_;
  }

  void run(index_t group) {
    const index_t filters = plan_.filters, taps = plan_.taps;
    for (index_t n0 = 0; n0 < batch_; n0 += plan_.images) add_images(group, n0, (std::min)(plan_.images, batch_ - n0));
    if (!plan_.straight())
      join_slices(ctx_, plan_, static_cast<const T*>(slice_weight_), o_.add_weight, o_.dweight + group * filters * taps);
    for (index_t f = 0; o_.dbias != nullptr && f < filters; ++f) {
      T& sum = o_.dbias[group * filters + f];
      if (!o_.add_bias) sum = T{0};
      for (index_t slice = 0; slice < plan_.slices; ++slice) sum += slice_bias_[slice * plan_.padded_filters() + f];
    }
  }

 private:
  /// The product for `count` images from `n0`.
  product<T> product_of(index_t group, index_t n0, index_t count, bool in_place) const {
    const int slices = static_cast<int>(plan_.slices);
    const index_t filters = plan_.filters, taps = plan_.taps;
    return {.rows = filters,
            .columns = taps,
            .depth = count * pixels_,
            .tile = tile_,
            .blocks = choose_blocks((ctx_.threads + slices - 1) / slices, filters, taps, tile_.rows, tile_.columns,
                                    conv_limits<T>.rows, plan_.block_columns(), tile_.columns),
            .chunk = conv_limits<T>.depth,
            .contiguous_steps = in_place ? pixels_ : 0,
            .slices = slices,
            .slice_stride = plan_.straight() ? 0 : filters * taps,
            .sums = sums_,
            .slice_sums = plan_.slice_sums(),
            .first = n0 == 0,
            .last = n0 + count == batch_,
            .target = {.data = plan_.straight() ? o_.dweight + group * filters * taps : slice_weight_,
                       .row_stride = taps,
                       .add = plan_.straight() && o_.add_weight},
            .packed_a = plan_.packed_a()};
  }

  void add_images(index_t group, index_t n0, index_t count) const {
    const patch_layout& patches = plan_.patches;
    const T* const from = o_.x + n0 * g_.channels * g_.height * g_.width;
    if (plan_.reordered())
      copy_channel_last(ctx_, patches, count, group * patches.channels, from, channel_line_, copy_);
    else if (!plan_.in_place() && (group == 0 || plan_.images < batch_))
      pad_input(ctx_, plan_.pointwise ? plan_.points : patches.planes, count, from, copy_);
    const T* const source = plan_.in_place() ? from : copy_;
    const index_t slack = plan_.in_place() ? 0 : pack_slack<T>, source_end = count * plan_.image_size() + slack;

    // Rows of dy that do not compete for the same lines of the first-level cache, and are not too short, are multiplied in place,
    // an image at a time.
    const bool in_place =
        tile_.reads_unconverted() && pixels_ >= 128 && !compete_for_lines(pixels_ * static_cast<index_t>(sizeof(T)));
    const gradient_rows<T> rows{.of = tile_,
                                .dy = o_.dy + (n0 * g_.filters + group * plan_.filters) * pixels_,
                                .size = (count * g_.filters - group * plan_.filters) * pixels_,
                                .pixels = pixels_,
                                .image = g_.filters * pixels_,
                                .line = filter_line_,
                                .in_place = in_place,
                                .bias_sums = o_.dbias == nullptr ? nullptr : slice_bias_,
                                .bias_stride = plan_.padded_filters()};
    const product<T> p = product_of(group, n0, count, in_place);
    if (plan_.pointwise) {
      const index_t origin = group * plan_.taps * pixels_;
      blocked_product(ctx_, p, rows,
                      pixel_columns<T>{tile_, source + origin, source_end - origin, pixels_, plan_.image_size(), channel_line_},
                      rest_);
    } else {
      const index_t origin = plan_.reordered() ? 0 : group * patches.channels * patches.rows * patches.columns;
      blocked_product(ctx_, p, rows, patch_columns<T>{tile_, patches, g_, {source, -slack, source_end}, origin}, rest_);
    }
  }

  const context& ctx_;
  index_t batch_;
  const conv_geometry& g_;
  const weight_gradient_operands<T>& o_;
  weight_gradient_plan<T> plan_;
  index_t pixels_;
  tile<T> tile_;
  T* copy_;  ///< of the input: channel-last, padded, or none
  index_t *channel_line_, *filter_line_;
  T *sums_, *slice_weight_, *slice_bias_;
  scratch rest_;
};

/// The gradient of a convolution with respect to its weights and bias.
template <class T>
void conv_backward_weight(const context& ctx, index_t batch, const conv_geometry& g, const weight_gradient_operands<T>& o,
                          scratch& work) {
  if (is_depthwise(g)) return depthwise_backward_weight(ctx, batch, g, o, work);
  weight_gradient<T> gradient(ctx, batch, g, o, work);
  for (index_t group = 0; group < g.groups; ++group) gradient.run(group);
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
