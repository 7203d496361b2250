#pragma once
// A locale whose decimal point is a comma.

#include <clocale>
#include <cstdlib>
#include <locale>
#include <string>

#include "io/temporary_folder.hpp"

struct german_numbers : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

/// While it lives, C and C++ write one half as 0,5. The C locale is built on the spot where the system has none installed.
class german {
 public:
  german() {
    std::locale::global(std::locale(std::locale::classic(), new german_numbers));
#if defined(_WIN32)
    c_ = std::setlocale(LC_ALL, "German_Germany.1252") != nullptr;
#else
    c_ = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
    if (c_) return;
    const std::string made = folder_ / "de_DE.UTF-8";
    if (std::system(("localedef -i de_DE -f UTF-8 '" + made + "' >/dev/null 2>&1").c_str()) != 0) return;
    ::setenv("LOCPATH", folder_.path().c_str(), 1);
    c_ = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr;
#endif
  }
  ~german() {
    std::setlocale(LC_ALL, "C");
#if !defined(_WIN32)
    ::unsetenv("LOCPATH");
#endif
    std::locale::global(std::locale::classic());
  }
  german(const german&) = delete;
  german& operator=(const german&) = delete;
  bool c() const { return c_; }

 private:
  temporary_folder folder_;
  bool c_ = false;
};
