// check and generate: data sets seen and made.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <set>

#include "minicnn/files/crc32.hpp"
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
  CHECK(r.err == "minicnn: " + folder.path() + ": labels in the names of files, as cat.1.jpg: cat, dog; 3 pictures\n");
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

namespace {

/// A black BMP picture of one bit a pixel: many pixels in few bytes.
pictures::bytes one_bit_bmp(std::uint32_t height, std::uint32_t width) {
  const std::uint32_t row = (width + 31) / 32 * 4;
  pictures::bytes out{'B', 'M'};
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
  };
  put(62 + row * height, 4), put(0, 4), put(62, 4);  // size of the file, place of the pixels
  put(40, 4), put(width, 4), put(height, 4), put(1, 2), put(1, 2), put(0, 4), put(row * height, 4);
  put(2835, 4), put(2835, 4), put(2, 4), put(2, 4);  // resolution, colours
  put(0, 4), put(0xFFFFFF, 4);
  out.resize(out.size() + row * height, 0);
  return out;
}

}  // namespace

TEST_CASE("F32 F35 F39 F41 check names every kind of picture that is broken or odd, and does not follow circular links") {
  const pictures::folder folder("kinds");
  const auto golden = [](const char* name) { return pictures::read(std::string(MINICNN_TEST_GOLDEN_DIR) + "/images/" + name); };
  pictures::bytes extra = golden("baseline.jpg"), upright = extra, huge_head = red_png(7);
  REQUIRE(extra.size() > 500);
  for (const char c : std::string("another file")) extra.push_back(static_cast<unsigned char>(c));
  // Behind the two bytes that begin a JPEG file: an EXIF segment with orientation 6, a quarter turn.
  const std::string exif(
      "\xFF\xE1\x00\x22"
      "Exif\0\0"
      "MM\0\x2A\0\0\0\x08"
      "\0\x01"
      "\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"
      "\0\0\0\0",
      36);
  upright.insert(upright.begin() + 2, exif.begin(), exif.end());
  for (const std::size_t i : {16U, 20U})  // 20,000 x 20,000 pixels, and the header's checksum
    huge_head[i] = 0, huge_head[i + 1] = 0, huge_head[i + 2] = 0x4E, huge_head[i + 3] = 0x20;
  const std::uint32_t sum = minicnn::crc32({reinterpret_cast<const char*>(huge_head.data()) + 12, 17});
  for (std::size_t i = 0; i < 4; ++i) huge_head[29 + i] = static_cast<unsigned char>(sum >> (24 - 8 * i));

  folder.write("cat/extra.jpg", extra);
  folder.write("cat/turned.jpg", upright);
  folder.write("cat/grey.jpg", golden("gray.jpg"));
  folder.write("cat/cmyk.jpg", golden("cmyk_red.jpg"));
  folder.write("cat/deep.png", golden("rgb16.png"));
  folder.write("cat/palette.png", golden("palette.png"));
  folder.write("cat/alpha.png", golden("rgba.png"));
  folder.write("cat/really_png.jpg", red_png(1));
  folder.write("cat/huge.bmp", one_bit_bmp(4200, 5000));
  folder.write("cat/same.png", red_png(9));
  folder.write("dog/same too.png", red_png(9));
  folder.write("dog/the same as BMP.bmp", pictures::bmp(pictures::plain(70, 80, 9, 40, 90)));
  folder.write("dog/too_large.png", huge_head);
  folder.write("dog/empty.jpg", std::string());
  folder.write("dog/text.jpg", std::string("not a picture at all"));
  folder.write("dog/notes.txt", std::string("stray"));
  folder.write("dog/secret.png", red_png(200));
  std::filesystem::create_directory_symlink("..", folder.path("dog/up"));
  std::filesystem::create_symlink("loop.png", folder.path("dog/loop.png"));
  std::filesystem::create_directory(folder.path("fish"));
  REQUIRE(::chmod(folder.path("dog/secret.png").c_str(), 0) == 0);

  // Root may read everything, so it steps down, where the program lies in a place that others may enter.
  const std::string as_nobody = "setpriv --reuid 65534 --clear-groups";
  const bool root = ::geteuid() == 0;
  const bool steps_down = root && std::system((as_nobody + " test -x '" MINICNN_PROGRAM "' 2>/dev/null").c_str()) == 0;
  const auto r = run("check --json --data '" + folder.path() + "'", steps_down ? as_nobody : "");
  CHECK(r.code == 1);
  const auto j = r.json();
  std::map<std::string, std::set<std::string>> kinds;
  for (const char* list : {"odd", "broken"})
    for (const auto& one : j[list])
      kinds[std::filesystem::path(one["path"].get<std::string>()).filename()].insert(one["kind"].get<std::string>());
  std::vector<std::pair<const char*, const char*>> wanted = {
      {"extra.jpg", "extra-bytes"}, {"turned.jpg", "orientation"},  {"grey.jpg", "grey"},   {"cmyk.jpg", "cmyk"},
      {"deep.png", "16-bit"},       {"palette.png", "palette"},     {"alpha.png", "alpha"}, {"really_png.jpg", "wrong-extension"},
      {"huge.bmp", "huge"},         {"too_large.png", "too-large"}, {"empty.jpg", "empty"}, {"text.jpg", "not-a-picture"}};
  if (!root || steps_down) wanted.emplace_back("secret.png", "unreadable");
  for (const auto& [file, kind] : wanted) {
    CAPTURE(file);
    CHECK(kinds[file].count(kind) == 1);
  }
  CHECK_FALSE(kinds["loop.png"].empty());
  CHECK(kinds["same.png"].empty());
  bool found = false;  // by what the pictures show, whatever the format, across classes
  for (const auto& group : j["duplicates"])
    if (group["paths"].size() == 3) found = group["labels_differ"].get<bool>();
  CHECK(found);
  CHECK(j["ignored"]["other"] == 1);
  CHECK(j["classes"].size() == 2);
  CHECK(j["warnings"].dump().find("fish") != std::string::npos);
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
  CHECK(again.code == 2);
  CHECK(contains(again.err, folder.path("c")));
}
