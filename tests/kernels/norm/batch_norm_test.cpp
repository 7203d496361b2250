#include "minicnn/kernels/norm/batch_norm.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "kernels/naive.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

/// Batch normalisation by its definition, in double, and its gradients.
struct naive_norm {
  std::vector<double> y, dx, dw, db, mean, variance;

  naive_norm(const norm_extents& e, double eps, const std::vector<double>& x, const std::vector<double>& g,
             const std::vector<double>& w, const std::vector<double>& b)
      : y(x.size()), dx(x.size()), dw(w.size()), db(w.size()), mean(w.size()), variance(w.size()) {
    const auto count = static_cast<double>(e.count());
    for (index_t c = 0; c < e.channels; ++c) {
      const auto k = static_cast<std::size_t>(c);
      std::vector<std::size_t> places;
      for (index_t n = 0; n < e.images; ++n)
        for (index_t p = 0; p < e.pixels; ++p) places.push_back(static_cast<std::size_t>((n * e.channels + c) * e.pixels + p));
      for (std::size_t i : places) mean[k] += x[i] / count;
      for (std::size_t i : places) variance[k] += (x[i] - mean[k]) * (x[i] - mean[k]) / count;
      const double inverse = 1 / std::sqrt(variance[k] + eps);
      for (std::size_t i : places) {
        const double normal = (x[i] - mean[k]) * inverse;
        y[i] = normal * w[k] + b[k];
        dw[k] += g[i] * normal;
        db[k] += g[i];
      }
      for (std::size_t i : places) dx[i] = w[k] * inverse * (g[i] - db[k] / count - (x[i] - mean[k]) * inverse * dw[k] / count);
    }
  }
};

