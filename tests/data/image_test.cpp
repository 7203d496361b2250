#include "minicnn/data/image.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "minicnn/core/random.hpp"
#include "minicnn/data/image_format.hpp"
#include "pictures.hpp"

using namespace minicnn;
using pictures::bytes;

namespace {

std::string golden(const std::string& name) { return std::string(MINICNN_TEST_GOLDEN_DIR) + "/images/" + name; }

bytes golden_bytes(const std::string& name) {
  std::ifstream file(golden(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The error's text, or "" if the bytes decode.
std::string failure(const bytes& file) {
  try {
    decode_image(file, "x.jpg");
    return "";
  } catch (const file_error& e) {
    return e.what();
  }
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::vector<int> pixel(const image_u8& image, index_t y, index_t x) {
  const unsigned char* p = image.pixels.data() + (y * image.width + x) * 3;
  return {p[0], p[1], p[2]};
}

bytes first(const bytes& file, std::size_t count) {
  return bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(count));
}

/// `jpeg` with an EXIF segment behind its first marker.
bytes with_orientation(const bytes& jpeg, unsigned char orientation, bool big_endian) {
  bytes exif{0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
  if (big_endian)
    exif.insert(exif.end(), {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0});
  else
    exif.insert(exif.end(), {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0});
  bytes out = jpeg;
  out.insert(out.begin() + 2, exif.begin(), exif.end());
  return out;
}

}  // namespace

TEST_CASE("F39 formats are told by content, channels are red, green, blue") {
  const image_u8 red = pictures::plain(5, 7, 255, 0, 0);
  for (const bytes& file : {pictures::png(red), pictures::bmp(red)}) {
    const image_u8 image = decode_image(file, "red.jpg");
    CHECK(image.height == 5);
    CHECK(image.width == 7);
    CHECK(image.channels == 3);
    CHECK(image.pixels == red.pixels);
  }
  const image_u8 jpeg = decode_image(pictures::jpeg(red, 100), "red.png");
  CHECK(jpeg.height == 5);
  CHECK(jpeg.width == 7);
  CHECK(pixel(jpeg, 2, 3)[0] >= 252);
  CHECK(pixel(jpeg, 2, 3)[1] <= 3);
  CHECK(pixel(jpeg, 2, 3)[2] <= 3);
}

TEST_CASE("F39 grey, CMYK, YCCK, alpha, palette, 16 bits, interlaced: always three channels") {
  struct expectation {
    const char* name;
    index_t height, width;
    std::vector<int> at_2_3;
  };
  for (const expectation& e :
       {expectation{"gray.jpg", 16, 16, {100, 100, 100}}, expectation{"cmyk_red.jpg", 16, 16, {255, 0, 0}},
        expectation{"ycck_gray.jpg", 16, 16, {55, 55, 55}}, expectation{"rgba.png", 4, 4, {200, 100, 50}},
        expectation{"palette.png", 4, 4, {255, 0, 0}}, expectation{"rgb16.png", 4, 4, {128, 128, 128}},
        expectation{"interlaced.png", 3, 5, {0, 0, 0}}, expectation{"progressive.jpg", 30, 40, {19, 16, 129}},
        expectation{"baseline.jpg", 30, 40, {19, 16, 129}}}) {
    INFO(e.name);
    const image_u8 image = load_image(golden(e.name));
    CHECK(image.height == e.height);
    CHECK(image.width == e.width);
    CHECK(image.channels == 3);
    CHECK(image.pixels.size() == static_cast<std::size_t>(e.height * e.width * 3));
    CHECK(pixel(image, 2, 3) == e.at_2_3);
  }
}

TEST_CASE("F41 one pixel, thin strips") {
  for (const auto& [height, width] : {std::pair{1, 1}, std::pair{1, 5000}, std::pair{5000, 1}})
    for (const bytes& file : {pictures::png(pictures::ramp(height, width)), pictures::jpeg(pictures::ramp(height, width))}) {
      const image_u8 image = decode_image(file, "thin");
      CHECK(image.height == height);
      CHECK(image.width == width);
    }
}

TEST_CASE("F41 a header of 20000x20000 is refused with its size") {
  const auto set_u16 = [](bytes& file, std::size_t at, int value) {
    file[at] = static_cast<unsigned char>(value >> 8);
    file[at + 1] = static_cast<unsigned char>(value & 255);
  };
  bytes jpeg = pictures::jpeg(pictures::plain(8, 8, 1, 2, 3));
  std::size_t frame = 0;
  while (!(jpeg[frame] == 0xFF && jpeg[frame + 1] == 0xC0)) ++frame;
  set_u16(jpeg, frame + 5, 20000);
  set_u16(jpeg, frame + 7, 20000);
  CHECK(contains(failure(jpeg), "x.jpg: 20000x20000"));
  // Within the limit, but more than the file can hold: no memory is taken for it either.
  set_u16(jpeg, frame + 5, 9000);
  set_u16(jpeg, frame + 7, 9000);
  CHECK(contains(failure(jpeg), "9000x9000"));

  bytes png = pictures::png(pictures::plain(8, 8, 1, 2, 3));
  const auto set_size = [&](int size) {
    set_u16(png, 18, size);
    set_u16(png, 22, size);
    const std::uint32_t crc = crc32({reinterpret_cast<const char*>(png.data()) + 12, 17});
    set_u16(png, 29, static_cast<int>(crc >> 16));
    set_u16(png, 31, static_cast<int>(crc & 0xFFFF));
  };
  set_size(20000);
  CHECK(contains(failure(png), "x.jpg: 20000x20000"));
  set_size(9000);
  CHECK(contains(failure(png), "9000x9000"));

  bytes bmp = pictures::bmp(pictures::plain(8, 8, 1, 2, 3));
  bmp[18] = bmp[22] = 0x20;
  bmp[19] = bmp[23] = 0x4E;
  CHECK(contains(failure(bmp), "x.jpg: 20000x20000"));
  bmp[19] = bmp[23] = 0;
  CHECK(contains(failure(bmp), "truncated"));
}

TEST_CASE("F41 F42 a JPEG of many scans is refused: each makes the decoder go over the whole picture") {
  bytes jpeg = golden_bytes("progressive.jpg");
  std::size_t last = jpeg.size() - 2, frame = 0;
  REQUIRE(failure(jpeg).empty());
  while (!(jpeg[last] == 0xFF && jpeg[last + 1] == 0xDA)) --last;
  while (!(jpeg[frame] == 0xFF && jpeg[frame + 1] == 0xC2)) ++frame;
  const bytes scan(jpeg.begin() + static_cast<std::ptrdiff_t>(last), jpeg.end() - 2);
  const auto with_more = [&](int count) {
    bytes out = first(jpeg, jpeg.size() - 2);
    for (int i = 0; i < count; ++i) out.insert(out.end(), scan.begin(), scan.end());
    out.insert(out.end(), {0xFF, 0xD9});
    return out;
  };
  CHECK_FALSE(contains(failure(with_more(40)), "scans"));  // the decoder may not like the same bits refined twice
  CHECK(contains(failure(with_more(100)), "x.jpg: damaged JPEG: more than 100 scans"));
  // Large pictures have fewer: 16 of 81 million pixels.
  bytes large = with_more(10);
  for (const std::size_t at : {frame + 5, frame + 7}) large[at] = 9000 >> 8, large[at + 1] = 9000 & 255;
  CHECK(contains(failure(large), "more than 16 scans of 9000x9000 pixels"));
}

TEST_CASE("F41 headers say how much memory decoding takes") {
  const auto bytes_a_pixel = [](const char* name) { return check_image(golden_bytes(name), name).decoding_bytes; };
  CHECK(check_image(pictures::png(pictures::plain(2, 2, 1, 2, 3)), "rgb8").decoding_bytes == 6);
  CHECK(check_image(pictures::bmp(pictures::plain(2, 2, 1, 2, 3)), "bmp").decoding_bytes == 6);
  CHECK(check_image(pictures::jpeg(pictures::plain(2, 2, 1, 2, 3)), "jpeg").decoding_bytes == 6);
  CHECK(bytes_a_pixel("rgb16.png") == 12);
  CHECK(bytes_a_pixel("rgba.png") == 8);
  CHECK(bytes_a_pixel("interlaced.png") > 6);
  CHECK(bytes_a_pixel("progressive.jpg") > 6);
  CHECK(bytes_a_pixel("cmyk_red.jpg") == 7);
}

TEST_CASE("F41 a PNG that unpacks to more than its pixels is damaged; memory has nothing to do with it") {
  const bytes small = pictures::png(pictures::plain(8, 8, 1, 2, 3)), large = pictures::png(pictures::plain(4000, 4000, 1, 2, 3));
  // The header of one and the data of the other.
  bytes mixed(small.begin(), small.begin() + 33);
  mixed.insert(mixed.end(), large.begin() + 33, large.end());
  CHECK(contains(failure(mixed), "x.jpg: damaged: unpacks to more than 8x8 pixels can have"));
}

TEST_CASE("F32 what is not a whole picture is an error with its name and a reason") {
  CHECK(failure({}) == "x.jpg: empty file (0 bytes)");
  const std::string text = "this is not a picture at all, although it is called so";
  CHECK(failure(bytes(text.begin(), text.end())) == "x.jpg: not a JPEG, PNG or BMP picture");
  const std::string gif = "GIF89a\1\0\1\0";
  CHECK(contains(failure(bytes(gif.begin(), gif.end())), "x.jpg: GIF"));
  CHECK(contains(failure({0xFF, 0xD8, 0xFF}), "x.jpg: JPEG without its end"));

  for (const char* name : {"gray.jpg", "cmyk_red.jpg", "progressive.jpg", "baseline.jpg", "rgba.png", "palette.png", "rgb16.png",
                           "interlaced.png"}) {
    INFO(name);
    const bytes whole = pictures::read(golden(name));
    REQUIRE(failure(whole) == "");
    for (std::size_t kept = 0; kept < whole.size(); ++kept) {
      INFO("kept " << kept << " of " << whole.size());
      CHECK(contains(failure(first(whole, kept)), "x.jpg: "));
    }
  }
  const bytes bmp = pictures::bmp(pictures::ramp(6, 5));
  for (std::size_t kept = 0; kept + 1 < bmp.size(); ++kept)  // the last byte pads a row of 15 to 16
    CHECK(contains(failure(first(bmp, kept)), "x.jpg: "));
}

TEST_CASE("F32 bytes behind the end of the picture do no harm; a missing end does") {
  bytes jpeg = pictures::read(golden("baseline.jpg"));
  const image_u8 before = decode_image(jpeg, "a");
  jpeg.insert(jpeg.end(), 1000, 0x5A);
  CHECK(decode_image(jpeg, "a").pixels == before.pixels);
  CHECK(failure(first(jpeg, jpeg.size() - 1002)) == "x.jpg: JPEG without its end (truncated file)");
}

TEST_CASE("F32 a scan without its tables or without its channels is an error, not a grey picture") {
  const auto without_segment = [](bytes file, unsigned char marker) {
    for (std::size_t at = 2; at + 4 < file.size();) {
      const std::size_t length = 2 + (std::size_t{file[at + 2]} << 8 | file[at + 3]);
      if (file[at + 1] == marker) {
        file.erase(file.begin() + static_cast<std::ptrdiff_t>(at), file.begin() + static_cast<std::ptrdiff_t>(at + length));
        return file;
      }
      at += length;
    }
    return file;
  };
  const bytes whole = pictures::read(golden("baseline.jpg"));
  CHECK(contains(failure(without_segment(whole, 0xC4)), "Huffman table that is not there"));
  CHECK(contains(failure(without_segment(whole, 0xDB)), "quantisation table"));
  CHECK(contains(failure(without_segment(whole, 0xC0)), "before the frame header"));
  CHECK(contains(failure(without_segment(whole, 0xDA)), "has no data"));
}

TEST_CASE("F32 files that cannot be read are named") {
  const pictures::folder folder("image");
  std::filesystem::create_directory(folder.path("cat.7.jpg"));
  CHECK_THROWS_WITH_AS(load_image(folder.path("cat.7.jpg")),
                       (folder.path("cat.7.jpg") + ": is a directory, not a picture").c_str(), file_error);
  CHECK_THROWS_WITH_AS(load_image(folder.path("none.jpg")), (folder.path("none.jpg") + ": no such file").c_str(), file_error);
  folder.write("cat.0.jpg", bytes{});
  CHECK_THROWS_WITH_AS(load_image(folder.path("cat.0.jpg")), (folder.path("cat.0.jpg") + ": empty file (0 bytes)").c_str(),
                       file_error);

  const std::string locked = folder.write("cat.1.jpg", pictures::jpeg(pictures::ramp(4, 4)));
  std::filesystem::permissions(locked, std::filesystem::perms::none);
  if (std::ifstream(locked).good())
    MESSAGE("this user may read every file: no unreadable file to test with");
  else
    CHECK_THROWS_WITH_AS(load_image(locked), (locked + ": cannot be opened: Permission denied").c_str(), file_error);
}

TEST_CASE("EXIF orientation turns pictures upright") {
  // 16x8 pixels: left half dark, right half bright, upper half red.
  image_u8 image{8, 16, 3, {}};
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 16; ++x) {
      const unsigned char level = x < 8 ? 60 : 220;
      image.pixels.insert(image.pixels.end(), {level, y < 4 ? level : static_cast<unsigned char>(0), 0});
    }
  const bytes jpeg = pictures::jpeg(image, 100);
  // Where the stored corners (top left, top right, bottom left) must come to lie: top or bottom, left or right.
  struct corners {
    unsigned char orientation;
    bool top[3], left[3];
  };
  for (const corners& c :
       {corners{1, {true, true, false}, {true, false, true}}, corners{2, {true, true, false}, {false, true, false}},
        corners{3, {false, false, true}, {false, true, false}}, corners{4, {false, false, true}, {true, false, true}},
        corners{5, {true, false, true}, {true, true, false}}, corners{6, {true, false, true}, {false, false, true}},
        corners{7, {false, true, false}, {false, false, true}}, corners{8, {false, true, false}, {true, true, false}}})
    for (const bool big_endian : {false, true}) {
      INFO("orientation " << int{c.orientation});
      const image_u8 upright = decode_image(with_orientation(jpeg, c.orientation, big_endian), "exif");
      CHECK(upright.height == (c.orientation < 5 ? 8 : 16));
      CHECK(upright.width == (c.orientation < 5 ? 16 : 8));
      const image_u8 stored = decode_image(jpeg, "plain");
      const std::vector<int> expected[3] = {pixel(stored, 0, 0), pixel(stored, 0, 15), pixel(stored, 7, 0)};
      for (int i = 0; i < 3; ++i)
        CHECK(pixel(upright, c.top[i] ? 0 : upright.height - 1, c.left[i] ? 0 : upright.width - 1) == expected[i]);
    }
  CHECK(decode_image(with_orientation(jpeg, 9, true), "exif").width == 16);
  CHECK(decode_image(with_orientation(jpeg, 0, false), "exif").width == 16);
}

TEST_CASE("EXIF blocks that make no sense mean upright") {
  bytes tiff{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0};
  CHECK(exif_orientation(tiff) == 6);
  for (std::size_t kept = 0; kept < 22; ++kept) CHECK(exif_orientation(std::span(tiff).first(kept)) == 1);
  for (const unsigned char offset : bytes{7, 30, 255}) {
    bytes elsewhere = tiff;
    elsewhere[4] = elsewhere[7] = offset;
    CHECK(exif_orientation(elsewhere) == 1);
  }
  bytes many = tiff;
  many[8] = many[9] = 255;
  many[10] = 0x13;
  CHECK(exif_orientation(many) == 1);
  bytes other_type = tiff;
  other_type[12] = 4;
  CHECK(exif_orientation(other_type) == 1);
}

TEST_CASE("F42 mutated files decode or are refused") {
  // MINICNN_FUZZ sets the number of files; tests/fuzz gives readers far more.
  const char* wanted = std::getenv("MINICNN_FUZZ");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 10000;
  std::vector<bytes> seeds;
  for (const char* name : {"gray.jpg", "cmyk_red.jpg", "ycck_gray.jpg", "progressive.jpg", "baseline.jpg", "rgba.png",
                           "palette.png", "rgb16.png", "interlaced.png"})
    seeds.push_back(pictures::read(golden(name)));
  seeds.push_back(pictures::jpeg(pictures::ramp(33, 17), 60));
  seeds.push_back(pictures::jpeg(pictures::ramp(64, 64), 95));
  seeds.push_back(pictures::png(pictures::ramp(20, 31)));
  seeds.push_back(pictures::bmp(pictures::ramp(9, 13)));
  seeds.push_back(with_orientation(pictures::jpeg(pictures::ramp(16, 24)), 6, true));
  if (const char* folder = std::getenv("MINICNN_DOGS_VS_CATS"))
    for (int i = 8000; i < 8020; ++i)
      seeds.push_back(pictures::read(std::string(folder) + "/heldout/cat." + std::to_string(i) + ".jpg"));

  random_stream random{random_key(42)};
  const auto index_in = [&](const bytes& file) {
    return static_cast<std::size_t>(random.below(static_cast<index_t>(file.size())));
  };
  int decoded = 0, refused = 0;
  for (int round = 0; round < rounds; ++round) {
    bytes file = seeds[static_cast<std::size_t>(random.below(static_cast<index_t>(seeds.size())))];
    const index_t changes = 1 + random.below(6);
    for (index_t i = 0; i < changes; ++i) switch (random.below(5)) {
        case 0:
          file[index_in(file)] ^= static_cast<unsigned char>(1U << random.below(8));
          break;
        case 1:
          file[index_in(file)] = static_cast<unsigned char>(random.below(256));
          break;
        case 2:
          file[index_in(file)] = random.chance(0.5) ? 0xFF : 0x00;
          break;
        case 3: {  // repeat a piece
          const std::size_t from = index_in(file), length = (std::min)(file.size() - from, index_in(file) % 64);
          const bytes piece(file.begin() + static_cast<std::ptrdiff_t>(from),
                            file.begin() + static_cast<std::ptrdiff_t>(from + length));
          file.insert(file.begin() + static_cast<std::ptrdiff_t>(index_in(file)), piece.begin(), piece.end());
          break;
        }
        default: {  // drop a piece
          const std::size_t from = index_in(file), length = (std::min)(file.size() - from - 1, index_in(file) % 16);
          file.erase(file.begin() + static_cast<std::ptrdiff_t>(from), file.begin() + static_cast<std::ptrdiff_t>(from + length));
        }
      }
    // Checksums would stop nearly every changed PNG before the decoder; an attacker would write right ones.
    if (file.size() > 8 && detect_image_format(file) == image_format::png && random.chance(0.8))
      for (std::size_t at = 8; file.size() - at >= 12;) {
        const std::size_t length = detail::big_endian_u32(file.data() + at);
        if (length > file.size() - at - 12) break;
        const std::uint32_t crc = crc32({reinterpret_cast<const char*>(file.data()) + at + 4, length + 4});
        for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<unsigned char>(crc >> (24 - 8 * i));
        at += 12 + length;
      }
    try {
      const image_u8 image = decode_image(file, "mutant");
      CHECK(static_cast<index_t>(image.pixels.size()) == image.height * image.width * 3);
      ++decoded;
    } catch (const error& e) {
      CHECK(contains(e.what(), ": "));
      ++refused;
    }
  }
  CHECK(decoded > rounds / 10);
  CHECK(refused > rounds / 10);
}

TEST_CASE("Dogs vs Cats decodes") {
  const char* folder = std::getenv("MINICNN_DOGS_VS_CATS");
  if (folder == nullptr) {
    MESSAGE("MINICNN_DOGS_VS_CATS is not set: real pictures are not read");
    return;
  }
  const image_u8 image = load_image(std::string(folder) + "/heldout/cat.8000.jpg");
  CHECK(image.height == 200);
  CHECK(image.width == 200);
  const bytes whole = pictures::read(std::string(folder) + "/heldout/dog.8000.jpg");
  CHECK(failure(whole) == "");
  CHECK(contains(failure(first(whole, whole.size() / 2)), "truncated"));
  CHECK(contains(failure(first(whole, 20)), "truncated"));
}
