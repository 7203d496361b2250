#pragma once
/// Whole files in and out. Every error is a file_error whose text starts with the path and ends with the system's reason.
///
/// Reading goes through read(2), not a memory map: a file that shrinks under a map kills the process with SIGBUS, a short
/// read is an error that can be reported.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

[[noreturn]] inline void fail_system(const std::string& path, const char* action, int code) {
  fail<file_error>(path, ": cannot ", action, ": ", std::generic_category().message(code));
}

/// Owns a POSIX file descriptor.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int number) : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor() { close(); }

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }

  /// False (with errno) when the system reports a late write error.
  bool close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_ = -1;
};

/// Most bytes that one system call is asked for: some systems refuse more than 2^31 - 1.
inline constexpr index_t max_transfer = index_t{1} << 30;

}  // namespace detail

/// A file open for reading at any offset; `read_at` may be called from several threads at once. Movable.
class input_file {
 public:
  /// Throws file_error if the file is missing, unreadable or a directory.
  explicit input_file(std::string path) : path_(std::move(path)) {
    file_ = detail::descriptor(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_.open()) detail::fail_system(path_, "open", errno);
    struct stat info {};
    if (::fstat(file_.number(), &info) != 0) detail::fail_system(path_, "stat", errno);
    if (S_ISDIR(info.st_mode)) detail::fail_system(path_, "read", EISDIR);
    regular_ = S_ISREG(info.st_mode);
    size_ = regular_ ? static_cast<index_t>(info.st_size) : 0;
  }

  const std::string& path() const { return path_; }

  /// Size in bytes when it was opened; 0 for a pipe or device.
  index_t size() const { return size_; }
  bool regular() const { return regular_; }

  /// Fills `out` with `count` bytes from `offset`; throws if the file ends first.
  void read_at(index_t offset, void* out, index_t count) const {
    auto* place = static_cast<char*>(out);
    while (count > 0) {
      const auto part = static_cast<std::size_t>((std::min)(count, detail::max_transfer));
      const ssize_t got = ::pread(file_.number(), place, part, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) detail::fail_system(path_, "read", errno);
      if (got == 0) fail<file_error>(path_, ": ends at byte ", offset, ", wanted ", count, " more");
      place += got;
      offset += static_cast<index_t>(got);
      count -= static_cast<index_t>(got);
    }
  }

  /// Up to `count` bytes from the current position (pipes too); 0 at the end.
  index_t read_some(void* out, index_t count) {
    for (;;) {
      const ssize_t got = ::read(file_.number(), out, static_cast<std::size_t>((std::min)(count, detail::max_transfer)));
      if (got >= 0) return static_cast<index_t>(got);
      if (errno != EINTR) detail::fail_system(path_, "read", errno);
    }
  }

 private:
  std::string path_;
  detail::descriptor file_;
  index_t size_ = 0;
  bool regular_ = false;
};

/// The whole file as bytes. Throws file_error if it holds more than `limit` bytes (default 256 MiB); a regular file of that
/// size is refused before anything is read, an endless pipe once the limit is passed.
inline std::string read_file(const std::string& path, index_t limit = index_t{256} << 20) {
  input_file file(path);
  if (file.size() > limit) fail<file_error>(path, ": has ", file.size(), " bytes, more than the limit of ", limit);
  std::string bytes;
  index_t used = 0;
  index_t room = (std::min)(limit, file.size()) + 1;  // one more than expected, so that the end shows at once
  for (;;) {
    bytes.resize(static_cast<std::size_t>(room));
    const index_t got = file.read_some(bytes.data() + used, room - used);
    used += got;
    if (got == 0) break;
    if (used > limit) fail<file_error>(path, ": has more bytes than the limit of ", limit);
    if (used == room) room = room > limit / 2 ? limit + 1 : (std::max)(room * 2, (std::min)(index_t{4096}, limit + 1));
  }
  bytes.resize(static_cast<std::size_t>(used));
  return bytes;
}

/// Writes a file that appears under its name only when it is complete: the bytes go to a temporary name in the same
/// folder, `commit` flushes them to the disk and renames. Until then, and if anything fails, a previous file of that name
/// stays as it was; the temporary is removed by the destructor. A symbolic link is followed, not replaced; a previous
/// file's permissions are kept. The target must be a regular file or not exist.
class atomic_file {
 public:
  explicit atomic_file(std::string path) : path_(std::move(path)), target_(path_) {
    struct stat info {};
    const bool exists = ::stat(path_.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) detail::fail_system(path_, "write", EISDIR);
    if (exists && !S_ISREG(info.st_mode)) fail<file_error>(path_, ": cannot write: is not a regular file");
    if (exists) {
      const std::unique_ptr<char, void (*)(void*)> real(::realpath(path_.c_str(), nullptr), std::free);
      if (real != nullptr) target_ = real.get();
    }
    // The process number keeps programs apart, the counter threads; O_EXCL settles what is left (a stale file of a crash).
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 100 && !file_.open(); ++attempt) {
      temporary_ = text_of(target_, ".tmp-", static_cast<std::int64_t>(::getpid()), '-', counter.fetch_add(1));
      file_ = detail::descriptor(::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      if (!file_.open() && errno != EEXIST) break;
    }
    if (!file_.open()) detail::fail_system(path_, "write", errno);
    // Not being allowed to keep the old mode (another owner's file) is no reason to lose the new contents.
    if (exists && ::fchmod(file_.number(), info.st_mode & 07777) != 0) errno = 0;
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() {
    if (committed_) return;
    file_.close();
    ::unlink(temporary_.c_str());
  }

  const std::string& path() const { return path_; }

  void write(const void* data, index_t count) {
    const auto* place = static_cast<const char*>(data);
    while (count > 0) {
      const auto part = static_cast<std::size_t>((std::min)(count, detail::max_transfer));
      const ssize_t done = ::write(file_.number(), place, part);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) detail::fail_system(path_, "write", errno);
      place += done;
      count -= static_cast<index_t>(done);
    }
  }
  void write(std::string_view bytes) { write(bytes.data(), static_cast<index_t>(bytes.size())); }

  /// Makes the file visible under its name. Nothing may be written afterwards.
  void commit() {
    if (::fsync(file_.number()) != 0) detail::fail_system(path_, "flush", errno);
    if (!file_.close()) detail::fail_system(path_, "close", errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) detail::fail_system(path_, "rename the temporary file", errno);
    committed_ = true;
    flush_folder();
  }

 private:
  /// Makes the rename itself last through a power cut. Some file systems cannot; the file is complete either way.
  void flush_folder() const {
    const auto slash = target_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
    const detail::descriptor handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (handle.open() && ::fsync(handle.number()) != 0) errno = 0;
  }

  std::string path_;
  std::string target_;
  std::string temporary_;
  detail::descriptor file_;
  bool committed_ = false;
};

/// Replaces or creates a file by `bytes`, as atomic_file does.
inline void write_file(const std::string& path, std::string_view bytes) {
  atomic_file file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace minicnn::inline MINICNN_ABI
