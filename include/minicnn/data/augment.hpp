#pragma once
/// Random changes to training pictures, and the numbers drawn for them.
///
/// Every number is a function of one random_key (made from seed, epoch and sample): neither the order in which pictures are
/// loaded nor the threads that load them change it. Each kind of change draws from a key of its own, so switching one on or
/// off leaves the others as they were.

#include <array>
#include <cmath>

#include "minicnn/core/random.hpp"
#include "minicnn/data/resize.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Where training crops come from.
enum class crop_mode {
  centre,          ///< as in evaluation
  random,          ///< a window of the network's size anywhere in the resized picture (Krizhevsky et al., 2012)
  random_resized,  ///< a part of random area and aspect, resized to the network's size (Szegedy et al., 2015)
};

/// Colour changes along the principal components of the data set's pixels (Krizhevsky et al., 2012, section 4.1): to every
/// pixel is added the sum over i of a_i * value_i * vector_i, with a_i drawn once a picture from N(0, deviation).
/// `principal_colours` in data/pca.hpp computes the components.
struct colour_lighting {
  double deviation = 0;                            ///< the paper uses 0.1; 0 is off
  std::array<double, 3> values{};                  ///< eigenvalues' square roots, in units of pixels from 0 to 255
  std::array<std::array<double, 3>, 3> vectors{};  ///< vectors[i] is component i in (red, green, blue), of length 1
};

/// Options; by default nothing is changed.
struct augmentation {
  crop_mode crop = crop_mode::centre;
  std::array<double, 2> crop_area{0.08, 1.0};           ///< random_resized: smallest and largest part of the picture's area
  std::array<double, 2> crop_aspect{3.0 / 4, 4.0 / 3};  ///< random_resized: narrowest and widest width / height
  double flip = 0;                                      ///< probability of mirroring left to right
  /// Whether a picture is mirrored is drawn once and then turned every epoch, so that two epochs show both sides of each (Jordan,
  /// arXiv 2404.00498, 2024, section 3.6).
  bool alternate_flip = false;
  index_t shift = 0;      ///< moved by up to so many pixels of the network's input in both directions, edges reflected
  double brightness = 0;  ///< pixels times a factor from [1 - x, 1 + x]
  double contrast = 0;    ///< distance from the picture's mean grey times a factor from [1 - x, 1 + x]
  double saturation = 0;  ///< distance from the pixel's own grey times a factor from [1 - x, 1 + x]
  colour_lighting lighting = {};
  /// Probability that a box of the network's input is overwritten with 0, which is the mean colour after normalisation (Zhong et
  /// al., "Random erasing data augmentation", AAAI 2020).
  double erase = 0;
  std::array<double, 2> erase_area{0.02, 0.2};  ///< smallest and largest part of the input's area; aspect from 0.3 to 3.3
};

/// Factors and offsets for one picture's colours.
struct colour_change {
  float brightness = 1, contrast = 1, saturation = 1;
  std::array<float, 3> added{0, 0, 0};

  bool any() const {
    return brightness != 1.0F || contrast != 1.0F || saturation != 1.0F || added[0] != 0.0F || added[1] != 0.0F ||
           added[2] != 0.0F;
  }
};

/// Throws option_error for values outside their range.
inline void check(const augmentation& a) {
  const auto wants = [](bool good, const char* what) {
    if (!good) fail<option_error>("augmentation: ", what);
  };
  wants(a.crop_area[0] > 0 && a.crop_area[0] <= a.crop_area[1] && a.crop_area[1] <= 1, "crop_area must rise within (0, 1]");
  wants(a.crop_aspect[0] > 0 && a.crop_aspect[0] <= a.crop_aspect[1] && std::isfinite(a.crop_aspect[1]),
        "crop_aspect must rise above 0");
  wants(a.flip >= 0 && a.flip <= 1, "flip is a probability from 0 to 1");
  for (const double x : {a.brightness, a.contrast, a.saturation})
    wants(x >= 0 && x <= 1, "brightness, contrast and saturation go from 0 to 1");
  wants(a.shift >= 0 && a.shift <= 1 << 12, "shift goes from 0 to 4096");
  wants(a.erase >= 0 && a.erase <= 1, "erase is a probability from 0 to 1");
  wants(a.erase_area[0] > 0 && a.erase_area[0] <= a.erase_area[1] && a.erase_area[1] < 1, "erase_area must rise within (0, 1)");
  wants(a.lighting.deviation >= 0, "lighting's deviation is at least 0");
}

/// Whether `alternate_flip` mirrors a picture in this epoch; `picture_key` is the same in all.
inline bool alternating_flip(const augmentation& a, random_key picture_key, index_t epoch) {
  return random_stream(picture_key).chance(a.flip) != (epoch % 2 != 0);
}

