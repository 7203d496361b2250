// Pictures: told apart, checked, decoded, turned.

#include "fuzz/target.hpp"
#include "minicnn/data/image.hpp"

MINICNN_FUZZ_TARGET(image) {
  const minicnn::image_u8 image = minicnn::decode_image(input, "fuzz");
  fuzz::require(image.height > 0 && image.width > 0 && image.channels == 3);
  fuzz::require(image.pixels.size() == static_cast<std::size_t>(image.height * image.width * 3));
}
