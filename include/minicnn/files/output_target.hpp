#pragma once
/// Where the bytes written to a path go: to a file that is replaced as a whole, or to a stream.

#if !defined(_WIN32)
#include <poll.h>
#endif

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "minicnn/files/descriptor.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

struct output_target {
  std::string path;   ///< of the file, which need not exist; links are followed
  descriptor stream;  ///< open if there is no file to replace
};

#if defined(_WIN32)

inline bool wait_for_room(int) { return false; }
inline void flush_folder(const std::string&) {}

/// Throws file_error if `path` leads to a folder. Standard output is a stream, and so are devices (NUL, CON).
inline output_target find_output(const std::string& path) {
  posix::file_status info{};
  std::error_code ignored;
  const bool out = path == "/dev/stdout";
  const bool device = out || std::filesystem::absolute(system_path(path), ignored).native().starts_with(L"\\\\.\\");
  if (!device && posix::stat(path, info) != 0) {
    if (errno != ENOENT || path.empty() || path.ends_with('/')) fail_system(path, "write", errno);
    return {path, {}};
  }
  if (S_ISDIR(info.st_mode)) fail_system(path, "write", EISDIR);
  if (S_ISREG(info.st_mode)) return {path, {}};
  descriptor stream(out ? ::_dup(1) : posix::open(path, O_WRONLY));
  if (!stream.open() || ::_setmode(stream.number(), O_BINARY) < 0) fail_system(path, "write", errno);
  return {{}, std::move(stream)};
}

#else

/// A whole text as a descriptor's number; -1 if it is none.
inline int descriptor_number(std::string_view text) {
  int number = -1;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  return problem == std::errc() && end == text.data() + text.size() && number >= 0 ? number : -1;
}

/// Which of this process's descriptors the entry `name` of the folder `folder` (without links in it) stands for; -1: none. The
/// files behind such names are not found by their path: a log that a shell appends to has to stay the file that it is.
inline int descriptor_behind(const std::string& folder, const std::string& name) {
  if (folder == "/dev" && name.starts_with("std")) return name == "stdin" ? 0 : name == "stdout" ? 1 : name == "stderr" ? 2 : -1;
  const std::string own = text_of("/proc/", posix::process_id(), "/");
  const bool listed = folder == "/dev/fd" || folder == "/proc/self/fd" || (folder.starts_with(own) && folder.ends_with("/fd"));
  return listed ? descriptor_number(name) : -1;
}

/// A pipe or a character device, or any descriptor that is open already, as something to write to.
inline descriptor open_stream(const std::string& path, int number) {
  if (number >= 0) {
    descriptor stream(::fcntl(number, F_DUPFD_CLOEXEC, 0));
    if (!stream.open()) fail_system(path, "write", errno);
    return stream;
  }
  // A pipe that nobody reads is an error at once; with a reader, writing waits for it.
  descriptor stream(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!stream.open() && errno == ENXIO) fail<file_error>(path, ": cannot write: nobody reads from this pipe");
  if (!stream.open()) fail_system(path, "write", errno);
  return stream;
}

/// Waits until a descriptor that does not block takes more bytes.
inline bool wait_for_room(int number) {
  pollfd one{number, POLLOUT, 0};
  return ::poll(&one, 1, -1) > 0 || errno == EINTR;
}

/// Makes the rename of `path` itself last through a power cut. Some file systems cannot; the file is complete either way.
inline void flush_folder(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (handle.open() && ::fsync(handle.number()) != 0) errno = 0;
}

/// Follows `path` link by link. Throws file_error if it leads to a folder, in a circle, to another process's descriptor, or to
/// something that cannot be written to.
inline output_target find_output(const std::string& path) {
  std::string at = path;
  for (int links = 0; links < 40; ++links) {
    const std::size_t slash = at.rfind('/');
    const std::string name = slash == at.npos ? at : at.substr(slash + 1);
    const std::string above = slash == at.npos ? "." : slash == 0 ? "/" : at.substr(0, slash);
    // The folder as it is written first: /dev/stdout is standard output even where /proc is not mounted.
    int number = descriptor_behind(above, name);
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(above.c_str(), nullptr), std::free);
    if (real == nullptr && number < 0) fail_system(path, "write", errno);
    const std::string folder = real != nullptr ? real.get() : above;
    if (number < 0) number = descriptor_behind(folder, name);
    if (number >= 0) return {{}, open_stream(path, number)};
    if (folder.starts_with("/proc/") && folder.ends_with("/fd"))
      fail<file_error>(path, ": cannot write: leads to a descriptor of another process");

    struct stat info {};
    if (::lstat(at.c_str(), &info) != 0) {
      if (errno != ENOENT || name.empty()) fail_system(path, "write", errno);
      return {at, {}};
    }
    if (S_ISREG(info.st_mode)) return {at, {}};
    if (S_ISDIR(info.st_mode)) fail_system(path, "write", EISDIR);
    if (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)) return {{}, open_stream(at, -1)};
    if (!S_ISLNK(info.st_mode)) fail<file_error>(path, ": cannot write: is not a regular file");
    char next[4096];
    const ssize_t length = ::readlink(at.c_str(), next, sizeof next);
    if (length < 0 || length == static_cast<ssize_t>(sizeof next)) fail_system(path, "write", length < 0 ? errno : ENAMETOOLONG);
    const std::string to(next, static_cast<std::size_t>(length));
    at = to.starts_with('/') ? to : folder + (folder == "/" ? "" : "/") + to;
  }
  fail_system(path, "write", ELOOP);
}

#endif

}  // namespace minicnn::inline MINICNN_ABI::detail
