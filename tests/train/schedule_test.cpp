#include <doctest/doctest.h>

#include <clocale>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/train/parse_schedule.hpp"
#include "minicnn/train/schedule.hpp"

using namespace minicnn;

namespace {
doctest::Approx near(double x) { return doctest::Approx(x).epsilon(1e-9); }

std::string failure(std::string_view text) {
  try {
    parse_schedule(text);
  } catch (const option_error& e) {
    return e.what();
  }
  return "";
}
}  // namespace

TEST_CASE("constant, linear and cosine by hand") {
  CHECK(schedule().at(7, 10) == 1.0);
  const schedule line = parse_schedule("linear:0.2");
  CHECK(line.at(0, 10) == 1.0);
  CHECK(line.at(5, 10) == near(0.6));
  CHECK(line.at(9, 10) == near(0.28));
  CHECK(line.at(10, 10) == near(0.2));  // what it ends with, from then on
  CHECK(line.at(500, 10) == near(0.2));
  const schedule curve = parse_schedule("cosine");
  CHECK(curve.at(0, 8) == 1.0);
  CHECK(curve.at(2, 8) == near(0.5 * (1 + std::sqrt(0.5))));
  CHECK(curve.at(4, 8) == near(0.5));
  CHECK(parse_schedule("cosine:0.5").at(4, 8) == near(0.75));
  CHECK(curve.at(0, 0) == 1.0);
}

TEST_CASE("one-cycle has the shape of PyTorch's OneCycleLR") {
  // torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10): up over steps 0 to 2, down over 2 to 9.
  const schedule s = parse_schedule("one-cycle");
  CHECK(s.at(0, 10) == near(0.04));
  CHECK(s.at(1, 10) == near(0.52));
  CHECK(s.at(2, 10) == near(1.0));
  const double last = 0.04 / 1e4;
  CHECK(s.at(3, 10) == near(last + (1 - last) * 0.5 * (1 + std::cos(std::acos(-1.0) / 7))));
  CHECK(s.at(9, 10) == near(last));
  const schedule own = parse_schedule("one-cycle:10,100,0.5");
  CHECK(own.at(0, 20) == near(0.1));
  CHECK(own.at(9, 20) == near(1.0));
  CHECK(own.at(19, 20) == near(0.001));
  CHECK(own.at(20, 20) == near(0.001));
  for (const index_t total : {1, 2, 3, 4})
    for (index_t i = 0; i < total; ++i) {
      CHECK(s.at(i, total) > 0.0);
      CHECK(s.at(i, total) <= 1.0);
    }
  CHECK(parse_schedule("one-cycle:25,1e4,0").at(9, 10) == near(last));
  CHECK(parse_schedule("one-cycle:25,1e4,1").at(9, 10) == near(1.0));
}

TEST_CASE("milestones in epochs and in fractions, and every k epochs") {
  const schedule s = parse_schedule("step:30,60", 100);
  CHECK(s.at(2999, 9000) == 1.0);
  CHECK(s.at(3000, 9000) == near(0.1));
  CHECK(s.at(6000, 9000) == near(0.01));
  const schedule parts = parse_schedule("step:0.5,0.75:0.5", 100);
  CHECK(parts.at(49, 100) == 1.0);
  CHECK(parts.at(50, 100) == near(0.5));
  CHECK(parts.at(75, 100) == near(0.25));
  const schedule periodic = parse_schedule("every:2:0.5", 10);
  CHECK(periodic.at(19, 100) == 1.0);
  CHECK(periodic.at(20, 100) == 0.5);
  CHECK(periodic.at(60, 100) == 0.125);
}

TEST_CASE("plateau waits, lowers, and starts to wait again") {
  schedule s = parse_schedule("plateau:2,0.5");
  s.observe(1.0);
  s.observe(0.9);
  CHECK(s.at(0, 1) == 1.0);
  s.observe(0.9);       // not better: 1
  s.observe(0.899999);  // better by less than the threshold: 2
  CHECK(s.at(0, 1) == 1.0);
  s.observe(2.0);  // 3 > patience
  CHECK(s.at(0, 1) == 0.5);
  s.observe(2.0);
  s.observe(0.5);  // better
  s.observe(0.6);
  s.observe(0.6);
  CHECK(s.at(0, 1) == 0.5);
  s.observe(std::nan(""));  // is no better either
  CHECK(s.at(0, 1) == 0.25);
  plateau_schedule floored{.patience = 0, .factor = 0.1, .minimum = 0.05};
  for (int i = 0; i < 5; ++i) floored.observe(1.0);
  CHECK(floored.current == 0.05);
  schedule other = parse_schedule("cosine");
  other.observe(1.0);
  CHECK(other.at(0, 4) == 1.0);
}

