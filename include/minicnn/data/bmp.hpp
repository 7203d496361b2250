#pragma once
/// BMP files of every header that Windows and OS/2 have written: palettes, bit masks, run lengths (Microsoft, "Bitmap Storage",
/// wingdi.h; for headers of 12 and 64 bytes "OS/2 Bitmap File Format").

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "minicnn/data/jpeg_structure.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

inline std::uint32_t little_endian_u32(const unsigned char* p) {
  return std::uint32_t{p[3]} << 24 | std::uint32_t{p[2]} << 16 | std::uint32_t{p[1]} << 8 | p[0];
}
inline std::uint32_t little_endian_u16(const unsigned char* p) { return std::uint32_t{p[1]} << 8 | p[0]; }

struct bmp_info {
  image_header header;
  bool top_down = false;
  std::uint32_t compression = 0;  ///< 0 none, 1 run lengths of bytes, 2 of half bytes, 3 and 6 bit masks
  index_t bits = 0;               ///< of a pixel
  index_t row_bytes = 0;
  std::size_t palette_at = 0, palette_entry = 4, palette_size = 0, pixels_at = 0;
  std::array<std::uint32_t, 3> masks{};  ///< red, green, blue

  bool run_lengths() const { return compression == 1 || compression == 2; }
};

[[noreturn]] inline void unsupported_bmp(std::string_view name, const char* what, std::uint32_t value) {
  fail<file_error>(name, ": this kind of BMP is not supported (", what, " ", value, ")");
}

/// What the header says, checked against the file's length. Throws file_error.
class bmp_header_reader {
 public:
  bmp_header_reader(std::span<const unsigned char> file, std::string_view name) : file_(file), name_(name) {}

  bmp_info run() {
    need(26);
    const std::uint32_t size = u32(14);
    if (size != 12 && size != 40 && size != 52 && size != 56 && size != 64 && size != 108 && size != 124)
      unsupported_bmp(name_, "a header of bytes:", size);
    const bool core = size == 12;  // OS/2, with 16-bit sizes
    if (!core) need(54);
    info_.header.width = core ? static_cast<index_t>(u16(18)) : static_cast<std::int32_t>(u32(18));
    info_.header.height = core ? static_cast<index_t>(u16(20)) : static_cast<std::int32_t>(u32(22));
    info_.top_down = info_.header.height < 0;
    if (info_.top_down) info_.header.height = -info_.header.height;
    check_image_size(info_.header, name_);
    info_.bits = static_cast<index_t>(u16(core ? 24 : 28));
    info_.compression = core ? 0 : u32(30);
    check_kind(size);
    const bool masks = info_.compression == 3 || info_.compression == 6;
    const std::size_t own_masks = size == 40 && masks ? (info_.compression == 6 ? 16 : 12) : 0;
    need(14 + size + own_masks);
    if (masks)
      for (std::size_t i = 0; i < 3; ++i) info_.masks[i] = u32(54 + 4 * i);
    else if (info_.bits == 16)
      info_.masks = {0x7C00, 0x03E0, 0x001F};
    else
      info_.masks = {0xFF0000, 0x00FF00, 0x0000FF};
    place(14 + size + own_masks, core);
    info_.header.palette = info_.bits <= 8;
    info_.header.bits = info_.bits <= 8 ? static_cast<int>(info_.bits) : 8;
    return info_;
  }

 private:
  std::uint32_t u32(std::size_t at) const { return little_endian_u32(file_.data() + at); }
  std::uint32_t u16(std::size_t at) const { return little_endian_u16(file_.data() + at); }
  void need(std::size_t bytes) const {
    if (file_.size() < bytes) fail<file_error>(name_, ": BMP without its end (truncated file)");
  }

