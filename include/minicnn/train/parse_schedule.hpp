#pragma once
/// Learning-rate schedules from text.
///
/// Forms: "constant", "linear", "cosine" (both optionally ":final"), "polynomial" (":power,final"), "triangle"
/// (":start,final,peak"), "one-cycle" (":start,final,warm"), "step:30,60"
/// (epochs, or below 1 fractions of the training; optionally ":gamma"), "every:30" (epochs; optionally ":gamma"), "plateau"
/// (":patience,factor").

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/number.hpp"
#include "minicnn/core/printable.hpp"
#include "minicnn/train/schedule.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Splits "a,b" into numbers, whatever the locale; throws option_error naming the whole text.
MINICNN_COLD inline std::vector<double> parse_numbers(std::string_view list, std::string_view whole) {
  std::vector<double> numbers;
  const bool unfinished = !list.empty() && list.back() == ',';
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    const std::optional<double> x = parse_number(item);
    if (!x || *x < 0.0 || *x > 1e15)
      fail<option_error>("schedule \"", excerpt(whole), "\": \"", excerpt(item), "\" is not a number from 0 to 1e15");
    numbers.push_back(*x);
    list.remove_prefix((std::min)(item.size() + 1, list.size()));
  }
  if (unfinished) fail<option_error>("schedule \"", excerpt(whole), "\": a number is missing after a comma");
  return numbers;
}

}  // namespace detail

/// Reads the forms at the top of this file. `steps_per_epoch` turns epochs into steps. Throws option_error.
MINICNN_COLD inline schedule parse_schedule(std::string_view text, index_t steps_per_epoch = 1, index_t warmup_steps = 0) {
  const auto cut = [](std::string_view& rest) {
    const std::size_t colon = rest.find(':');
    const std::string_view part = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
    return part;
  };
  if (text.ends_with(':')) fail<option_error>("schedule \"", excerpt(text), "\": a number is missing at the end");
  std::string_view rest = text;
  const std::string_view name = cut(rest);
  const std::vector<double> first = detail::parse_numbers(cut(rest), text), second = detail::parse_numbers(cut(rest), text);
  const auto check = [&](std::size_t most, std::size_t most_second) {
    if (first.size() > most || second.size() > most_second || !rest.empty())
      fail<option_error>("schedule \"", excerpt(text), "\": too many numbers");
  };
  const auto given = [](const std::vector<double>& numbers, std::size_t i, double otherwise) {
    return i < numbers.size() ? numbers[i] : otherwise;
  };
  const auto steps = [&](double epochs) {
    const double count = std::round(epochs * static_cast<double>(steps_per_epoch));
    if (!(count >= 1.0 && count <= 1e15))
      fail<option_error>("schedule \"", excerpt(text), "\": ", epochs, " epochs is no step count");
    return static_cast<index_t>(count);
  };
  schedule::shape_type curve;
  if (name == "constant") {
    check(0, 0);
  } else if (name == "linear") {
    check(1, 0);
    curve = linear_schedule{given(first, 0, 0.0)};
  } else if (name == "cosine") {
    check(1, 0);
    curve = cosine_schedule{given(first, 0, 0.0)};
  } else if (name == "polynomial") {
    check(2, 0);
    curve = polynomial_schedule{given(first, 0, 2.0), given(first, 1, 0.0)};
  } else if (name == "triangle") {
    check(3, 0);
    const triangle_schedule t;
    curve = triangle_schedule{given(first, 0, t.start), given(first, 1, t.final), given(first, 2, t.peak)};
  } else if (name == "one-cycle") {
    check(3, 0);
    const one_cycle_schedule c;
    curve =
        one_cycle_schedule{given(first, 0, c.start_divisor), given(first, 1, c.final_divisor), given(first, 2, c.warm_fraction)};
  } else if (name == "step") {
    check(first.size(), 1);
    step_schedule s;
    for (const double when : first) s.milestones.push_back(when < 1.0 ? when : static_cast<double>(steps(when)));
    s.gamma = given(second, 0, s.gamma);
    if (first.empty()) fail<option_error>("schedule \"", excerpt(text), "\": wanted epochs or fractions, as in \"step:30,60\"");
    curve = std::move(s);
  } else if (name == "every") {
    check(1, 1);
    if (first.empty()) fail<option_error>("schedule \"", excerpt(text), "\": wanted a number of epochs, as in \"every:30\"");
    curve = periodic_schedule{steps(first[0]), given(second, 0, 0.1)};
  } else if (name == "plateau") {
    check(2, 0);
    plateau_schedule p;
    if (const double patience = given(first, 0, 5.0); patience != std::floor(patience))
      fail<option_error>("schedule \"", excerpt(text), "\": a patience of ", patience, ", wanted whole epochs");
    p.patience = static_cast<index_t>(given(first, 0, 5.0));
    p.factor = given(first, 1, p.factor);
    curve = p;
  } else {
    fail<option_error>("schedule \"", excerpt(text),
                       "\": expected constant, linear, cosine, polynomial, triangle, one-cycle, step, every or plateau");
  }
  return schedule(std::move(curve), warmup_steps);
}

}  // namespace minicnn::inline MINICNN_ABI
