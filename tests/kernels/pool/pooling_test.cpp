#include "minicnn/kernels/pool/pooling.hpp"

#include <doctest/doctest.h>

using namespace minicnn;
using namespace minicnn::kernels;

TEST_CASE("pool_axis: sliding windows") {
  const pool_axis a{7, 4, 3, 2, 1, 1};  // in, out, kernel, stride, before, after
  const index_t begins[] = {0, 1, 3, 5}, ends[] = {2, 4, 6, 7};
  for (index_t o = 0; o < 4; ++o) {
    CHECK(a.begin(o) == begins[o]);
    CHECK(a.end(o) == ends[o]);
    CHECK(a.cells(o, true) == 3);
    CHECK(a.cells(o, false) == ends[o] - begins[o]);
  }
  CHECK(a.start(0) == -1);
  CHECK(a.first_whole() == 1);
  CHECK(a.end_whole() == 3);
}

TEST_CASE("pool_axis: an incomplete last window divides by cells of image and padding") {
  const pool_axis a{6, 3, 3, 3, 1, 1};  // windows -1..1, 2..4, 5..7; cell 7 is beyond the padding
  CHECK(a.cells(2, true) == 2);
  CHECK(a.cells(2, false) == 1);
}

TEST_CASE("pool_axis: no whole window") {
  const pool_axis a{2, 2, 3, 1, 1, 1};
  CHECK(a.first_whole() == a.end_whole());
  const pool_axis strided{2, 1, 3, 2, 2, 0};
  CHECK(strided.first_whole() == strided.end_whole());
}

TEST_CASE("pool_axis: bins") {
  const pool_axis a = pool_axis::bins(5, 3);
  const index_t begins[] = {0, 1, 3}, ends[] = {2, 4, 5};
  for (index_t o = 0; o < 3; ++o) {
    CHECK(a.begin(o) == begins[o]);
    CHECK(a.end(o) == ends[o]);
    CHECK(a.cells(o, true) == ends[o] - begins[o]);
  }
  CHECK(a.first_whole() == a.end_whole());
  const pool_axis equal = pool_axis::bins(6, 3);
  CHECK(equal.kernel == 2);
  CHECK(equal.stride == 2);
  CHECK(equal.end_whole() == 3);
}

TEST_CASE("pool_geometry: one byte for up to 256 cells") {
  const pool_axis sixteen{20, 1, 16, 1, 0, 0}, seventeen{20, 1, 17, 1, 0, 0};
  CHECK(pool_geometry{sixteen, sixteen}.compact());
  CHECK_FALSE(pool_geometry{sixteen, seventeen}.compact());
  CHECK_FALSE(pool_geometry{pool_axis::bins(5, 3), sixteen}.compact());
  CHECK(pool_geometry{pool_axis::bins(5, 1), pool_axis::bins(7, 1)}.global());
  CHECK_FALSE(pool_geometry{sixteen, sixteen}.global());
}
