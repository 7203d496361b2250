#pragma once
/// Mean, deviation and covariance of a data set's colours.

#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "minicnn/core/parallel.hpp"
#include "minicnn/data/dataset.hpp"
#include "minicnn/data/normalization.hpp"
#include "minicnn/data/picture_source.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Of pixels from 0 to 255, per channel (red, green, blue; all three equal for grey pictures).
struct channel_statistics {
  std::uint64_t pixels = 0;
  std::array<double, 3> mean{};
  std::array<double, 3> deviation{};  ///< of the population: divided by the number of pixels
  std::array<std::array<double, 3>, 3> covariance{};

  /// Inputs of mean 0 and deviation 1. A channel that never changes is divided by 1.
  normalization normalize() const {
    normalization n;
    for (std::size_t c = 0; c < 3; ++c) {
      n.mean[c] = static_cast<float>(mean[c]);
      n.std[c] = deviation[c] > 0 ? static_cast<float>(deviation[c]) : 1.0F;
    }
    return n;
  }
};

/// Adds up pictures in 64-bit integers: exact, so neither their number nor their order matters. (A float sum of ones stops
/// growing at 2^24.)
class channel_accumulator {
 public:
  void add(const image_u8& image) {
    const unsigned char* p = image.pixels.data();
    const bool colour = image.channels == 3;
    for (index_t y = 0; y < image.height; ++y) {
      std::array<std::uint64_t, 3> sums{};
      std::array<std::uint64_t, 6> products{};
      for (index_t x = 0; x < image.width; ++x, p += image.channels) {
        const std::uint64_t r = p[0], g = colour ? p[1] : r, b = colour ? p[2] : r;
        sums[0] += r, sums[1] += g, sums[2] += b;
        products[0] += r * r, products[1] += r * g, products[2] += r * b;
        products[3] += g * g, products[4] += g * b, products[5] += b * b;
      }
      for (std::size_t i = 0; i < 3; ++i) sums_[i] += sums[i];
      for (std::size_t i = 0; i < 6; ++i) products_[i] += products[i];
    }
    pixels_ += static_cast<std::uint64_t>(image.height * image.width);
  }

  void add(const channel_accumulator& other) {
    for (std::size_t i = 0; i < 3; ++i) sums_[i] += other.sums_[i];
    for (std::size_t i = 0; i < 6; ++i) products_[i] += other.products_[i];
    pixels_ += other.pixels_;
  }

  /// Throws error if nothing was added.
  channel_statistics result() const {
    if (pixels_ == 0) fail("colour statistics of no pictures");
    const auto count = static_cast<double>(pixels_);
    channel_statistics out;
    out.pixels = pixels_;
    for (std::size_t c = 0; c < 3; ++c) out.mean[c] = static_cast<double>(sums_[c]) / count;
    std::size_t at = 0;
    for (std::size_t a = 0; a < 3; ++a)
      for (std::size_t b = a; b < 3; ++b)
        out.covariance[a][b] = out.covariance[b][a] = static_cast<double>(products_[at++]) / count - out.mean[a] * out.mean[b];
    for (std::size_t c = 0; c < 3; ++c) out.deviation[c] = std::sqrt((std::max)(0.0, out.covariance[c][c]));
    return out;
  }

 private:
  std::uint64_t pixels_ = 0;
  std::array<std::uint64_t, 3> sums_{};
  std::array<std::uint64_t, 6> products_{};  ///< rr rg rb gg gb bb
};

/// Sums over the samples `chosen`, at the pictures' own sizes, by `threads` threads (0: all). Throws file_error for a picture
/// that cannot be read.
inline channel_accumulator colour_sums(const image_dataset& data, std::span<const index_t> chosen, int threads = 0) {
  struct worker {
    channel_accumulator sum;
    image_u8 image;
    std::vector<unsigned char> file;
  };
  const int team = resolve_threads(threads);
  std::vector<worker> workers(static_cast<std::size_t>(team));
  parallel_tasks(team, static_cast<index_t>(chosen.size()), [&](index_t task, int thread) {
    worker& w = workers[static_cast<std::size_t>(thread)];
    const auto i = static_cast<std::size_t>(chosen[static_cast<std::size_t>(task)]);
    if (!data.pictures.empty()) return w.sum.add(data.pictures[i]);
    load_sample(data, static_cast<index_t>(i), w.image, w.file);
    if (data.channels == 1) to_grey(w.image);
    w.sum.add(w.image);
  });
  channel_accumulator all;
  for (const worker& w : workers) all.add(w.sum);
  return all;
}

/// What these sums say. Throws error where nothing was chosen.
inline channel_statistics colour_statistics(const image_dataset& data, std::span<const index_t> chosen, int threads = 0) {
  return colour_sums(data, chosen, threads).result();
}

}  // namespace minicnn::inline MINICNN_ABI
