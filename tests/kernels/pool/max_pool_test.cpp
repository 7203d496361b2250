#include "minicnn/kernels/pool/max_pool.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/naive.hpp"
#include "kernels/pool/pool_cases.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

/// The plane's offset of the largest cell of a window, first of equals, or of its last NaN.
template <class T>
index_t naive_largest(const T* plane, const pool_geometry& g, index_t oy, index_t ox) {
  index_t at = -1;
  for (index_t y = 0; y < g.rows.in; ++y)
    for (index_t x = 0; x < g.columns.in; ++x) {
      if (y < g.rows.begin(oy) || y >= g.rows.end(oy) || x < g.columns.begin(ox) || x >= g.columns.end(ox)) continue;
      const index_t i = y * g.columns.in + x;
      if (at < 0 || std::isnan(plane[i]) || plane[i] > plane[at]) at = i;
    }
  return at;
}

/// Forward and backward of three planes with `in`, on every ISA, against the definition; equal bits.
template <class T>
void check_planes(const pool_geometry& g, const std::vector<T>& in) {
  const index_t planes = 3;
  const auto upstream = naive::random_values<T>(planes * g.out_size(), 2);
  std::vector<T> wanted, gradient(in.size(), T{0});
  for (index_t p = 0; p < planes; ++p)
    for (index_t i = 0; i < g.out_size(); ++i) {
      const index_t at = p * g.in_size() + naive_largest(in.data() + p * g.in_size(), g, i / g.columns.out, i % g.columns.out);
      wanted.push_back(in[static_cast<std::size_t>(at)]);
      gradient[static_cast<std::size_t>(at)] += upstream[static_cast<std::size_t>(p * g.out_size() + i)];
    }

  for (isa set : naive::all_isas())
    for (int threads : {1, 2}) {
      const context ctx{threads, set};
      std::vector<T> out(wanted.size(), T{-9}), back(in.size(), T{-9}), unnoted(wanted.size(), T{-9});
      std::vector<std::byte> notes(static_cast<std::size_t>(max_pool_note_bytes(g, planes)));
      max_pool_forward(ctx, g, planes, in.data(), out.data(), notes.data());
      max_pool_backward(ctx, g, planes, upstream.data(), notes.data(), back.data(), false);
      max_pool_forward(ctx, g, planes, in.data(), unnoted.data(), nullptr);
      bool same = true;
      for (std::size_t i = 0; i < out.size(); ++i)
        same = same && (out[i] == wanted[i] || (std::isnan(out[i]) && std::isnan(wanted[i]))) &&
               std::memcmp(&out[i], &unnoted[i], sizeof(T)) == 0;
      CHECK(same);
      CHECK(back == gradient);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("max pooling against its definition", T, float, double) {
  for (const pool_geometry& g : pool_cases()) {
    CAPTURE(g.columns.in);
    CAPTURE(g.columns.kernel);
    CAPTURE(g.columns.stride);
    CAPTURE(g.columns.before);
    auto in = naive::random_values<T>(3 * g.in_size(), 1);
    check_planes(g, in);
    for (T& x : in) x = std::round(2 * x);  // many ties
    check_planes(g, in);
    // A NaN and infinities in the middle plane alone: the others keep to the fast path.
    const auto middle = static_cast<std::size_t>(g.in_size() + g.in_size() / 2);
    in[middle] = std::numeric_limits<T>::quiet_NaN();
    check_planes(g, in);
    in[middle] = -std::numeric_limits<T>::infinity();
    check_planes(g, in);
  }
}

TEST_CASE("max pooling: backward adds on request") {
  const pool_geometry g{{4, 2, 2, 2, 0, 0}, {4, 2, 2, 2, 0, 0}};
  const std::vector<float> in{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, upstream{1, 2, 3, 4};
  std::vector<float> out(4), gradient(16, 100);
  std::vector<std::byte> notes(4);
  max_pool_forward(context{}, g, 1, in.data(), out.data(), notes.data());
  max_pool_backward(context{}, g, 1, upstream.data(), notes.data(), gradient.data(), true);
  CHECK(out == std::vector<float>{6, 8, 14, 16});
  CHECK(gradient == std::vector<float>{100, 100, 100, 100, 100, 101, 100, 102, 100, 100, 100, 100, 100, 103, 100, 104});
}
