// bench_onnx_time MODEL.onnx BATCH STEPS THREADS: prediction of an imported ONNX model, batch norms folded and weights packed,
// for bench/compare_models.sh: one JSON line with images/s (median) and peak memory.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "minicnn/formats/onnx_import.hpp"
#include "minicnn/graph/passes/fold_batch_norm.hpp"
#include "minicnn/graph/session.hpp"

int main(int argc, char** argv) try {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bench_onnx_time MODEL.onnx BATCH STEPS THREADS\n");
    return 2;
  }
  const int batch = std::atoi(argv[2]), steps = std::atoi(argv[3]), threads = std::atoi(argv[4]);
  minicnn::network<float> net = minicnn::load_onnx<float>(argv[1], {.network = {.threads = threads}});
  net = fold_batch_norm(net);
  minicnn::shape dims = net.input_dims();
  dims.set(0, batch);
  minicnn::tensor<float> images(dims);
  for (minicnn::index_t i = 0; i < images.size(); ++i) images[i] = std::sin(static_cast<float>(i) * 0.7F);
  minicnn::session<float> run(net, {.prepack_weights = true});
  std::vector<double> times;
  for (int i = -2; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run.predict(images);
    if (i >= 0) times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const double ms = times[times.size() / 2];
  std::printf(
      "{\"model\": \"%s\", \"mode\": \"infer\", \"batch_size\": %d, \"images_per_second\": %.3f, \"ms_per_step\": %.4f, "
      "\"peak_rss_mib\": %.1f, \"threads\": %d, \"image_size\": %d, \"steps\": %d}\n",
      argv[1], batch, 1000 * batch / ms, ms, static_cast<double>(used.ru_maxrss) / 1024, threads, static_cast<int>(dims[2]),
      steps);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
