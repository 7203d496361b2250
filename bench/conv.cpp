/// The convolutions of AlexNet at 227 pixels, each pass on its own, direct and by Winograd, in GFLOP/s of the direct
/// convolution's multiplications: Winograd's may exceed the peak. Arguments: threads, batch.

#include "minicnn/kernels/conv.hpp"
#include "minicnn/kernels/winograd_backward_weight.hpp"
#include "minicnn/kernels/winograd_forward.hpp"

#include "peak.hpp"

namespace {

using minicnn::conv_geometry;
using minicnn::index_t;

conv_geometry square(index_t channels, index_t size, index_t filters, index_t kernel, index_t stride, index_t pad) {
  return {channels, size, size, filters, kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad, 1};
}

struct layer {
  const char* name;
  conv_geometry g;
};
const layer layers[] = {{"conv1", square(3, 227, 96, 11, 4, 0)},
                        {"conv2", square(96, 27, 256, 5, 1, 2)},
                        {"conv3", square(256, 13, 384, 3, 1, 1)},
                        {"conv4", square(384, 13, 384, 3, 1, 1)},
                        {"conv5", square(384, 13, 256, 3, 1, 1)}};

enum class pass { forward, backward_input, backward_weight };

void convolve(benchmark::State& state, const conv_geometry& g, pass which, bool winograd) {
  const minicnn::context run{static_cast<int>(state.range(0)), minicnn::default_isa()};
  const index_t batch = state.range(1), pixels = g.out_height() * g.out_width();
  const auto filled = [](index_t count) {
    minicnn::aligned_buffer<float> out(count);
    for (index_t i = 0; i < count; ++i) out.data()[i] = static_cast<float>(i % 17 - 8) * 0.1F;
    return out;
  };
  auto x = filled(batch * g.channels * g.height * g.width), w = filled(g.filters * g.group_channels() * g.taps());
  auto y = filled(batch * g.filters * pixels), bias = filled(g.filters);
  const auto scratch_bytes = [&] {
    if (winograd)
      return which == pass::forward          ? minicnn::winograd_forward_scratch_bytes<float>(batch, g)
             : which == pass::backward_input ? minicnn::winograd_backward_input_scratch_bytes<float>(batch, g)
                                             : minicnn::winograd_backward_weight_scratch_bytes<float>(batch, g);
    return which == pass::forward          ? minicnn::conv_forward_scratch_bytes<float>(run.threads, batch, g)
           : which == pass::backward_input ? minicnn::conv_backward_input_scratch_bytes<float>(run.threads, batch, g)
                                           : minicnn::conv_backward_weight_scratch_bytes<float>(run.threads, batch, g);
  };
  const index_t bytes = scratch_bytes();
  minicnn::aligned_buffer<std::byte> memory(bytes);
  for (auto _ : state) {
    minicnn::scratch work(memory.data(), bytes);
    if (which == pass::forward && winograd)
      minicnn::winograd_forward<float>(run, batch, g, x.data(), w.data(), bias.data(), true, y.data(), work);
    else if (which == pass::forward)
      minicnn::conv_forward<float>(run, batch, g, x.data(), w.data(), bias.data(), true, y.data(), work);
    else if (which == pass::backward_input && winograd)
      minicnn::winograd_backward_input<float>(run, batch, g, y.data(), w.data(), x.data(), false, work);
    else if (which == pass::backward_input)
      minicnn::conv_backward_input<float>(run, batch, g, y.data(), w.data(), x.data(), false, work);
    else if (winograd)
      minicnn::winograd_backward_weight<float>(run, batch, g, x.data(), y.data(), w.data(), false, bias.data(), false, work);
    else
      minicnn::conv_backward_weight<float>(run, batch, g, x.data(), y.data(), w.data(), false, bias.data(), false, work);
  }
  bench::report(state, 2.0 * static_cast<double>(batch * g.filters * pixels * g.group_channels() * g.taps()));
  state.counters["scratch MB"] = static_cast<double>(bytes) * 1e-6;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = [](benchmark::internal::Benchmark* b) {
    b->UseRealTime()->Unit(benchmark::kMillisecond)->Args({2, 64})->Args({2, 20})->Args({1, 1})->Args({2, 1});
  };
  benchmark::RegisterBenchmark("peak", bench::fma_peak)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1)->Arg(2);
  const auto add = [&](const layer& l, const char* name, pass which) {
    arguments(benchmark::RegisterBenchmark((l.name + std::string("/") + name).c_str(), convolve, l.g, which, false));
    if (minicnn::winograd::serves(l.g))
      arguments(
          benchmark::RegisterBenchmark((l.name + std::string("/") + name + "/winograd").c_str(), convolve, l.g, which, true));
  };
  for (const layer& l : layers) {
    add(l, "forward", pass::forward);
    add(l, "backward_input", pass::backward_input);
    add(l, "backward_weight", pass::backward_weight);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
