#include "minicnn/core/processors.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "minicnn/core/parallel.hpp"

namespace {

namespace fs = std::filesystem;

/// A folder that stands for "/", with /proc and /sys of a machine.
class machine {
 public:
  machine() { fs::remove_all(root_); }
  ~machine() { fs::remove_all(root_); }
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;

  machine& file(const std::string& path, const std::string& text) {
    fs::create_directories((root_ + path).substr(0, (root_ + path).find_last_of('/')));
    std::ofstream(root_ + path) << text;
    return *this;
  }
  int processors() const { return minicnn::processors_by_quota(root_); }

 private:
  std::string root_ = (fs::temp_directory_path() / ("minicnn_processors_" + std::to_string(::getpid()))).string();
};

const std::string second = "0::", first = "12:memory:/a\n4:cpu,cpuacct:", cpu = "/sys/fs/cgroup/cpu";

}  // namespace

#if defined(__linux__)
TEST_CASE("control groups of version 2: the quota is rounded up, and the least of all levels holds") {
  machine here;
  CHECK(here.processors() == 0);  // no /proc
  here.file("/proc/self/cgroup", second + "/\n");
  CHECK(here.processors() == 0);  // no controller
  CHECK(here.file("/sys/fs/cgroup/cpu.max", "max 100000\n").processors() == 0);
  CHECK(here.file("/sys/fs/cgroup/cpu.max", "150000 100000\n").processors() == 2);  // docker run --cpus=1.5
  CHECK(here.file("/sys/fs/cgroup/cpu.max", "200000 100000\n").processors() == 2);
  CHECK(here.file("/sys/fs/cgroup/cpu.max", "10000 100000\n").processors() == 1);
  CHECK(here.file("/sys/fs/cgroup/cpu.max", "300100 100000\n").processors() == 4);

  here.file("/proc/self/cgroup", second + "/system.slice/run.service\n");
  CHECK(here.processors() == 4);  // the folders of the path are not there: a container that is told its path outside
  here.file("/sys/fs/cgroup/system.slice/run.service/cpu.max", "max 100000\n");
  CHECK(here.processors() == 4);
  CHECK(here.file("/sys/fs/cgroup/system.slice/cpu.max", "250000 100000\n").processors() == 3);
  CHECK(here.file("/sys/fs/cgroup/system.slice/run.service/cpu.max", "50000 50000\n").processors() == 1);
}

TEST_CASE("control groups of version 1, and both at once") {
  machine here;
  here.file("/proc/self/cgroup", first + "/docker/0123\n1:name=systemd:/x\n0::/\n");
  CHECK(here.processors() == 0);
  here.file(cpu + "/cpu.cfs_quota_us", "-1\n").file(cpu + "/cpu.cfs_period_us", "100000\n");
  CHECK(here.processors() == 0);
  CHECK(here.file(cpu + "/cpu.cfs_quota_us", "150000\n").processors() == 2);
  here.file(cpu + "/docker/0123/cpu.cfs_quota_us", "100000\n").file(cpu + "/docker/0123/cpu.cfs_period_us", "100000\n");
  CHECK(here.processors() == 1);
  here.file(cpu + "/docker/0123/cpu.cfs_quota_us", "700000\n");
  CHECK(here.processors() == 2);
}

TEST_CASE("what is not a quota limits nothing") {
  for (const char* const text : {"", "max", "100000", "x y", "-5 100000", "100000 0", "0 100000", "nan 100000", "1e999 100000"}) {
    CAPTURE(text);
    machine here;
    here.file("/proc/self/cgroup", second + "/\n").file("/sys/fs/cgroup/cpu.max", text);
    const int processors = here.processors();
    CHECK((processors == 0 || processors == 1000000));  // infinite time is no limit either
  }
  for (const char* const text : {"", "\n\n", "0:", "::", "0::", "cpu", "4:cpu,cpuacct"}) {
    CAPTURE(text);
    machine here;
    here.file("/proc/self/cgroup", text);
    CHECK(here.processors() == 0);
  }
}
#endif

#if defined(_OPENMP)
TEST_CASE("the default number of threads is at least 1 and within the quota of this machine") {
  CHECK(minicnn::default_threads() >= 1);
  if (const int quota = minicnn::processors_by_quota(); quota > 0 && std::getenv("OMP_NUM_THREADS") == nullptr)
    CHECK(minicnn::default_threads() <= quota);
}
#endif