template <class T>
double worst_difference(const std::vector<T>& got, const std::vector<double>& wanted) {
  double worst = 0;
  for (std::size_t i = 0; i < got.size(); ++i) worst = (std::max)(worst, std::abs(static_cast<double>(got[i]) - wanted[i]));
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("batch norm against its definition", T, float, double) {
  const double bound = sizeof(T) == 4 ? 1e-5 : 1e-13;
  for (const norm_extents& e : {norm_extents{2, 3, 35}, norm_extents{5, 1, 16}, norm_extents{1, 4, 9000}, norm_extents{7, 40, 1},
                                norm_extents{2, 17, 1}, norm_extents{9000, 3, 1}, norm_extents{3, 70, 4},
                                norm_extents{17, 9, 900}, norm_extents{33, 12, 300}}) {  // the last two: threads share images
    CAPTURE(e.pixels);
    CAPTURE(e.channels);
    auto x = naive::random_values<T>(e.channels * e.count(), 1);
    for (T& value : x) value += T{3};
    const auto g = naive::random_values<T>(e.channels * e.count(), 2);
    const auto w = naive::random_values<T>(e.channels, 3), b = naive::random_values<T>(e.channels, 4);
    const naive_norm wanted(e, 1e-5, naive::widened(x), naive::widened(g), naive::widened(w), naive::widened(b));
    for (isa set : naive::all_isas())
      for (int threads : {1, 2}) {
        const context ctx{threads, set};
        const auto channels = static_cast<std::size_t>(e.channels);
        std::vector<T> y(x.size()), dx = g, dw(channels), db(channels), mean(channels, T{0}), variance(channels, T{0});
        std::vector<norm_statistics> statistics(channels);
        naive::guarded_scratch memory(batch_norm_scratch_bytes<T>(e));
        scratch work = memory.get();
        batch_norm_forward_batch(ctx, e, 1e-5, 1.0, w.data(), b.data(), {}, x.data(), y.data(), statistics.data(), mean.data(),
                                 variance.data(), work);
        CHECK(worst_difference(y, wanted.y) < bound);
        CHECK(worst_difference(mean, wanted.mean) < bound);
        const double unbiased = static_cast<double>(e.count()) / static_cast<double>(e.count() - 1);
        double off = 0;
        for (std::size_t c = 0; c < channels; ++c)
          off = (std::max)(off, std::abs(static_cast<double>(variance[c]) - unbiased * wanted.variance[c]));
        CHECK(off < bound);

        const auto statistic = [&](index_t c) { return statistics[static_cast<std::size_t>(c)]; };
        norm_gradients<T> out;
        out.x = dx.data(), out.weight = dw.data(), out.bias = db.data();
        work = memory.get();
        batch_norm_backward(ctx, e, statistic, false, w.data(), b.data(), {}, x.data(), dx.data(), out, work);  // in place
        CHECK(memory.intact());
        CHECK(worst_difference(dx, wanted.dx) < bound);
        CHECK(worst_difference(dw, wanted.dw) < bound * std::sqrt(static_cast<double>(e.count())));
        CHECK(worst_difference(db, wanted.db) < bound * std::sqrt(static_cast<double>(e.count())));
      }
  }
}

TEST_CASE("batch norm: the same bits with one, two and three threads, whether they share channels or images") {
  // Parts of one image and of several; too large for a cache, few channels, one pixel.
  for (const norm_extents& e : {norm_extents{40, 37, 150}, norm_extents{8, 64, 600}, norm_extents{5, 3, 30000},
                                norm_extents{2, 70, 49}, norm_extents{40, 370, 400}, norm_extents{300, 50, 1}}) {
    CAPTURE(e.pixels);
    const auto channels = static_cast<std::size_t>(e.channels);
    const auto x = naive::random_values<float>(e.channels * e.count(), 1),
               g = naive::random_values<float>(e.channels * e.count(), 2);
    std::vector<float> first, first_dx, first_dw;
    for (int threads : {1, 2, 3}) {
      const context ctx{threads, detect_isa()};
      std::vector<float> y(x.size()), dx(x.size()), dw(channels), mean(channels), variance(channels);
      std::vector<norm_statistics> statistics(channels);
      std::vector<std::byte> memory(static_cast<std::size_t>(batch_norm_scratch_bytes<float>(e)));
      scratch work(memory.data(), static_cast<index_t>(memory.size()));
      batch_norm_forward_batch<float>(ctx, e, 1e-5, 0.1, nullptr, nullptr, kernels::fused_activation<float>::relu(), x.data(),
                                      y.data(), statistics.data(), mean.data(), variance.data(), work);
      work = scratch(memory.data(), static_cast<index_t>(memory.size()));
      norm_gradients<float> out;
      out.x = dx.data(), out.weight = dw.data();
      batch_norm_backward<float>(
          ctx, e, [&](index_t c) { return statistics[static_cast<std::size_t>(c)]; }, false, nullptr, nullptr,
          kernels::fused_activation<float>::relu(), x.data(), g.data(), out, work);
      if (first.empty()) first = y, first_dx = dx, first_dw = dw;
      CHECK(y == first);
      CHECK(dx == first_dx);
      CHECK(dw == first_dw);
    }
  }
}

TEST_CASE("batch norm: the scratch for a batch is_supported smaller ones") {
  for (index_t pixels : {1, 4, 49, 900, 5000})
    for (index_t images = 1; images < 200; ++images) {
      const norm_extents less{images, 3, pixels}, more{images + 1, 3, pixels};
      CHECK(batch_norm_scratch_bytes<float>(less) <= batch_norm_scratch_bytes<float>(more));
      const norm_blocks<float> blocks(context{2, detect_isa()}, less);
      CHECK(blocks.groups <= norm_blocks<float>::most_groups(less));
    }
}

TEST_CASE("batch norm of maps without pixels, or of no images, touches nothing") {
  for (const norm_extents& e : {norm_extents{2, 4, 0}, norm_extents{0, 4, 9}, norm_extents{0, 4, 1}})
    for (isa set : naive::all_isas()) {
      const context ctx{2, set};
      std::vector<float> x(8, 1.0F), y(8, 5.0F);
      const auto statistic = [](index_t) { return norm_statistics{0.5, 2.0}; };
      batch_norm_forward<float>(ctx, e, statistic, nullptr, nullptr, {}, x.data(), y.data());
      naive::guarded_scratch memory(batch_norm_scratch_bytes<float>(e));
      scratch work = memory.get();
      norm_gradients<float> out;
      out.x = y.data();
      batch_norm_backward<float>(ctx, e, statistic, true, nullptr, nullptr, {}, x.data(), x.data(), out, work);
      CHECK(memory.intact());
      CHECK(y == std::vector<float>(8, 5.0F));
    }
}
