// EXIF orientation wherever a format keeps it, and BMP files of every form.
#include <doctest/doctest.h>

#include <cstring>

#include "minicnn/data/image.hpp"
#include "minicnn/data/image_format.hpp"
#include "minicnn/files/crc32.hpp"
#include "pictures.hpp"

using namespace minicnn;
using pictures::bytes;

namespace {

void put_big(bytes& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<unsigned char>(value >> shift));
}

/// `png` with a chunk behind its header, or before its end.
bytes with_chunk(bytes png, const std::string& type, const bytes& body, bool at_end = false) {
  bytes chunk;
  put_big(chunk, static_cast<std::uint32_t>(body.size()));
  bytes checked(type.begin(), type.end());
  checked.insert(checked.end(), body.begin(), body.end());
  chunk.insert(chunk.end(), checked.begin(), checked.end());
  put_big(chunk, crc32(std::string_view(reinterpret_cast<const char*>(checked.data()), checked.size())));
  png.insert(at_end ? png.end() - 12 : png.begin() + 33, chunk.begin(), chunk.end());
  return png;
}

bytes exif(int orientation) {
  return {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, static_cast<unsigned char>(orientation),
          0,   0,   0, 0,  0, 0};
}

bytes raw_profile(const bytes& block) {
  std::string text("Raw profile type exif\0\nexif\n      26\n", 37);
  for (std::size_t i = 0; i < block.size(); ++i) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", block[i]);
    text += digits;
    if (i % 16 == 15) text += '\n';
  }
  return bytes(text.begin(), text.end());
}

/// The text of a tEXt chunk as zTXt: one stored block.
bytes packed(const bytes& text) {
  bytes out(text.begin(), text.begin() + 22);
  const auto n = static_cast<unsigned>(text.size() - 22);
  for (const unsigned v : {0U, 0x78U, 0x01U, 1U, n & 255U, n >> 8, ~n & 255U, (~n >> 8) & 255U})
    out.push_back(static_cast<unsigned char>(v));
  out.insert(out.end(), text.begin() + 22, text.end());
  out.insert(out.end(), 4, 0);  // a checksum that is not looked at
  return out;
}

std::string failure(const bytes& file) {
  try {
    decode_image(file, "x");
    return "";
  } catch (const file_error& e) {
    return e.what();
  }
}

void put(bytes& out, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
}

/// A BMP of `width` x `height` with a header of `size` bytes.
bytes bmp(std::uint32_t size, int width, int height, int bits, std::uint32_t compression, const bytes& extra, const bytes& pixels,
          int gap = 0) {
  bytes out{'B', 'M'};
  const auto at = static_cast<std::uint32_t>(14 + size + extra.size() + static_cast<std::size_t>(gap));
  put(out, static_cast<std::uint32_t>(at + pixels.size()), 4), put(out, 0, 4), put(out, at, 4), put(out, size, 4);
  const int wide = size == 12 ? 2 : 4;
  put(out, static_cast<std::uint32_t>(width), wide), put(out, static_cast<std::uint32_t>(height), wide);
  put(out, 1, 2), put(out, static_cast<std::uint32_t>(bits), 2);
  if (size > 12) {
    put(out, compression, 4), put(out, static_cast<std::uint32_t>(pixels.size()), 4), put(out, 0, 4), put(out, 0, 4);
    put(out, 0, 4), put(out, 0, 4);
  }
  // Masks of the longer headers: 8 bits each, as for 32 bits a pixel without any.
  if (size >= 52 && size != 64)
    for (const std::uint32_t mask : {0xFF0000U, 0xFF00U, 0xFFU}) put(out, mask, 4);
  out.resize(14 + size);
  out.insert(out.end(), extra.begin(), extra.end());
  out.insert(out.end(), static_cast<std::size_t>(gap), 0xAB);
  out.insert(out.end(), pixels.begin(), pixels.end());
  return out;
}

using colours = std::vector<int>;
/// Red of every pixel, row by row.
colours reds(const bytes& file) {
  const image_u8 image = decode_image(file, "x");
  colours out;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) out.push_back(image.pixels[i]);
  return out;
}

/// Index k is the colour (10 k, 1, 2).
bytes palette(int count, int entry = 4) {
  bytes out;
  for (int k = 0; k < count; ++k) {
    put(out, 2, 1), put(out, 1, 1), put(out, static_cast<std::uint32_t>(10 * k), 1);
    if (entry == 4) put(out, 0, 1);
  }
  return out;
}

}  // namespace

TEST_CASE("G13 orientation in a PNG: eXIf or a raw profile, before or behind the pixels") {
  const image_u8 upright = pictures::ramp(5, 7);
  const bytes plain = pictures::png(upright);
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    image_u8 wanted = upright;
    apply_orientation(wanted, orientation);
    bytes with_name{'E', 'x', 'i', 'f', 0, 0};
    const bytes block = exif(orientation);
    with_name.insert(with_name.end(), block.begin(), block.end());
    for (const bytes& file :
         {with_chunk(plain, "eXIf", block), with_chunk(plain, "eXIf", block, true), with_chunk(plain, "eXIf", with_name),
          with_chunk(plain, "tEXt", raw_profile(with_name)), with_chunk(plain, "zTXt", packed(raw_profile(with_name)))}) {
      CHECK(check_image(file, "x").orientation == orientation);
      const image_u8 turned = decode_image(file, "x");
      CHECK(turned.width == wanted.width);
      CHECK(turned.pixels == wanted.pixels);
    }
  }
  // What makes no sense turns nothing.
  for (const bytes& body : {bytes{}, bytes{'M'}, exif(9), bytes(40, 0xFF)})
    CHECK(decode_image(with_chunk(plain, "eXIf", body), "x").pixels == upright.pixels);
  CHECK(decode_image(with_chunk(plain, "zTXt", bytes(60, 'x')), "x").pixels == upright.pixels);
}

