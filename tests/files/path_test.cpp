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

TEST_CASE("paths: what stands at the beginning and at the end of a path stays") {
  for (const std::string path : {"//localhost/share/pics", "//?/C:/x", "/a/b", "a//b/", "./a", "C:/x"})
    CHECK(detail::path_text(detail::system_path(path)) == path);
  const fs::path share = detail::system_path("//localhost/share");
  CHECK(detail::path_text(share / detail::system_path("a/b.jpg")) == "//localhost/share/a/b.jpg");
  CHECK(detail::path_text((share / "a").parent_path()) == "//localhost/share");
#if defined(_WIN32)
  CHECK(detail::path_text(L"\\\\localhost\\share\\pics") == "//localhost/share/pics");
  CHECK(detail::system_path("//?/C:/x").native() == L"\\\\?\\C:\\x");
#endif
}

#if defined(_WIN32)
TEST_CASE("paths: a device is written to, and a path that is too long is said to be") {
  for (const char* device : {"NUL", "nul", "//./NUL"}) CHECK_NOTHROW(write_file(device, "x"));
  const temporary_folder folder;
  const std::string path = folder / std::string(260, 'x');
  const std::string reason = "too long for Windows: " + std::to_string(path.size()) + " of 259 characters";
  CHECK(thrown<file_error>([&] { input_file{path}; }) == path + ": cannot open: " + reason);
  CHECK(thrown<file_error>([&] { write_file(path, "x"); }) == path + ": cannot write: " + reason);
}
#endif

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
