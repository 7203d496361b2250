// Reads one picture through minicnn::image and through the program's own stb: both are there, neither is the other.
#include <stb/stb_image.h>
#include <cstdio>
#include <cstring>

#include "minicnn/data/image.hpp"

namespace {
// A bitmap of 2 x 1 pixels, red and blue (stored as blue, green, red; rows padded to four bytes).
constexpr unsigned char bitmap[] = {'B', 'M', 62,  0,   0,  0,  0, 0, 0,  0,  54, 0, 0, 0,                     // file
                                    40,  0,   0,   0,   2,  0,  0, 0, 1,  0,  0,  0, 1, 0, 24, 0, 0, 0, 0, 0,  // image
                                    8,   0,   0,   0,   19, 11, 0, 0, 19, 11, 0,  0, 0, 0, 0,  0, 0, 0, 0, 0,  //
                                    0,   0,   255, 255, 0,  0,  0, 0};                                         // pixels
constexpr unsigned char expected[] = {255, 0, 0, 0, 0, 255};
// A 1 x 1 portable greymap: a format that minicnn does not read and the program's own stb does.
constexpr unsigned char greymap[] = {'P', '5', ' ', '1', ' ', '1', ' ', '2', '5', '5', '\n', 7};
}  // namespace

int main() {
  const minicnn::image_u8 image = minicnn::decode_image(bitmap, "bitmap");
  if (image.pixels.size() != sizeof expected || std::memcmp(image.pixels.data(), expected, sizeof expected) != 0) return 1;

  int width = 0, height = 0, channels = 0;
  unsigned char* own = stbi_load_from_memory(greymap, sizeof greymap, &width, &height, &channels, 1);
  if (own == nullptr || width != 1 || height != 1 || own[0] != 7) return 2;
  stbi_image_free(own);

  try {
    minicnn::decode_image(greymap, "greymap");
    return 3;
  } catch (const minicnn::error& e) {
    std::printf("%s\n", e.what());
  }
  return 0;
}
