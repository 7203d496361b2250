#pragma once
/// The system's calls on files, with their POSIX names and errno, where paths are text (path.hpp): POSIX, or Windows' C library.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "minicnn/files/path.hpp"

#if defined(_WIN32)
#include <io.h>

#include <mutex>
#include <system_error>
#endif

namespace minicnn::inline MINICNN_ABI::detail {

namespace posix {

#if defined(_WIN32)

using file_status = struct ::_stat64;
inline constexpr int no_inherit = O_NOINHERIT, no_block = 0, no_terminal = 0;

inline int open(const std::string& path, int flags, int mode = 0) {
  return ::_wopen(system_path(path).c_str(), flags | O_BINARY, mode & (S_IREAD | S_IWRITE));
}
inline int stat(const std::string& path, file_status& out) { return ::_wstat64(system_path(path).c_str(), &out); }
inline int fstat(int number, file_status& out) { return ::_fstat64(number, &out); }
inline int unlink(const std::string& path) { return ::_wunlink(system_path(path).c_str()); }
inline int fsync(int number) { return ::_commit(number); }
inline int fchmod(int, int) { return 0; }  // a new file has its folder's permissions

/// Replaces a file of the new name, as POSIX has it; Windows refuses while another program has it open.
inline int rename(const std::string& from, const std::string& to) {
  std::error_code failed;
  std::filesystem::rename(system_path(from), system_path(to), failed);
  if (failed) errno = failed.default_error_condition().value();
  return failed ? -1 : 0;
}

/// Threads that read at an offset wait for each other.
inline std::ptrdiff_t pread(int number, void* out, std::size_t count, std::int64_t offset) {
  static std::mutex turn;
  const std::lock_guard<std::mutex> mine(turn);
  const std::int64_t before = ::_lseeki64(number, 0, SEEK_CUR);
  if (before < 0 || ::_lseeki64(number, offset, SEEK_SET) < 0) return -1;
  const int got = ::_read(number, out, static_cast<unsigned>(count));
  return ::_lseeki64(number, before, SEEK_SET) < 0 ? -1 : got;
}
inline std::ptrdiff_t read(int number, void* out, std::size_t count) {
  return ::_read(number, out, static_cast<unsigned>(count));
}
inline std::ptrdiff_t write(int number, const void* data, std::size_t count) {
  return ::_write(number, data, static_cast<unsigned>(count));
}

#else

using file_status = struct ::stat;
inline constexpr int no_inherit = O_CLOEXEC, no_block = O_NONBLOCK, no_terminal = O_NOCTTY;

inline int open(const std::string& path, int flags, int mode = 0) { return ::open(path.c_str(), flags, mode); }
inline int stat(const std::string& path, file_status& out) { return ::stat(path.c_str(), &out); }
inline int unlink(const std::string& path) { return ::unlink(path.c_str()); }
inline int rename(const std::string& from, const std::string& to) { return ::rename(from.c_str(), to.c_str()); }
inline std::ptrdiff_t pread(int number, void* out, std::size_t count, std::int64_t offset) {
  return ::pread(number, out, count, static_cast<off_t>(offset));
}
inline int fstat(int number, file_status& out) { return ::fstat(number, &out); }
using ::fchmod;
using ::fsync;
using ::read;
using ::write;

#endif

inline std::int64_t process_id() { return static_cast<std::int64_t>(::getpid()); }

}  // namespace posix

}  // namespace minicnn::inline MINICNN_ABI::detail
