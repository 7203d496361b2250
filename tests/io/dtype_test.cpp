#include "minicnn/io/dtype.hpp"

#include <doctest/doctest.h>

using namespace minicnn;

TEST_CASE("dtype: names, sizes and C++ types agree") {
  for (int i = 0; i <= static_cast<int>(dtype::boolean); ++i) {
    const auto type = static_cast<dtype>(i);
    CHECK(dtype_from_name(dtype_name(type)) == type);
    CHECK(detail::with_dtype(type, [&](auto element) {
      return dtype_of<decltype(element)>() == type && static_cast<index_t>(sizeof(element)) == dtype_size(type);
    }));
  }
  CHECK(dtype_name(dtype::bf16) == "BF16");
  CHECK(dtype_of<const float>() == dtype::f32);
  CHECK(!dtype_from_name("f32"));
  CHECK(!dtype_from_name("F8_E4M3"));
  CHECK(!dtype_from_name(""));
}

TEST_CASE("dtype: little-endian bytes and conversion") {
  const unsigned char one[] = {0, 0, 0x80, 0x3F};
  CHECK(detail::load_little_endian<float>(one) == 1.0F);
  unsigned char out[4];
  detail::store_little_endian(std::int32_t{0x01020304}, out);
  CHECK(out[0] == 4);
  CHECK(out[3] == 1);
  const unsigned char two = 2;
  CHECK(detail::load_little_endian<bool>(&two));
  CHECK(detail::convert_element<double>(bfloat16{0xC049}) == -3.140625);
  CHECK(detail::convert_element<float16>(0.1).bits == 0x2E66);
  CHECK(detail::convert_element<float>(std::int64_t{16777217}) == 16777216.0F);
}
