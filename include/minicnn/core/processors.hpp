#pragma once
/// How many processors a control group's quota is worth: what a container was given by `docker run --cpus=1.5`, a Kubernetes
/// limit or systemd's CPUQuota. Linux, control groups of version 1 and 2; elsewhere nothing limits.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <string>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The beginning of a small file of the system; empty if it cannot be read.
inline std::string system_text(const std::string& path) {
  std::string text;
  if (std::FILE* const file = std::fopen(path.c_str(), "rb"); file != nullptr) {
    char buffer[4096];
    text.assign(buffer, std::fread(buffer, 1, sizeof buffer, file));
    std::fclose(file);
  }
  return text;
}

/// Processors' worth of a quota, in microseconds of processor time in each `period`; 0 if there is none ("max", -1, no numbers).
inline double quota_of(const std::string& quota, const std::string& period) {
  double time = 0, every = 0;
  if (std::sscanf(quota.c_str(), "%lf", &time) != 1 || std::sscanf(period.c_str(), "%lf", &every) != 1) return 0;
  return time > 0 && every > 0 ? time / every : 0;
}

/// The least quota of the group `path` and those that it lies in, whose folders are below `mount`. A container may see its own
/// folder as the mount and still be told its path outside: folders that are not there are passed over.
inline double least_quota(const std::string& mount, std::string path, bool second) {
  double least = 0;
  for (;;) {
    if (path == "/") path.clear();
    const std::string folder = mount + path;
    double here = 0;
    if (second) {
      const std::string text = system_text(folder + "/cpu.max");
      const std::size_t space = text.find(' ');
      if (space != std::string::npos) here = quota_of(text.substr(0, space), text.substr(space));
    } else {
      here = quota_of(system_text(folder + "/cpu.cfs_quota_us"), system_text(folder + "/cpu.cfs_period_us"));
    }
    if (here > 0 && (least == 0 || here < least)) least = here;
    if (path.empty()) return least;
    path.erase(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  }
}

}  // namespace detail

/// Processors that the control groups of this process let it keep busy, rounded up; 0: as many as there are. `root` is the
/// folder that holds /proc and /sys, for tests.
inline int processors_by_quota(const std::string& root = "") {
#if defined(__linux__)
  const std::string groups = detail::system_text(root + "/proc/self/cgroup");  // lines "number:controllers:path"
  double least = 0;
  for (std::size_t begin = 0; begin < groups.size();) {
    const std::size_t end = (std::min)(groups.find('\n', begin), groups.size());
    const std::string line = groups.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",", path = line.substr(second + 1);
    const bool unified = controllers == ",,";
    if (!unified && controllers.find(",cpu,") == std::string::npos) continue;
    const double here = detail::least_quota(root + (unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu"), path, unified);
    if (here > 0 && (least == 0 || here < least)) least = here;
  }
  return least == 0 ? 0 : static_cast<int>((std::min)(std::ceil(least), 1e6));
#else
  static_cast<void>(root);
  return 0;
#endif
}

}  // namespace minicnn::inline MINICNN_ABI
