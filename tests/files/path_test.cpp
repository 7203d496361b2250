#include "minicnn/files/path.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/temporary_folder.hpp"
#include "minicnn/files/file.hpp"

using namespace minicnn;
namespace fs = std::filesystem;

namespace {

// Two bytes, three and four a character: the last is two characters of 16 bits on Windows.
const std::string name = "\xC3\xA4 \xE4\xB8\xAD\xE2\x82\xAC \xF0\x9F\x98\xBA.bin";

}  // namespace

TEST_CASE("paths: names of any language are UTF-8 on every system") {
  const temporary_folder folder;
  const std::string path = folder / name;
  write_file(path, "one");
  CHECK(read_file(path) == "one");
  CHECK(fs::exists(fs::path(std::u8string(path.begin(), path.end()))));  // the characters, not their bytes
  CHECK(folder.names() == std::vector<std::string>{name});
  CHECK(detail::path_text(detail::system_path(path)) == path);
  const std::string missing = folder / ("no " + name);
  CHECK(thrown<file_error>([&] { input_file{missing}; }).starts_with(missing + ": cannot open: No such file"));
}

TEST_CASE("paths: a file is replaced, and no temporary stays") {
  const temporary_folder folder;
  const std::string path = folder / name;
  for (const std::string& text :
       std::vector<std::string>{"one", "two\n\x1A\r\n", "three"}) {  // no byte ends a file or is turned into two
    write_file(path, text);
    CHECK(read_file(path) == text);
  }
  {
    atomic_file given_up(path);
    given_up.write("four");
  }
  CHECK(read_file(path) == "three");
  CHECK(folder.names() == std::vector<std::string>{name});
  CHECK(contains(thrown<file_error>([&] { write_file(folder.path(), "x"); }), "cannot write: Is a directory"));
  CHECK(contains(thrown<file_error>([&] { input_file{folder.path()}; }), "cannot read: Is a directory"));
}

TEST_CASE("paths: reading at an offset leaves the place of reading on alone") {
  const temporary_folder folder;
  const std::string path = folder / "bytes";
  write_file(path, "0123456789");
  input_file file(path);
  char out[4];
  CHECK(file.read_some(out, 2) == 2);
  file.read_at(7, out, 3);
  CHECK(std::string(out, 3) == "789");
  CHECK(file.read_some(out, 2) == 2);
  CHECK(std::string(out, 2) == "23");
}
