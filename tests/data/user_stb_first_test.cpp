// A unit in which the user's own stb, with other settings, comes before the library's decoder.
#define STBI_ONLY_PNG
#define STBI_NO_FAILURE_STRINGS
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#include <stb/stb_image.h>
#include <stb/stb_image_resize.h>
#include <stb/stb_image_write.h>

#include "minicnn/data/picture_source.hpp"  // which declares the decoder's functions: they must still be defined below

#define MINICNN_IMAGE_IMPLEMENTATION
#include <doctest/doctest.h>

#include "minicnn/data/image.hpp"

#if !defined(STBI_ONLY_PNG) || !defined(STB_IMAGE_IMPLEMENTATION) || !defined(STBI_INCLUDE_STB_IMAGE_H) || defined(STBI_ONLY_JPEG)
#error "the user's stb macros were changed"
#endif

namespace {
void append(void* context, void* data, int size) {
  const auto* p = static_cast<const unsigned char*>(data);
  auto& out = *static_cast<std::vector<unsigned char>*>(context);
  out.insert(out.end(), p, p + size);
}
}  // namespace

TEST_CASE("F68 the user's stb keeps its settings, the library's decoder keeps its own") {
  const std::vector<unsigned char> pixels(8 * 8 * 3, 100);
  std::vector<unsigned char> jpeg, png;
  stbi_write_jpg_to_func(append, &jpeg, 8, 8, 3, pixels.data(), 95);
  stbi_write_png_to_func(append, &png, 8, 8, 3, pixels.data(), 24);
  int x = 0, y = 0, n = 0;
  CHECK(stbi_info_from_memory(png.data(), static_cast<int>(png.size()), &x, &y, &n) == 1);
  CHECK(stbi_info_from_memory(jpeg.data(), static_cast<int>(jpeg.size()), &x, &y, &n) == 0);
  CHECK(minicnn::decode_image(jpeg, "a.jpg").width == 8);
  CHECK(minicnn::decode_image(png, "a.png").pixels == pixels);
  // The user's decoder without failure texts does not silence ours.
  jpeg[jpeg.size() - 1] = 0;
  CHECK_THROWS_WITH_AS(minicnn::decode_image(jpeg, "a.jpg"), "a.jpg: JPEG without its end (truncated file)", minicnn::file_error);
}
