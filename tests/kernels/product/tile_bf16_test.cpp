#include "minicnn/kernels/product/tile_bf16.hpp"

#include <doctest/doctest.h>

#include "kernels/naive.hpp"
#include "minicnn/core/half.hpp"
#include "minicnn/kernels/conv/backward_input.hpp"
#include "minicnn/kernels/conv/backward_weight.hpp"
#include "minicnn/kernels/conv/forward.hpp"
#include "minicnn/kernels/product/gemm.hpp"

namespace {

using minicnn::index_t;
using minicnn::isa;
using minicnn::kernels::conv_geometry;

/// What the kernels multiply: the operands after rounding, exactly.
std::vector<double> rounded(const std::vector<float>& x) {
  std::vector<double> out;
  for (const float v : x) out.push_back(static_cast<double>(minicnn::to_float(minicnn::to_bfloat16(v))));
  return out;
}

}  // namespace

TEST_CASE("rounding and packing to bfloat16 round as core/half.hpp does; packing pairs the steps") {
  const float inf = INFINITY, nan = NAN;
  const std::vector<float> values = {1.0F,
                                     -1.0F,
                                     0.0F,
                                     -0.0F,
                                     1.00390625F /* a tie, to even: down */,
                                     1.01171875F /* a tie, up */,
                                     3.4e38F,
                                     -3.4e38F,
                                     inf,
                                     -inf,
                                     nan,
                                     1e-40F,
                                     1.9999999F,
                                     0.1F,
                                     -0.3F};
  for (isa i : naive::all_isas())
    for (const index_t width : {1, 3, 14, 32})
      for (const index_t depth : {1, 2, 5}) {
        std::vector<float> panel(static_cast<std::size_t>(width * depth));
        for (std::size_t k = 0; k < panel.size(); ++k) panel[k] = values[k % values.size()];
        std::vector<float> round = panel, pairs = panel;
        minicnn::kernels::round_to_bf16(i, width * depth, round.data());
        for (std::size_t k = 0; k < panel.size(); ++k)
          CHECK(std::bit_cast<std::uint32_t>(round[k]) == std::uint32_t{minicnn::to_bfloat16(panel[k]).bits} << 16);
        if (!minicnn::kernels::native_bf16(i)) continue;
        minicnn::kernels::pack_bf16_pairs(1, depth, width, pairs.data());
        for (index_t k = 0; k < depth; ++k)
          for (index_t l = 0; l < width; ++l) {
            const auto word = std::bit_cast<std::uint32_t>(pairs[static_cast<std::size_t>(k / 2 * width + l)]);
            const auto got = static_cast<std::uint16_t>(k % 2 == 0 ? word & 0xFFFFU : word >> 16);
            const float value = panel[static_cast<std::size_t>(k * width + l)];
            // The processor's own conversion takes what is below 2^-126 for zero; the tail of a panel may go the other way.
            if (value == 1e-40F && got == 0U) continue;
            const auto want = minicnn::to_bfloat16(value);
            CHECK(got == want.bits);
            if (k == depth - 1 && depth % 2 == 1) CHECK((word >> 16) == 0U);
          }
      }
}

TEST_CASE("matrix products of rounded operands, on every instruction set") {
  for (const auto& [m, n, k] : {std::array<index_t, 3>{9, 5, 3}, {20, 33, 64}, {37, 70, 301}, {64, 40, 513}, {1, 1, 1}}) {
    const auto a = naive::random_values<float>(m * k, 1), b = naive::random_values<float>(k * n, 2);
    const auto wide_a = rounded(a), wide_b = rounded(b);
    std::vector<double> want(static_cast<std::size_t>(m * n));
    for (index_t i = 0; i < m; ++i)
      for (index_t j = 0; j < n; ++j)
        for (index_t l = 0; l < k; ++l) want[naive::at(i * n + j)] += wide_a[naive::at(i * k + l)] * wide_b[naive::at(l * n + j)];
    std::vector<float> first;
    for (isa i : naive::all_isas())
      for (int threads : {1, 3}) {
        naive::guarded_scratch memory(minicnn::kernels::gemm_scratch_bytes<float>(threads, m, n, k));
        minicnn::scratch work = memory.get();
        std::vector<float> c(want.size(), NAN);
        minicnn::kernels::gemm<float>({threads, i, true}, minicnn::kernels::row_major(a.data(), m, k),
                                      minicnn::kernels::row_major(b.data(), k, n), c.data(), n, {}, work);
        CHECK(memory.intact());
        CHECK(naive::worst_error(c, want) < naive::rounding<float>(k));
        if (threads == 1)
          first = c;
        else
          CHECK(c == first);
      }
  }
}

