#include "minicnn/graph/memory_plan.hpp"

#include <doctest/doctest.h>

#include "minicnn/core/random.hpp"

using namespace minicnn;

namespace {
bool disjoint(const planned_buffer& a, const planned_buffer& b) {
  const bool apart_in_time = a.last < b.first || b.last < a.first;
  const bool apart_in_space = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
  return apart_in_time || apart_in_space || a.bytes == 0 || b.bytes == 0;
}
}  // namespace

TEST_CASE("buffers that never live together share memory") {
  std::vector<planned_buffer> chain{{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}, {1000, 3, 4}};
  CHECK(place_buffers(chain) == 2 * 1024);
  CHECK(chain[0].offset == chain[2].offset);
  CHECK(chain[1].offset == chain[3].offset);
}

TEST_CASE("buffers that live together lie apart, aligned, whatever the lifetimes") {
  random_stream r(random_key(3));
  for (int round = 0; round < 50; ++round) {
    std::vector<planned_buffer> buffers(40);
    for (planned_buffer& b : buffers) {
      b.bytes = r.below(5) == 0 ? 0 : 1 + r.below(5000);
      b.first = static_cast<int>(r.below(30));
      b.last = b.first + static_cast<int>(r.below(10));
    }
    const index_t total = place_buffers(buffers);
    index_t peak = 0;
    for (int time = 0; time < 40; ++time) {
      index_t alive = 0;
      for (const planned_buffer& b : buffers)
        if (b.first <= time && time <= b.last) alive += scratch::bytes_for<std::byte>(b.bytes);
      peak = (std::max)(peak, alive);
    }
    CHECK(total >= peak);
    CHECK(total <= peak * 3 / 2);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
      CHECK(buffers[i].offset % 64 == (buffers[i].bytes == 0 ? -1 : 0));
      CHECK(buffers[i].offset + buffers[i].bytes <= total);
      for (std::size_t j = 0; j < i; ++j) CHECK(disjoint(buffers[i], buffers[j]));
    }
  }
}
