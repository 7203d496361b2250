#include "minicnn/data/tar_reader.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "io/temporary_folder.hpp"
#include "minicnn/data/tar_writer.hpp"
#include "tar_files.hpp"

using namespace minicnn;
using tar_files::header;
using tar_files::member;

namespace {

const std::string end(1024, '\0');

std::string refusal(const temporary_folder& folder, const std::string& bytes) {
  const std::string path = folder / "t.tar";
  write_file(path, bytes);
  return thrown<file_error>([&] {
    tar_reader tar(path);
    while (tar.next() != nullptr) continue;
  });
}

}  // namespace

TEST_CASE("tar files of Python's tarfile and of GNU tar, in all of their formats") {
  const std::string folder = MINICNN_TEST_GOLDEN_DIR "/tar";
  std::map<std::string, index_t> sizes;
  std::ifstream list(folder + "/names.txt");
  index_t size = 0;
  for (std::string name; list >> size && std::getline(list.ignore(), name);) sizes[name] = size;
  REQUIRE(sizes.size() == 8);
  const std::map<std::string, std::size_t> wanted{{"python-ustar", 7}, {"python-pax", 8}, {"python-gnu", 8}, {"gnu-v7", 4},
                                                  {"gnu-ustar", 7},    {"gnu-pax", 8},    {"gnu-gnu", 8},    {"gnu-oldgnu", 8}};
  for (const auto& [name, files] : wanted) {
    INFO(name);
    tar_reader tar(folder + "/" + name + ".tar");
    std::size_t found = 0, links = 0;
    while (const tar_member* m = tar.next()) {
      links += m->kind == tar_kind::link;
      if (m->kind != tar_kind::file) continue;
      ++found;
      REQUIRE(sizes.count(m->name) == 1);
      CHECK(m->size == sizes[m->name]);
      std::string text;
      while (static_cast<index_t>(text.size()) < m->size) text += m->name;
      CHECK(tar.contents(100000) == text);
    }
    CHECK(found == files);
    CHECK(links == (name.starts_with("python") ? 2 : 0));
    CHECK(tar.closed());
  }
}

TEST_CASE("what tar_writer writes is read again, and has the same bytes every time") {
  const temporary_folder folder;
  const std::vector<std::string> names{"a.jpg",
                                       std::string(100, 'n'),
                                       "d/" + std::string(100, 'n'),
                                       std::string(101, 'n'),
                                       std::string(150, 'd') + "/" + std::string(99, 'n'),
                                       std::string(200, 'd') + "/" + std::string(200, 'n')};
  for (const char* file : {"1.tar", "2.tar"}) {
    tar_writer out(folder / file);
    index_t most = 0;
    for (const std::string& name : names)
      out.add(name, name), most += tar_writer::bytes_of(name, static_cast<index_t>(name.size()));
    CHECK(out.size() <= most);
    CHECK(!std::filesystem::exists(folder / file));
    out.commit();
  }
  CHECK(read_file(folder / "1.tar") == read_file(folder / "2.tar"));
  CHECK(read_file(folder / "1.tar").size() % 10240 == 0);
  tar_reader tar(folder / "1.tar");
  for (const std::string& name : names) {
    const tar_member* m = tar.next();
    REQUIRE(m != nullptr);
    CHECK(m->name == name);
    CHECK(tar.contents(1000) == name);
  }
  CHECK(tar.next() == nullptr);
  CHECK(tar.next() == nullptr);
  CHECK(std::system(("tar -tf '" + (folder / "1.tar") + "' > '" + (folder / "list") + "'").c_str()) == 0);
  std::string list;
  for (const std::string& name : names) list += name + "\n";
  CHECK(read_file(folder / "list") == list);
}

TEST_CASE("names lose what is before them, and sizes may be in base 256") {
  const temporary_folder folder;
  const std::string path = folder / "t.tar";
  write_file(path,
             member("./cat//1.jpg", "x") + member("/abs/./2.jpg", "y") + header("cat/", 0, '5') + header("old/", 0, '\0') + end);
  tar_reader tar(path);
  CHECK(tar.next()->name == "cat/1.jpg");
  const tar_member* second = tar.next();
  CHECK(second->name == "abs/2.jpg");
  CHECK(second->offset == 3 * 512);
  CHECK(tar.next()->kind == tar_kind::folder);
  CHECK(tar.next()->kind == tar_kind::folder);
  CHECK(tar.next() == nullptr);

  constexpr index_t nine_gigabytes = index_t{9} << 30;
  std::string big = header("big.bin", 0, '0');
  big[124] = '\x80';
  for (int i = 1; i < 12; ++i) big[124 + static_cast<std::size_t>(i)] = static_cast<char>(nine_gigabytes >> 8 * (11 - i));
  write_file(path, tar_files::with_checksum(big));
  std::filesystem::resize_file(path, 512 + nine_gigabytes);
  std::ofstream(path, std::ios::binary | std::ios::app) << member("2.jpg", "y") << end;
  tar_reader large(path);
  CHECK(large.next()->size == nine_gigabytes);
  CHECK(large.next()->name == "2.jpg");
  CHECK(large.contents(1) == "y");
}

