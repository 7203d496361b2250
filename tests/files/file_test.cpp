#include "minicnn/files/file.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#if defined(__linux__)
#include <sys/mount.h>
#endif
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
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
  CHECK(contains(read_file("/proc/self/status"), "Name:"));  // says size 0 and has contents
}

TEST_CASE("G09 a pipe, a device or a socket is refused at once, not waited for") {
  const temporary_folder folder;
  const std::string pipe = folder / "pipe", link = folder / "link", local = folder / "socket";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  REQUIRE(::symlink("pipe", link.c_str()) == 0);
  const int number = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(local.size() < sizeof address.sun_path);
  std::copy(local.begin(), local.end(), address.sun_path);
  REQUIRE(::bind(number, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  for (const std::string& path : {pipe, link, local, std::string("/dev/zero"), std::string("/dev/null"), std::string("/dev/tty")})
    CHECK(thrown<file_error>([&] { read_file(path); }) == path + ": is not a regular file");
  ::close(number);
}

TEST_CASE("A06 what a descriptor leads to is written to, not replaced") {
  const temporary_folder folder;
  const std::string log = folder / "log", link = folder / "link";
  put_file(log, "old\n");
  const int number = ::open(log.c_str(), O_WRONLY | O_APPEND);
  REQUIRE(number >= 0);
  const std::string text = std::to_string(number), own = std::to_string(::getpid());
  REQUIRE(::symlink(("/dev/fd/" + text).c_str(), link.c_str()) == 0);
  struct stat before {
  }, after{};
  REQUIRE(::stat(log.c_str(), &before) == 0);
  for (const std::string& path : {"/dev/fd/" + text, "/proc/self/fd/" + text, "/proc/" + own + "/fd/" + text,
                                  "/proc/self/task/" + own + "/fd/" + text, "/dev/../dev/fd/" + text, link})
    CHECK(thrown([&] { write_file(path, "new\n"); }) == "");
  ::close(number);
  CHECK(read_file(log) == "old\nnew\nnew\nnew\nnew\nnew\nnew\n");
  REQUIRE(::stat(log.c_str(), &after) == 0);
  CHECK(before.st_ino == after.st_ino);
  CHECK(thrown<file_error>([&] { write_file("/dev/fd/" + text, "x"); }) ==
        "/dev/fd/" + text + ": cannot write: Bad file descriptor");
  CHECK(contains(thrown<file_error>([] { write_file("/proc/1/fd/1", "x"); }), "/proc/1/fd/1: cannot write: "));
  CHECK(folder.names() == std::vector<std::string>{"link", "log"});
}

TEST_CASE("A06 a pipe and a device are written to; a pipe that nobody reads, a socket and a circle of links are errors") {
  const temporary_folder folder;
  const std::string pipe = folder / "pipe", a = folder / "a", b = folder / "b";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(thrown<file_error>([&] { write_file(pipe, "x"); }) == pipe + ": cannot write: nobody reads from this pipe");
  const int reader = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK);
  const std::string bytes(200000, 'x');  // more than a pipe holds
  std::string failed;
  std::thread writer([&] { failed = thrown([&] { write_file(pipe, bytes); }); });
  std::string got, part(65536, ' ');
  while (got.size() < bytes.size()) {
    const ssize_t count = ::read(reader, part.data(), part.size());
    if (count > 0) got.append(part, 0, static_cast<std::size_t>(count));
  }
  writer.join();
  ::close(reader);
  CHECK(failed == "");
  CHECK(got == bytes);
  CHECK(thrown([] { write_file("/dev/null", "x"); }) == "");
  CHECK(thrown<file_error>([] { write_file("/dev/full", "x"); }) == "/dev/full: cannot write: No space left on device");
  REQUIRE(::symlink("b", a.c_str()) == 0);
  REQUIRE(::symlink("a", b.c_str()) == 0);
  CHECK(contains(thrown<file_error>([&] { write_file(a, "x"); }), a + ": cannot write: Too many levels of symbolic links"));
  CHECK(folder.names() == std::vector<std::string>{"a", "b", "pipe"});
}

TEST_CASE("A06 a link to what is not there yet stays a link") {
  const temporary_folder folder;
  const std::string link = folder / "link", outer = folder / "outer";
  REQUIRE(::symlink("new", link.c_str()) == 0);
  REQUIRE(::symlink(link.c_str(), outer.c_str()) == 0);
  write_file(outer, "x");
  CHECK(read_file(folder / "new") == "x");
  struct stat info {};
  for (const std::string& path : {link, outer}) {
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    CHECK(S_ISLNK(info.st_mode));
  }
}

TEST_CASE("file: errors name the path and the reason") {
  const temporary_folder folder;
  const std::string missing = folder / "missing", inside = folder / "none/a";
  CHECK(thrown<file_error>([&] { read_file(missing); }) == missing + ": cannot open: No such file or directory");
  CHECK(thrown<file_error>([&] { read_file(folder.path()); }) == folder.path() + ": cannot read: Is a directory");
  CHECK(thrown<file_error>([&] { write_file(inside, "x"); }) == inside + ": cannot write: No such file or directory");
  CHECK(thrown<file_error>([&] { write_file(folder.path(), "x"); }) == folder.path() + ": cannot write: Is a directory");
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
