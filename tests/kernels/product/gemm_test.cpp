#include "minicnn/kernels/product/gemm.hpp"

#include <doctest/doctest.h>

#include "kernels/naive.hpp"

namespace {

using minicnn::index_t;
using minicnn::isa;

struct product_case {
  index_t m, n, k;
  bool a_transposed, b_transposed, row_bias, column_bias, relu, add;
};

template <class T>
struct operands {
  std::vector<T> a, b, c, row_bias, column_bias;
  index_t ldc;

  explicit operands(const product_case& p)
      : a(naive::random_values<T>(p.m * p.k, 1)),
        b(naive::random_values<T>(p.k * p.n, 2)),
        c(naive::random_values<T>(p.m * (p.n + 3), 3)),
        row_bias(naive::random_values<T>(p.m, 4)),
        column_bias(naive::random_values<T>(p.n, 5)),
        ldc(p.n + 3) {}

  minicnn::kernels::matrix<T> left(const product_case& p) const {
    return p.a_transposed ? minicnn::kernels::transposed(minicnn::kernels::row_major(a.data(), p.k, p.m))
                          : minicnn::kernels::row_major(a.data(), p.m, p.k);
  }
  minicnn::kernels::matrix<T> right(const product_case& p) const {
    return p.b_transposed ? minicnn::kernels::transposed(minicnn::kernels::row_major(b.data(), p.n, p.k))
                          : minicnn::kernels::row_major(b.data(), p.k, p.n);
  }
};

template <class T>
std::vector<T> run(const product_case& p, isa i, int threads, naive::fused how) {
  const operands<T> o(p);
  std::vector<T> c = o.c;
  naive::guarded_scratch memory(minicnn::kernels::gemm_scratch_bytes<T>(threads, p.m, p.n, p.k));
  minicnn::scratch work = memory.get();
  const minicnn::kernels::epilogue<T> ep{p.row_bias ? o.row_bias.data() : nullptr, p.column_bias ? o.column_bias.data() : nullptr,
                                         naive::activation<T>(how), p.add};
  minicnn::kernels::gemm<T>({threads, i}, o.left(p), o.right(p), c.data(), o.ldc, ep, work);
  CHECK(memory.intact());
  return c;
}

template <class T>
std::vector<T> run(const product_case& p, isa i, int threads) {
  return run<T>(p, i, threads, p.relu ? naive::fused::relu : naive::fused::nothing);
}

template <class T>
std::vector<double> expected(const product_case& p) {
  const operands<T> o(p);
  const auto a = o.left(p), b = o.right(p);
  std::vector<double> c = naive::widened(o.c);  // the columns between n and ldc must survive
  for (index_t i = 0; i < p.m; ++i)
    for (index_t j = 0; j < p.n; ++j) {
      double sum = p.row_bias ? static_cast<double>(o.row_bias[naive::at(i)]) : 0.0;
      if (p.column_bias) sum += static_cast<double>(o.column_bias[naive::at(j)]);
      for (index_t k = 0; k < p.k; ++k)
        sum += static_cast<double>(a.data[i * a.row_stride + k * a.column_stride]) *
               static_cast<double>(b.data[k * b.row_stride + j * b.column_stride]);
      double& to = c[naive::at(i * o.ldc + j)];
      if (p.add) sum += to;
      to = p.relu && sum < 0 ? 0.0 : sum;
    }
  return c;
}

template <class T>
void check(const product_case& p) {
  INFO(p.m, " x ", p.n, " x ", p.k, " transposed ", p.a_transposed, p.b_transposed, " bias ", p.row_bias, p.column_bias, " relu ",
       p.relu, " add ", p.add);
  const std::vector<double> want = expected<T>(p);
  for (isa i : naive::all_isas()) {
    INFO("isa ", std::string(minicnn::name_of(i)));
    const std::vector<T> one = run<T>(p, i, 1);
    CHECK(naive::worst_error(one, want) < naive::rounding<T>(p.k));
    for (int threads : {2, 3}) CHECK(run<T>(p, i, threads) == one);
    const operands<T> o(p);
    for (const naive::fused how : {naive::fused::clip, naive::fused::square}) {
      std::vector<T> wanted = naive::activated(how, run<T>(p, i, 1, naive::fused::nothing));
      for (std::size_t at = 0; at < wanted.size(); ++at)  // the columns between n and ldc stay
        if (static_cast<index_t>(at) % o.ldc >= p.n) wanted[at] = o.c[at];
      CHECK(run<T>(p, i, 1, how) == wanted);
    }
  }
}

/// A small deterministic shuffle of sizes and flags that meets every pair of flags with many sizes.
product_case varied(int number) {
  const minicnn::random_key key(static_cast<std::uint64_t>(number) + 100);
  minicnn::random_stream s(key);
  return {1 + s.below(70),   1 + s.below(70),   1 + s.below(70),    (number & 1) != 0, (number & 2) != 0,
          (number & 4) != 0, (number & 8) != 0, (number & 16) != 0, (number & 32) != 0};
}

}  // namespace

