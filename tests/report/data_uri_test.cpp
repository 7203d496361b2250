#include "minicnn/report/data_uri.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace minicnn;

TEST_CASE("base64 as in RFC 4648, section 10") {
  const auto of = [](std::string_view text) { return base64(std::vector<unsigned char>(text.begin(), text.end())); };
  CHECK(of("") == "");
  CHECK(of("f") == "Zg==");
  CHECK(of("fo") == "Zm8=");
  CHECK(of("foo") == "Zm9v");
  CHECK(of("foobar") == "Zm9vYmFy");
  CHECK(base64(std::vector<unsigned char>{0xFB, 0xEF, 0xFF}) == "++//");
  CHECK(data_uri("image/png", std::vector<unsigned char>{0}) == "data:image/png;base64,AA==");
}