TEST_CASE("convolutions of rounded operands, on every instruction set") {
  const auto square = [](index_t channels, index_t size, index_t filters, index_t kernel, index_t stride, index_t pad,
                         index_t groups) {
    return conv_geometry{channels, size, size, filters, kernel, kernel, stride, stride, 1, 1, pad, pad, pad, pad, groups};
  };
  const index_t batch = 3;
  // The last: 270 positions, so that the weight gradient's second chunk is shorter than half a block of the matrix unit.
  const conv_geometry short_chunk{20, 10, 9, 24, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  for (const conv_geometry& g : {square(3, 23, 20, 7, 4, 0, 1), square(8, 9, 16, 3, 1, 1, 2), square(37, 6, 18, 1, 1, 0, 1),
                                 square(24, 7, 40, 3, 1, 1, 1), short_chunk}) {
    const index_t pixels = g.out_height() * g.out_width();
    const auto x = naive::random_values<float>(batch * g.channels * g.height * g.width, 1);
    const auto w = naive::random_values<float>(g.filters * g.group_channels() * g.taps(), 2);
    const auto dy = naive::random_values<float>(batch * g.filters * pixels, 3);
    const auto want = naive::conv_forward(batch, g, rounded(x), rounded(w), {}, false);
    const auto gradients = naive::conv_backward(batch, g, rounded(x), rounded(w), rounded(dy));
    for (isa i : naive::all_isas()) {
      const minicnn::context ctx{2, i, true};
      std::vector<float> y(dy.size(), NAN), dx(x.size(), NAN), dw(w.size(), NAN);
      const auto with = [&](index_t bytes, auto pass) {
        naive::guarded_scratch memory(bytes);
        minicnn::scratch work = memory.get();
        pass(work);
        CHECK(memory.intact());
      };
      with(minicnn::kernels::conv_forward_scratch_bytes<float>(2, batch, g), [&](minicnn::scratch& work) {
        minicnn::kernels::conv_forward<float>(ctx, batch, g, {.x = x.data(), .weight = w.data(), .y = y.data()}, work);
      });
      with(minicnn::kernels::conv_backward_input_scratch_bytes<float>(2, batch, g), [&](minicnn::scratch& work) {
        minicnn::kernels::conv_backward_input<float>(ctx, batch, g, dy.data(), w.data(), dx.data(), false, work);
      });
      with(minicnn::kernels::conv_backward_weight_scratch_bytes<float>(2, batch, g), [&](minicnn::scratch& work) {
        minicnn::kernels::conv_backward_weight<float>(ctx, batch, g, {.x = x.data(), .dy = dy.data(), .dweight = dw.data()},
                                                      work);
      });
      CHECK(naive::worst_error(y, want) < naive::rounding<float>(g.group_channels() * g.taps()));
      CHECK(naive::worst_error(dx, gradients.dx) < naive::rounding<float>(g.group_filters() * g.taps()));
      CHECK(naive::worst_error(dw, gradients.dw) < naive::rounding<float>(batch * pixels));
    }
  }
}

TEST_CASE("every unit that multiplies: AMX, vdpbf16ps, float; whole blocks, parts of blocks, sums added to") {
  using namespace minicnn::kernels;
  for (isa i : naive::all_isas())
    for (const int rows : {1, 6, 8, 14, amx_rows}) {
      if (i != isa::avx512 && rows > 6 && rows != amx_rows) continue;  // taller than its tiles
      if (rows == amx_rows && !native_bf16(i)) continue;
      const tile<float> t = rows == amx_rows ? amx_tile(i) : native_bf16(i) ? bf16_pairs_tile(i, rows) : rounded_tile(i, rows);
      for (const index_t depth : {1, 15, 16, 31, 32, 33, 182, 256}) {
        if (rows == amx_rows && !has_amx(i) && amx_multiplies(depth)) continue;  // such tiles are chosen only where it is
        const index_t panels = 3, width = t.columns;
        const auto a = naive::random_values<float>(panels * depth * rows, 1), b = naive::random_values<float>(depth * width, 2);
        const auto wide_a = rounded(a), wide_b = rounded(b);
        std::vector<double> want(static_cast<std::size_t>(panels * rows * width), 0.25);
        for (index_t p = 0; p < panels; ++p)
          for (index_t k = 0; k < depth; ++k)
            for (index_t r = 0; r < rows; ++r)
              for (index_t j = 0; j < width; ++j)
                want[naive::at((p * rows + r) * width + j)] +=
                    wide_a[naive::at((p * depth + k) * rows + r)] * wide_b[naive::at(k * width + j)];
        std::vector<float> packed_a = a, packed_b = b, sums(want.size(), 0.25F);
        packed_a.resize(packed_a.size() + pack_slack<float>);
        packed_b.resize(packed_b.size() + pack_slack<float>);
        t.convert_a(t, panels, depth, packed_a.data());
        t.convert_b(t, depth, packed_b.data());
        const column_product<float> product{.depth = depth,
                                            .a = packed_a.data(),
                                            .panel_stride = depth * rows,
                                            .depth_stride = rows,
                                            .panels = panels,
                                            .b = packed_b.data(),
                                            .sums = sums.data(),
                                            .first = false};
        t.multiply(&product);
        CAPTURE(rows);
        CAPTURE(depth);
        CHECK(naive::worst_error(sums, want) < naive::rounding<float>(depth));
      }
    }
}

// On every processor: the fields alone are read.
TEST_CASE("tiles that read pairs of bfloat16 have no kernel of plain floats but those that they set") {
  using namespace minicnn::kernels;
  using minicnn::isa;
  for (const tile<float>& t : {bf16_pairs_tile(isa::avx512, 14), amx_tile(isa::avx512)}) {
    CHECK((t.multiply != plain_tile<float>(isa::avx512, t.rows == amx_rows ? 8 : t.rows).multiply));
    CHECK((t.multiply_row == nullptr));
    CHECK((t.multiply_one == nullptr));
    CHECK((t.multiply_four == nullptr));
  }
}

TEST_CASE("double is not rounded") {
  const auto a = naive::random_values<double>(20 * 30, 1), b = naive::random_values<double>(30 * 10, 2);
  std::vector<double> c[2];
  for (const bool bf16 : {false, true}) {
    naive::guarded_scratch memory(minicnn::kernels::gemm_scratch_bytes<double>(1, 20, 10, 30));
    minicnn::scratch work = memory.get();
    c[bf16].resize(200);
    minicnn::kernels::gemm<double>({1, minicnn::detect_isa(), bf16}, minicnn::kernels::row_major(a.data(), 20, 30),
                                   minicnn::kernels::row_major(b.data(), 30, 10), c[bf16].data(), 10, {}, work);
  }
  CHECK(c[0] == c[1]);
}
