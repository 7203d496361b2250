#pragma once
/// Names of many files in one: "train-{000..146}.tar", as shells write them.

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/core/error.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

inline constexpr std::size_t most_expanded = 100000;

/// What stands between braces, one by one: a range of numbers, of as many digits as its bounds where one begins with a zero, or a
/// list with commas.
inline std::vector<std::string> brace_choices(std::string_view inner, const std::string& pattern) {
  const auto refuse = [&](const auto&... what) {
    fail<option_error>(pattern, ": between braces wanted a range, {000..146}, or a list, {a,b}, got {", inner, "}", what...);
  };
  std::vector<std::string> out;
  if (const std::size_t dots = inner.find(".."); dots != inner.npos) {
    const std::string_view low = inner.substr(0, dots), high = inner.substr(dots + 2);
    std::uint32_t first = 0, last = 0;
    for (const auto& [text, value] : {std::pair(low, &first), std::pair(high, &last)}) {
      const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), *value);
      if (problem != std::errc() || end != text.data() + text.size()) refuse();
    }
    if (last < first) refuse(": ends before it begins");
    if (last - first >= most_expanded) refuse(": more than 100,000 files");
    const bool zeros = (low.size() > 1 && low.front() == '0') || (high.size() > 1 && high.front() == '0');
    for (std::uint32_t n = first;; ++n) {
      std::string text = text_of(n);
      if (const std::size_t width = zeros ? (std::max)(low.size(), high.size()) : 0; text.size() < width)
        text.insert(0, width - text.size(), '0');
      out.push_back(std::move(text));
      if (n == last) return out;
    }
  }
  if (inner.find(',') == inner.npos) refuse();
  for (std::size_t at = 0; at <= inner.size();) {
    const std::size_t end = (std::min)(inner.find(',', at), inner.size());
    out.emplace_back(inner.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace detail

/// The names that `pattern` stands for, in the order in which a shell gives them; without braces that name itself. Throws
/// option_error for braces that are not closed or hold neither a range nor a list, and for more than 100,000 names.
inline std::vector<std::string> expand_braces(const std::string& pattern) {
  const std::size_t open = pattern.find('{');
  if (open == pattern.npos) return {pattern};
  const std::size_t close = pattern.find('}', open);
  if (close == pattern.npos) fail<option_error>(pattern, ": a brace that is not closed");
  const std::vector<std::string> ends = expand_braces(pattern.substr(close + 1));
  const auto choices = detail::brace_choices(std::string_view(pattern).substr(open + 1, close - open - 1), pattern);
  if (choices.size() * ends.size() > detail::most_expanded) fail<option_error>(pattern, ": more than 100,000 files");
  std::vector<std::string> out;
  for (const std::string& choice : choices)
    for (const std::string& end : ends) out.push_back(pattern.substr(0, open) + choice + end);
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