TEST_CASE_TEMPLATE("products of all small sizes, transposes and epilogues", T, float, double) {
  for (int number = 0; number < 192; ++number) check<T>(varied(number));
}

TEST_CASE_TEMPLATE("single rows, columns and steps", T, float, double) {
  for (index_t m : {1, 2, 33})
    for (index_t n : {1, 2, 33})
      for (index_t k : {1, 2, 33})
        for (int t = 0; t < 4; ++t) check<T>({m, n, k, (t & 1) != 0, (t & 2) != 0, true, false, false, false});
}

TEST_CASE_TEMPLATE("products of several blocks and chunks", T, float, double) {
  for (int t = 0; t < 4; ++t) {
    check<T>({131, 97, 700, (t & 1) != 0, (t & 2) != 0, false, true, true, true});
    // Rows a power of two apart compete for cache lines, so they are packed.
    check<T>({131, 97, 1024, (t & 1) != 0, (t & 2) != 0, false, true, true, true});
    check<T>({20, 451, 512, (t & 1) != 0, (t & 2) != 0, false, true, true, false});
    check<T>({20, 451, 530, (t & 1) != 0, (t & 2) != 0, false, true, true, false});
    check<T>({401, 523, 23, (t & 1) != 0, (t & 2) != 0, true, false, false, true});
    check<T>({7, 5, 1031, (t & 1) != 0, (t & 2) != 0, true, false, false, false});
  }
}

// A is transposed, so it is packed: what is left over of whole vectors has a way of its own.
TEST_CASE_TEMPLATE("few columns left over of whole vectors", T, float, double) {
  for (const isa i : naive::all_isas()) {
    const index_t lanes = minicnn::kernels::tile_columns<T>(i) / 2;
    for (const index_t m : {4, 6, 8, 40, 75})  // one panel of A, and several
      for (const index_t whole : {index_t{0}, lanes, 2 * lanes})
        for (const index_t few : {1, 2, 3, 4, 5}) {
          const product_case p{m, whole + few, 300, true, false, true, false, false, true};
          CAPTURE(m);
          CAPTURE(whole);
          CAPTURE(few);
          CHECK(naive::worst_error(run<T>(p, i, 1), expected<T>(p)) < naive::rounding<T>(p.k));
          CHECK(run<T>(p, i, 2) == run<T>(p, i, 1));
        }
  }
}

// A is transposed, so it is packed. Sums of columns with a bias of their own take the way through memory.
TEST_CASE_TEMPLATE("short sums stored from registers have the bits of those stored from memory", T, float, double) {
  for (const isa i : naive::all_isas())
    for (const index_t k : {1, 16, 27, 128, 129})
      for (const index_t m : {1, 5, 24, 100})
        for (const index_t n : {7, 64, 300, 1000})
          for (const bool add : {false, true}) {
            INFO(m, " x ", n, " x ", k, ", isa ", std::string(minicnn::name_of(i)));
            operands<T> o({m, n, k, true, false, true, false, false, add});
            std::vector<T> c[2] = {o.c, o.c};
            for (const bool with_zeros : {false, true}) {
              std::fill(o.column_bias.begin(), o.column_bias.end(), T{0});
              naive::guarded_scratch memory(minicnn::kernels::gemm_scratch_bytes<T>(1, m, n, k));
              minicnn::scratch work = memory.get();
              minicnn::kernels::gemm<T>(
                  {1, i}, minicnn::kernels::transposed(minicnn::kernels::row_major(o.a.data(), k, m)),
                  minicnn::kernels::row_major(o.b.data(), k, n), c[with_zeros].data(), o.ldc,
                  {o.row_bias.data(), with_zeros ? o.column_bias.data() : nullptr, naive::activation<T>(naive::fused::clip), add},
                  work);
              CHECK(memory.intact());
            }
            CHECK(c[0] == c[1]);
          }
}

