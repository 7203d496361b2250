#include "minicnn/core/random.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace minicnn;

TEST_CASE("Philox 4x32-10 gives the published values") {
  // kat_vectors of the Random123 distribution.
  CHECK(philox(0, 0, 0) == std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox(~0ULL, ~0ULL, ~0ULL) == std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox(0x299f31d0a4093822ULL, 0x85a308d3243f6a88ULL, 0x0370734413198a2eULL) ==
        std::array<std::uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("keys of different parts differ, equal parts agree") {
  std::set<std::uint64_t> keys;
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (std::uint64_t part = 0; part < 50; ++part) keys.insert(random_key(seed).of(part).value());
  CHECK(keys.size() == 1000);
  CHECK(random_key(7).of(3).of(4).value() == random_key(7).of(3).of(4).value());
  CHECK(random_key(7).of(3).of(4).value() != random_key(7).of(4).of(3).value());
}

TEST_CASE("uniform and normal draws have the right moments") {
  random_stream r(random_key(1));
  constexpr int count = 200000;
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0, cut_squares = 0, cut_most = 0;
  for (int i = 0; i < count; ++i) {
    const double u = r.uniform();
    REQUIRE((u >= 0 && u < 1));
    sum += u, squares += u * u;
    const double n = r.normal();
    normal_sum += n, normal_squares += n * n;
    const double t = r.truncated_normal();
    cut_squares += t * t;
    cut_most = (std::max)(cut_most, std::abs(t));
  }
  // Four standard errors of each estimate.
  CHECK(std::abs(sum / count - 0.5) < 4 * 0.2887 / std::sqrt(count));
  CHECK(std::abs(squares / count - 1.0 / 3) < 4 * 0.2981 / std::sqrt(count));
  CHECK(std::abs(normal_sum / count) < 4 / std::sqrt(count));
  CHECK(std::abs(normal_squares / count - 1) < 4 * std::sqrt(2.0 / count));
  CHECK(cut_most <= 2.0);
  CHECK(std::abs(cut_squares / count - 0.7737) < 0.01);  // variance of a normal cut at two deviations
}

TEST_CASE("integers below a bound are even, shuffles are permutations") {
  random_stream r(random_key(2));
  std::array<int, 7> seen{};
  for (int i = 0; i < 70000; ++i) seen[static_cast<std::size_t>(r.below(7))] += 1;
  for (const int n : seen) CHECK(std::abs(n - 10000) < 400);  // four deviations are 370
  std::vector<int> order(100);
  for (int i = 0; i < 100; ++i) order[static_cast<std::size_t>(i)] = i;
  std::vector<int> shuffled = order;
  r.shuffle(shuffled);
  CHECK(shuffled != order);
  std::sort(shuffled.begin(), shuffled.end());
  CHECK(shuffled == order);
}
