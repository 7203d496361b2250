#include "minicnn/files/text_lines.hpp"

#include <doctest/doctest.h>

#include "io/temporary_folder.hpp"

using namespace minicnn;

namespace {

std::string joined(std::string_view text, text_encoding encoding = text_encoding::utf8) {
  std::string out;
  for (const text_line& line : split_lines(text, "f", encoding)) out += text_of(line.number, ':', line.text, '|');
  return out;
}
std::string refusal(std::string_view text) {
  return thrown<file_error>([&] { split_lines(text, "f"); });
}

}  // namespace

TEST_CASE("G15 a byte order mark and every system's line ends are passed over") {
  CHECK(joined("") == "");
  CHECK(joined("\xEF\xBB\xBF") == "");
  for (const char* text : {"a\nb\n", "a\nb", "a\r\nb\r\n", "a\r\nb",
                           "\xEF\xBB\xBF"
                           "a\r\nb",
                           "\xEF\xBB\xBF"
                           "a\nb\n"})
    CHECK(joined(text) == "1:a|2:b|");
  // Twice, as two programs add it, and where files were joined.
  const std::string mark = "\xEF\xBB\xBF";
  CHECK(joined(mark + mark + "a\n" + mark + "b\r\n") == "1:a|2:b|");
  CHECK(joined("a\n" + mark + "b\n", text_encoding::any) == "1:a|2:" + mark + "b|");  // a path may be called so
  CHECK(without_mark(mark + mark + mark + "a", "f") == "a");
  CHECK(joined("a\n\nb\n\n") == "1:a|2:|3:b|4:|");
  CHECK(joined("\xC3\xA9\n\xE7\x8C\xAB") == "1:\xC3\xA9|2:\xE7\x8C\xAB|");
  CHECK(joined("a\xEF\xBB\xBF") == "1:a\xEF\xBB\xBF|");  // only at the beginning
  CHECK(joined("\xE9.jpg\n", text_encoding::any) == "1:\xE9.jpg|");
}

TEST_CASE("G15 other encodings are refused by name, other faults with their line") {
  using namespace std::literals;
  for (const std::string_view text : {"\xFF\xFE"
                                      "a\0\n\0"sv,
                                      "\xFE\xFF\0a\0\n"sv, "a\0\n\0"sv, "\0a\0\n"sv})
    CHECK(refusal(text) == "f: is UTF-16 text, wanted UTF-8; save it again in that encoding");
  for (const std::string_view text : {"\xFF\xFE\0\0"
                                      "a\0\0\0"sv,
                                      "\0\0\xFE\xFF\0\0\0a"sv})
    CHECK(refusal(text) == "f: is UTF-32 text, wanted UTF-8; save it again in that encoding");
  CHECK(refusal("a\nb\xE9\n") == "f: line 2: is not UTF-8; save the file in that encoding");
  CHECK(refusal("a\nb\rc\n") == "f: line 2: a carriage return without a line feed");
  CHECK(refusal("abc\nbcd\nc\0d"sv) == "f: line 3: a zero byte: is this a text file?");
  const temporary_folder folder;
  put_file(folder / "t", "a\n\xFF\n");
  CHECK(thrown<file_error>([&] { read_lines(folder / "t"); }) ==
        (folder / "t") + ": line 2: is not UTF-8; save the file in that encoding");
  CHECK(thrown<file_error>([&] { read_lines(folder / "t", 3); }) == (folder / "t") + ": has more than 3 bytes of text");
}
