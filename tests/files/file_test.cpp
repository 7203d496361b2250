#include "minicnn/files/file.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#if defined(__linux__)
#include <sys/mount.h>
#endif
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "io/temporary_folder.hpp"

using namespace minicnn;

TEST_CASE("file: what was written is read") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += static_cast<char>(i * 7);
  for (const std::size_t size : {0U, 1U, 4095U, 4096U, 100000U}) {
    write_file(path, bytes.substr(0, size));
    CHECK(read_file(path) == bytes.substr(0, size));
    CHECK(read_file(path, static_cast<index_t>(size)) == bytes.substr(0, size));
  }
  CHECK(folder.names() == std::vector<std::string>{"a"});

  const input_file file(path);
  CHECK(file.size() == 100000);
  char part[10];
  file.read_at(99990, part, 10);
  CHECK(std::string(part, 10) == bytes.substr(99990));
  CHECK(thrown<file_error>([&] { file.read_at(99995, part, 10); }) == path + ": ends at byte 100000, wanted 5 more");
}

TEST_CASE("file: size limit") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  write_file(path, "12345");
  CHECK(thrown<file_error>([&] { read_file(path, 4); }) == path + ": has 5 bytes, more than the limit of 4");
  CHECK(thrown<file_error>([] { read_file("/dev/zero", 1000); }) == "/dev/zero: has more bytes than the limit of 1000");
  CHECK(read_file("/dev/null") == "");
  CHECK(contains(read_file("/proc/self/status"), "Name:"));  // says size 0 and has contents
}

TEST_CASE("file: a pipe is read to its end") {
  const temporary_folder folder;
  const std::string path = folder / "pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const std::string bytes(200000, 'x');
  std::thread writer([&] {
    const int number = ::open(path.c_str(), O_WRONLY);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t part = ::write(number, bytes.data() + done, bytes.size() - done);
      if (part <= 0) break;
      done += static_cast<std::size_t>(part);
    }
    ::close(number);
  });
  const std::string got = read_file(path);
  writer.join();
  CHECK(got == bytes);
}

TEST_CASE("file: errors name the path and the reason") {
  const temporary_folder folder;
  const std::string missing = folder / "missing", inside = folder / "none/a";
  CHECK(thrown<file_error>([&] { read_file(missing); }) == missing + ": cannot open: No such file or directory");
  CHECK(thrown<file_error>([&] { read_file(folder.path()); }) == folder.path() + ": cannot read: Is a directory");
  CHECK(thrown<file_error>([&] { write_file(inside, "x"); }) == inside + ": cannot write: No such file or directory");
  CHECK(thrown<file_error>([&] { write_file(folder.path(), "x"); }) == folder.path() + ": cannot write: Is a directory");
  CHECK(thrown<file_error>([] { write_file("/dev/null", "x"); }) == "/dev/null: cannot write: is not a regular file");
  CHECK(folder.names().empty());
}

TEST_CASE("file: an unwritable folder, an unreadable file") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  write_file(path, "before");
  REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
  std::string denied, kept;
  {
    const unprivileged guard;
    denied = thrown<file_error>([&] { write_file(path, "after"); });
    kept = read_file(path);
  }
  CHECK(denied == path + ": cannot write: Permission denied");
  CHECK(kept == "before");
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  CHECK(folder.names() == std::vector<std::string>{"a"});

  REQUIRE(::chmod(path.c_str(), 0000) == 0);
  {
    const unprivileged guard;
    denied = thrown<file_error>([&] { read_file(path); });
  }
  CHECK(denied == path + ": cannot open: Permission denied");
}

TEST_CASE("file: a write that fails half way leaves the previous file and no temporary") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  write_file(path, "before");
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &old) == 0);
  const auto old_handler = ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10000, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string reason = thrown<file_error>([&] { write_file(path, std::string(20000, 'x')); });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &old) == 0);
  ::signal(SIGXFSZ, old_handler);
  CHECK(reason == path + ": cannot write: File too large");
  CHECK(read_file(path) == "before");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

#if defined(__linux__)
TEST_CASE("file: a full disk (tmpfs of 64 KiB) leaves the previous file and no temporary") {
  const temporary_folder folder;
  if (::mount("minicnn-test", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("mounting is not allowed here: not tried");
    return;
  }
  const std::string path = folder / "a";
  std::string reason, kept, written;
  std::vector<std::string> names;
  try {
    write_file(path, "before");
    reason = thrown<file_error>([&] { write_file(path, std::string(200'000, 'x')); });
    kept = read_file(path);
    names = folder.names();
    write_file(path, std::string(20'000, 'y'));  // and what fits is written
    written = read_file(path);
  } catch (const error& e) {
    reason = e.what();
  }
  REQUIRE(::umount(folder.path().c_str()) == 0);
  CHECK(reason == path + ": cannot write: No space left on device");
  CHECK(kept == "before");
  CHECK(names == std::vector<std::string>{"a"});
  CHECK(written == std::string(20'000, 'y'));
}
#endif

TEST_CASE("file: without commit nothing changes") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  write_file(path, "before");
  {
    atomic_file file(path);
    file.write("half");
    // Runs find what killed processes left by this form: the name, the process, a number.
    REQUIRE(folder.names().size() == 2);
    const std::string form = "a.tmp-" + std::to_string(::getpid()) + "-", name = folder.names().at(1);
    CHECK(name.substr(0, form.size()) == form);
    CHECK(name.find_first_not_of("0123456789", form.size()) == std::string::npos);
    CHECK(name.size() > form.size());
    CHECK(read_file(path) == "before");
  }
  CHECK(folder.names() == std::vector<std::string>{"a"});
  CHECK(read_file(path) == "before");
}

TEST_CASE("file: a symbolic link is followed, permissions are kept") {
  const temporary_folder folder;
  const std::string path = folder / "a", link = folder / "link";
  write_file(path, "before");
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  REQUIRE(::symlink("a", link.c_str()) == 0);
  write_file(link, "after");
  CHECK(read_file(path) == "after");
  struct stat info {};
  REQUIRE(::lstat(link.c_str(), &info) == 0);
  CHECK(S_ISLNK(info.st_mode));
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0640);
}

TEST_CASE("file: a leftover of a crash under the temporary name is stepped over") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  std::string name;
  {
    const atomic_file probe(path);
    name = folder.names().at(0);
  }
  const auto dash = name.rfind('-');
  const int next = std::stoi(name.substr(dash + 1)) + 1;
  const std::string stale = folder / (name.substr(0, dash + 1) + std::to_string(next));
  const int number = ::open(stale.c_str(), O_WRONLY | O_CREAT, 0600);
  REQUIRE(number >= 0);
  ::close(number);
  write_file(path, "x");
  CHECK(read_file(path) == "x");
  CHECK(read_file(stale) == "");
}
