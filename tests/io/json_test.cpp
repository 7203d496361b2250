#include "minicnn/io/json.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <limits>
#include <locale>
#include <string>

#include "temporary_folder.hpp"

using namespace minicnn;

namespace {

std::string refusal(const std::string& text) {
  return thrown<file_error>([&] { parse_json(text, "x"); });
}

#if defined(__GXX_RTTI)
/// A locale like de_DE (comma as decimal point, dots between thousands) that needs no installed locale.
struct german_numbers : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};
#endif

}  // namespace

TEST_CASE("json: values") {
  const json v = parse_json(R"( {"a":[1,-2.5,true,false,null,"x"],"b":{"c":9223372036854775807}} )");
  const auto& a = v.at("a").as_array();
  REQUIRE(a.size() == 6);
  CHECK(a[0].is_int());
  CHECK(a[0].as_int() == 1);
  CHECK(a[0].as_double() == 1.0);
  CHECK(!a[1].is_int());
  CHECK(a[1].as_double() == -2.5);
  CHECK(a[2].as_bool());
  CHECK(!a[3].as_bool());
  CHECK(a[4].is_null());
  CHECK(a[5].as_string() == "x");
  CHECK(v.at("b").at("c").as_int() == (std::numeric_limits<std::int64_t>::max)());
  CHECK(v.find("z") == nullptr);
  CHECK(thrown([&] { v.at("z"); }) == "json: no member \"z\"");
  CHECK(thrown([&] { v.at("a").as_string(); }) == "json: wanted string, got array");
  CHECK(thrown([&] { a[1].as_int(); }) == "json: wanted integer, got number");
}

TEST_CASE("json: numbers") {
  CHECK(parse_json("-9223372036854775808").as_int() == (std::numeric_limits<std::int64_t>::min)());
  CHECK(!parse_json("9223372036854775808").is_int());
  CHECK(parse_json("9223372036854775808").as_double() == 0x1p63);
  CHECK(parse_json("9223372036854775808").as_uint() == std::uint64_t{1} << 63);
  CHECK(parse_json("18446744073709551615").as_uint() == ~std::uint64_t{0});
  CHECK(parse_json("18446744073709551616").as_double() == 0x1p64);
  CHECK(!parse_json("18446744073709551616").is_uint());
  CHECK(parse_json("7").as_uint() == 7);
  CHECK(json(7U) == json(7));
  CHECK(write_json(json(~std::uint64_t{0})) == "18446744073709551615");
  CHECK(parse_json(write_json(json(~std::uint64_t{0}))) == json(~std::uint64_t{0}));
  CHECK(thrown([] { (void)parse_json("-1").as_uint(); }) == "json: wanted an integer of 0 or more, got -1");
  CHECK(thrown([] { (void)parse_json("9223372036854775808").as_int(); }) == "json: wanted integer, got number");
  CHECK(parse_json("1e3").as_double() == 1000.0);
  CHECK(parse_json("0.1").as_double() == 0.1);
  CHECK(parse_json("4.9e-324").as_double() == 4.9e-324);
  CHECK(parse_json("1.7976931348623157e+308").as_double() == 1.7976931348623157e308);
  CHECK(std::signbit(parse_json("-0.0").as_double()));
  CHECK(refusal("1e999") == "x: byte 0: number outside the range of a double");
  CHECK(refusal("[1e-999]") == "x: byte 1: number outside the range of a double");
  for (const char* bad : {"01", "-01", "+1", ".5", "1.", "1.e3", "1e", "1e+", "-", "- 1", "0x10", "NaN", "Infinity", "-Infinity",
                          "1,5", "1 2", "--1", "1e5.5"}) {
    CAPTURE(bad);
    CHECK(contains(refusal(bad), "x: byte "));
  }
}

