#include "picture_encoding.hpp"

#include <minicnn/report/data_uri.hpp>

// The writer is this unit's own: a program's other copy of stb_image_write is neither replaced nor needed.
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace cli {

using minicnn::fail;
using minicnn::index_t;

namespace {

void append(void* to, void* data, int size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  auto& out = *static_cast<encoded_picture*>(to);
  out.insert(out.end(), bytes, bytes + size);
}

void check(const minicnn::rgb_picture& p) {
  if (p.dims().rank() != 3 || p.dim(2) != 3 || p.size() == 0 || p.dim(0) > 1 << 15 || p.dim(1) > 1 << 15)
    fail("a picture of ", p.dims(), " cannot be encoded");
}

}  // namespace

encoded_picture png_file(const minicnn::rgb_picture& p) {
  check(p);
  encoded_picture out;
  const int height = static_cast<int>(p.dim(0)), width = static_cast<int>(p.dim(1));
  if (stbi_write_png_to_func(append, &out, width, height, 3, p.data(), 3 * width) == 0) fail("PNG: out of memory");
  return out;
}

encoded_picture jpeg_file(const minicnn::rgb_picture& p, int quality) {
  check(p);
  encoded_picture out;
  const int height = static_cast<int>(p.dim(0)), width = static_cast<int>(p.dim(1));
  if (stbi_write_jpg_to_func(append, &out, width, height, 3, p.data(), quality) == 0) fail("JPEG: out of memory");
  return out;
}

std::string png_uri(const minicnn::rgb_picture& p) { return minicnn::data_uri("image/png", png_file(p)); }

std::string jpeg_uri(const minicnn::rgb_picture& p, int quality) {
  return minicnn::data_uri("image/jpeg", jpeg_file(p, quality));
}

minicnn::rgb_picture seen_part(const minicnn::image_u8& image, const minicnn::image_transform& evaluation, index_t side,
                               minicnn::image_workspace& workspace) {
  minicnn::image_transform t = evaluation;
  if (t.resize_to != 0) t.resize_to = (t.resize_to * side + t.size - 1) / t.size;
  t.size = side;
  t.filter = minicnn::interpolation::antialiased;
  t.normalize = {};
  minicnn::tensor<float> planes({image.channels, side, side});
  apply(image, t, minicnn::random_key(), false, planes.data(), workspace);
  return minicnn::to_bytes<float>(planes, {1, 1, 1}, {0, 0, 0});
}

minicnn::rgb_picture as_picture(const minicnn::view<const float>& input, const minicnn::image_transform& t) {
  const minicnn::channel_affine a = t.normalize.affine();
  std::array<double, 3> scale{}, offset{};
  for (std::size_t c = 0; c < 3; ++c) {
    scale[c] = 1.0 / static_cast<double>(a.scale[c]);
    offset[c] = -static_cast<double>(a.offset[c]) / static_cast<double>(a.scale[c]);
  }
  return minicnn::to_bytes(input, scale, offset);
}

}  // namespace cli
