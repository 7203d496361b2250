#pragma once
// A fuzz target: bytes in, nothing out. What the library throws for bad input (minicnn::error) is right; anything else - another
// exception, a sanitizer's report, more memory or time than the fuzzer allows - is a finding.

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "minicnn/core/error.hpp"

namespace fuzz {

using bytes = std::span<const unsigned char>;

/// Named functions over bytes: those of one program of libFuzzer (one), or of the replay (all).
struct target {
  const char* name;
  void (*run)(bytes);
};
inline std::vector<target>& targets() {
  static std::vector<target> all;
  return all;
}

inline void run(const target& t, bytes input) {
  try {
    t.run(input);
  } catch (const minicnn::error&) {
    // Refused, as damaged input should be.
  }
}

/// A file in memory with these bytes, for readers that take a path. One of each target's calls lives at a time.
class memory_file {
 public:
  explicit memory_file(bytes content) : number_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (number_ < 0) std::abort();
    for (std::size_t done = 0; done < content.size();) {
      const ssize_t part = ::write(number_, content.data() + done, content.size() - done);
      if (part <= 0) std::abort();
      done += static_cast<std::size_t>(part);
    }
  }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;
  ~memory_file() { ::close(number_); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(number_); }

 private:
  int number_;
};

/// Ends the program, as a sanitizer would: something that must hold does not.
inline void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace fuzz

/// Defines the target NAME: `MINICNN_FUZZ_TARGET(json) { ... input ... }`.
#define MINICNN_FUZZ_TARGET(NAME)                                                               \
  static void minicnn_fuzz_##NAME(fuzz::bytes input);                                           \
  static const bool minicnn_fuzz_known_##NAME = [] {                                            \
    fuzz::targets().push_back({#NAME, minicnn_fuzz_##NAME});                                    \
    return true;                                                                                \
  }();                                                                                          \
  static void minicnn_fuzz_##NAME([[maybe_unused]] fuzz::bytes input)