TEST_CASE("warm-up rises in a line to the full rate, and the curve follows") {
  const schedule s(constant_schedule{}, 4, 0.2);
  CHECK(s.at(0, 100) == near(0.2 + 0.8 * 1 / 4));
  CHECK(s.at(3, 100) == 1.0);
  CHECK(s.at(4, 100) == 1.0);
  const schedule both = parse_schedule("linear", 1, 3);
  CHECK(both.at(1, 10) == near(2.0 / 3));
  CHECK(both.at(5, 10) == near(1 - 2.0 / 7));
  CHECK_THROWS_AS(schedule(constant_schedule{}, -1), option_error);
  CHECK_THROWS_AS(schedule(constant_schedule{}, 1, 2.0), option_error);
  // Milestones and fractions count from its end; one cycle begins where its curve does.
  const schedule steps = parse_schedule("step:2,0.5:0.1", 1, 10);
  CHECK(steps.at(11, 20) == 1.0);
  CHECK(steps.at(12, 20) == near(0.1));
  CHECK(steps.at(15, 20) == near(0.01));
  const schedule cycle = parse_schedule("one-cycle", 1, 10);
  CHECK(cycle.at(9, 20) == near(0.04));
  CHECK(cycle.at(12, 20) == near(1.0));
  // A warm-up that is longer than the run.
  const schedule longer(cosine_schedule{}, 100);
  CHECK(longer.at(19, 20) == near(0.2));
  CHECK(longer.at(20, 20) == near(0.21));
  CHECK(longer.at(500, 20) == near(0.0));
}

TEST_CASE("N01 warm-up comes before the curve and reaches the base rate") {
  const schedule s(cosine_schedule{}, 5);
  for (const auto& [step, rate] : std::vector<std::pair<index_t, double>>{
           {0, 0.02}, {4, 0.1}, {5, 0.1}, {10, 0.075}, {12, 0.0552264}, {19, 0.00109262}, {20, 0}}) {
    CAPTURE(step);
    CHECK(0.1 * s.at(step, 20) == doctest::Approx(rate).epsilon(1e-5));
  }
  const schedule text = parse_schedule("cosine", 1, 5);
  for (index_t i = 0; i < 20; ++i) CHECK(text.at(i, 20) == s.at(i, 20));
}

TEST_CASE("N02 options of schedules are checked when a schedule is made from code") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  CHECK_THROWS_WITH_AS(schedule(periodic_schedule{.period = 0}), "periodic schedule: period is 0, wanted at least 1 step",
                       option_error);
  CHECK_THROWS_AS(schedule(periodic_schedule{.period = -1}), option_error);
  CHECK_THROWS_AS(periodic_schedule{.period = 0}.at(1, 10), option_error);
  for (const double bad : {nan, inf, -inf, -1.0, -1e-3}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(schedule(linear_schedule{bad}), option_error);
    CHECK_THROWS_AS(schedule(cosine_schedule{bad}), option_error);
    CHECK_THROWS_AS(schedule(one_cycle_schedule{.start_divisor = bad}), option_error);
    CHECK_THROWS_AS(schedule(one_cycle_schedule{.final_divisor = bad}), option_error);
    CHECK_THROWS_AS(schedule(one_cycle_schedule{.warm_fraction = bad}), option_error);
    CHECK_THROWS_AS(schedule(step_schedule{.milestones = {0.5, bad}}), option_error);
    CHECK_THROWS_AS(schedule(step_schedule{.milestones = {0.5}, .gamma = bad}), option_error);
    CHECK_THROWS_AS(schedule(periodic_schedule{.gamma = bad}), option_error);
    CHECK_THROWS_AS(schedule(plateau_schedule{.factor = bad}), option_error);
    CHECK_THROWS_AS(schedule(plateau_schedule{.threshold = bad}), option_error);
    CHECK_THROWS_AS(schedule(plateau_schedule{.minimum = bad}), option_error);
    CHECK_THROWS_AS(schedule(constant_schedule{}, 1, bad), option_error);
  }
  CHECK_THROWS_AS(schedule(one_cycle_schedule{.start_divisor = 0}), option_error);
  CHECK_THROWS_AS(schedule(one_cycle_schedule{.final_divisor = 0}), option_error);
  CHECK_THROWS_AS(schedule(plateau_schedule{.patience = -1}), option_error);
  CHECK_THROWS_AS(schedule(plateau_schedule{.factor = 2}), option_error);
  CHECK_THROWS_AS(schedule(periodic_schedule{.gamma = 10}), option_error);  // grows past every number
}