  void check_kind(std::uint32_t size) const {
    const std::uint32_t c = info_.compression;
    const auto bits = static_cast<std::uint32_t>(info_.bits);
    if (c > 6 || c == 4 || c == 5 || (c == 3 && size == 64)) unsupported_bmp(name_, "compression", c);
    const bool known = c == 0 ? bits == 1 || bits == 2 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32
                              : bits == (c == 1   ? 8U
                                         : c == 2 ? 4U
                                                  : 32U) ||
                                    (bits == 16 && c >= 3);
    if (!known) unsupported_bmp(name_, c == 0 ? "bits a pixel:" : "compressed, with bits a pixel:", bits);
  }

  /// Palette and pixels, with whatever lies between them.
  void place(std::size_t behind_header, bool core) {
    info_.palette_at = behind_header;
    info_.palette_entry = core ? 3 : 4;
    const std::size_t most = info_.bits <= 8 ? std::size_t{1} << info_.bits : 0;
    const std::size_t used = core ? 0 : u32(46);
    info_.palette_size = used == 0 ? most : (std::min)(most, used);
    info_.pixels_at = u32(10);
    if (info_.pixels_at == 0) info_.pixels_at = behind_header + info_.palette_size * info_.palette_entry;
    if (info_.pixels_at < behind_header) fail<file_error>(name_, ": damaged BMP: pixels begin within the header");
    need(info_.pixels_at);
    info_.palette_size = (std::min)(info_.palette_size, (info_.pixels_at - behind_header) / info_.palette_entry);
    const index_t width = info_.header.width, height = info_.header.height;
    const std::size_t there = file_.size() - info_.pixels_at;
    if (info_.run_lengths()) {
      // A run of two bytes has 255 pixels at most: a smaller file would cost memory and time for an empty picture.
      if (static_cast<index_t>(there) * 128 < width * height)
        fail<file_error>(name_, ": damaged BMP: too short for ", width, "x", height, " pixels");
      const std::size_t stored = u32(34);
      info_.header.end = info_.pixels_at + (stored > 0 ? (std::min)(stored, there) : there);
      return;
    }
    info_.row_bytes = (width * info_.bits + 31) / 32 * 4;
    if (static_cast<index_t>(there) < (height - 1) * info_.row_bytes + (width * info_.bits + 7) / 8)
      fail<file_error>(name_, ": BMP without its end (truncated file)");
    info_.header.end = info_.pixels_at + (std::min)(there, static_cast<std::size_t>(height * info_.row_bytes));
  }

  std::span<const unsigned char> file_;
  std::string_view name_;
  bmp_info info_;
};

class bmp_decoder {
 public:
  /// `out` has room for height * width * 3 bytes.
  bmp_decoder(std::span<const unsigned char> file, std::string_view name, const bmp_info& info, unsigned char* out)
      : file_(file), name_(name), info_(info), out_(out) {
    for (std::size_t i = 0; i < info.palette_size; ++i) {
      const unsigned char* entry = file.data() + info.palette_at + i * info.palette_entry;
      colours_[i] = {entry[2], entry[1], entry[0]};
    }
  }

  void run() {
    if (info_.run_lengths())
      run_lengths();
    else if (info_.bits <= 8)
      indices();
    else
      direct();
  }

 private:
  index_t width() const { return info_.header.width; }
  index_t height() const { return info_.header.height; }
  unsigned char* row(index_t stored) const { return out_ + (info_.top_down ? stored : height() - 1 - stored) * width() * 3; }
  const unsigned char* stored_row(index_t y) const {
    return file_.data() + info_.pixels_at + static_cast<std::size_t>(y * info_.row_bytes);
  }
  void put(unsigned char* to, unsigned index) const { std::copy(colours_[index].begin(), colours_[index].end(), to); }

  void indices() const {
    const auto bits = static_cast<unsigned>(info_.bits), mask = (1U << bits) - 1, in_a_byte = 8 / bits;
    for (index_t y = 0; y < height(); ++y) {
      const unsigned char* from = stored_row(y);
      unsigned char* to = row(y);
      for (index_t x = 0; x < width(); ++x, to += 3) {
        const auto place = static_cast<unsigned>(x % in_a_byte);
        put(to, (static_cast<unsigned>(from[x / in_a_byte]) >> (8 - bits * (place + 1))) & mask);
      }
    }
  }

