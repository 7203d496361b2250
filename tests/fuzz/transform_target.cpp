// Resizing, cropping, padding and augmentation of pictures of any size: every value that comes out must be a number.

#include <cmath>

#include "fuzz/target.hpp"
#include "minicnn/data/transform.hpp"

MINICNN_FUZZ_TARGET(transform) {
  if (input.size() < 16) return;
  minicnn::image_u8 image{1 + input[0], 1 + input[1], input[2] % 2 == 0 ? 3 : 1, {}};
  image.pixels.resize(static_cast<std::size_t>(image.height * image.width * image.channels));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = input[i % input.size()];

  const auto fraction = [&](std::size_t i) { return static_cast<float>(input[i]) / 255.0F; };
  minicnn::image_transform t;
  t.size = 1 + input[3];
  t.resize_to = input[4] % 3 == 0 ? 0 : t.size + input[5] % 64;
  t.padding = input[6] % 4;
  t.fit = input[7] % 2 == 0 ? minicnn::fit_mode::stretch : minicnn::fit_mode::crop;
  t.filter = input[7] % 4 < 2 ? minicnn::interpolation::antialiased : minicnn::interpolation::tensorflow1;
  t.position = static_cast<minicnn::window_position>(input[8] % 5);
  t.mirrored = input[8] >= 128;
  t.augment.crop = static_cast<minicnn::crop_mode>(input[9] % 3);
  t.augment.flip = fraction(10);
  t.augment.erase = fraction(11);
  check(t);
  std::vector<float> out(static_cast<std::size_t>(image.channels * t.size * t.size));
  minicnn::image_workspace workspace;
  apply(image, t, minicnn::random_key(input[12]), input[13] % 2 == 0, out.data(), workspace);
  for (const float value : out) fuzz::require(std::isfinite(value));
}
