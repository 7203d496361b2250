#include "minicnn/data/csv.hpp"

#include <doctest/doctest.h>

#include <clocale>
#include <string>
#include <utility>
#include <vector>

#include "io/temporary_folder.hpp"

using namespace minicnn;

namespace {

using fields = std::vector<std::string>;

std::string refusal(std::string_view text) {
  return thrown<file_error>([&] { parse_csv(text, "t.csv"); });
}

}  // namespace

TEST_CASE("F49 line ends, byte order mark, quotes, a last line without an end") {
  for (const char* text : {"id,label\n1,frog\n2,truck\n", "id,label\r\n1,frog\r\n2,truck\r\n", "id,label\n1,frog\n2,truck",
                           "\xEF\xBB\xBFid,label\n1,frog\n2,truck\n", "\"id\",\"label\"\n\"1\",\"frog\"\n\"2\",truck\n\n"}) {
    INFO(text);
    const csv_table table = parse_csv(text, "t.csv");
    CHECK(table.header == fields{"id", "label"});
    REQUIRE(table.rows.size() == 2);
    CHECK(table.rows[0].fields == fields{"1", "frog"});
    CHECK(table.rows[1].fields == fields{"2", "truck"});
    CHECK(table.rows[1].line == 3);
    CHECK(table.column("label") == 1);
    CHECK(table.number(table.rows[1], 0) == 2);
  }
  const csv_table odd = parse_csv("a,b\n\"x,\"\"y\"\"\r\nz\",\n,\n", "t.csv");
  CHECK(odd.rows[0].fields == fields{"x,\"y\"\r\nz", ""});
  CHECK(odd.rows[1].fields == fields{"", ""});
  CHECK(odd.rows[1].line == 4);
}

TEST_CASE("blanks and tabs around fields and names do not count, unless a field is in quotes") {
  for (const char* text :
       {"id, label\n1, big dog\n", "id\t,label \n 1 ,\tbig dog \t\n", " \"id\" , \"label\"\t\r\n\"1\", \"big dog\" \r\n"}) {
    CAPTURE(text);
    const csv_table table = parse_csv(text, "t.csv");
    CHECK(table.header == fields{"id", "label"});
    CHECK(table.rows[0].fields == fields{"1", "big dog"});
  }
  // What is in quotes may be the name of a file; as the name of a class or column it is the same one.
  const csv_table quoted = parse_csv("id,\" label\"\n\" 1.jpg\",\" dog\t\"\n2,\" \"\n3, \n", "t.csv");
  CHECK(quoted.column("label") == 1);
  CHECK(quoted.rows[0].fields[0] == " 1.jpg");
  CHECK(quoted.name(quoted.rows[0], 1) == "dog");
  for (const std::size_t row : {1, 2})
    CHECK(thrown<file_error>([&] { (void)quoted.name(quoted.rows[row], 1); }) ==
          text_of("t.csv: line ", row + 2, ": the label is empty"));
  CHECK(trimmed("") == "");
  CHECK(trimmed(" \t ") == "");
  CHECK(trimmed("\t a b\u00a0 ") == "a b\u00a0");
}

TEST_CASE("lines of blanks are no records, and fields with blanks at their ends are written so that they come back") {
  const csv_table t = parse_csv("id,label\n  \n1,a\n\t\n2,b\n   ", "t.csv");
  REQUIRE(t.rows.size() == 2);
  CHECK(t.rows[1].line == 5);
  CHECK(csv_field(" a") == "\" a\"");
  CHECK(csv_field("a b") == "a b");
  CHECK(parse_csv("id\n" + csv_field("a ") + "\n", "t.csv").rows[0].fields[0] == "a ");
}