  void direct() const {
    std::array<int, 3> shifts{};
    std::array<std::uint32_t, 3> largest{};
    for (std::size_t c = 0; c < 3; ++c) {
      shifts[c] = info_.masks[c] == 0 ? 0 : std::countr_zero(info_.masks[c]);
      largest[c] = info_.masks[c] >> shifts[c];
      if ((largest[c] & (largest[c] + 1)) != 0) unsupported_bmp(name_, "a mask with gaps:", info_.masks[c]);
    }
    const auto bytes = static_cast<std::size_t>(info_.bits / 8);
    for (index_t y = 0; y < height(); ++y) {
      const unsigned char* from = stored_row(y);
      unsigned char* to = row(y);
      for (index_t x = 0; x < width(); ++x, from += bytes, to += 3) {
        std::uint32_t pixel = little_endian_u16(from);
        for (std::size_t b = 2; b < bytes; ++b) pixel |= std::uint32_t{from[b]} << (8 * b);
        for (std::size_t c = 0; c < 3; ++c) {
          const std::uint64_t value = (pixel & info_.masks[c]) >> shifts[c];
          to[c] = static_cast<unsigned char>(largest[c] == 0 ? 0 : (value * 255 + largest[c] / 2) / largest[c]);
        }
      }
    }
  }

  unsigned char next() {
    if (at_ == file_.size()) fail<file_error>(name_, ": BMP without its end (truncated file)");
    return file_[at_++];
  }

  /// One pixel of the row under way; what would lie beyond its end is passed over.
  void put_next(unsigned index) {
    if (y_ >= height()) fail<file_error>(name_, ": damaged BMP: more rows than ", height());
    if (x_ < width()) put(row(y_) + 3 * x_, index);
    ++x_;
  }

  void run_lengths() {
    const bool halves = info_.compression == 2;
    for (index_t i = 0; i < width() * height(); ++i) put(out_ + 3 * i, 0);
    for (at_ = info_.pixels_at;;) {
      if (at_ == file_.size() && (y_ >= height() || (y_ + 1 == height() && x_ >= width()))) return;  // some have no end mark
      const unsigned count = next(), value = next();
      if (count > 0) {
        for (unsigned i = 0; i < count; ++i) put_next(!halves ? value : i % 2 == 0 ? value >> 4 : value & 15);
      } else if (value == 0) {
        x_ = 0, ++y_;
      } else if (value == 1) {
        return;
      } else if (value == 2) {
        x_ += next();
        y_ += next();
      } else {
        literal(value, halves);
      }
    }
  }

  void literal(unsigned count, bool halves) {
    unsigned byte = 0;
    for (unsigned i = 0; i < count; ++i) {
      if (!halves || i % 2 == 0) byte = next();
      put_next(!halves ? byte : i % 2 == 0 ? byte >> 4 : byte & 15);
    }
    const unsigned bytes = halves ? (count + 1) / 2 : count;
    if (bytes % 2 == 1 && at_ < file_.size()) ++at_;
  }

  std::span<const unsigned char> file_;
  std::string_view name_;
  const bmp_info& info_;
  unsigned char* out_;
  std::array<std::array<unsigned char, 3>, 256> colours_{};  // black where the palette ends
  std::size_t at_ = 0;
  index_t x_ = 0, y_ = 0;
};

}  // namespace detail

/// Size of a BMP file. Throws file_error if the file ends before its last pixel, or is of a kind that is not read: pictures of
/// other formats or Huffman codes inside.
inline image_header check_bmp(std::span<const unsigned char> file, std::string_view name) {
  return detail::bmp_header_reader(file, name).run().header;
}

}  // namespace minicnn::inline MINICNN_ABI