TEST_CASE("json: strings") {
  CHECK(parse_json(R"("\"\\\/\b\f\n\r\t")").as_string() == "\"\\/\b\f\n\r\t");
  CHECK(parse_json(R"("\u0041\u00e9\u20AC\ud83d\ude00")").as_string() == "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
  CHECK(parse_json(R"("a\u0000b")").as_string() == std::string("a\0b", 3));
  CHECK(parse_json("\"\xC3\xA9\"").as_string() == "\xC3\xA9");
  CHECK(refusal("\"ab\xFF\"") == "x: byte 3: not UTF-8");
  CHECK(refusal("\"\xED\xA0\x80\"") == "x: byte 1: not UTF-8");
  CHECK(refusal("\"a\nb\"") == "x: byte 2: control character in a string");
  CHECK(refusal(R"("a\x")") == "x: byte 2: unknown escape");
  CHECK(refusal(R"("\ud800")") == "x: byte 1: half of a surrogate pair");
  CHECK(refusal(R"("\ude00")") == "x: byte 1: half of a surrogate pair");
  CHECK(refusal(R"("\ud800\u0041")") == "x: byte 1: half of a surrogate pair");
  CHECK(refusal(R"("\u12G4")") == "x: byte 5: expected four hexadecimal digits");
  CHECK(refusal("\"abc") == "x: byte 0: string without an end");
}

TEST_CASE("json: what is no JSON is refused with its place") {
  CHECK(refusal("") == "x: byte 0: unexpected end");
  CHECK(refusal("  ") == "x: byte 2: unexpected end");
  CHECK(refusal("[1,]") == "x: byte 3: expected a value");
  CHECK(refusal("[1 2]") == "x: byte 3: expected ',' or ']'");
  CHECK(refusal("{\"a\":1,}") == "x: byte 7: expected a key");
  CHECK(refusal("{a:1}") == "x: byte 1: expected a key");
  CHECK(refusal("{\"a\" 1}") == "x: byte 5: expected ':'");
  CHECK(refusal("{\"a\":1]") == "x: byte 6: expected ',' or '}'");
  CHECK(refusal("[1}") == "x: byte 2: expected ',' or ']'");
  CHECK(refusal("1 x") == "x: byte 2: text after the end of the value");
  CHECK(refusal("tru") == "x: byte 0: expected a value");
  CHECK(refusal("truth") == "x: byte 0: expected a value");
  CHECK(refusal("\xEF\xBB\xBF{}") == "x: byte 0: expected a value");
  CHECK(refusal("// c\n1") == "x: byte 0: expected a value");
  CHECK(refusal(std::string("1\0", 2)) == "x: byte 1: text after the end of the value");
  CHECK(refusal(R"({"a":1,"b":2,"a":3})") == "x: byte 13: key \"a\" occurs twice");
  CHECK(refusal(R"({"a":1,"\u0061":3})") == "x: byte 7: key \"a\" occurs twice");
}

TEST_CASE("json: every cut of a text is refused, never read past") {
  const std::string text = R"({"a":[1,-2.5e+3,true,false,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":[]}})";
  CHECK(refusal(text).empty());
  for (std::size_t size = 0; size < text.size(); ++size) {
    const std::string cut(text.data(), size);
    CAPTURE(cut);
    CHECK(contains(refusal(cut), "x: byte "));
  }
}

TEST_CASE("json: depth limit") {
  const std::string deep(1000000, '[');
  CHECK(refusal(deep) == "x: byte 64: nested deeper than 64");
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"\":";
  CHECK(refusal(objects) == "x: byte 256: nested deeper than 64");
  CHECK(refusal(std::string(64, '[') + std::string(64, ']')).empty());
  CHECK(thrown([] { parse_json("[[]]", "x", 1); }) == "x: byte 1: nested deeper than 1");
}

TEST_CASE("json: many keys do not take quadratic time, long strings are only strings") {
  std::string text = "{";
  for (int i = 0; i < 200000; ++i) text += "\"" + std::to_string(i) + "\":0,";
  CHECK(contains(refusal(text + "\"77\":0}"), "key \"77\" occurs twice"));
  CHECK(parse_json("\"" + std::string(1 << 20, 'a') + "\"").as_string().size() == 1U << 20);
}

TEST_CASE("json: writing") {
  json v;
  v.set("b", 1).set("a", json::array{1.0, 0.1, -0.0, 1e100, true, nullptr}).set("c", json::object{});
  v.set("b", "t\x01\"\\\n\xC3\xA9/");
  CHECK(write_json(v) == R"({"b":"t\u0001\"\\\n)"
                         "\xC3\xA9"
                         R"(/","a":[1.0,0.1,-0.0,1e+100,true,null],"c":{}})");
  CHECK(write_json(v, {.sort_keys = true}).substr(0, 6) == "{\"a\":[");
  CHECK(write_json(json(json::object{{"k", json::array{1, 2}}, {"e", json::array{}}}), {.indent = 2}) ==
        "{\n  \"k\": [\n    1,\n    2\n  ],\n  \"e\": []\n}");
  CHECK(parse_json(write_json(v)) == v);
  CHECK(parse_json(write_json(v, {.indent = 3})) == v);
  CHECK(thrown([] { write_json(json(std::nan(""))); }) == "json: cannot write nan, which is not a finite number");
  CHECK(thrown([] { write_json(json(INFINITY)); }) == "json: cannot write inf, which is not a finite number");
  CHECK(thrown([] { write_json(json("a\xFF")); }) == "json: string is not UTF-8 at byte 1");
}

