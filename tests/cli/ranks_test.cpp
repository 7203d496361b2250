// What processes agree on before they train together; here they are threads.
#include "ranks.hpp"

#include <doctest/doctest.h>

#include <string>

#include "train/team_of_threads.hpp"

using cli::choose_overlap;
using minicnn::team;
using threads_as_ranks::member;

TEST_CASE("overlap: as asked, by default between hosts, and not where MPI wants one thread") {
  const auto chosen = [](const std::string& asked, bool one_host, const std::string& fault = {}) {
    std::string got[2];
    const auto errors = threads_as_ranks::run(2, [&](member& me) {
      if (me.rank() == 1) me.one_thread = fault;
      got[me.rank()] = choose_overlap(me, asked, one_host);
    });
    CHECK(errors[0] == errors[1]);
    CHECK(got[0] == got[1]);
    return errors[0] + got[0];
  };
  CHECK(chosen("on", true) == "on");
  CHECK(chosen("off", false) == "off");
  CHECK(chosen("auto", true) == "off");
  CHECK(chosen("auto", false) == "on");
  CHECK(chosen("off", false, "wanted threads, got one") == "off");
  CHECK(chosen("auto", false, "wanted threads, got one") == "off");
  CHECK(chosen("on", true, "wanted threads, got one") == "rank 1: --overlap on: wanted threads, got one");
}

TEST_CASE("ranks that were told different things of overlap are refused") {
  const auto errors = threads_as_ranks::run(2, [](team& me) { choose_overlap(me, me.rank() == 0 ? "auto" : "on", true); });
  for (const std::string& e : errors) CHECK(e == "the call: overlap is not the same on all ranks; rank 0: auto; rank 1: on");
}
