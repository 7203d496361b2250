#include "minicnn/kernels/product/tile_shape.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "minicnn/core/error.hpp"

namespace {

using minicnn::index_t;
using minicnn::kernels::block_grid;
using minicnn::kernels::choose_blocks;

constexpr index_t most_rows = 384, most_columns = 256, lanes = 16;

block_grid blocks(int threads, index_t m, index_t n, index_t tile_rows) {
  return choose_blocks(threads, m, n, tile_rows, 2 * lanes, most_rows, most_columns, lanes);
}

}  // namespace

TEST_CASE("blocks cover all of C once, within their limits") {
  for (const int threads : {1, 2, 3, 8, 64})
    for (const index_t m : {1, 13, 64, 192, 500, 2048})
      for (const index_t n : {1, 16, 49, 289, 784, 3136, 100352}) {
        CAPTURE(threads);
        CAPTURE(m);
        CAPTURE(n);
        const block_grid g = blocks(threads, m, n, 14);
        CHECK(g.row(0, m) == 0);
        CHECK(g.row(g.row_blocks, m) == m);
        CHECK(g.column(0, n) == 0);
        CHECK(g.column(g.column_blocks, n) == n);
        for (index_t i = 0; i < g.row_blocks; ++i) {
          const index_t rows = g.row(i + 1, m) - g.row(i, m);
          CHECK((rows > 0 && rows <= g.rows && g.rows <= most_rows));
          CHECK(g.row(i, m) % 14 == 0);
        }
        for (index_t i = 0; i < g.column_blocks; ++i) {
          const index_t columns = g.column(i + 1, n) - g.column(i, n);
          CHECK((columns > 0 && columns <= g.columns && g.columns <= most_columns));
          CHECK(g.column(i, n) % lanes == 0);
        }
      }
  CHECK(blocks(2, 0, 5, 14).count() == 0);
  CHECK(blocks(2, 5, 0, 14).count() == 0);
}

// Thread t begins with tasks [count * t / threads, count * (t + 1) / threads) (parallel_tasks).
TEST_CASE("two threads have nearly the same to do, in the layers of networks") {
  struct layer {
    index_t filters, positions, tile_rows;
  };
  for (const layer l : {layer{128, 28 * 28, 8},
                        {512, 28 * 28, 14},
                        {1024, 14 * 14, 14},
                        {256, 14 * 14, 8},
                        {512, 7 * 7, 14},
                        {64, 56 * 56, 8},
                        {192, 17 * 17, 12},
                        {192, 8 * 17 * 17, 12},
                        {160, 8 * 17 * 17, 10},
                        {64, 35 * 35, 8},
                        {512, 8 * 7 * 7, 14},
                        {64, 13 * 13, 8},
                        {256, 8 * 13 * 13, 8}}) {
    CAPTURE(l.filters);
    CAPTURE(l.positions);
    const block_grid g = blocks(2, l.filters, l.positions, l.tile_rows);
    index_t share[2] = {0, 0};
    for (index_t task = 0; task < g.count(); ++task) {
      const index_t i = task % g.row_blocks, j = task / g.row_blocks;
      share[2 * task >= g.count()] +=
          (g.row(i + 1, l.filters) - g.row(i, l.filters)) * (g.column(j + 1, l.positions) - g.column(j, l.positions));
    }
    CHECK(share[0] + share[1] == l.filters * l.positions);
    CHECK(20 * std::max(share[0], share[1]) <= 21 * (share[0] + share[1]) / 2);
  }
}

TEST_CASE("a tile's sums, two vectors a row, fit the registers: 32 with AVX-512 and on ARM, else 16") {
  using minicnn::isa;
  using minicnn::kernels::choose_tile_rows;
  CHECK(choose_tile_rows(isa::avx512, 14 * 12) == 14);
#if defined(__aarch64__)
  CHECK(choose_tile_rows(isa::baseline, 14 * 12) == 12);
#else
  CHECK(choose_tile_rows(isa::avx2, 14 * 12) == 6);
  CHECK(choose_tile_rows(isa::baseline, 14 * 12) == 6);
#endif
}