TEST_CASE("G14 BMP: every header, a gap before the pixels, from the top down") {
  const bytes rows{1, 2, 30, 4, 5, 60, 0, 0, 7, 8, 90, 10, 11, 120, 0, 0};  // two rows of two pixels of 24 bits
  for (const std::uint32_t size : {12U, 40U, 52U, 56U, 64U, 108U, 124U})
    for (const int gap : {0, 1, 50, 2000}) {
      CAPTURE(size);
      CAPTURE(gap);
      CHECK(reds(bmp(size, 2, 2, 24, 0, {}, rows, gap)) == colours{90, 120, 30, 60});
      if (size > 12) CHECK(reds(bmp(size, 2, -2, 24, 0, {}, rows, gap)) == colours{30, 60, 90, 120});
      const bytes cut = bmp(size, 2, 2, 24, 0, {}, bytes(rows.begin(), rows.end() - 3), gap);
      CHECK(failure(cut) == "x: BMP without its end (truncated file)");
    }
  for (const std::uint32_t size : {12U, 40U, 64U, 124U}) {
    const bytes colours_8 = palette(6, size == 12 ? 3 : 4);
    CHECK(reds(bmp(size, 3, 1, 8, 0, colours_8, {5, 0, 3, 0})) == colours{50, 0, 30});
    CHECK(reds(bmp(size, 3, 1, 4, 0, colours_8, {0x51, 0x30, 0, 0}, 5)) == colours{50, 10, 30});
    CHECK(reds(bmp(size, 3, 1, 1, 0, palette(2, size == 12 ? 3 : 4), {0xA0, 0, 0, 0})) == colours{10, 0, 10});
  }
  CHECK(reds(bmp(40, 1, 1, 32, 0, {}, {1, 2, 77, 0})) == colours{77});
  CHECK(reds(bmp(108, 1, 1, 32, 3, {}, {1, 2, 77, 255})) == colours{77});
  CHECK(reds(bmp(40, 1, 1, 32, 3, {0xFF, 0, 0, 0, 0, 0xFF, 0, 0, 0, 0, 0xFF, 0}, {77, 2, 1, 0})) == colours{77});  // red lowest
  CHECK(reds(bmp(40, 2, 1, 16, 0, {}, {0x00, 0x7C, 0x1F, 0x00})) == colours{255, 0});
  CHECK(reds(bmp(40, 1, 1, 16, 3, {0, 0xF8, 0, 0, 0xE0, 7, 0, 0, 0x1F, 0, 0, 0}, {0, 0x80, 0, 0})) == colours{132});  // 5, 6, 5
  CHECK(reds(bmp(40, 1, 1, 32, 6, bytes{0, 0, 0xFF, 0, 0, 0xFF, 0, 0, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF}, {1, 2, 77, 0})) ==
        colours{77});
}

TEST_CASE("G14 BMP: run lengths") {
  // From the bottom row: a run, a literal of three, the end of the row; then two pixels on and one run.
  const bytes rle8{2, 5, 0, 3, 1, 2, 3, 0, 0, 0, 0, 2, 2, 0, 3, 4, 0, 1};
  const colours wanted{0, 0, 40, 40, 40, 50, 50, 10, 20, 30};
  CHECK(reds(bmp(40, 5, 2, 8, 1, palette(6), rle8)) == wanted);
  CHECK(reds(bmp(64, 5, 2, 8, 1, palette(6), rle8, 50)) == wanted);
  const bytes rle4{4, 0x51, 1, 0x20, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 0, 1};
  CHECK(reds(bmp(40, 5, 2, 4, 2, palette(6), rle4)) == colours{10, 20, 30, 40, 50, 50, 10, 50, 10, 20});
  for (std::size_t kept = 1; kept + 2 < rle8.size(); ++kept)  // the end mark may be missing
    CHECK(failure(bmp(40, 5, 2, 8, 1, palette(6), bytes(rle8.begin(), rle8.begin() + static_cast<long>(kept)))) != "");
  CHECK(failure(bmp(40, 20000, 2000, 8, 1, palette(6), rle8)).find("too short") != std::string::npos);
  CHECK(failure(bmp(40, 5, 1, 8, 1, palette(6), rle8)).find("damaged BMP") != std::string::npos);
}

TEST_CASE("G14 BMP: what is not read is said to be not supported") {
  const bytes data(64, 1);
  for (const auto& kind : std::initializer_list<std::tuple<std::uint32_t, int, std::uint32_t>>{{40, 0, 4},
                                                                                               {40, 0, 5},
                                                                                               {64, 1, 3},
                                                                                               {64, 24, 4},
                                                                                               {40, 24, 11},
                                                                                               {40, 64, 0},
                                                                                               {40, 24, 1},
                                                                                               {40, 8, 2},
                                                                                               {16, 24, 0},
                                                                                               {41, 24, 0},
                                                                                               {40, 3, 0},
                                                                                               {0xFFFFFFF0U, 24, 0}}) {
    const std::uint32_t size = std::get<0>(kind), compression = std::get<2>(kind);
    const int bits = std::get<1>(kind);
    bytes file = bmp(40, 2, 2, bits, compression, {}, data);
    for (int i = 0; i < 4; ++i) file[14 + static_cast<std::size_t>(i)] = static_cast<unsigned char>(size >> (8 * i));
    CAPTURE(size);
    CAPTURE(bits);
    CAPTURE(compression);
    CHECK(failure(file).find("x: this kind of BMP is not supported") == 0);
  }
}
