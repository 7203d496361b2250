/// Images/s that a loader decodes, crops, resizes and normalises. Arguments: workers, image size. The folder of pictures is the
/// environment variable MINICNN_DOGS_VS_CATS (or another folder of JPEGs).

#include <cstdlib>

#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "peak.hpp"

namespace {

void load(benchmark::State& state, const minicnn::image_dataset& pictures, std::int64_t cache_bytes) {
  minicnn::image_transform transform{.size = state.range(1)};
  transform.augment.flip = 0.5;
  minicnn::sample_indices some = minicnn::all_samples(pictures);
  some.resize((std::min)(some.size(), std::size_t{1024}));
  minicnn::loader<float> data(pictures, some,
                              {.batch_size = 64,
                               .transform = transform,
                               .training = true,
                               .workers = static_cast<int>(state.range(0)),
                               .cache_bytes = cache_bytes,
                               .preload = cache_bytes > 0});
  std::int64_t images = 0, epoch = 0;
  for (auto _ : state) {
    data.start_epoch(epoch++);
    while (const minicnn::batch<float>* b = data.next()) images += b->images.dim(0);
  }
  state.counters["images/s"] = benchmark::Counter(static_cast<double>(images), benchmark::Counter::kIsRate);
}

}  // namespace

int main(int argc, char** argv) {
  const char* const folder = std::getenv("MINICNN_DOGS_VS_CATS");
  if (folder == nullptr) {
    std::fprintf(stderr, "bench_loader: set MINICNN_DOGS_VS_CATS to a folder of pictures (dog.0.jpg, or a folder a class)\n");
    return 1;
  }
  const minicnn::image_dataset pictures = minicnn::read_image_folder(folder);
  for (const auto& [name, cache] : {std::pair("decoded", std::int64_t{0}), std::pair("cached", std::int64_t{1} << 30)})
    benchmark::RegisterBenchmark(name, [&, bytes = cache](benchmark::State& s) { load(s, pictures, bytes); })
        ->UseRealTime()
        ->Unit(benchmark::kMillisecond)
        ->Args({1, 227})
        ->Args({2, 227})
        ->Args({1, 128});
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