/// A part of a height x width picture with random area and aspect. Ten draws are tried; if none fits into the picture, the
/// largest centred part of allowed aspect is taken (as in torchvision).
inline pixel_box random_part(const augmentation& a, index_t height, index_t width, random_key key) {
  random_stream random(key);
  const double area = static_cast<double>(height) * static_cast<double>(width);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double wanted = area * random.uniform(a.crop_area[0], a.crop_area[1]);
    const double aspect = std::exp(random.uniform(std::log(a.crop_aspect[0]), std::log(a.crop_aspect[1])));
    const auto w = static_cast<index_t>(std::lround(std::sqrt(wanted * aspect)));
    const auto h = static_cast<index_t>(std::lround(std::sqrt(wanted / aspect)));
    if (w >= 1 && w <= width && h >= 1 && h <= height) return {random.below(height - h + 1), random.below(width - w + 1), h, w};
  }
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  index_t w = width, h = height;
  if (ratio < a.crop_aspect[0]) h = std::lround(static_cast<double>(width) / a.crop_aspect[0]);
  if (ratio > a.crop_aspect[1]) w = std::lround(static_cast<double>(height) * a.crop_aspect[1]);
  h = (std::clamp)(h, index_t{1}, height);
  w = (std::clamp)(w, index_t{1}, width);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

/// The box of a size x size input that is erased; empty if none is. Ten draws are tried.
inline pixel_box random_erasure(const augmentation& a, index_t size, random_key key) {
  random_stream random(key);
  if (!random.chance(a.erase)) return {};
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = static_cast<double>(size * size) * random.uniform(a.erase_area[0], a.erase_area[1]);
    const double aspect = std::exp(random.uniform(std::log(0.3), std::log(3.3)));
    const auto w = static_cast<index_t>(std::lround(std::sqrt(area * aspect)));
    const auto h = static_cast<index_t>(std::lround(std::sqrt(area / aspect)));
    if (w >= 1 && w <= size && h >= 1 && h <= size) return {random.below(size - h + 1), random.below(size - w + 1), h, w};
  }
  return {};
}

inline colour_change random_colours(const augmentation& a, random_key key) {
  random_stream random(key);
  const auto factor = [&](double strength) {
    const double drawn = random.uniform(-1, 1);
    return static_cast<float>(1 + strength * drawn);
  };
  colour_change change;
  change.brightness = factor(a.brightness);
  change.contrast = factor(a.contrast);
  change.saturation = factor(a.saturation);
  if (a.lighting.deviation > 0)
    for (std::size_t i = 0; i < 3; ++i) {
      const double amount = a.lighting.deviation * random.normal() * a.lighting.values[i];
      for (std::size_t c = 0; c < 3; ++c) change.added[c] += static_cast<float>(amount * a.lighting.vectors[i][c]);
    }
  return change;
}

/// Changes planes (channels, size) of pixels from 0 to 255 in place: brightness, then contrast, then saturation, each cut
/// off at 0 and 255, then `added`. Grey is 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601). Pictures of one channel
/// have no saturation and take nothing added.
template <class T>
void apply_colours(const colour_change& change, int channels, index_t size, T* planes) {
  const auto cut = [](T x) { return (std::clamp)(x, T(0), T(255)); };
  T* red = planes;
  T* green = channels == 3 ? planes + size : planes;
  T* blue = channels == 3 ? planes + 2 * size : planes;
  const auto grey = [&](index_t i) { return T(0.299) * red[i] + T(0.587) * green[i] + T(0.114) * blue[i]; };
  if (change.brightness != 1.0F)
    for (index_t i = 0; i < channels * size; ++i) planes[i] = cut(planes[i] * T(change.brightness));
  if (change.contrast != 1.0F) {
    double sum = 0;
    for (index_t i = 0; i < size; ++i) sum += static_cast<double>(grey(i));
    const T mean = static_cast<T>(sum / static_cast<double>(size));
    for (index_t i = 0; i < channels * size; ++i) planes[i] = cut(mean + (planes[i] - mean) * T(change.contrast));
  }
  if (channels != 3) return;
  if (change.saturation != 1.0F)
    for (index_t i = 0; i < size; ++i) {
      const T g = grey(i);
      for (T* plane : {red, green, blue}) plane[i] = cut(g + (plane[i] - g) * T(change.saturation));
    }
  for (std::size_t c = 0; c < 3; ++c)
    if (change.added[c] != 0.0F)
      for (index_t i = 0; i < size; ++i) planes[static_cast<index_t>(c) * size + i] += T(change.added[c]);
}

}  // namespace minicnn::inline MINICNN_ABI
