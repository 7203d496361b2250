// The orientation in a TIFF block, and its application to a small picture.

#include <numeric>

#include "fuzz/target.hpp"
#include "minicnn/data/exif.hpp"

MINICNN_FUZZ_TARGET(exif) {
  const int orientation = minicnn::exif_orientation(input);
  fuzz::require(orientation >= 1 && orientation <= 8);
  minicnn::image_u8 image{2, 3, 3, std::vector<unsigned char>(18)};
  std::iota(image.pixels.begin(), image.pixels.end(), static_cast<unsigned char>(0));
  minicnn::apply_orientation(image, orientation);
  fuzz::require(image.height * image.width == 6 && std::accumulate(image.pixels.begin(), image.pixels.end(), 0) == 17 * 18 / 2);
}
