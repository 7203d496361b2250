#pragma once
/// From a decoded picture to a network's input: which part, at what size, changed how, on what scale.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <vector>

#include "minicnn/data/augment.hpp"
#include "minicnn/data/normalization.hpp"
#include "minicnn/data/resize.hpp"

namespace minicnn::inline MINICNN_ABI {

/// How a picture that is not square becomes one.
enum class fit_mode {
  stretch,  ///< both sides are resized alike, whatever the aspect
  crop,     ///< the shorter side is resized, the longer one follows, and the rest is cut off
};

/// Which window of the resized picture is evaluated.
enum class window_position { centre, top_left, top_right, bottom_left, bottom_right };

/// Everything between a decoded picture and a network's input of size x size. `augment` acts in training only, `position`,
/// `mirrored` and `shift` in evaluation only.
struct image_transform {
  index_t padding = 0;    ///< black pixels put on every side of a picture first: 2 make 32 x 32 of MNIST's 28 x 28
  index_t size = 227;     ///< height and width of the output
  index_t resize_to = 0;  ///< side before the crop, at least `size`; 0: `size`
  fit_mode fit = fit_mode::stretch;
  interpolation filter = interpolation::antialiased;
  normalization normalize = {};
  augmentation augment = {};
  window_position position = window_position::centre;
  bool mirrored = false;
  index_t shift = 0;  ///< pixels that the window lies further down and to the right; edges are reflected
};

/// Throws option_error for options that contradict each other or lie outside their range.
inline void check(const image_transform& t) {
  if (t.size < 1 || t.size > 1 << 16) fail<option_error>("image size ", t.size, " is outside 1 to ", 1 << 16);
  if (t.resize_to != 0 && (t.resize_to < t.size || t.resize_to > 1 << 16))
    fail<option_error>("pictures are resized to ", t.resize_to, " before a crop of ", t.size, "; want ", t.size, " to ", 1 << 16);
  if (t.padding < 0 || t.padding > 1 << 12) fail<option_error>("padding ", t.padding, " is outside 0 to ", 1 << 12);
  if (const index_t most = (std::max)(std::abs(t.shift), t.augment.shift); most >= t.size)
    fail<option_error>("a shift by ", most, " pixels, wanted less than the image size ", t.size);
  check(t.augment);
  (void)t.normalize.affine();
}

/// What is done to one picture.
struct image_change {
  resize_plan geometry;
  colour_change colours;
  pixel_box erased;  ///< of the output; empty: nothing
};

/// The change for a height x width picture, its padding counted: with numbers drawn from `key` in training, fixed otherwise.
/// `mirrored`: decided elsewhere, for training.
inline image_change plan_change(const image_transform& t, index_t height, index_t width, random_key key, bool training,
                                std::optional<bool> mirrored = {}) {
  image_change change;
  resize_plan& plan = change.geometry;
  const index_t side = t.resize_to == 0 ? t.size : t.resize_to;
  const index_t shorter = (std::min)(height, width);
  plan.source = {0, 0, height, width};
  plan.filter = t.filter;
  plan.height = t.fit == fit_mode::stretch ? side : side * height / shorter;
  plan.width = t.fit == fit_mode::stretch ? side : side * width / shorter;
  plan.mirrored = !training && t.mirrored;
  window_position position = t.position;
  if (training) {
    position = window_position::centre;
    plan.mirrored = mirrored ? *mirrored : random_stream(key.of(2)).chance(t.augment.flip);
    change.colours = random_colours(t.augment, key.of(3));
    if (t.augment.erase > 0) change.erased = random_erasure(t.augment, t.size, key.of(4));
    if (t.augment.crop == crop_mode::random_resized) {
      plan.source = random_part(t.augment, height, width, key.of(1));
      plan.height = plan.width = t.size;
    }
  }
  const index_t down = plan.height - t.size, right = plan.width - t.size;
  plan.window = {down / 2, right / 2, t.size, t.size};
  if (training && t.augment.crop == crop_mode::random) {
    random_stream random(key.of(1));
    plan.window.top = random.below(down + 1);
    plan.window.left = random.below(right + 1);
  } else if (position != window_position::centre) {
    const bool bottom = position == window_position::bottom_left || position == window_position::bottom_right;
    const bool at_right = position == window_position::top_right || position == window_position::bottom_right;
    plan.window.top = bottom ? down : 0;
    plan.window.left = at_right ? right : 0;
  }
  if (training && t.augment.shift > 0) {
    random_stream random(key.of(5));
    const index_t most = t.augment.shift;
    plan.window.top += random.below(2 * most + 1) - most;
    plan.window.left += random.below(2 * most + 1) - most;
    plan.reflect = true;
  } else if (!training && t.shift != 0) {
    plan.window.top += t.shift, plan.window.left += t.shift;
    plan.reflect = true;
  }
  return change;
}

/// Memory that one thread uses for picture after picture.
struct image_workspace {
  resizer resize;
  image_u8 image;
  image_u8 padded;
  std::vector<unsigned char> file;
};

/// Makes `out` the picture with `padding` black pixels on every side.
inline void pad(const image_u8& image, index_t padding, image_u8& out) {
  out.height = image.height + 2 * padding;
  out.width = image.width + 2 * padding;
  out.channels = image.channels;
  out.pixels.assign(static_cast<std::size_t>(out.height * out.width * out.channels), 0);
  const index_t row = image.width * image.channels;
  for (index_t y = 0; y < image.height; ++y)
    std::copy_n(image.pixels.data() + y * row, row, out.pixels.data() + ((y + padding) * out.width + padding) * out.channels);
}

/// Writes the network's input (channels, size, size) for `picture` to `out_chw`. `mirrored`: as in `plan_change`.
template <class T>
void apply(const image_u8& picture, const image_transform& t, random_key key, bool training, T* out_chw,
           image_workspace& workspace, std::optional<bool> mirrored = {}) {
  if (t.padding > 0) pad(picture, t.padding, workspace.padded);
  const image_u8& image = t.padding > 0 ? workspace.padded : picture;
  const image_change change = plan_change(t, image.height, image.width, key, training, mirrored);
  const channel_affine affine = t.normalize.affine();
  const index_t size = t.size * t.size;
  if (change.colours.any()) {
    workspace.resize.run(image, change.geometry, {}, out_chw);
    apply_colours(change.colours, image.channels, size, out_chw);
    for (int c = 0; c < image.channels; ++c) {
      const T scale = T(affine.scale[static_cast<std::size_t>(c)]), offset = T(affine.offset[static_cast<std::size_t>(c)]);
      for (index_t i = c * size; i < (c + 1) * size; ++i) out_chw[i] = out_chw[i] * scale + offset;
    }
  } else {
    workspace.resize.run(image, change.geometry, affine, out_chw);
  }
  const pixel_box& box = change.erased;
  for (index_t y = 0; y < image.channels * t.size; ++y)
    if (y % t.size >= box.top && y % t.size < box.top + box.height) std::fill_n(out_chw + y * t.size + box.left, box.width, T(0));
}

/// What is averaged over at test time.
enum class test_views {
  one,         ///< the picture as it is
  flip,        ///< and its mirror image
  flip_shift,  ///< both, and both moved by a pixel to the upper left and to the lower right
  ten_crop,    ///< four corners and centre, each with its mirror image (Krizhevsky et al., 2012)
};

/// The views that none, flip, flip-shift and ten-crop stand for. Throws option_error for another text.
inline test_views test_views_named(std::string_view name) {
  if (name == "none") return test_views::one;
  if (name == "flip") return test_views::flip;
  if (name == "flip-shift") return test_views::flip_shift;
  if (name != "ten-crop") fail<option_error>("wanted none, flip, flip-shift or ten-crop, got ", name);
  return test_views::ten_crop;
}

/// The transforms whose predictions are averaged: `base` with other positions and mirrored. `ten_crop` needs a base whose
/// pictures are larger than its window; throws option_error for a stretching base without `resize_to`.
inline std::vector<image_transform> views_of(const image_transform& base, test_views views) {
  std::vector<image_transform> out;
  if (views == test_views::flip_shift) {
    for (const index_t shift : {0, -1, 1})
      for (const image_transform& view : views_of(base, test_views::flip)) {
        out.push_back(view);
        out.back().shift = base.shift + shift;
      }
    return out;
  }
  if (views == test_views::ten_crop && base.fit == fit_mode::stretch && (base.resize_to == 0 || base.resize_to == base.size))
    fail<option_error>("ten crops of ", base.size, " pixels need pictures resized to more (resize_to)");
  for (const window_position p : {window_position::centre, window_position::top_left, window_position::top_right,
                                  window_position::bottom_left, window_position::bottom_right}) {
    if (views != test_views::ten_crop && p != window_position::centre) break;
    for (const bool mirrored : {false, true}) {
      if (views == test_views::one && mirrored) break;
      out.push_back(base);
      if (views == test_views::ten_crop) out.back().position = p;
      out.back().mirrored = base.mirrored != mirrored;
    }
  }
  return out;
}

/// What each of these views counts in the mean: all alike, but of `flip_shift` the picture where it is as much as the four that
/// are moved (Jordan, arXiv 2404.00498, section 3.3, which averages logits; here it is probabilities).
inline std::vector<double> view_weights(test_views views) {
  switch (views) {
    case test_views::one:
      return {1.0};
    case test_views::flip:
      return {0.5, 0.5};
    case test_views::flip_shift:
      return {0.25, 0.25, 0.125, 0.125, 0.125, 0.125};
    case test_views::ten_crop:
      break;
  }
  return std::vector<double>(10, 0.1);
}

}  // namespace minicnn::inline MINICNN_ABI