TEST_CASE("json: on request in ASCII, and what JSON cannot hold in another form") {
  const json text = json::object{{"cat", "k\xc3\xa9 \xf0\x9f\x90\xb1\n"}, {"\xff", "a\xc3z"}, {"nan", std::nan("")}};
  CHECK(write_json(text.at("cat"), {.ascii = true}) == R"("k\u00e9 \ud83d\udc31\n")");
  CHECK(parse_json(write_json(text.at("cat"), {.ascii = true})) == text.at("cat"));
  CHECK(write_json(text, {.tolerant = true}) ==
        "{\"cat\":\"k\xc3\xa9 \xf0\x9f\x90\xb1\\n\",\"\\\\xff\":\"a\\\\xc3z\",\"nan\":null}");
  CHECK(!thrown([&] { (void)write_json(text); }).empty());
}

TEST_CASE("json: members by name, vectors as arrays, values that may be missing") {
  json v;
  v["a"]["b"] = 1;
  v["a"]["c"].push("x");
  v["a"]["b"] = 2;
  v["names"] = std::vector<std::string>{"p", "q"};
  v["table"] = std::vector<std::vector<int>>{{1, 2}, {3}};
  CHECK(write_json(v) == R"({"a":{"b":2,"c":["x"]},"names":["p","q"],"table":[[1,2],[3]]})");
  CHECK(thrown([&] { v["names"]["x"] = 1; }) == "json: wanted object, got array");
  CHECK(v.has("a"));
  CHECK(!v.has("b"));
  v.erase("a");
  v.erase("table");
  v.erase("none");
  CHECK(v == json{{"names", std::vector<std::string>{"p", "q"}}});
  CHECK(write_json(json{{"a", "b"}, {"c", {{"d", 1}}}}) == R"({"a":"b","c":{"d":1}})");
  CHECK(write_json(json::array{json{{"a", "b"}}, "c"}) == R"([{"a":"b"},"c"])");
  const json o = parse_json(R"({"t":true,"d":2,"s":"x"})");
  CHECK(o.value_or("t", false));
  CHECK(o.value_or("u", true));
  CHECK(o.value_or("d", 1.5) == 2.0);
  CHECK(o.value_or("e", 1.5) == 1.5);
  CHECK(o.value_or("s", "y") == "x");
  CHECK(o.value_or("z", "y") == "y");
  CHECK(thrown([&] { (void)o.value_or("s", 1.0); }) == "json: wanted number, got string");
}

TEST_CASE("json: doubles survive writing and reading") {
  std::uint64_t bits = 1;
  int wrong = 0;
  for (int i = 0; i < 20000; ++i) {
    bits = bits * 6364136223846793005ULL + 1442695040888963407ULL;
    const double value = std::bit_cast<double>(bits);
    if (!std::isfinite(value)) continue;
    const json back = parse_json(write_json(json(value)));
    wrong += back.is_int() || std::bit_cast<std::uint64_t>(back.as_double()) != bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("F53 json does not look at the locale") {
  const std::string text = R"({"lr":0.001,"n":1234567,"x":1e+300})";
  const std::locale old;
#if defined(__GXX_RTTI)  // libstdc++ cannot install a facet that has no type information
  std::locale::global(std::locale(old, new german_numbers));
#endif
  const std::string old_c = std::setlocale(LC_ALL, nullptr);
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") == nullptr) MESSAGE("de_DE.UTF-8 is not installed: C++ locale only");
  const json value = parse_json(text);
  const std::string written = write_json(value);
  std::setlocale(LC_ALL, old_c.c_str());
  std::locale::global(old);
  CHECK(value.at("lr").as_double() == 0.001);
  CHECK(value.at("n").as_int() == 1234567);
  CHECK(written == text);
}
