/// The convolutions of AlexNet at 227 pixels, and kinds of those of ResNet-50 at 224, each pass on its own, direct and by
/// Winograd, in GFLOP/s of the direct convolution's multiplications: Winograd's may exceed the peak. Depthwise layers are bound
/// by memory: GB/s counts maps in and out once, to be compared with "copy". Arguments: threads, batch.

#include "minicnn/kernels/conv/backward_input.hpp"
#include "minicnn/kernels/conv/backward_weight.hpp"
#include "minicnn/kernels/conv/forward.hpp"
#include "minicnn/kernels/winograd/backward_weight.hpp"
#include "minicnn/kernels/winograd/forward.hpp"

#include "peak.hpp"

namespace {

using minicnn::index_t;
using minicnn::kernels::conv_geometry;

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
/// Names: filter, stride where it is not 1, input size, channels and filters.
const layer resnet_layers[] = {
    {"1x1/56/64to256", square(64, 56, 256, 1, 1, 0)},         {"1x1/56/256to64", square(256, 56, 64, 1, 1, 0)},
    {"1x1/28/512to128", square(512, 28, 128, 1, 1, 0)},       {"1x1/14/256to1024", square(256, 14, 1024, 1, 1, 0)},
    {"1x1/7/2048to512", square(2048, 7, 512, 1, 1, 0)},       {"1x1s2/56/256to512", square(256, 56, 512, 1, 2, 0)},
    {"1x1s2/14/1024to2048", square(1024, 14, 2048, 1, 2, 0)}, {"3x3s2/56/128to128", square(128, 56, 128, 3, 2, 1)},
    {"3x3s2/14/512to512", square(512, 14, 512, 3, 2, 1)},     {"3x3/56/64to64", square(64, 56, 64, 3, 1, 1)},
    {"3x3/7/512to512", square(512, 7, 512, 3, 1, 1)}};

conv_geometry depthwise(index_t channels, index_t size, index_t kernel, index_t stride) {
  conv_geometry g = square(channels, size, channels, kernel, stride, kernel / 2);
  g.groups = channels;
  return g;
}

const layer mobile_layers[] = {{"depthwise3x3/56/128", depthwise(128, 56, 3, 1)},
                               {"depthwise3x3s2/56/128", depthwise(128, 56, 3, 2)},
                               {"depthwise3x3/14/384", depthwise(384, 14, 3, 1)},
                               {"depthwise5x5/14/672", depthwise(672, 14, 5, 1)},
                               {"depthwise3x3/7/960", depthwise(960, 7, 3, 1)}};

/// Reads a map of 56 x 56 x 128 and 8 images and writes another.
void copy(benchmark::State& state) {
  const minicnn::context ctx{static_cast<int>(state.range(0)), minicnn::default_isa()};
  const index_t count = index_t{8} * 128 * 56 * 56;
  minicnn::aligned_buffer<float> from(count), to(count);
  std::fill(from.data(), from.data() + count, 1.0F);  // pages that were never written are all the same one
  for (auto _ : state) minicnn::kernels::scale_elements(ctx, 2.0F, from.data(), to.data(), count);
  state.counters["GB/s"] = benchmark::Counter(8e-9 * static_cast<double>(count), benchmark::Counter::kIsIterationInvariantRate);
}

enum class pass { forward, backward_input, backward_weight };

void convolve(benchmark::State& state, const conv_geometry& g, pass which, bool winograd) {
  const minicnn::context ctx{static_cast<int>(state.range(0)), minicnn::default_isa()};
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
      return which == pass::forward ? minicnn::kernels::winograd::forward_scratch_bytes<float>(ctx.threads, batch, g)
             : which == pass::backward_input
                 ? minicnn::kernels::winograd::backward_input_scratch_bytes<float>(ctx.threads, batch, g)
                 : minicnn::kernels::winograd::backward_weight_scratch_bytes<float>(ctx.threads, batch, g);
    return which == pass::forward          ? minicnn::kernels::conv_forward_scratch_bytes<float>(ctx.threads, batch, g)
           : which == pass::backward_input ? minicnn::kernels::conv_backward_input_scratch_bytes<float>(ctx.threads, batch, g)
                                           : minicnn::kernels::conv_backward_weight_scratch_bytes<float>(ctx.threads, batch, g);
  };
  const index_t bytes = scratch_bytes();
  minicnn::aligned_buffer<std::byte> memory(bytes);
  const minicnn::kernels::conv_operands<float> operands{.x = x.data(),
                                                        .weight = w.data(),
                                                        .bias = bias.data(),
                                                        .y = y.data(),
                                                        .activation = minicnn::kernels::fused_activation<float>::relu()};
  for (auto _ : state) {
    minicnn::scratch work(memory.data(), bytes);
    if (which == pass::forward && winograd)
      minicnn::kernels::winograd::forward<float>(ctx, batch, g, operands, work);
    else if (which == pass::forward)
      minicnn::kernels::conv_forward<float>(ctx, batch, g, operands, work);
    else if (which == pass::backward_input && winograd)
      minicnn::kernels::winograd::backward_input<float>(ctx, batch, g, y.data(), w.data(), x.data(), false, work);
    else if (which == pass::backward_input)
      minicnn::kernels::conv_backward_input<float>(ctx, batch, g, y.data(), w.data(), x.data(), false, work);
    else if (winograd)
      minicnn::kernels::winograd::backward_weight<float>(
          ctx, batch, g, {.x = x.data(), .dy = y.data(), .dweight = w.data(), .dbias = bias.data()}, work);
    else
      minicnn::kernels::conv_backward_weight<float>(
          ctx, batch, g, {.x = x.data(), .dy = y.data(), .dweight = w.data(), .dbias = bias.data()}, work);
  }
  state.counters["GB/s"] =
      benchmark::Counter(4e-9 * static_cast<double>(batch * (g.channels * g.height * g.width + g.filters * pixels)),
                         benchmark::Counter::kIsIterationInvariantRate);
  bench::report(state, 2.0 * static_cast<double>(batch * g.filters * pixels * g.group_channels() * g.taps()));
  state.counters["scratch MB"] = static_cast<double>(bytes) * 1e-6;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = [](benchmark::internal::Benchmark* b, bool small) {
    b->UseRealTime()->Unit(benchmark::kMillisecond);
    if (small)
      b->Args({2, 8})->Args({1, 8});
    else
      b->Args({2, 64})->Args({2, 20})->Args({1, 1})->Args({2, 1});
  };
  benchmark::RegisterBenchmark("peak", bench::fma_peak)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1)->Arg(2);
  const auto add = [&](const layer& l, const char* name, pass which, bool small) {
    const std::string full = l.name + std::string("/") + name;
    arguments(benchmark::RegisterBenchmark(full.c_str(), convolve, l.g, which, false), small);
    if (minicnn::kernels::winograd::is_supported(l.g) && l.g.groups == 1)
      arguments(benchmark::RegisterBenchmark((full + "/winograd").c_str(), convolve, l.g, which, true), small);
  };
  const auto add_all = [&](const layer& l, bool small) {
    add(l, "forward", pass::forward, small);
    add(l, "backward_input", pass::backward_input, small);
    add(l, "backward_weight", pass::backward_weight, small);
  };
  for (const layer& l : layers) add_all(l, false);
  for (const layer& l : resnet_layers) add_all(l, true);
  benchmark::RegisterBenchmark("copy", copy)->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1)->Arg(2);
  for (const layer& l : mobile_layers) add_all(l, true);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
