#pragma once
/// Whole files in and out. Every error is a file_error whose text starts with the path and ends with the system's reason.
///
/// Reading goes through read(2), not a memory map: a file that shrinks under a map kills the process with SIGBUS, a short
/// read is an error that can be reported.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "minicnn/files/output_target.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Most bytes that one system call is asked for: some systems refuse more than 2^31 - 1.
inline constexpr index_t max_transfer = index_t{1} << 30;

}  // namespace detail

/// A regular file open for reading at any offset; `read_at` may be called from several threads at once. Movable.
class input_file {
 public:
  /// Throws file_error if the file is missing, unreadable, or no regular file: a pipe or device, which may never end or never
  /// begin, is refused without being waited for.
  explicit input_file(std::string path) : path_(std::move(path)) {
    // Asked before it is opened, as opening alone can set a device going, and afterwards, as the name may lead elsewhere by then.
    namespace posix = detail::posix;
    posix::file_status info{};
    if (posix::stat(path_, info) == 0) check_regular(info);
    file_ = detail::descriptor(posix::open(path_, O_RDONLY | posix::no_inherit | posix::no_block | posix::no_terminal));
    if (!file_.open()) detail::fail_system(path_, "open", errno);
    if (posix::fstat(file_.number(), info) != 0) detail::fail_system(path_, "stat", errno);
    check_regular(info);
    size_ = static_cast<index_t>(info.st_size);
  }

  const std::string& path() const { return path_; }

  /// Size in bytes when it was opened; 0 for the system's own files (/proc), which have contents all the same.
  index_t size() const { return size_; }

  /// Fills `out` with `count` bytes from `offset`; throws if the file ends first.
  void read_at(index_t offset, void* out, index_t count) const {
    auto* place = static_cast<char*>(out);
    while (count > 0) {
      const auto part = static_cast<std::size_t>((std::min)(count, detail::max_transfer));
      const std::ptrdiff_t got = detail::posix::pread(file_.number(), place, part, offset);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) detail::fail_system(path_, "read", errno);
      if (got == 0) fail<file_error>(path_, ": ends at byte ", offset, ", wanted ", count, " more");
      place += got;
      offset += static_cast<index_t>(got);
      count -= static_cast<index_t>(got);
    }
  }

  /// Up to `count` bytes from the current position; 0 at the end.
  index_t read_some(void* out, index_t count) {
    for (;;) {
      const auto part = static_cast<std::size_t>((std::min)(count, detail::max_transfer));
      const std::ptrdiff_t got = detail::posix::read(file_.number(), out, part);
      if (got >= 0) return static_cast<index_t>(got);
      if (errno != EINTR) detail::fail_system(path_, "read", errno);
    }
  }

 private:
  void check_regular(const detail::posix::file_status& info) const {
    if (S_ISDIR(info.st_mode)) detail::fail_system(path_, "read", EISDIR);
    if (!S_ISREG(info.st_mode)) fail<file_error>(path_, ": is not a regular file");
  }

  std::string path_;
  detail::descriptor file_;
  index_t size_ = 0;
};

/// The whole file as bytes. Throws file_error if it holds more than `limit` bytes (default 256 MiB); a regular file of that
/// size is refused before anything is read, one that grows once the limit is passed.
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
/// stays as it was; the temporary is removed by the destructor. A symbolic link is followed, not replaced, even where it leads
/// to nothing yet; a previous file's permissions are kept. What cannot be replaced (an open descriptor under a name as
/// /dev/stdout, a pipe, a device) is written to as the bytes come.
class atomic_file {
 public:
  explicit atomic_file(std::string path) : path_(std::move(path)), target_(detail::find_output(path_)) {
    if (target_.stream.open()) return;
    namespace posix = detail::posix;
    posix::file_status info{};
    const bool exists = posix::stat(target_.path, info) == 0;
    // The process number keeps programs apart, the counter threads; O_EXCL settles what is left (a stale file of a crash).
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 100 && !file_.open(); ++attempt) {
      temporary_ = text_of(target_.path, ".tmp-", posix::process_id(), '-', counter.fetch_add(1));
      file_ = detail::descriptor(posix::open(temporary_, O_WRONLY | O_CREAT | O_EXCL | posix::no_inherit, 0666));
      if (!file_.open() && errno != EEXIST) break;
    }
    if (!file_.open()) detail::fail_system(path_, "write", errno);
    // Not being allowed to keep the old mode (another owner's file) is no reason to lose the new contents.
    if (exists && posix::fchmod(file_.number(), info.st_mode & 07777) != 0) errno = 0;
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() {
    if (committed_ || temporary_.empty()) return;
    file_.close();
    detail::posix::unlink(temporary_);
  }

  const std::string& path() const { return path_; }

  void write(const void* data, index_t count) {
    const auto* place = static_cast<const char*>(data);
    const int number = target_.stream.open() ? target_.stream.number() : file_.number();
    while (count > 0) {
      const auto part = static_cast<std::size_t>((std::min)(count, detail::max_transfer));
      const std::ptrdiff_t done = detail::posix::write(number, place, part);
      if (done < 0 && errno == EINTR) continue;
      if (done < 0 && errno == EAGAIN && detail::wait_for_room(number)) continue;
      if (done < 0) detail::fail_system(path_, "write", errno);
      place += done;
      count -= static_cast<index_t>(done);
    }
  }
  void write(std::string_view bytes) { write(bytes.data(), static_cast<index_t>(bytes.size())); }

  /// Makes the file visible under its name. Nothing may be written afterwards.
  void commit() {
    if (target_.stream.open()) {
      if (!target_.stream.close()) detail::fail_system(path_, "close", errno);
      return;
    }
    if (detail::posix::fsync(file_.number()) != 0) detail::fail_system(path_, "flush", errno);
    if (!file_.close()) detail::fail_system(path_, "close", errno);
    if (detail::posix::rename(temporary_, target_.path) != 0) detail::fail_system(path_, "rename the temporary file", errno);
    committed_ = true;
    detail::flush_folder(target_.path);
  }

 private:
  std::string path_;
  detail::output_target target_;
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