TEST_CASE("F49 what is odd is refused with file and line") {
  CHECK(refusal("") == "t.csv: is empty");
  CHECK(refusal("id,label\n1\n") == "t.csv: line 2: 1 fields, wanted 2 as in the first line");
  CHECK(refusal("id,label\n1,a,b\n") == "t.csv: line 2: 3 fields, wanted 2 as in the first line");
  CHECK(contains(refusal("id,label\n1,\"a\n"), "line 2: a quote that is never closed"));
  CHECK(contains(refusal("id,label\n1,\"a\"b\n"), "line 2: text after a closing quote"));
  CHECK(contains(refusal("id,label\n1,a\"b\n"), "line 2: a quote within a field"));
  CHECK(contains(refusal("id,label\r1,a\r"), "line 1: a carriage return without"));
  CHECK(contains(refusal(std::string_view("id,label\n1,\0\n", 13)), "line 2: a zero byte"));
  CHECK(contains(refusal("\xFF\xFEi\0d\0"), "UTF-16"));
}

TEST_CASE("F49 tables with other separators than commas are told which they have") {
  const auto refusal = [](std::string_view text) { return thrown<file_error>([&] { parse_csv(text, "t.csv"); }); };
  const std::string wanted = "t.csv: line 1: its columns are separated by ",
                    advice = ", wanted commas; save it as CSV with commas";
  for (const char* text : {"id;label\n1;cat\n", "\"id\";\"label\"\n", "\xEF\xBB\xBFid;age\r\n1;3,5\r\n", "id;label"})
    CHECK(refusal(text) == wanted + "semicolons" + advice);
  for (const char* text : {"id\tlabel\n1\tcat\n", "\"id\"\t\"label\"\n"}) CHECK(refusal(text) == wanted + "tabs" + advice);
  CHECK(parse_csv("id,tags\n1,a;b\n", "t.csv").rows[0].fields[1] == "a;b");
  CHECK(parse_csv("id,a;b\n1,2\n", "t.csv").header[1] == "a;b");
}

TEST_CASE("F49 numbers do not follow the locale") {
  const char* before = std::setlocale(LC_ALL, "de_DE.UTF-8");  // null where it is not installed
  const csv_table table = parse_csv("id,label\n\"1,5\",a\n1.5,a\n007,a\n-1,a\n,a\n99999999999999999999,a\n", "t.csv");
  const auto says = [&](std::size_t row) { return thrown<file_error>([&] { (void)table.number(table.rows[row], 0); }); };
  CHECK(says(0) == "t.csv: line 2: id: wanted a whole number, got \"1,5\"");
  CHECK(contains(says(1), "got \"1.5\""));
  CHECK(table.number(table.rows[2], 0) == 7);
  CHECK(contains(says(3), "got \"-1\""));
  CHECK(contains(says(4), "got \"\""));
  CHECK(contains(says(5), "got \"99999999999999999999\""));
  if (before != nullptr) std::setlocale(LC_ALL, "C");
  CHECK(thrown<file_error>([&] { (void)table.column("Label"); }) == "t.csv: wanted a column \"Label\", got \"id,label\"");
}

TEST_CASE("a text as a field and back") {
  for (const char* text : {"frog", "a,b", "say \"x\"", "two\nlines", ""}) {
    const csv_table table = parse_csv("a,b\n" + csv_field(text) + ",1\n", "t.csv");
    CHECK(table.rows[0].fields[0] == text);
  }
  CHECK(csv_field("frog") == "frog");
}

TEST_CASE("A21 fields that a spreadsheet would run are text, and every text can be had back") {
  for (const auto& [text, field] : std::vector<std::pair<std::string, std::string>>{{"cat", "cat"},
                                                                                    {"a,b", "\"a,b\""},
                                                                                    {"=cmd|calc!A1", "\"'=cmd|calc!A1\""},
                                                                                    {"+1+1", "\"'+1+1\""},
                                                                                    {"-1", "-1"},
                                                                                    {"-2+3", "\"'-2+3\""},
                                                                                    {"@SUM(A1)", "\"'@SUM(A1)\""},
                                                                                    {"\t=1", "\"'\t=1\""},
                                                                                    {"\r=1", "\"'\r=1\""},
                                                                                    {"=\"a\"", "\"'=\"\"a\"\"\""},
                                                                                    {"'=1", "\"''=1\""},
                                                                                    {"\uFF1D1", "\"'\uFF1D1\""},
                                                                                    {"o'clock", "o'clock"},
                                                                                    {"'", "'"},
                                                                                    {"", ""}}) {
    CAPTURE(text);
    CHECK(spreadsheet_field(text) == field);
  }
}
