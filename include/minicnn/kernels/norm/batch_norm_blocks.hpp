#pragma once
/// How batch normalisation cuts a batch: into blocks of channels and groups of images, and which of the two threads share.

#include <algorithm>

#include "minicnn/kernels/product/tile_shape.hpp"

namespace minicnn::inline MINICNN_ABI::kernels {

/// A batch as normalisation sees it; (n, c) has one pixel.
struct norm_extents {
  index_t images = 0;
  index_t channels = 0;
  index_t pixels = 0;

  /// Values of a channel.
  index_t count() const { return images * pixels; }
};

/// Mean and 1 / sqrt(variance + eps) of a channel.
struct norm_statistics {
  double mean = 0;
  double inverse = 1;
};

inline constexpr int norm_lanes = 16;  ///< at most; floats of an AVX-512 vector

/// `rows` rows of `length` contiguous values, `stride` apart.
struct norm_rows {
  index_t rows = 0;
  index_t stride = 0;
  index_t length = 0;
};

inline constexpr index_t norm_chunk = 4096;       ///< values that are summed in `T` before doubles take over
inline constexpr index_t norm_least = 512;        ///< values of a part, if there are so many: joining fewer costs too much
inline constexpr index_t norm_groups = 16;        ///< groups of images that a batch is cut into, if parts allow it
inline constexpr index_t norm_cached = 16 << 20;  ///< bytes of a batch that is taken to stay in cache between two layers

/// Two sums of a part: its mean and its squared differences from it, or the sums of g and of g (x - center).
struct norm_part {
  double first = 0, second = 0;
};

/// What the gradient of a channel's input is made of (norm_gradient_kernel).
template <class T>
struct norm_slope {
  T center = 0, scale = 0, slope = 0, shift = 0;
};

/// How a batch is cut. Blocks: channels that are worked on at a time, one, or a vector of them where each has one pixel per
/// image; all values of lane i of any vector then belong to one channel, so coefficients are one vector and sums are one vector.
/// Groups: of images, whose number depends on the shape alone.
template <class T>
struct norm_blocks {
  norm_blocks(const context& ctx, const norm_extents& extents)
      : e(extents),
        width(extents.pixels > 1 ? 1 : vector_bytes(ctx.instruction_set) / static_cast<index_t>(sizeof(T))),
        together(images_together(extents)),
        groups((extents.images + together - 1) / together) {
    const index_t bytes = e.channels * e.count() * static_cast<index_t>(sizeof(T));
    by_images = ctx.threads > 1 && e.pixels > 1 && groups >= ctx.threads && bytes <= norm_cached && bytes >= (1 << 18);
  }

  static index_t images_together(const norm_extents& e) {
    const index_t length = (std::max)(e.pixels, index_t{1}),
                  most = (std::max)(norm_chunk / (std::max)(length, index_t{norm_lanes}), index_t{1});
    if (e.pixels <= 1) return most;
    return (std::min)(most, (std::max)((norm_least + length - 1) / length, (e.images + norm_groups - 1) / norm_groups));
  }
  /// No fewer than `groups` for this batch or a smaller one.
  static index_t most_groups(const norm_extents& e) {
    return (std::min)(
        e.images,
        (std::max)(norm_groups, e.images / (std::max)(norm_chunk / (std::max)(e.pixels, index_t{norm_lanes}), index_t{1}) + 1));
  }

  index_t count() const { return (e.channels + width - 1) / width; }
  index_t first(index_t block) const { return block * width; }
  index_t channels(index_t block) const { return (std::min)(width, e.channels - first(block)); }
  index_t offset(index_t block, index_t image = 0) const { return (image * e.channels + first(block)) * e.pixels; }
  /// All values of a block, or those of images [begin, end).
  norm_rows rows(index_t block, index_t begin, index_t end) const {
    return {end - begin, e.channels * e.pixels, e.pixels == 1 ? channels(block) : e.pixels};
  }
  index_t begin(index_t group) const { return group * together; }
  index_t end(index_t group) const { return (std::min)(begin(group) + together, e.images); }
  /// Blocks too few for a second thread to pay.
  index_t grain() const { return 1 + 16384 / (e.count() * width + 1); }

  /// Calls body(offset, rows) for each chunk of a group's block, in order.
  template <class F>
  void for_chunks(index_t group, index_t block, const F& body) const {
    norm_rows r = rows(block, begin(group), end(group));
    const index_t length = r.length;
    for (index_t p = 0; p < length; p += norm_chunk) {
      r.length = (std::min)(norm_chunk, length - p);
      body(offset(block, begin(group)) + p, r);
    }
  }

  /// part(group, block) for all, then finish(block), then apply(block, first image, last image) for all images.
  template <class Part, class Finish, class Apply>
  void run(int threads, const Part& part, const Finish& finish, const Apply& apply) const {
    if (!by_images) {
      parallel_for(threads, count(), grain(), [&](index_t from, index_t to) {
        for (index_t block = from; block < to; ++block) {
          for (index_t group = 0; group < groups; ++group) part(group, block);
          finish(block);
          apply(block, index_t{0}, e.images);
        }
      });
      return;
    }
    parallel_for(threads, groups, 1, [&](index_t from, index_t to) {
      for (index_t group = from; group < to; ++group)
        for (index_t block = 0; block < count(); ++block) part(group, block);
    });
    parallel_for(threads, count(), 64, [&](index_t from, index_t to) {
      for (index_t block = from; block < to; ++block) finish(block);
    });
    parallel_for(threads, groups, 1, [&](index_t from, index_t to) {
      for (index_t group = from; group < to; ++group)
        for (index_t block = 0; block < count(); ++block) apply(block, begin(group), end(group));
    });
  }

  norm_extents e;
  index_t width;     ///< channels of a block
  index_t together;  ///< images of a group
  index_t groups;
  bool by_images;  ///< whether threads share the images
};

/// Joins the moments of `more` values to those of `count`.
inline void join_moments(norm_part& all, double count, const norm_part& other, double more) {
  const double total = count + more, difference = other.first - all.first;
  all.first += difference * more / total;
  all.second += other.second + difference * difference * count * more / total;
}

}  // namespace minicnn::inline MINICNN_ABI::kernels
