#pragma once
// Pictures as PNG and JPEG files, and what a network sees as a picture.

#include <minicnn/data/transform.hpp>
#include <minicnn/report/heat_map.hpp>
#include <string>
#include <vector>

namespace cli {

using encoded_picture = std::vector<unsigned char>;

/// A whole file in memory. Throws minicnn::error for pictures that the formats cannot hold.
encoded_picture png_file(const minicnn::rgb_picture& picture);
encoded_picture jpeg_file(const minicnn::rgb_picture& picture, int quality);

/// As the src of an <img>.
std::string png_uri(const minicnn::rgb_picture& picture);
std::string jpeg_uri(const minicnn::rgb_picture& picture, int quality);

/// The part of `image` that a network with this evaluation transform sees, with `side` x `side` pixels.
minicnn::rgb_picture seen_part(const minicnn::image_u8& image, const minicnn::image_transform& evaluation, minicnn::index_t side,
                               minicnn::image_workspace& workspace);

/// A network's input (c, h, w) after `t` as a picture: the normalisation undone.
minicnn::rgb_picture as_picture(const minicnn::view<const float>& input, const minicnn::image_transform& t);

}  // namespace cli
