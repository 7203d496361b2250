#pragma once
// The secret that lets a caller in when the server can be reached from other machines.

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace cli {

/// 128 random bits of the operating system, as hexadecimal digits.
inline std::string new_token() {
  std::random_device random;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (int i = 0; i < 4; ++i)
    for (std::uint32_t bits = random(), k = 0; k < 8; ++k, bits >>= 4) out += digits[bits & 15];
  return out;
}

/// True for characters that stand for themselves in addresses, headers and shells.
inline bool is_plain_token(std::string_view text) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  return !text.empty() && text.size() <= 256 && text.find_first_not_of(plain) == text.npos;
}

/// Compares in a time that depends on the lengths alone, so that a token cannot be guessed letter by letter.
inline bool equal_tokens(std::string_view got, std::string_view wanted) {
  unsigned difference = got.size() == wanted.size() ? 0 : 1;
  for (std::size_t i = 0; i < got.size(); ++i)
    difference |= static_cast<unsigned>(static_cast<unsigned char>(got[i]) ^
                                        static_cast<unsigned char>(wanted.empty() ? 0 : wanted[i % wanted.size()]));
  return difference == 0;
}

}  // namespace cli
