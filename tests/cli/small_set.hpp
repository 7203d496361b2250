#pragma once
// A set of pictures with which a run is begun, broken off and gone on with.
#include <filesystem>
#include <fstream>
#include <string>

#include "program.hpp"

namespace program {

/// Sixteen pictures each of cat and dog, whose files differ in size, and a short training on them.
class small_set {
 public:
  small_set() {
    for (int i = 0; i < 16; ++i) {
      folder_.write("data/cat." + std::to_string(i) + ".png", red_png(5 * i, 40 + i, 40));
      folder_.write("data/dog." + std::to_string(i) + ".png", red_png(160 + 5 * i, 40, 60 + i));
    }
  }
  std::string data() const { return folder_.path("data"); }
  std::string out(const std::string& name = "") const { return folder_.path("run") + (name.empty() ? "" : "/" + name); }
  std::string picture(const std::string& name) const { return folder_.path("data/" + name); }
  std::string command(const std::string& rest = "", int epochs = 2) const {
    return "train --model lenet5 --image-size 32 --batch-size 8 --threads 1 --workers 0 --quiet --epochs " +
           std::to_string(epochs) + " --data '" + data() + "' --out '" + out() + "' " + rest;
  }
  /// Begins a long training; when its first epoch is on disk, `then` in a shell that knows the process as $p. The exit code and
  /// standard error of the training.
  outcome begin_then(const std::string& rest, const std::string& then) const {
    const std::string line = "'" MINICNN_PROGRAM "' " + command(rest, 100000) + " >/dev/null 2>'" + folder_.path("err") +
                             "' & p=$!; while [ ! -f '" + out("report.html") +
                             "' ] && kill -0 $p 2>/dev/null; do sleep 0.02; done; " + then + "; wait $p";
    const int status = std::system(line.c_str());
    const pictures::bytes err = pictures::read(folder_.path("err"));
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", std::string(err.begin(), err.end())};
  }
  /// Goes on with a long training until an epoch more is on disk, or it ends.
  outcome go_on(const std::string& rest) const {
    const std::string marker = folder_.path("marker"), err = folder_.path("err2");
    const std::string line = "touch '" + marker + "'; sleep 0.02; '" MINICNN_PROGRAM "' " + command(rest + " --resume", 100000) +
                             " >/dev/null 2>'" + err + "' & p=$!; sleep 0.1; while [ ! '" + out("report.html") + "' -nt '" +
                             marker + "' ] && kill -0 $p 2>/dev/null; do sleep 0.02; done; kill -TERM $p 2>/dev/null; wait $p";
    const int status = std::system(line.c_str());
    const pictures::bytes text = pictures::read(err);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", std::string(text.begin(), text.end())};
  }
  std::string say_until(const std::string& text) const {
    return "for i in $(seq 1500); do grep -q '" + text + "' '" + folder_.path("err") + "' && break; sleep 0.02; done";
  }
  pictures::bytes file(const char* name) const { return pictures::read(out(name)); }
  const pictures::folder& folder() const { return folder_; }

 private:
  pictures::folder folder_{"run_cases"};
};

inline std::size_t rows_of(const std::string& csv) {
  std::ifstream file(csv);
  std::size_t n = 0;
  for (std::string line; std::getline(file, line);) ++n;
  return n - 1;
}

}  // namespace program
