/// Optimizer steps over the parameters of the article's AlexNet, 58.3 million: milliseconds, and the memory traffic that the step
/// cannot do without (Adam: weights, moments and gradients read, weights and moments written) in GB/s, beside a copy of as much
/// memory. Argument: threads.

#include <cstring>

#include "minicnn/alexnet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/sgd.hpp"
#include "peak.hpp"

namespace {

void traffic(benchmark::State& state, double bytes) {
  state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

template <class Optimizer, class Options>
void step(benchmark::State& state, const Options& options, double values_moved) {
  auto net = minicnn::alexnet<float>({.network = {.threads = static_cast<int>(state.range(0))}});
  for (float& g : net.gradient_arena()) g = 1e-3F;
  Optimizer optimizer(net, options);
  for (auto _ : state) optimizer.step();
  traffic(state, values_moved * 4 * static_cast<double>(net.parameter_count()));
}

/// What memory gives.
void copy(benchmark::State& state) {
  const minicnn::index_t count = minicnn::index_t{1} << 26;
  minicnn::aligned_buffer<float> from(count), to(count);
  std::memset(from.data(), 0, static_cast<std::size_t>(count) * 4);
  for (auto _ : state)
    minicnn::parallel_for(static_cast<int>(state.range(0)), count, 1, [&](minicnn::index_t begin, minicnn::index_t end) {
      std::memcpy(to.data() + begin, from.data() + begin, static_cast<std::size_t>(end - begin) * 4);
    });
  traffic(state, 2.0 * 4 * static_cast<double>(count));
}

}  // namespace

int main(int argc, char** argv) {
  const auto add = [](const char* name, auto run) {
    benchmark::RegisterBenchmark(name, run)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1)->Arg(2);
  };
  add("copy", copy);
  add("adam", [](benchmark::State& s) { step<minicnn::adam<float>>(s, minicnn::adam_options{}, 7); });
  add("adamw", [](benchmark::State& s) { step<minicnn::adam<float>>(s, minicnn::adamw(), 7); });
  add("sgd_momentum", [](benchmark::State& s) {
    step<minicnn::sgd<float>>(s, minicnn::sgd_options{.learning_rate = 0.01, .momentum = 0.9, .nesterov = true}, 5);
  });
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