TEST_CASE("damaged tar files are refused with the byte and the member before") {
  const temporary_folder folder;
  const std::string one = member("cat/1.jpg", "x"), two = member("2.jpg", "y");
  CHECK(refusal(folder, "") == folder / "t.tar: empty file (0 bytes), wanted a tar file");
  CHECK(contains(refusal(folder, "hello"), "t.tar: at byte 0: the file ends within a header"));
  CHECK(contains(refusal(folder, std::string(600, 'x')), "is this a tar file?"));
  CHECK(contains(refusal(folder, one + std::string(512, 'x') + end), "t.tar: at byte 1024, behind cat/1.jpg: "));
  CHECK(contains(refusal(folder, one + two.substr(0, 500)), "at byte 1024, behind cat/1.jpg: the file ends within a header"));
  CHECK(contains(refusal(folder, one + header("2.jpg", 2000, '0') + "abc"),
                 "at byte 1024: 2.jpg: truncated: wanted 2000 bytes from byte 1536, the file ends at 1539"));
  CHECK(contains(refusal(folder, one + end + two + end), "there is more from byte 2048 on: files that were joined by cat"));
  CHECK(contains(refusal(folder, one + std::string(512, '\0') + two + end), "a block of zeros where a header should be"));
  CHECK(contains(refusal(folder, member("a/../../etc/passwd", "x") + end), "at byte 0: a name with \"..\""));
  CHECK(contains(refusal(folder, header("a.jpg", 0, 'S') + end), "a sparse member"));
  CHECK(contains(refusal(folder, member("x", "22 GNU.sparse.major=1\n", 'x') + one + end), "a sparse member"));
  CHECK(contains(refusal(folder, header("a.jpg", 0, 'M') + end), "another volume"));
  CHECK(contains(refusal(folder, member("x", "19 path=a/../b.jpg\n", 'x') + one + end), "a name with \"..\""));
  CHECK(contains(refusal(folder, member("x", "99 path=a.jpg\n", 'x') + one + end), "a damaged extended header"));
  CHECK(contains(refusal(folder, member("x", "13 size=many\n", 'x') + one + end), "a size that is no number"));
  CHECK(contains(refusal(folder, member("x", "14 path=a.jpg\n", 'x') + end), "an extended header without its member"));
  CHECK(contains(refusal(folder, member("x", "14 path=a.jpg\n", 'g') + one + end), "a global extended header with a path"));
  CHECK(contains(refusal(folder, header("x", 2 << 20, 'L') + one + end), "an extended header of 2097152 bytes"));
  CHECK(contains(refusal(folder, member("x", std::string(5000, 'n'), 'L') + one + end), "a name of 5000 bytes"));
  std::string minus = header("a", 0, '0');
  for (std::size_t i = 124; i < 136; ++i) minus[i] = '\xFF';
  CHECK(contains(refusal(folder, tar_files::with_checksum(minus) + end), "a size below 0"));
  minus[124] = '\x80';
  CHECK(contains(refusal(folder, tar_files::with_checksum(minus) + end), "a size beyond 63 bits"));
  minus[124] = '8';
  CHECK(contains(refusal(folder, tar_files::with_checksum(minus) + end), "a size that is no octal number"));

  write_file(folder / "t.tar", one);  // without an end: read, but said to be so
  tar_reader open(folder / "t.tar");
  CHECK(open.next() != nullptr);
  CHECK(open.next() == nullptr);
  CHECK(!open.closed());
}

TEST_CASE("compressed tar files are refused with the command that unpacks them") {
  const temporary_folder folder;
  const std::map<std::string, std::string> programs{
      {"gzip", "gzip -dk"}, {"xz", "xz -dk"}, {"bzip2", "bzip2 -dk"}, {"zstd -q", "zstd -dk"}};
  write_file(folder / "plain", member("cat/1.jpg", "x") + end);
  for (const auto& [program, unpack] : programs) {
    const std::string path = folder / "t.tar.z";
    if (std::system((program + " -c '" + (folder / "plain") + "' > '" + path + "' 2>/dev/null").c_str()) != 0) continue;
    CHECK(contains(thrown<file_error>([&] { tar_reader tar(path); }), "unpack it first: " + unpack + " " + path));
  }
}
