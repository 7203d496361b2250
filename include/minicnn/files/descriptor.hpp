#pragma once
/// A POSIX file descriptor with an owner.

#include <string>
#include <system_error>
#include <utility>

#include "minicnn/core/shape.hpp"
#include "minicnn/files/system.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

[[noreturn]] inline void fail_system(const std::string& path, const char* action, int code) {
  fail<file_error>(path, ": cannot ", action, ": ", why_missing(path, std::generic_category().message(code)));
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

  /// The number, which is now the caller's to close.
  int release() { return std::exchange(number_, -1); }

  /// False (with errno) when the system reports a late write error.
  bool close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_ = -1;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
