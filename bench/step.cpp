/// Whole steps of every network at its own image size: training (forward, losses, backward, Adam) and prediction, batches of 1,
/// 20, 64 and 128, in images/s. Choose with --benchmark_filter, such as 'train/alexnet/' or 'predict/.*/1$': all of them take
/// long, and the deep ones much memory.

#include "models.hpp"
#include "peak.hpp"

namespace {

using bench::model;
using minicnn::network;

void step(benchmark::State& state, const model& m, bool training) {
  network<float> net = m.make(0);
  const minicnn::index_t batch = state.range(0);
  const minicnn::shape& one = net.input_dims();
  minicnn::tensor<float> images({batch, one[1], one[2], one[3]});
  minicnn::random_stream random(minicnn::random_key(1));
  for (float& x : images) x = static_cast<float>(random.normal());
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch), 1);
  if (training) {
    const minicnn::softmax_cross_entropy<float> loss;
    minicnn::adam<float> optimizer(net);
    minicnn::session<float> run(net);
    for (auto _ : state) {
      run.forward(images);
      for (int i = 0; i < net.output_count(); ++i) loss(run, labels, i, net.loss_weights()[static_cast<std::size_t>(i)]);
      run.backward();
      optimizer.step();
    }
  } else {
    minicnn::session<float> space(net, {.prepack_weights = true});
    for (auto _ : state) space.predict(images);
  }
  state.counters["images/s"] = benchmark::Counter(static_cast<double>(batch), benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
  for (const model& m : bench::models())
    for (const bool training : {true, false})
      benchmark::RegisterBenchmark((std::string(training ? "train/" : "predict/") + m.name).c_str(),
                                   [m, training](benchmark::State& s) { step(s, m, training); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond)
          ->Arg(1)
          ->Arg(20)
          ->Arg(64)
          ->Arg(128);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
