// One network, many callers: std::threads, OpenMP regions, forked processes; and how many threads the library starts.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <latch>
#include <string>
#include <thread>

#include "field_cases/small_network.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/loss.hpp"

using namespace minicnn;

namespace {

/// Threads of this process; 0 where the system does not say.
int threads_now() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("Threads:")) return std::stoi(line.substr(8));
  return 0;
}

/// Sanitizers start a thread of their own; the thread sanitizer does so with the program's first one.
#if defined(__SANITIZE_THREAD__)
const int threads_at_start = threads_now() + 1;
#else
const int threads_at_start = threads_now();
#endif

std::vector<float> trained_step(network<float>& net, const tensor<float>& x) {
  session run(net);
  run.forward(x);
  for (float& g : run.output_gradient()) g = 0.25F;
  run.backward();
  return small::copy_of(net.gradient_arena());
}

}  // namespace

TEST_CASE("F56 threads = 1 starts no thread, in training and in prediction") {
  auto net = small::network({.threads = 1});
  const tensor<float> x = small::noise({4, 3, 16, 16}, 1);
  trained_step(net, x);
  adam<float> optimizer(net);
  optimizer.step();
  session<float> space(net, {.threads = 1});
  space.predict(x);
  net.predict(x);
  CHECK(threads_now() <= threads_at_start);
}

TEST_CASE("F58 eight std::threads on one const network get the serial bits, and no further threads come into being") {
  const auto net = small::network({.seed = 2});
  constexpr int callers = 8, rounds = 20;
  std::vector<tensor<float>> inputs;
  std::vector<std::vector<float>> wanted;
  for (int i = 0; i < callers; ++i) {
    inputs.push_back(small::noise({1 + i % 3, 3, 16, 16}, static_cast<std::uint64_t>(i)));
    wanted.push_back(small::copy_of(net.predict(inputs.back())));
  }
  std::vector<int> wrong(callers, 0), most(callers, 0);
  std::latch ready(callers);
  std::vector<std::thread> team;
  for (int i = 0; i < callers; ++i)
    team.emplace_back([&, i] {
      const auto k = static_cast<std::size_t>(i);
      session<float> space(net, {.threads = 1});
      ready.arrive_and_wait();
      for (int r = 0; r < rounds; ++r) {
        wrong[k] += !small::same_bits(small::copy_of(space.predict(inputs[k])), wanted[k]);
        wrong[k] += !small::same_bits(small::copy_of(net.predict(inputs[k])), wanted[k]);
        most[k] = (std::max)(most[k], threads_now());
      }
    });
  for (std::thread& t : team) t.join();
  CHECK(wrong == std::vector<int>(callers, 0));
  CHECK(*std::max_element(most.begin(), most.end()) <= threads_at_start + callers);
}

#if defined(_OPENMP)
TEST_CASE("F58 inside an OpenMP region every caller computes alone, and gets the serial bits") {
  const auto net = small::network({.seed = 2});
  const tensor<float> x = small::noise({5, 3, 16, 16}, 1);
  const std::vector<float> wanted = small::copy_of(net.predict(x));
  int wrong = 0;
#pragma omp parallel num_threads(4) reduction(+ : wrong)
  {
    session<float> alone(net, {.threads = 1});
    session<float> many(net, {.threads = 4});
    for (int r = 0; r < 5; ++r) {
      wrong += !small::same_bits(small::copy_of(alone.predict(x)), wanted);
      wrong += !small::same_bits(small::copy_of(many.predict(x)), wanted);
    }
    auto own = small::network({.seed = 2, .threads = 3});
    wrong += trained_step(own, x).empty();
  }
  CHECK(wrong == 0);
}
#endif

TEST_CASE("F58 callers that ask for several threads each still get the serial bits") {
  const auto net = small::network({.seed = 2});
  const tensor<float> x = small::noise({5, 3, 16, 16}, 1);
  const std::vector<float> wanted = small::copy_of(net.predict(x));
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> team;
  for (std::size_t i = 0; i < wrong.size(); ++i)
    team.emplace_back([&, i] {
      session<float> space(net, {.threads = 2});
      for (int r = 0; r < 5; ++r) wrong[i] += !small::same_bits(small::copy_of(space.predict(x)), wanted);
    });
  for (std::thread& t : team) t.join();
  CHECK(wrong == std::vector<int>(4, 0));
}

