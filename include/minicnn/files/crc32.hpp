#pragma once
/// The checksum of zip archives: CRC-32 of ISO 3309 (polynomial 0x04C11DB7, bits reflected).

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// table[k][b]: the remainder of byte b followed by k zero bytes.
constexpr std::array<std::array<std::uint32_t, 256>, 8> make_crc32_tables() {
  std::array<std::array<std::uint32_t, 256>, 8> table{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t r = b;
    for (int bit = 0; bit < 8; ++bit) r = (r >> 1) ^ ((r & 1U) != 0 ? 0xEDB88320U : 0U);
    table[0][b] = r;
  }
  for (std::size_t b = 0; b < 256; ++b)
    for (std::size_t k = 1; k < 8; ++k) table[k][b] = (table[k - 1][b] >> 8) ^ table[0][table[k - 1][b] & 0xFFU];
  return table;
}
inline constexpr auto crc32_tables = make_crc32_tables();

}  // namespace detail

/// The checksum of `bytes`, or, given the checksum of what came before them, of both together.
inline std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) {
  const auto& table = detail::crc32_tables;
  const auto byte = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(bytes[i])}; };
  std::uint32_t r = ~before;
  std::size_t i = 0;
  // Eight bytes at a time, each looked up by its distance from the end of the eight.
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint32_t low = r ^ (byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24));
    r = table[7][low & 0xFFU] ^ table[6][(low >> 8) & 0xFFU] ^ table[5][(low >> 16) & 0xFFU] ^ table[4][low >> 24] ^
        table[3][byte(i + 4)] ^ table[2][byte(i + 5)] ^ table[1][byte(i + 6)] ^ table[0][byte(i + 7)];
  }
  for (; i < bytes.size(); ++i) r = (r >> 8) ^ table[0][(r ^ byte(i)) & 0xFFU];
  return ~r;
}

}  // namespace minicnn::inline MINICNN_ABI
