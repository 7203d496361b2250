#include "minicnn/core/half.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

using namespace minicnn;

namespace {

float16 f16(std::uint32_t bits) { return {static_cast<std::uint16_t>(bits)}; }
bfloat16 bf16(std::uint32_t bits) { return {static_cast<std::uint16_t>(bits)}; }

/// Every pair of neighbouring non-negative finite numbers: what lies between them goes to the nearer one, the middle to
/// the even one; the same with the other sign.
template <class Half, class Narrow>
void check_neighbours(std::uint32_t infinity, Narrow narrow) {
  constexpr float huge = std::numeric_limits<float>::infinity();
  int wrong = 0;
  for (std::uint32_t i = 0; i + 1 < infinity; ++i) {
    const Half below{static_cast<std::uint16_t>(i)}, above{static_cast<std::uint16_t>(i + 1)};
    const float low = to_float(below), high = to_float(above);
    const float middle = low + (high - low) / 2;  // exact: float has many more bits, and subnormals of bf16 are even
    const std::uint16_t even = i % 2 == 0 ? below.bits : above.bits;
    const std::uint16_t sign = 0x8000;
    wrong += narrow(low).bits != below.bits;
    wrong += narrow(middle).bits != even;
    wrong += narrow(std::nextafter(middle, 0.0F)).bits != below.bits;
    wrong += narrow(std::nextafter(middle, huge)).bits != above.bits;
    wrong += narrow(-middle).bits != (even | sign);
    // From double: a little off the middle, by less than a float can tell.
    const double exact = middle;
    wrong += narrow(exact).bits != even;
    wrong += narrow(std::nextafter(exact, 0.0)).bits != below.bits;
    wrong += narrow(std::nextafter(exact, 1e300)).bits != above.bits;
    wrong += narrow(-std::nextafter(exact, 1e300)).bits != (above.bits | sign);
  }
  CHECK(wrong == 0);
}

}  // namespace

TEST_CASE("float16: known values") {
  CHECK(to_float(f16(0x3C00)) == 1.0F);
  CHECK(to_float(f16(0xC000)) == -2.0F);
  CHECK(to_float(f16(0x7BFF)) == 65504.0F);
  CHECK(to_float(f16(0x0400)) == 0x1p-14F);
  CHECK(to_float(f16(0x0001)) == 0x1p-24F);
  CHECK(to_float(f16(0x03FF)) == 1023.0F * 0x1p-24F);
  CHECK(to_float(f16(0x3555)) == 0.333251953125F);
  CHECK(std::bit_cast<std::uint32_t>(to_float(f16(0x8000))) == 0x80000000U);
  CHECK(to_float(f16(0x7C00)) == std::numeric_limits<float>::infinity());

  CHECK(to_float16(1.0F / 3) == f16(0x3555));
  CHECK(to_float16(65504.0F) == f16(0x7BFF));
  CHECK(to_float16(65519.996F) == f16(0x7BFF));
  CHECK(to_float16(65520.0F) == f16(0x7C00));
  CHECK(to_float16(1e30F) == f16(0x7C00));
  CHECK(to_float16(-1e300) == f16(0xFC00));
  CHECK(to_float16(-0.0F) == f16(0x8000));
  CHECK(to_float16(0x1p-25F) == f16(0x0000));
  CHECK(to_float16(std::nextafter(0x1p-25F, 1.0F)) == f16(0x0001));
  CHECK(to_float16(-1e-300) == f16(0x8000));
}

TEST_CASE("bfloat16: known values") {
  CHECK(to_float(bf16(0x3F80)) == 1.0F);
  CHECK(to_float(bf16(0xC049)) == -3.140625F);
  CHECK(to_bfloat16(3.14159265F) == bf16(0x4049));
  CHECK(to_bfloat16(1.00390625F) == bf16(0x3F80));  // 1 + 2^-8: a tie, to even
  CHECK(to_bfloat16(1.01171875F) == bf16(0x3F82));  // 1 + 3 * 2^-8: a tie, to even, upwards
  CHECK(to_bfloat16((std::numeric_limits<float>::max)()) == bf16(0x7F80));
  CHECK(to_bfloat16(-std::numeric_limits<float>::infinity()) == bf16(0xFF80));
  CHECK(to_bfloat16(1e300) == bf16(0x7F80));
  CHECK(to_bfloat16(std::numeric_limits<float>::denorm_min()) == bf16(0));
}

TEST_CASE("16-bit floats: every value survives the way to float and back") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const bool nan16 = (i & 0x7C00U) == 0x7C00U && (i & 0x3FFU) != 0;
    wrong += to_float16(to_float(f16(i))).bits != (nan16 ? i | 0x200U : i);
    wrong += to_float16(static_cast<double>(to_float(f16(i)))).bits != (nan16 ? i | 0x200U : i);
    const bool nan_brain = (i & 0x7F80U) == 0x7F80U && (i & 0x7FU) != 0;
    wrong += to_bfloat16(to_float(bf16(i))).bits != (nan_brain ? i | 0x40U : i);
  }
  CHECK(wrong == 0);
}

TEST_CASE("16-bit floats: rounding between every two neighbours, ties to even") {
  check_neighbours<float16>(0x7C00, [](auto value) { return to_float16(value); });
  check_neighbours<bfloat16>(0x7F80, [](auto value) { return to_bfloat16(value); });
}

TEST_CASE("16-bit floats: NaN stays NaN") {
  for (const std::uint32_t bits : {0x7FC00000U, 0x7F800001U, 0xFF800001U, 0xFFFFFFFFU, 0x7F802000U}) {
    const float value = std::bit_cast<float>(bits);
    CHECK(std::isnan(to_float(to_float16(value))));
    CHECK(std::isnan(to_float(to_bfloat16(value))));
    CHECK((to_float16(value).bits >> 15) == (bits >> 31));
    CHECK((to_bfloat16(value).bits >> 15) == (bits >> 31));
  }
  CHECK(std::isnan(to_float(to_float16(std::numeric_limits<double>::quiet_NaN()))));
  CHECK(std::isnan(to_float(to_bfloat16(std::numeric_limits<double>::quiet_NaN()))));
}

#if defined(__aarch64__)
TEST_CASE("float16: the bits of the processor's own conversions") {
  int wrong = 0;
  for (std::uint32_t i = 0; i < 0x10000; ++i) {
    const float value = to_float(f16(i));
    const auto hardware = static_cast<float>(std::bit_cast<__fp16>(static_cast<std::uint16_t>(i)));
    wrong += std::bit_cast<std::uint32_t>(value) != std::bit_cast<std::uint32_t>(hardware);
  }
  for (std::uint64_t i = 0; i < 0x100000000; i += 4093) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(i));
    wrong += to_float16(value).bits != std::bit_cast<std::uint16_t>(static_cast<__fp16>(value));
  }
  CHECK(wrong == 0);
}
#endif