TEST_CASE("F58 a process forked after the library has used threads computes the same bits and does not hang") {
  auto net = small::network({.seed = 2, .threads = 2});
  const tensor<float> x = small::noise({5, 3, 16, 16}, 1);
  session<float> both(net, {.threads = 2});
  const std::vector<float> gradients = trained_step(net, x);  // which moves the running statistics
  net.step(0);
  const std::vector<float> wanted = small::copy_of(both.predict(x));
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::alarm(60);  // ends a child that waits for threads which it does not have
    int code = 0;
    if (!small::same_bits(small::copy_of(net.predict(x)), wanted)) code += 1;
    if (!small::same_bits(small::copy_of(both.predict(x)), wanted)) code += 2;
    if (!small::same_bits(trained_step(net, x), gradients)) code += 4;
#if defined(_OPENMP)
    if (threads_now() < 2) code += 8;  // it has a team of its own
#endif
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(small::same_bits(small::copy_of(both.predict(x)), wanted));  // and the parent goes on
}

TEST_CASE("F56 any number of threads: 1, 3, 33 and 1000, with fewer images than threads, give the bits of one") {
  const tensor<float> x = small::noise({2, 3, 16, 16}, 1);
  auto one = small::network({.seed = 6, .threads = 1});
  const std::vector<float> gradients = trained_step(one, x), prediction = small::copy_of(one.predict(x));
#if defined(__SANITIZE_THREAD__)
  constexpr int many = 100;
#else
  constexpr int many = 1000;
#endif
  for (const int threads : {0, 3, 16, 33, many}) {
    CAPTURE(threads);
    auto net = small::network({.seed = 6, .threads = threads});
    CHECK(net.threads() == resolve_threads(threads));
    CHECK(small::same_bits(trained_step(net, x), gradients));
    session<float> space(net, {.threads = threads});
    CHECK(small::same_bits(small::copy_of(space.predict(x)), prediction));
  }
  CHECK_THROWS_WITH_AS(small::network({.threads = 1025}), "threads: 1025 is outside 0 (all) to 1024", option_error);
  CHECK_THROWS_AS(small::network({.threads = -1}), option_error);
  CHECK_THROWS_AS(session<float>(one, {.threads = -3}), option_error);
}

#if defined(_OPENMP)
TEST_CASE("F56 child: what OMP_NUM_THREADS means" * doctest::skip()) {
  const int wanted = std::stoi(std::getenv("MINICNN_TEST_THREADS"));
  CHECK(small::network().threads() == wanted);
  CHECK(small::network({.threads = 3}).threads() == 3);  // what the program says wins over the environment
  auto net = small::network({.seed = 6});
  CHECK(trained_step(net, small::noise({2, 3, 16, 16}, 1)).size() > 100);
}

TEST_CASE("F56 OMP_NUM_THREADS of 1, 3, 33 and 1000 is taken, larger ones are cut to the limit, and the program's word wins") {
  const std::string self = [] {
    char path[4096];
    const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
    return std::string(path, length > 0 ? static_cast<std::size_t>(length) : 0);
  }();
  if (self.empty()) {
    MESSAGE("no /proc: OMP_NUM_THREADS is not tried");
    return;
  }
#if defined(__SANITIZE_THREAD__)
  const std::vector<std::pair<int, int>> cases{{1, 1}, {3, 3}, {33, 33}};
#else
  const std::vector<std::pair<int, int>> cases{{1, 1}, {3, 3}, {33, 33}, {1000, 1000}, {5000, 1024}};
#endif
  for (const auto& c : cases) {
    CAPTURE(c.first);  // asked for; and what it must give
    const std::string line = "OMP_NUM_THREADS=" + std::to_string(c.first) + " MINICNN_TEST_THREADS=" + std::to_string(c.second) +
                             " '" + self + "' --no-skip '--test-case=F56 child*' >/dev/null";
    CHECK(std::system(line.c_str()) == 0);
  }
}
#endif
