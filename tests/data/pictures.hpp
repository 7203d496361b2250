#pragma once
// Pictures made in memory, and folders made for a test and removed after it.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "minicnn/data/image_u8.hpp"

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

namespace pictures {

using bytes = std::vector<unsigned char>;

inline void append(void* context, void* data, int size) {
  const auto* p = static_cast<const unsigned char*>(data);
  auto& out = *static_cast<bytes*>(context);
  out.insert(out.end(), p, p + size);
}

inline bytes png(const minicnn::image_u8& image) {
  bytes out;
  stbi_write_png_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height), image.channels,
                         image.pixels.data(), static_cast<int>(image.width) * image.channels);
  return out;
}
inline bytes bmp(const minicnn::image_u8& image) {
  bytes out;
  stbi_write_bmp_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height), image.channels,
                         image.pixels.data());
  return out;
}
inline bytes jpeg(const minicnn::image_u8& image, int quality = 95) {
  bytes out;
  stbi_write_jpg_to_func(append, &out, static_cast<int>(image.width), static_cast<int>(image.height), image.channels,
                         image.pixels.data(), quality);
  return out;
}

/// A picture of one colour.
inline minicnn::image_u8 plain(int height, int width, unsigned char r, unsigned char g, unsigned char b) {
  minicnn::image_u8 image{height, width, 3, {}};
  for (int i = 0; i < height * width; ++i) image.pixels.insert(image.pixels.end(), {r, g, b});
  return image;
}

/// Red grows to the right, green downwards, blue is a checkerboard: no two places look alike.
inline minicnn::image_u8 ramp(int height, int width) {
  minicnn::image_u8 image{height, width, 3, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      image.pixels.insert(image.pixels.end(),
                          {static_cast<unsigned char>(x * 255 / width), static_cast<unsigned char>(y * 255 / height),
                           static_cast<unsigned char>((x + y) % 2 * 90)});
  return image;
}

/// A folder of its own for one test case, removed at the end.
class folder {
 public:
  explicit folder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / ("minicnn_" + name + "_" + unique())) {
    std::filesystem::create_directories(path_);
  }
  ~folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;

  std::string path() const { return path_.string(); }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

  std::string write(const std::string& name, const bytes& content) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream file(path_ / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    return path(name);
  }
  std::string write(const std::string& name, const std::string& content) const {
    return write(name, bytes(content.begin(), content.end()));
  }

 private:
  static std::string unique() {
    static int count = 0;
    return std::to_string(static_cast<long>(std::filesystem::file_time_type::clock::now().time_since_epoch().count())) + "_" +
           std::to_string(++count);
  }
  std::filesystem::path path_;
};

inline bytes read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return bytes(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

}  // namespace pictures
