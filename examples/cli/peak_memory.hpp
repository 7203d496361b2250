#pragma once
// The most memory that the process has had.

#include <sys/resource.h>

namespace cli {

inline double peak_mebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace cli
