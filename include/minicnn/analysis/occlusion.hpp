#pragma once
/// What a network misses when part of a picture is covered (Zeiler and Fergus, "Visualizing and understanding convolutional
/// networks", ECCV 2014, section 4.2). Slower than Grad-CAM and free of gradients.

#include <algorithm>
#include <cmath>
#include <vector>

#include "minicnn/graph/session.hpp"

namespace minicnn::inline MINICNN_ABI {

struct occlusion_options {
  index_t patch = 0;   ///< side of the covering square in pixels; 0: a fifth of the image's shorter side
  index_t stride = 0;  ///< pixels between its places; 0: a third of `patch`
  index_t batch = 32;  ///< covered images predicted at once
  double value = 0;    ///< what covers, on the network's own scale: 0 is the mean colour after normalisation
};

namespace detail {

/// Probability of class k in a row of logits; one column: sigmoid.
template <class T>
double class_probability(const view<const T>& row, index_t k) {
  if (row.size() == 1) return 1 / (1 + std::exp(static_cast<double>(k == 1 ? -row[0] : row[0])));
  const double top = static_cast<double>(*std::max_element(row.begin(), row.end()));
  double sum = 0;
  for (const T z : row) sum += std::exp(static_cast<double>(z) - top);
  return std::exp(static_cast<double>(row[k]) - top) / sum;
}

/// Where squares begin along an axis: every `stride`, the last one at the edge.
inline std::vector<index_t> patch_places(index_t extent, index_t patch, index_t stride) {
  std::vector<index_t> places;
  for (index_t p = 0; p < extent - patch; p += stride) places.push_back(p);
  places.push_back((std::max)(extent - patch, index_t{0}));
  return places;
}

}  // namespace detail

/// For one `image` (1, c, h, w) the mean loss of P(`of_class`) over all squares that cover a pixel: (h, w), negative where
/// covering helps the class. Throws shape_error or option_error for what does not fit.
template <class T>
tensor<T> occlusion(session<T>& run, const view<const T>& image, index_t of_class, const occlusion_options& o = {}) {
  const shape& dims = image.dims();
  if (dims.rank() != 4 || dims[0] != 1) fail<shape_error>("occlusion: wanted one image (1, c, h, w), got ", dims);
  const index_t channels = dims[1], height = dims[2], width = dims[3], shorter = (std::min)(height, width);
  const index_t patch = o.patch == 0 ? (std::max)(shorter / 5, index_t{1}) : o.patch;
  const index_t stride = o.stride == 0 ? (std::max)(patch / 3, index_t{1}) : o.stride;
  if (patch < 1 || patch > shorter || stride < 1 || o.batch < 1)
    fail<option_error>("occlusion: patch ", patch, ", stride ", stride, ", batch ", o.batch, " for an image of ", width, "x",
                       height);
  const view<const T> plain = run.predict(image);
  if (of_class < 0 || of_class >= (std::max)(plain.dims().size_from(1), index_t{2}))
    fail<option_error>("occlusion: class ", of_class, " of ", plain.dims().size_from(1));
  const double whole = detail::class_probability(plain.at(0), of_class);

  std::vector<std::pair<index_t, index_t>> places;
  for (const index_t y : detail::patch_places(height, patch, stride))
    for (const index_t x : detail::patch_places(width, patch, stride)) places.emplace_back(y, x);
  const auto all = static_cast<index_t>(places.size());
  tensor<T> covered({(std::min)(o.batch, all), channels, height, width});
  std::vector<double> sum(static_cast<std::size_t>(height * width)), count(sum.size());
  for (index_t done = 0; done < all; done += o.batch) {
    const index_t n = (std::min)(o.batch, all - done);
    for (index_t i = 0; i < n; ++i) {
      const auto [top, left] = places[static_cast<std::size_t>(done + i)];
      T* to = covered.data() + i * image.size();
      std::copy(image.begin(), image.end(), to);
      for (index_t c = 0; c < channels; ++c)
        for (index_t y = top; y < top + patch; ++y)
          std::fill_n(to + (c * height + y) * width + left, patch, static_cast<T>(o.value));
    }
    const view<const T> logits = run.predict(view<const T>(covered.data(), {n, channels, height, width}));
    for (index_t i = 0; i < n; ++i) {
      const auto [top, left] = places[static_cast<std::size_t>(done + i)];
      const double lost = whole - detail::class_probability(logits.at(i), of_class);
      for (index_t y = top; y < top + patch; ++y)
        for (index_t x = left; x < left + patch; ++x) {
          sum[static_cast<std::size_t>(y * width + x)] += lost;
          count[static_cast<std::size_t>(y * width + x)] += 1;
        }
    }
  }
  tensor<T> out({height, width});
  // A stride wider than the patch leaves pixels that nothing covers.
  for (index_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<T>(sum[static_cast<std::size_t>(i)] / (std::max)(count[static_cast<std::size_t>(i)], 1.0));
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
