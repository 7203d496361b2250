#include "minicnn/core/utf8.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace minicnn;

TEST_CASE("UTF-8: every code point is encoded as its validator wants it") {
  int wrong = 0;
  std::size_t last = 1;
  for (std::uint32_t code = 0; code <= 0x10FFFF; ++code) {
    std::string text;
    append_utf8(text, code);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    wrong += valid_utf8_prefix(text) != (surrogate ? 0 : text.size());
    wrong += text.size() < last;
    last = text.size();
    for (std::size_t cut = 1; cut < text.size(); ++cut) wrong += valid_utf8_prefix(text.substr(0, cut)) != 0;
  }
  CHECK(wrong == 0);
  CHECK(last == 4);
  std::string euro;
  append_utf8(euro, 0x20AC);
  CHECK(euro == "\xE2\x82\xAC");
}

TEST_CASE("UTF-8: invalid forms are found where they start") {
  CHECK(valid_utf8_prefix("") == 0);
  CHECK(valid_utf8_prefix("ab\x80") == 2);            // continuation without a lead
  CHECK(valid_utf8_prefix("a\xC0\xAF") == 1);         // overlong '/'
  CHECK(valid_utf8_prefix("\xE0\x80\xAF") == 0);      // overlong in three bytes
  CHECK(valid_utf8_prefix("\xF0\x80\x80\xAF") == 0);  // overlong in four bytes
  CHECK(valid_utf8_prefix("\xED\xA0\x80") == 0);      // surrogate
  CHECK(valid_utf8_prefix("\xF4\x90\x80\x80") == 0);  // above U+10FFFF
  CHECK(valid_utf8_prefix("\xF5\x80\x80\x80") == 0);
  CHECK(valid_utf8_prefix("\xC3\xA9\xC3") == 2);  // cut off
  CHECK(valid_utf8_prefix("\xC3(") == 0);
}
