#pragma once
// A check for options that are unsigned: CLI11 takes "-1" for the largest number.

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdint>
#include <string>

namespace cli {

/// Accepts decimal digits that fit into 64 bits.
inline CLI::Validator whole_number() {
  return CLI::Validator(
      [](const std::string& text) {
        std::uint64_t value = 0;
        const char* last = text.data() + text.size();
        const auto [stop, reason] = std::from_chars(text.data(), last, value);
        return reason == std::errc() && stop == last ? "" : "wanted a whole number from 0 to 18446744073709551615, got " + text;
      },
      "");
}

}  // namespace cli
