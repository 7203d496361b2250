// bench_onnx_model MODEL SIZE FILE: the network with random weights as an ONNX model, for other programs to time.
// SIZE: pixels a side, 0 for the network's own.

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "minicnn/formats/onnx.hpp"
#include "models.hpp"

int main(int argc, char** argv) try {
  if (argc == 4)
    for (const bench::model& m : bench::models())
      if (m.name == argv[1]) {
        minicnn::write_onnx(argv[3], m.make(std::atoi(argv[2])));
        return 0;
      }
  std::fprintf(stderr, "usage: bench_onnx_model MODEL SIZE FILE; models:");
  for (const bench::model& m : bench::models()) std::fprintf(stderr, " %s", m.name.c_str());
  std::fprintf(stderr, "\n");
  return 2;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
