// A backward that throws on rank 1 while gradients are under way: `throws [overlap]`, by several ranks. All are to end.
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "minicnn/layers/dense.hpp"
#include "minicnn/train/fit.hpp"
#include "minicnn/train/mpi.hpp"
#include "train/failing_backward.hpp"

using namespace minicnn;

namespace {

struct noise {
  noise() : x({8, features}), labels(8) {
    for (index_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    batch_.images = x, batch_.labels = labels;
  }
  index_t size() const { return 800; }
  index_t batches() const { return 100; }
  void start_epoch(index_t, index_t first = 0) { next_ = first; }
  const batch<float>* next() { return next_++ < batches() ? &batch_ : nullptr; }

  static constexpr index_t features = 1024;
  tensor<float> x;
  std::vector<std::int32_t> labels;
  batch<float> batch_;
  index_t next_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  mpi_team ranks({.tell = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }});
  graph<float> g;
  const node<float> x = dense(g.input({noise::features}), 64);
  const node<float> y = g.add(std::make_shared<failing_backward>(ranks.rank() == 1 ? 3 : 0), {x}, "failing", "failing");
  network<float> net(std::move(g), {dense(dense(y, 2048), 1024)}, {.threads = 1});  // several buckets behind it
  sgd<float> opt(net, {.learning_rate = 1e-6});
  noise data;
  fit_options o{.epochs = 1, .shards = ranks.size(), .ranks = &ranks};
  o.overlap = argc > 1 && std::strcmp(argv[1], "overlap") == 0;
  try {
    fit(net, opt, classification<float>(), data, o);
  } catch (const error& e) {  // within the life of the team, as who knows of no others would
    std::fprintf(stderr, "%s\n", e.what());
  }
}
