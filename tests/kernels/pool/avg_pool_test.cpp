#include "minicnn/kernels/pool/avg_pool.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "kernels/naive.hpp"
#include "kernels/pool/pool_cases.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

TEST_CASE_TEMPLATE("average pooling against its definition", T, float, double) {
  const index_t planes = 3;
  const double bound = sizeof(T) == 4 ? 1e-6 : 1e-14;
  for (const pool_geometry& g : pool_cases())
    for (bool count_padding : {true, false}) {
      CAPTURE(g.columns.in);
      CAPTURE(g.columns.kernel);
      CAPTURE(g.columns.stride);
      CAPTURE(count_padding);
      const auto in = naive::random_values<T>(planes * g.in_size(), 1);
      const auto upstream = naive::random_values<T>(planes * g.out_size(), 2);
      std::vector<double> wanted(upstream.size(), 0.0), gradient(in.size(), 0.0);
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        const index_t p = static_cast<index_t>(i) / g.out_size(), o = static_cast<index_t>(i) % g.out_size();
        const index_t oy = o / g.columns.out, ox = o % g.columns.out;
        const auto cells = static_cast<double>(g.rows.cells(oy, count_padding) * g.columns.cells(ox, count_padding));
        for (index_t y = g.rows.begin(oy); y < g.rows.end(oy); ++y)
          for (index_t x = g.columns.begin(ox); x < g.columns.end(ox); ++x) {
            const auto at = static_cast<std::size_t>(p * g.in_size() + y * g.columns.in + x);
            wanted[i] += static_cast<double>(in[at]) / cells;
            gradient[at] += static_cast<double>(upstream[i]) / cells;
          }
      }
      for (isa set : naive::all_isas())
        for (int threads : {1, 2}) {
          const context ctx{threads, set};
          std::vector<T> out(wanted.size(), T{-9}), back(in.size(), T{-9}), added(in.size(), T{1});
          avg_pool_forward(ctx, g, planes, count_padding, in.data(), out.data());
          avg_pool_backward(ctx, g, planes, count_padding, upstream.data(), back.data(), false);
          avg_pool_backward(ctx, g, planes, count_padding, upstream.data(), added.data(), true);
          double worst = 0;
          for (std::size_t i = 0; i < out.size(); ++i)
            worst = (std::max)(worst, std::abs(static_cast<double>(out[i]) - wanted[i]));
          for (std::size_t i = 0; i < back.size(); ++i)
            worst = (std::max)({worst, std::abs(static_cast<double>(back[i]) - gradient[i]) / 8,
                                std::abs(static_cast<double>(added[i]) - 1 - gradient[i]) / 8});
          CHECK(worst < bound);
        }
    }
}

TEST_CASE_TEMPLATE("average pooling of ones gives exactly one", T, float, double) {
  const pool_geometry g{{50, 8, 7, 6, 0, 0}, {50, 22, 7, 2, 0, 0}};
  const std::vector<T> in(2500, T{1});
  for (isa set : naive::all_isas()) {
    std::vector<T> out(static_cast<std::size_t>(g.out_size()));
    avg_pool_forward(context{1, set}, g, 1, true, in.data(), out.data());
    CHECK(out == std::vector<T>(out.size(), T{1}));
  }
}

TEST_CASE("average pooling of stride 1 reads neither other planes nor beyond the last") {
  const pool_geometry g{{3, 3, 3, 1, 1, 1}, {17, 17, 3, 1, 1, 1}};
  for (isa set : naive::all_isas()) {
    std::vector<float> in(static_cast<std::size_t>(3 * g.in_size()), 1.0F);  // no room behind it, for the address sanitizer
    std::fill(in.begin(), in.begin() + g.in_size(), NAN);
    std::fill(in.end() - g.in_size(), in.end(), NAN);
    std::vector<float> out(in.size() + 1, -9.0F);
    avg_pool_forward(context{1, set}, g, 3, false, in.data(), out.data());
    for (index_t i = 0; i < g.out_size(); ++i) CHECK(out[static_cast<std::size_t>(g.out_size() + i)] == 1.0F);
    CHECK(out.back() == -9.0F);
  }
}
