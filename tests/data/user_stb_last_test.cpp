// A unit in which the library's decoder comes before the user's own stb, which has other settings.
#define MINICNN_IMAGE_IMPLEMENTATION
#include "minicnn/data/image.hpp"

#if defined(STBI_INCLUDE_STB_IMAGE_H) || defined(STBI_ONLY_JPEG) || defined(STBI_NO_STDIO) || defined(STBI_MALLOC) || \
    defined(STBI_ASSERT) || defined(STBI_MAX_DIMENSIONS) || defined(STB_IMAGE_IMPLEMENTATION) || defined(STBI_NO_GIF)
#error "the library's stb macros leak"
#endif

#include <doctest/doctest.h>

#include <cstdlib>

namespace {
int allocations = 0;
void* counted(std::size_t bytes) {
  ++allocations;
  return std::malloc(bytes);
}
}  // namespace

#define STBI_MALLOC(size) counted(size)
#define STBI_REALLOC(block, size) std::realloc(block, size)
#define STBI_FREE(block) std::free(block)
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>

TEST_CASE("F68 the user's stb, included later, has every decoder and its own memory") {
  const unsigned char gif[] = {'G', 'I',  'F', '8', '9', 'a', 1, 0, 1, 0, 0x80, 0, 0, 10,   20, 30,   40,  50,
                               60,  0x2C, 0,   0,   0,   0,   1, 0, 1, 0, 0,    2, 2, 0x44, 1,  0x00, 0x3B};
  int x = 0, y = 0, n = 0;
  unsigned char* decoded = stbi_load_from_memory(gif, sizeof gif, &x, &y, &n, 3);
  REQUIRE(decoded != nullptr);
  CHECK(x == 1);
  CHECK(y == 1);
  CHECK(decoded[0] == 10);
  stbi_image_free(decoded);
  CHECK(allocations > 0);

  const int before = allocations;
  CHECK_THROWS_AS(minicnn::decode_image(gif, "a.gif"), minicnn::file_error);
  const std::string picture = MINICNN_TEST_GOLDEN_DIR "/images/gray.jpg";
  CHECK(minicnn::load_image(picture).width == 16);
  CHECK(allocations == before);
}