// What a thread packs into is planned by the whole summed dimension.
TEST_CASE("slices of a long summed dimension stay in their scratch, however short they are") {
  using namespace minicnn::kernels;
  const index_t m = 12, n = 100, k = 1000, slices = 10;
  const auto a = naive::random_values<float>(m * k, 1), b = naive::random_values<float>(k * n, 2);
  for (const isa i : naive::all_isas()) {
    const tile<float> t = plain_tile<float>(i, choose_tile_rows(i, m));
    std::vector<float> c(naive::at(slices * m * n));
    const product<float> p{.rows = m,
                           .columns = n,
                           .depth = k,
                           .tile = t,
                           .blocks = choose_blocks(1, m, n, t.rows, t.columns, m, n, t.column_unit()),
                           .chunk = k / slices,
                           .slices = slices,
                           .slice_stride = m * n,
                           .target = {.data = c.data(), .row_stride = n},
                           .packed_a = gemm_packed_a<float>(m, k)};
    naive::guarded_scratch memory(p.thread_bytes());
    blocked_product({1, i}, p, matrix_rows<float>{t, row_major(a.data(), m, k)},
                    matrix_columns<float>{t, row_major(b.data(), k, n)}, memory.get());
    CHECK(memory.intact());
    std::vector<double> want(c.size());
    for (index_t s = 0; s < slices; ++s)
      for (index_t row = 0; row < m; ++row)
        for (index_t column = 0; column < n; ++column)
          for (index_t step = s * k / slices; step < (s + 1) * k / slices; ++step)
            want[naive::at((s * m + row) * n + column)] +=
                static_cast<double>(a[naive::at(row * k + step)]) * static_cast<double>(b[naive::at(step * n + column)]);
    CHECK(naive::worst_error(c, want) < naive::rounding<float>(k / slices));
  }
}

TEST_CASE_TEMPLATE("few rows against many weights, read where they lie", T, float, double) {
  for (index_t m : {1, 3, 4, 7, 8})
    for (index_t n : {1, 5, 70})
      for (index_t k : {64, 79, 2048, 4101}) check<T>({m, n, k, false, true, m % 2 == 0, true, n == 5, n == 70});
}

TEST_CASE_TEMPLATE("some rows against many weights, skinny_packed", T, float, double) {
  for (index_t m : {9, 20, 32, 33, 128})
    for (index_t n : {2 * m, index_t{301}})
      for (index_t k : {64, 257, 1031})
        for (const bool a_transposed : {false, true}) check<T>({m, n, k, a_transposed, true, k == 257, true, n == 301, m == 33});
}

TEST_CASE("an empty sum leaves the epilogue") {
  for (isa i : naive::all_isas()) {
    std::vector<float> c{5, 6, 7, 8, 9, 10};
    const std::vector<float> bias{1, -2, 3};
    naive::guarded_scratch memory(minicnn::kernels::gemm_scratch_bytes<float>(1, 2, 3, 0));
    minicnn::scratch work = memory.get();
    const float unused = 0;
    minicnn::kernels::gemm<float>({1, i}, {&unused, 2, 0, 1, 1}, {&unused, 0, 3, 3, 1}, c.data(), 3,
                                  {nullptr, bias.data(), naive::activation<float>(naive::fused::relu), false}, work);
    CHECK(c == std::vector<float>{1, 0, 3, 1, 0, 3});
  }
}

TEST_CASE("not a number stays one through ReLU") {
  for (isa i : naive::all_isas())
    for (index_t n : {1, 64}) {
      const std::vector<float> a{NAN}, b(naive::at(n), 1.0F);
      std::vector<float> c(naive::at(n));
      naive::guarded_scratch memory(minicnn::kernels::gemm_scratch_bytes<float>(1, 1, n, 1));
      minicnn::scratch work = memory.get();
      minicnn::kernels::gemm<float>({1, i}, minicnn::kernels::row_major(a.data(), 1, 1),
                                    minicnn::kernels::row_major(b.data(), 1, n), c.data(), n,
                                    {nullptr, nullptr, naive::activation<float>(naive::fused::relu), false}, work);
      for (float x : c) CHECK(std::isnan(x));
    }
}

TEST_CASE("the plan grows with every size") {
  for (index_t x = 1; x < 2000; x += 37) {
    CHECK(minicnn::kernels::gemm_scratch_bytes<float>(2, x, 100, 100) <=
          minicnn::kernels::gemm_scratch_bytes<float>(2, x + 37, 100, 100));
    CHECK(minicnn::kernels::gemm_scratch_bytes<float>(2, 100, x, 100) <=
          minicnn::kernels::gemm_scratch_bytes<float>(2, 100, x + 37, 100));
    CHECK(minicnn::kernels::gemm_scratch_bytes<float>(2, 100, 100, x) <=
          minicnn::kernels::gemm_scratch_bytes<float>(2, 100, 100, x + 37));
  }
}
