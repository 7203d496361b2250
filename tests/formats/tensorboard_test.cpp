#include "minicnn/formats/tensorboard.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>

#include "io/temporary_folder.hpp"
#include "minicnn/files/file.hpp"

using namespace minicnn;

namespace {

/// What an independent reader finds in an event file; its error where it finds a fault.
std::string read_events(const temporary_folder& folder, const std::string& path) {
  const std::string script = std::string(MINICNN_TEST_GOLDEN_DIR) + "/../formats/read_events.py";
  const std::string command = "python3 '" + script + "' '" + path + "' > '" + (folder / "found") + "' 2>&1";
  const int status = std::system(command.c_str());
  return (status == 0 ? "" : "failed: ") + read_file(folder / "found");
}

bool has_python() { return std::system("python3 -c 1 2>/dev/null") == 0; }

}  // namespace

TEST_CASE("CRC-32C: the check value, RFC 3720's example, and TFRecord's mask") {
  CHECK(detail::crc32c("123456789") == 0xE3069283U);
  CHECK(detail::crc32c(std::string(32, '\0')) == 0x8A9136AAU);
  CHECK(detail::crc32c("") == 0U);
  // Head of the record of 24 bytes that every event file of TensorFlow begins with: 18 00 00 00 00 00 00 00, a3 7f 4b 22.
  CHECK(detail::masked_crc32c(std::string("\x18\0\0\0\0\0\0\0", 8)) == 0x224B7FA3U);
}

TEST_CASE("an independent reader finds in an event file what was written") {
  if (!has_python()) {
    MESSAGE("left out: no python3");
    return;
  }
  const temporary_folder folder;
  tensorboard_writer board(folder / "board");
  CHECK(read_events(folder, board.path()) == "version brain.Event:2\n");
  board.scalars(0, {{"loss/train", 0.75}, {"loss/validation", -1e-3}});
  board.scalars(1234567890123, {{"rate", 1e30}});
  board.image(7, "pictures/first", 20, 300, 3, "\x89PNG and more");
  CHECK(read_events(folder, board.path()) == "version brain.Event:2\n");  // nothing is half written
  board.flush();
  const std::string all =
      "version brain.Event:2\nscalar 0 loss/train 0.75\nscalar 0 loss/validation -0.001\nscalar 1234567890123 rate 1e+30\n"
      "image 7 pictures/first 20 300 3 13 89504e47\n";
  CHECK(read_events(folder, board.path()) == all);

  tensorboard_writer resumed(folder / "board", 41);
  CHECK(resumed.path() != board.path());
  CHECK(read_events(folder, resumed.path()) == "version brain.Event:2\nstart 41\n");
  CHECK(std::filesystem::path(resumed.path()).filename().string().starts_with("events.out.tfevents."));

  std::string damaged = read_file(board.path());
  damaged[60] = static_cast<char>(damaged[60] ^ 1);
  write_file(folder / "damaged", damaged);
  CHECK(read_events(folder, folder / "damaged").starts_with("failed: "));
}

TEST_CASE("a folder that cannot be made is an error with its name") {
  const temporary_folder folder;
  write_file(folder / "file", "x");
  CHECK(contains(thrown<file_error>([&] { tensorboard_writer(folder / "file"); }), folder / "file"));
  CHECK(contains(thrown<file_error>([&] { tensorboard_writer(folder / "none/deeper"); }), "none/deeper: cannot make"));
}
