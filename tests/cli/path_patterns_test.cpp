#include "path_patterns.hpp"

#include <doctest/doctest.h>

#include <sstream>

#include "program.hpp"

using strings = std::vector<std::string>;
using program::contains;
using program::red_png;
using program::run;

TEST_CASE("patterns match in natural order, files whose names are patterns are themselves, a list comes from the input") {
  const pictures::folder folder("patterns");
  for (const char* name : {"a2.png", "a10.png", "b.png", ".hidden.png", "x[1].png", "x1.png", "\u00fc.png"})
    folder.write(name, std::string("-"));
  const auto at = [&](const char* name) { return folder.path(name); };
  strings problems;
  std::istringstream input("one.png\r\n\n  two words.png\n-\n*.png");
  CHECK(cli::expand_paths({at("a*.png"), at("none"), "-", at("x[1].png"), at("?.png")}, input, problems) ==
        strings{at("a2.png"), at("a10.png"), at("none"), "one.png", "  two words.png", "-", "*.png", at("x[1].png"), at("b.png"),
                at("\u00fc.png")});
  CHECK(problems.empty());
  CHECK(cli::expand_paths({at("*.png")}, input, problems) ==
        strings{at("a2.png"), at("a10.png"), at("b.png"), at("x1.png"), at("x[1].png"), at("\u00fc.png")});
  CHECK(cli::expand_paths({at("*.jpg"), "-"}, input, problems).empty());
  CHECK(problems == strings{at("*.jpg") + ": matches no file or folder"});
}

TEST_CASE("predict takes quoted patterns and a list on standard input, and names what matches nothing") {
  const program::red_means_dog weights;
  const pictures::folder folder("predicted");
  for (const auto& [name, red] : {std::pair{"2.png", 250}, {"10.png", 0}}) folder.write(name, red_png(red));
  const auto pattern = run("predict --csv" + weights.option() + "'" + folder.path("*.png") + "'");
  INFO(pattern.err);
  CHECK(pattern.code == 0);
  REQUIRE(pattern.lines().size() == 3);
  CHECK(pattern.lines()[1].starts_with(folder.path("2.png") + ",dog,"));
  CHECK(pattern.lines()[2].starts_with(folder.path("10.png") + ",cat,"));

  const std::string list = folder.write("list.txt", folder.path("10.png") + "\n" + folder.path("2.png") + "\n/nowhere.png\n");
  const pictures::folder scratch("out");
  const std::string line = "'" MINICNN_PROGRAM "' predict --csv" + weights.option() + "- <'" + list + "' >'" +
                           scratch.path("out") + "' 2>'" + scratch.path("err") + "'";
  const int status = std::system(line.c_str());
  CHECK(WEXITSTATUS(status) == 1);
  const pictures::bytes out = pictures::read(scratch.path("out")), err = pictures::read(scratch.path("err"));
  const std::string text(out.begin(), out.end());
  CHECK(text.find("10.png,cat") < text.find("2.png,dog"));
  CHECK(contains(std::string(err.begin(), err.end()), "/nowhere.png: "));

  const auto none = run("predict" + weights.option() + "'" + folder.path("*.jpg") + "'");
  CHECK(none.code == 1);
  CHECK(contains(none.err, "*.jpg: matches no file or folder"));
}
