#include "minicnn/core/tensor.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <type_traits>
#include <utility>

using namespace minicnn;

TEST_CASE("a shape counts its elements in 64 bits (F62)") {
  CHECK(shape{65536, 65536}.size() == 4294967296);
  CHECK(shape{363, 3025, 2048}.size() == 2248857600);
  CHECK(shape{}.size() == 1);
  CHECK(shape{4, 0, 3}.size() == 0);
  CHECK(shape{2, 3, 5, 7}.size_from(1) == 105);
  CHECK(shape{2, 3, 5}.text() == "2x3x5");
}

TEST_CASE("impossible shapes and sizes are refused (F62)") {
  CHECK_THROWS_AS((shape{index_t{1} << 40, index_t{1} << 40}), length_error);
  CHECK_THROWS_WITH_AS((shape{2, -1}), "shape: extent -1 is negative", shape_error);
  CHECK_THROWS_AS((shape{1, 1, 1, 1, 1, 1, 1}), shape_error);
  CHECK_THROWS_AS(tensor<float>(shape{index_t{1} << 56}), length_error);
  shape s{2, 3};
  CHECK_THROWS_AS(s.set(2, 1), shape_error);
  CHECK_THROWS_AS(s.set(0, -4), shape_error);
  s.set(0, 7);
  CHECK(s == shape{7, 3});
  CHECK_FALSE(s == shape{7, 3, 1});
}

TEST_CASE("a tensor is row-major, aligned and deeply copied") {
  tensor<double> a({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(a(1, 0) == 4);
  CHECK(a(0, 2) == 3);
  CHECK(reinterpret_cast<std::uintptr_t>(a.data()) % 64 == 0);
  tensor<double> b = a;
  b(0, 0) = 9;
  CHECK(a(0, 0) == 1);
  a = b;
  CHECK(a(0, 0) == 9);
  const double* place = b.data();
  tensor<double> c = std::move(b);
  CHECK(c.data() == place);
  CHECK(c.dims() == shape{2, 3});
  CHECK_THROWS_WITH_AS((tensor<double>({2, 2}, {1, 2, 3})), "tensor: shape 2x2 wants 4 values, got 3", shape_error);
}

TEST_CASE("what was moved from is empty, and can be copied and filled again") {
  aligned_buffer<float> a(20);
  aligned_buffer<float> b = std::move(a);
  CHECK(a.size() == 0);
  CHECK(b.size() == 20);
  a = std::move(b);
  CHECK(a.size() == 20);
  CHECK(b.size() == 0);
  CHECK(b.data() == nullptr);
  aligned_buffer<float>& same = a;
  a = std::move(same);
  CHECK(a.size() == 20);

  tensor<float> x({2, 3}, 1.0F);
  const tensor<float> y = std::move(x);
  CHECK(x.size() == 0);
  CHECK(x.begin() == x.end());
  const tensor<float> copy = x;
  CHECK(copy.size() == 0);
  tensor<float> z({4}, 2.0F);
  z = tensor<float>({5}, 3.0F);
  CHECK(z.dims() == shape{5});
  x = std::move(z);
  CHECK(x[4] == 3.0F);
  CHECK(z.size() == 0);
}

TEST_CASE("a temporary tensor does not become a view") {
  static_assert(std::is_convertible_v<tensor<float>&, view<float>>);
  static_assert(std::is_convertible_v<tensor<float>&, view<const float>>);
  static_assert(std::is_convertible_v<const tensor<float>&, view<const float>>);
  static_assert(!std::is_convertible_v<const tensor<float>&, view<float>>);
  static_assert(!std::is_constructible_v<view<float>, tensor<float>>);
  static_assert(!std::is_constructible_v<view<const float>, tensor<float>>);
  static_assert(!std::is_constructible_v<view<const float>, const tensor<float>>);
  static_assert(!std::is_convertible_v<tensor<float>, view<const float>>);
}

TEST_CASE("a default tensor is empty and can be copied") {
  const tensor<float> a;
  const tensor<float> b = a;
  CHECK(b.size() == 0);
  CHECK(b.begin() == b.end());
}

TEST_CASE("views share memory, reshape and step along the first axis") {
  tensor<float> a({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  view<float> v = a;
  view<const float> read_only = v;
  v(1, 0, 1) = 50;
  CHECK(read_only[5] == 50);
  CHECK(v.at(1).dims() == shape{2, 2});
  CHECK(v.at(1)(0, 1) == 50);
  CHECK(v.reshaped({4, 2})(2, 1) == 50);
  CHECK_THROWS_WITH_AS(v.reshaped({3, 3}), "reshape: 2x2x2 has 8 elements, 3x3 has 9", shape_error);
  CHECK_FALSE(view<float>().present());
}

TEST_CASE("scratch hands out aligned blocks and refuses more than was planned") {
  aligned_buffer<std::byte> block(256);
  scratch work(block.data(), 256);
  const float* a = work.take<float>(3);
  const double* b = work.take<double>(9);
  CHECK(reinterpret_cast<const std::byte*>(b) - reinterpret_cast<const std::byte*>(a) == 64);
  CHECK(scratch::bytes_for<float>(17) == 128);
  CHECK_THROWS_AS(work.take<float>(17), error);
}

TEST_CASE("an arena layout rounds every block up to a cache line") {
  arena_layout<float> layout;
  CHECK(layout.add(1) == 0);
  CHECK(layout.add(17) == 16);
  CHECK(layout.add(16) == 48);
  CHECK(layout.size() == 64);
}
