#pragma once
/// What the file tests share: a folder that vanishes afterwards, and a moment without root's privileges.

#include <doctest/doctest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/files/path.hpp"

/// A new, empty folder under TMPDIR or /tmp, removed with everything in it.
class temporary_folder {
 public:
  temporary_folder() {
#if defined(_WIN32)
    static int count = 0;
    const std::string base = minicnn::detail::path_text(std::filesystem::temp_directory_path());
    path_ = base + "minicnn-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++);
    REQUIRE(std::filesystem::create_directory(path_));
#else
    const char* base = ::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/minicnn-test-XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
#endif
  }
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  /// Names in the folder, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      out.push_back(minicnn::detail::path_text(entry.path().filename()));
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::string path_;
};

#if !defined(_WIN32)
/// Root may read and write everything; while this lives, a process of root acts as user 65534 ("nobody").
class unprivileged {
 public:
  unprivileged() : root_(::geteuid() == 0) {
    if (root_) REQUIRE(::seteuid(65534) == 0);
  }
  unprivileged(const unprivileged&) = delete;
  unprivileged& operator=(const unprivileged&) = delete;
  ~unprivileged() {
    if (root_ && ::seteuid(0) != 0) ::abort();
  }

 private:
  bool root_;
};
#endif

/// The text of the `E` that `f` throws; empty if it throws nothing.
template <class E = minicnn::error, class F>
std::string thrown(const F& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Writes a file without waiting for the disk, for tests that make hundreds of them.
inline void put_file(const std::string& path, const std::string& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  const std::size_t done = std::fwrite(bytes.data(), 1, bytes.size(), file);
  REQUIRE(std::fclose(file) == 0);
  REQUIRE(done == bytes.size());
}