TEST_CASE("texts that mean nothing are refused with the text") {
  CHECK(failure("cosin") ==
        "schedule \"cosin\": expected constant, linear, cosine, polynomial, triangle, one-cycle, step, every or plateau");
  CHECK(failure("step:30,x") == "schedule \"step:30,x\": \"x\" is not a number from 0 to 1e15");
  for (const char* text : {"",
                           "step",
                           "step:",
                           "step:30,",
                           "step:,30",
                           "step:-1",
                           "step:nan",
                           "step:inf",
                           "step:0x10",
                           "step:1e-320",
                           "step:30 ",
                           "plateau:2.5",
                           "plateau:5,2",
                           "cosine:1_0",
                           "step:1e99",
                           "every",
                           "every:0",
                           "cosine:1,2",
                           "constant:1",
                           "linear:0.1:2",
                           "step:30:0.1:1",
                           "one-cycle:0",
                           "one-cycle:25,1e4,2",
                           "linear:0,5",
                           "step:30:",
                           "step:30,:0.1",
                           "cosine: 1"}) {
    CAPTURE(text);
    CHECK(!failure(text).empty());
  }
}

TEST_CASE("F53 schedules read the same under a comma locale") {
  const std::string before = std::setlocale(LC_ALL, nullptr);
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8"})
    if (std::setlocale(LC_ALL, name) != nullptr) break;
  CHECK(parse_schedule("linear:0.25").at(1, 2) == near(0.625));
  CHECK(parse_schedule("step:0.5:0.125").at(1, 2) == 0.125);
  std::setlocale(LC_ALL, before.c_str());
}

TEST_CASE("triangle: up from the start to a peak at a whole step, and down to the floor") {
  // numpy.interp(step, [0, int(0.23 * 100), 100], [0.2, 1, 0.07]), as in airbench94.
  const schedule s = parse_schedule("triangle");
  CHECK(s.at(0, 100) == near(0.2));
  CHECK(s.at(10, 100) == near(0.5478260869565217));
  CHECK(s.at(23, 100) == near(1.0));
  CHECK(s.at(60, 100) == near(0.5531168831168831));
  CHECK(s.at(99, 100) == near(0.07 + 0.93 / 77));
  CHECK(s.at(100, 100) == near(0.07));
  const schedule steep = parse_schedule("triangle:0,0,0.1");
  CHECK(steep.at(0, 20) == 0.0);
  CHECK(steep.at(1, 20) == near(0.5));
  CHECK(steep.at(2, 20) == 1.0);
  CHECK(steep.at(11, 20) == near(0.5));
  CHECK(parse_schedule("triangle:0.5,0,0").at(0, 10) == 1.0);
  CHECK(parse_schedule("triangle:0.5,0,1").at(10, 10) == 1.0);
  CHECK(failure("triangle:0,0,2").find("peak is 2") != std::string::npos);
  CHECK(failure("triangle:0,0,0,0") != "");
}

TEST_CASE("polynomial: a power of what is left of the run") {
  const schedule s = parse_schedule("polynomial:2,0.1");
  CHECK(s.at(0, 10) == 1.0);
  CHECK(s.at(5, 10) == near(0.1 + 0.9 * 0.25));
  CHECK(s.at(10, 10) == near(0.1));
  CHECK(parse_schedule("polynomial:1").at(3, 10) == near(0.7));
  CHECK(parse_schedule("polynomial").at(5, 10) == near(0.25));
  CHECK(failure("polynomial:1,2,3") != "");
}
