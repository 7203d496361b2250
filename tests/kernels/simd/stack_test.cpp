// Vectors that do not stay in registers: whatever alignment the stack has, wide moves must not fault there.

#include <doctest/doctest.h>

#include <cstdint>

#include "minicnn/kernels/simd/lanes.hpp"

namespace {

using minicnn::index_t;
using minicnn::isa;
using minicnn::kernels::dispatch;
using minicnn::kernels::vec;

// Out of line, so that vectors do not stay in registers across it.
__attribute__((noinline)) float first_of(const volatile float* x) { return *x; }

/// Thirty sums across calls, which keep none of the wide registers: all of them are stored on the stack and read back.
struct spill_kernel {
  template <class V>
  MINICNN_INLINE static void run(const float* x, float* y, index_t steps) {
    constexpr int lanes = V::template lanes<float>, count = 30;
    vec<float, V> sum[count];
    MINICNN_UNROLL
    for (int i = 0; i < count; ++i) sum[i] = vec<float, V>{} + static_cast<float>(i);
    for (index_t s = 0; s < steps; ++s) {
      const float a = first_of(x + s);
      vec<float, V> b;
      minicnn::kernels::load<V>(b, x + s);
      MINICNN_UNROLL
      for (int i = 0; i < count; ++i) sum[i] += a * b;
    }
    MINICNN_UNROLL
    for (int i = 0; i < count; ++i) minicnn::kernels::store<V>(y + i * lanes, sum[i]);
  }
};

/// Calls the kernel from stacks that lie 16 bytes apart.
template <int Deeper>
__attribute__((noinline)) void call_at_depth(isa i, const float* x, float* y, index_t steps) {
  volatile char room[16 * Deeper + 1];
  room[0] = 0;
  dispatch<spill_kernel>(i, x, y, steps);
  room[16 * Deeper] = room[0];
}

}  // namespace

TEST_CASE("vectors spilled to the stack, whatever its alignment") {
  constexpr int steps = 3;
  float x[steps + 16];
  for (int i = 0; i < steps + 16; ++i) x[i] = static_cast<float>(i + 1);
  for (const isa i : {isa::baseline, isa::avx2, isa::avx512}) {
    if (i > minicnn::default_isa()) continue;
    CAPTURE(name_of(i));
    const int lanes = i == isa::avx512 ? 16 : i == isa::avx2 ? 8 : 4;
    const auto check = [&](const float* y) {
      for (int j = 0; j < 30; ++j)
        for (int l = 0; l < lanes; ++l) {
          float wanted = static_cast<float>(j);
          for (int s = 0; s < steps; ++s) wanted += x[s] * x[s + l];
          REQUIRE(y[j * lanes + l] == wanted);
        }
    };
    float y[30 * 16];
    call_at_depth<0>(i, x, y, steps), check(y);
    call_at_depth<1>(i, x, y, steps), check(y);
    call_at_depth<2>(i, x, y, steps), check(y);
    call_at_depth<3>(i, x, y, steps), check(y);
    call_at_depth<4>(i, x, y, steps), check(y);
  }
}
