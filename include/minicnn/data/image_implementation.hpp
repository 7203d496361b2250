#pragma once
/// The decoder behind image.hpp. Included through it, in the one unit that defines MINICNN_IMAGE_IMPLEMENTATION.

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>

#include "minicnn/data/image.hpp"
#include "minicnn/data/image_format.hpp"
#include "minicnn/data/stb_decoder.hpp"
#include "minicnn/files/path.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

using image_request = ::MINICNN_VERSIONED(minicnn_image_request);

inline void decode(std::span<const unsigned char> bytes, std::string_view name, const image_request& request) {
  if (static_cast<index_t>(bytes.size()) > max_image_file_bytes)
    fail<file_error>(name, ": ", bytes.size(), " bytes are more than the ", max_image_file_bytes, " that are read");
  if (detect_image_format(bytes) == image_format::bmp) {
    const bmp_info info = bmp_header_reader(bytes, name).run();
    return bmp_decoder(bytes, name, info, request.pixel_memory(request.caller, info.header.height, info.header.width)).run();
  }
  const image_header header = check_image(bytes, name);
  const auto pixels = static_cast<std::size_t>(header.height * header.width);
  const bool grey = header.channels == 1 && header.orientation == 1;  // decoded as such, in a third of the memory
  const int channels = grey ? 1 : 3;

  // The most that a well-formed picture takes: 16-bit RGBA or progressive JPEG, with copies.
  decoder_memory memory((std::size_t{16} << 20) + 4 * bytes.size() + 40 * pixels);
  stbi__g_failure_reason = nullptr;  // of an earlier picture
  int width = 0, height = 0, stored_channels = 0;
  const unsigned char* decoded =
      stbi_load_from_memory(bytes.data(), static_cast<int>(bytes.size()), &width, &height, &stored_channels, channels);
  if (decoded == nullptr) {
    if (memory.exhausted()) throw std::bad_alloc();
    if (memory.limit_met())
      fail<file_error>(name, ": damaged: unpacks to more than ", header.width, "x", header.height, " pixels can have");
    const char* reason = stbi_failure_reason();
    fail<file_error>(name, ": cannot be decoded: ", reason != nullptr ? reason : "no reason given");
  }
  if (width != header.width || height != header.height)
    fail<file_error>(name, ": the header says ", header.width, "x", header.height, " pixels, decoded were ", width, "x", height);

  const auto memory_for = [&](index_t rows, index_t columns) { return request.pixel_memory(request.caller, rows, columns); };
  if (grey)
    for (unsigned char* to = memory_for(height, width); const unsigned char value : std::span(decoded, pixels))
      to = std::fill_n(to, 3, value);
  else if (header.orientation == 1)
    std::memcpy(memory_for(height, width), decoded, pixels * 3);
  else
    copy_upright(decoded, height, width, channels, header.orientation, memory_for);
}

inline std::FILE* open_for_reading(const std::filesystem::path& path) {
#if defined(_WIN32)
  return ::_wfopen(path.c_str(), L"rb");
#else
  return std::fopen(path.c_str(), "rb");
#endif
}

/// The file's bytes, in memory of the caller.
inline std::span<const unsigned char> read_whole(const std::string& path, const image_request& request) {
  const auto reason = [](int code) { return std::generic_category().message(code); };
  const std::filesystem::path at = system_path(path);
  std::error_code status;
  const std::filesystem::file_type type = std::filesystem::status(at, status).type();
  if (type == std::filesystem::file_type::directory) fail<file_error>(path, ": is a directory, not a picture");
  if (type == std::filesystem::file_type::not_found) fail<file_error>(path, ": ", why_missing(path, "no such file"));
  if (status) fail<file_error>(path, ": cannot be read: ", status.message());
  if (type != std::filesystem::file_type::regular) fail<file_error>(path, ": is not a regular file");

  struct close_file {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  const std::unique_ptr<std::FILE, close_file> file(open_for_reading(at));
  if (file == nullptr) {
    // Not the picture's fault: another try, when memory or open files are left, may read it.
    if (errno == ENOMEM || errno == EMFILE || errno == ENFILE) fail(path, ": cannot be opened: ", reason(errno));
    fail<file_error>(path, ": cannot be opened: ", reason(errno));
  }
  const std::uintmax_t size = std::filesystem::file_size(at, status);
  if (status) fail<file_error>(path, ": cannot be read: ", status.message());
  if (size > static_cast<std::uintmax_t>(max_image_file_bytes))
    fail<file_error>(path, ": ", size, " bytes are more than the ", max_image_file_bytes, " that are read");
  unsigned char* bytes = request.file_memory(request.caller, static_cast<std::size_t>(size));
  const std::size_t got = std::fread(bytes, 1, static_cast<std::size_t>(size), file.get());
  if (std::ferror(file.get()) != 0) fail<file_error>(path, ": cannot be read: ", reason(errno));
  return {bytes, got};
}

}  // namespace minicnn::inline MINICNN_ABI::detail

// Errors end here: the caller's error classes may be others than this unit's.
extern "C" int MINICNN_VERSIONED(minicnn_decode_image)(const MINICNN_VERSIONED(minicnn_image_request) * request) {
  try {
    const std::string name(request->name, request->name_length);
    minicnn::detail::decode(request->bytes == nullptr ? minicnn::detail::read_whole(name, *request)
                                                      : std::span<const unsigned char>(request->bytes, request->byte_count),
                            name, *request);
    return minicnn::detail::image_decoded;
  } catch (const minicnn::file_error& e) {
    const std::string_view text = e.what();
    request->failed(request->caller, text.data(), text.size());
    return minicnn::detail::image_bad;
  } catch (const minicnn::error& e) {
    const std::string_view text = e.what();
    request->failed(request->caller, text.data(), text.size());
    return minicnn::detail::image_not_read;
  } catch (const std::bad_alloc&) {
    return minicnn::detail::image_no_memory;
  }
}
