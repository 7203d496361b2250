// check and generate: data sets seen and made.
#include <filesystem>

#include "program.hpp"

using program::contains;
using program::red_png;
using program::run;

TEST_CASE("a sound data set: counts, sizes and nothing else") {
  const pictures::folder folder("sound");
  folder.write("cat.1.png", red_png(1, 40, 50));
  folder.write("cat.2.png", red_png(2, 60, 70));
  folder.write("dog.1.png", red_png(3, 80, 60));
  const auto r = run("check --json --data '" + folder.path() + "'");
  CHECK(r.code == 0);
  CHECK(r.err.empty());
  const auto j = r.json();
  CHECK(j["images"] == 3);
  CHECK(j["classes"] == nlohmann::ordered_json({{"cat", 2}, {"dog", 1}}));
  CHECK(j["width"] == nlohmann::ordered_json({{"min", 50}, {"median", 60}, {"max", 70}}));
  CHECK(j["height"] == nlohmann::ordered_json({{"min", 40}, {"median", 60}, {"max", 80}}));
  for (const char* list : {"broken", "odd", "duplicates", "warnings"}) CHECK(j[list].empty());
  const auto text = run("check --data '" + folder.path() + "'");
  CHECK(text.code == 0);
  CHECK(contains(text.out, "cat: 2"));
  CHECK(contains(text.out, "broken: 0"));
}

TEST_CASE("F32 F35 what is broken, odd, there twice or left alone") {
  const pictures::folder folder("unsound");
  const pictures::bytes whole = red_png(1);
  const std::string cat = folder.write("cat.1.png", whole), dog = folder.write("dog.1.png", whole);
  const std::string tiny = folder.write("cat.2.png", red_png(2, 8, 90)), thin = folder.write("cat.3.png", red_png(2, 40, 170));
  const std::string empty = folder.write("cat.4.jpg", std::string());
  const std::string cut =
      folder.write("dog.5.png", pictures::bytes(whole.begin(), whole.begin() + static_cast<long>(whole.size() / 2)));
  folder.write("Thumbs.db", std::string("x"));
  folder.write("._cat.1.jpg", std::string("x"));
  std::filesystem::create_directory(folder.path("dog.7.jpg"));
  const auto r = run("check --json --data '" + folder.path() + "'");
  CHECK(r.code == 1);
  const auto j = r.json();
  CHECK(j["images"] == 7);
  CHECK(j["readable"] == 4);
  std::vector<std::string> broken;
  for (const auto& b : j["broken"]) {
    broken.push_back(b["path"]);
    CHECK_FALSE(b["reason"].get<std::string>().empty());
    CHECK_FALSE(contains(b["reason"], folder.path()));
  }
  CHECK(broken == std::vector<std::string>{empty, cut, folder.path("dog.7.jpg")});
  REQUIRE(j["odd"].size() == 2);
  CHECK(j["odd"][0]["path"] == tiny);
  CHECK(j["odd"][1]["path"] == thin);
  REQUIRE(j["duplicates"].size() == 1);
  CHECK(j["duplicates"][0]["paths"] == nlohmann::json({cat, dog}));
  CHECK(j["duplicates"][0]["labels_differ"] == true);
  CHECK(j["ignored"]["hidden"] == 1);
  CHECK(j["ignored"]["other"] == 1);
  const auto text = run("check --data '" + folder.path() + "'");
  CHECK(text.code == 1);
  for (const std::string& path : {empty, cut, tiny, thin}) CHECK(contains(text.out, "  " + path + ": "));
  CHECK(contains(text.out, cat + " = " + dog + "  (with different labels)"));
}

TEST_CASE("check names a folder that is not there") {
  const auto r = run("check --data /nowhere");
  CHECK(r.code == 1);
  CHECK(r.out.empty());
  CHECK(r.err == "minicnn: /nowhere: no such folder\n");
}

TEST_CASE("generate: half cats, half dogs, and the same ones again from the same seed") {
  const pictures::folder folder("generate");
  const auto r = run("generate --images 5 --seed 4 --out '" + folder.path("a/b") + "'");
  CHECK(r.code == 0);
  CHECK(contains(r.out, "5 pictures"));
  const auto j = run("check --json --data '" + folder.path("a/b") + "'").json();
  CHECK(j["classes"] == nlohmann::ordered_json({{"cat", 3}, {"dog", 2}}));
  CHECK(j["broken"].empty());
  REQUIRE(run("generate --images 2 --seed 4 --out '" + folder.path("c") + "'").code == 0);
  CHECK(pictures::read(folder.path("c/dog.0.jpg")) == pictures::read(folder.path("a/b/dog.0.jpg")));
  const auto again = run("generate --images 2 --seed 5 --out '" + folder.path("c") + "'");
  CHECK(again.code == 1);
  CHECK(contains(again.err, folder.path("c")));
}
