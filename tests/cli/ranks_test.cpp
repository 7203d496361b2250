// What processes agree on before they train together; here they are threads.
#include "ranks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <minicnn/core/parallel.hpp>
#include <string>
#include <vector>

#include "train/team_of_threads.hpp"

using cli::choose_overlap;
using cli::rank_place;
using minicnn::team;
using threads_as_ranks::member;

namespace {

/// On host `host`, with processors [begin, end) in its mask.
rank_place place(const std::string& host, std::size_t begin, std::size_t end) {
  rank_place p;
  host.copy(p.host.data(), p.host.size() - 1);
  for (std::size_t i = begin; i < end; ++i) p.processors[i] = true;
  return p;
}

/// Threads of each rank; a rank alone would have as many as its mask has processors.
std::vector<int> threads(const std::vector<rank_place>& ranks) {
  std::vector<int> all;
  for (std::size_t r = 0; r < ranks.size(); ++r)
    all.push_back(threads_of_rank(ranks, r, static_cast<int>(ranks[r].processors.count())));
  return all;
}

/// OMP_NUM_THREADS as `text`, or unset if null, until the end of its life.
struct omp_threads {
  explicit omp_threads(const char* text) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(text);
  }
  ~omp_threads() { set(before_.empty() ? nullptr : before_.c_str()); }
  omp_threads(const omp_threads&) = delete;
  omp_threads& operator=(const omp_threads&) = delete;

 private:
  static constexpr const char* name = "OMP_NUM_THREADS";
  static void set(const char* text) { text == nullptr ? unsetenv(name) : setenv(name, text, 1); }
  std::string before_;
};

using list = std::vector<int>;

}  // namespace

TEST_CASE("ranks divide the processors that they share, and have at least a thread") {
  const rank_place all = place("a", 0, 8);
  CHECK(threads({all}) == list{8});
  CHECK(threads({all, all}) == list{4, 4});
  CHECK(threads({all, all, all}) == list{2, 2, 2});
  CHECK(threads(std::vector<rank_place>(8, all)) == list(8, 1));
  CHECK(threads(std::vector<rank_place>(20, all)) == list(20, 1));
}

TEST_CASE("ranks of other hosts, or with masks of their own, share nothing") {
  CHECK(threads({place("a", 0, 8), place("b", 0, 8), place("a", 0, 8)}) == list{4, 8, 4});
  CHECK(threads({place("a", 0, 4), place("a", 4, 8)}) == list{4, 4});
  CHECK(threads({place("a", 0, 1), place("a", 1, 2)}) == list{1, 1});  // as Open MPI binds two
  CHECK(threads({place("a", 0, 16), place("a", 0, 16), place("a", 16, 32), place("a", 16, 32)}) == list{8, 8, 8, 8});
  CHECK(threads({place("a", 0, 8), place("a", 6, 10)}) == list{4, 2});  // some processors are those of both
  CHECK(threads({place("a", 0, 2), place("a", 1020, 1024)}) == list{2, 4});
}

TEST_CASE("ranks whose masks are not known share their host") {
  const std::vector<rank_place> ranks{place("a", 0, 0), place("a", 0, 0), place("b", 0, 0), place("a", 0, 4)};
  CHECK(threads_of_rank(ranks, 0, 96) == 32);
  CHECK(threads_of_rank(ranks, 2, 96) == 96);
  CHECK(threads_of_rank(ranks, 3, 4) == 1);
}

#if defined(__linux__)
TEST_CASE("--threads and OMP_NUM_THREADS are taken as they are, by each rank for itself") {
  const auto of_three = [](const list& asked) {
    list got(asked.size());
    const auto errors = threads_as_ranks::run(static_cast<minicnn::index_t>(asked.size()), [&](team& me) {
      const auto r = static_cast<std::size_t>(me.rank());
      got[r] = cli::share_of_threads(me, asked[r], true);
    });
    for (const std::string& e : errors) CHECK(e == "");
    return got;
  };
  const int available = minicnn::resolve_threads(0), third = (std::max)(1, available / 3);
  {
    const omp_threads none(nullptr);
    CHECK(of_three({0, 0, 0}) == list{third, third, third});
    CHECK(of_three({5, 0, 7}) == list{5, third, 7});
  }
  const omp_threads given("2");
  CHECK(of_three({0, 0, 0}) == list{available, available, available});
  CHECK(of_three({0, 1, 0}) == list{available, 1, available});
}
#endif

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
