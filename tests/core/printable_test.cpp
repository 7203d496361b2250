#include "minicnn/core/printable.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace minicnn;

TEST_CASE("G20 names are printed on one line, with nothing that a terminal obeys") {
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"cat", "cat"},
                                   {"\x1b[31mred", "\\x1b[31mred"},
                                   {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
                                   {std::string("a\0b", 3), "a\\x00b"},
                                   {"\x7f", "\\x7f"},
                                   {"\u009b31m", "\\u009b31m"},  // C1: a control sequence in one character
                                   {"evil\u202egpj.exe", "evil\\u202egpj.exe"},
                                   {"\u2066a\u2069", "\\u2066a\\u2069"},
                                   {"a\u200bb", "a\\u200bb"},
                                   {"\ufeff"
                                    "a",
                                    "\\ufeffa"},
                                   {"\U000E0041", "\\U000e0041"},
                                   {"\xff\xc3(", "\\xff\\xc3("},
                                   {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
                                   {"cafe\u0301", "cafe\u0301"},
                                   {"собака 猫 👨‍👩‍👧", "собака 猫 👨‍👩‍👧"}}) {
    const std::string shown(text);
    CAPTURE(shown);
    CHECK(printable(name) == text);
  }
}

TEST_CASE("A21 bytes that are not UTF-8 are told apart") {
  CHECK(as_utf8("caf\xe9") == "caf\\xe9");
  CHECK(as_utf8("caf\xea") == "caf\\xea");
  CHECK(as_utf8("\xff") == "\\xff");
  CHECK(as_utf8("\x1b caf\u00e9 猫") == "\x1b caf\u00e9 猫");
  CHECK(as_utf8("").empty());
}

TEST_CASE("G17 columns are those of a terminal, not bytes or characters") {
  for (const auto& [text, columns] : {std::pair<const char*, int>{"cat", 3},
                                      {"собака", 6},
                                      {"猫", 2},
                                      {"ｆｕｌｌ", 8},
                                      {"한국", 4},
                                      {"e\u0301", 1},
                                      {"नि", 2},  // a consonant and a vowel sign that has a column of its own
                                      {"กำ", 2},
                                      {"🐱", 2},
                                      {"👍🏽", 2},
                                      {"👨‍👩‍👧", 2},
                                      {"❤️", 2},
                                      {"❤", 1},
                                      {"🇩🇪", 2},
                                      {"█▏·x", 4},
                                      {"\xff", 1},
                                      {"", 0}}) {
    const std::string shown(text);
    CAPTURE(shown);
    CHECK(text_columns(text) == columns);
  }
  CHECK(left_aligned("猫", 4) + "|" == "猫  |");
  CHECK(right_aligned("собака", 8) == "  собака");
  CHECK(right_aligned("longer", 3) == "longer");
  CHECK(cut_to_columns("猫猫", 3) == "猫");
  CHECK(cut_to_columns("e\u0301x", 1) == "e\u0301");
  CHECK(excerpt(std::string(309, '9')) == std::string(60, '9') + "...");
}
