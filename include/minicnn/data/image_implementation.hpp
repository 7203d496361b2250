#pragma once
/// The decoder behind image.hpp. Included through it, in the one unit that defines MINICNN_IMAGE_IMPLEMENTATION.

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "minicnn/data/image.hpp"
#include "minicnn/data/image_format.hpp"
#include "minicnn/data/stb_decoder.hpp"

namespace minicnn::inline MINICNN_ABI {

void decode_image(std::span<const unsigned char> bytes, std::string_view name, image_u8& image) {
  constexpr int channels = 3;
  if (static_cast<index_t>(bytes.size()) > max_image_file_bytes)
    fail<file_error>(name, ": ", bytes.size(), " bytes are more than the ", max_image_file_bytes, " that are read");
  const image_header header = check_image(bytes, name);
  const auto pixels = static_cast<std::size_t>(header.height * header.width);

  // The most that a well-formed picture takes: 16-bit RGBA or progressive JPEG, with copies.
  detail::decoder_memory memory((std::size_t{16} << 20) + 4 * bytes.size() + 40 * pixels);
  int width = 0, height = 0, stored_channels = 0;
  const unsigned char* decoded =
      detail::stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &stored_channels, channels);
  if (decoded == nullptr) {
    const char* reason = detail::stbi_failure_reason();
    fail<file_error>(name, ": cannot be decoded: ", reason != nullptr ? reason : "no reason given");
  }
  if (width != header.width || height != header.height)
    fail<file_error>(name, ": the header says ", header.width, "x", header.height, " pixels, decoded were ", width, "x", height);
  image.height = height;
  image.width = width;
  image.channels = channels;
  image.pixels.assign(decoded, decoded + pixels * channels);
  apply_orientation(image, header.orientation);
}

image_u8 decode_image(std::span<const unsigned char> bytes, std::string_view name) {
  image_u8 image;
  decode_image(bytes, name, image);
  return image;
}

void load_image(const std::string& path, image_u8& image, std::vector<unsigned char>& buffer) {
  const auto reason = [](int code) { return std::generic_category().message(code); };
  std::error_code status;
  const std::filesystem::file_type type = std::filesystem::status(path, status).type();
  if (type == std::filesystem::file_type::directory) fail<file_error>(path, ": is a directory, not a picture");
  if (type == std::filesystem::file_type::not_found) fail<file_error>(path, ": no such file");
  if (status) fail<file_error>(path, ": cannot be read: ", status.message());
  if (type != std::filesystem::file_type::regular) fail<file_error>(path, ": is not a regular file");

  struct close_file {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  const std::unique_ptr<std::FILE, close_file> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) fail<file_error>(path, ": cannot be opened: ", reason(errno));
  const std::uintmax_t size = std::filesystem::file_size(path, status);
  if (status) fail<file_error>(path, ": cannot be read: ", status.message());
  if (size > static_cast<std::uintmax_t>(max_image_file_bytes))
    fail<file_error>(path, ": ", size, " bytes are more than the ", max_image_file_bytes, " that are read");
  buffer.resize(static_cast<std::size_t>(size));
  const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get());
  if (std::ferror(file.get()) != 0) fail<file_error>(path, ": cannot be read: ", reason(errno));
  decode_image(std::span<const unsigned char>(buffer.data(), got), path, image);
}

image_u8 load_image(const std::string& path) {
  image_u8 image;
  std::vector<unsigned char> buffer;
  load_image(path, image, buffer);
  return image;
}

}  // namespace minicnn::inline MINICNN_ABI
