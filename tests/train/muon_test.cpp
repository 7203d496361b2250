#include "minicnn/train/muon.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "counted_new.hpp"
#include "golden/golden.hpp"
#include "train/toy_network.hpp"

using namespace minicnn;

namespace {

/// Filters 6x2x3x3 and 40x2x3x3, and a bias of 5.
template <class T>
network<T> three(int threads = 1) {
  graph<T> g;
  auto x = g.input({2});
  const auto add = [&](const char* name, parameter_spec p) {
    x = g.add(std::make_shared<toy::holder_op<T>>(name, std::vector<parameter_spec>{std::move(p)}), {x}, name, name);
  };
  add("wide", toy::weight({6, 2, 3, 3}));
  add("tall", toy::weight({40, 2, 3, 3}));
  add("rest", toy::bias({5}));
  network<T> net(std::move(g), {x}, {.threads = threads});
  for (std::uint64_t k = 0; k < 3; ++k) golden::fill(net.parameter(net.parameters()[k].name), golden::parameter + k);
  return net;
}

template <class T>
void set_gradients(network<T>& net, index_t step) {
  for (std::uint64_t k = 0; k < 3; ++k)
    golden::fill(net.parameter_gradient(net.parameters()[k].name), golden::step + 10 * k + static_cast<std::uint64_t>(step), 2.0);
}

template <class T>
std::vector<T> values_of(const network<T>& net) {
  std::vector<T> all;
  for (const parameter_info& p : net.parameters()) {
    const view<const T> one = net.parameter(p.name);
    all.insert(all.end(), one.begin(), one.end());
  }
  return all;
}

const muon_options normalized{.learning_rate = 0.24,
                              .momentum = 0.6,
                              .iterations = 3,
                              .normalize_weights = true,
                              .rest_learning_rate = 0.1,
                              .rest_momentum = 0.85};

}  // namespace

TEST_CASE("three steps are those of Jordan's script in PyTorch") {
  const golden::safetensors_file file = golden::open("recipes");
  const auto check = [&](const std::string& name, const muon_options& o) {
    CAPTURE(name);
    const tensor<double> want = file.load<double>(name + ".parameters");
    for (const isa set : toy::instruction_sets()) {
      auto net = three<double>();
      auto narrow = three<float>();
      net.instruction_set(set), narrow.instruction_set(set);
      muon<double> opt(net, o);
      muon<float> narrow_opt(narrow, o);
      for (index_t s = 0; s < 3; ++s) {
        set_gradients(net, s), set_gradients(narrow, s);
        opt.step(), narrow_opt.step();
        const view<const double> row = static_cast<view<const double>>(want).at(s);
        const std::vector<double> got = values_of(net);
        const std::vector<float> rough = values_of(narrow);
        REQUIRE(static_cast<index_t>(got.size()) == row.size());
        CHECK(golden::relative_difference(view<const double>(got.data(), row.dims()), row) < 1e-12);
        CHECK(golden::relative_difference(view<const float>(rough.data(), row.dims()), row) < 1e-5);
      }
    }
  };
  check("muon", {.rest_learning_rate = 0.05, .rest_momentum = 0.85, .rules = {{.rank = 4, .decoupled_weight_decay = 0.1}}});
  check("muon_normalized", normalized);
}

TEST_CASE("singular values of what is orthogonalised are near 1") {
  newton_schulz<double> work({}, 12 * 20, 12, 20);
  double* x = work.matrix(12 * 20);
  random_stream random(random_key(2));
  for (index_t i = 0; i < 12 * 20; ++i) x[i] = random.normal();
  const double* u = work.run(12, 20, 5);
  double trace = 0;
  for (index_t i = 0; i < 12; ++i)
    for (index_t k = 0; k < 20; ++k) trace += u[i * 20 + k] * u[i * 20 + k];
  CHECK(trace > 12 * 0.7 * 0.7);
  CHECK(trace < 12 * 1.2 * 1.2);
}

TEST_CASE("the same bits for any number of threads, without memory, and after a pause") {
  std::vector<float> first;
  for (const int threads : {1, 2, 3}) {
    auto net = three<float>(threads);
    muon<float> opt(net, normalized);
    set_gradients(net, 0);
    opt.step();
    const long before = counted_new::allocations;
    opt.step(0.5);
    CHECK(counted_new::allocations == before);
    auto other = three<float>(threads);
    muon<float> resumed(other, normalized);
    std::copy(net.parameter_arena().begin(), net.parameter_arena().end(), other.parameter_arena().begin());
    auto from = opt.state(), to = resumed.state();
    REQUIRE(from.size() == 3);
    CHECK(from[0].name == "muon.velocity.wide.weight");
    for (std::size_t i = 0; i < from.size(); ++i) std::copy(from[i].data.begin(), from[i].data.end(), to[i].data.begin());
    resumed.steps(opt.steps());
    set_gradients(net, 1), set_gradients(other, 1);
    opt.step(0.25), resumed.step(0.25);
    CHECK(values_of(net) == values_of(other));
    if (first.empty()) first = values_of(net);
    CHECK(values_of(net) == first);
  }
}

TEST_CASE("frozen filters stay, and options outside their range are refused") {
  auto net = three<float>();
  const std::vector<float> before = values_of(net);
  net.freeze("wide.weight");
  muon<float> opt(net, normalized);
  set_gradients(net, 0);
  opt.step();
  const std::vector<float> after = values_of(net);
  CHECK(std::equal(before.begin(), before.begin() + 108, after.begin()));
  CHECK(after[108] != before[108]);
  CHECK_THROWS_AS(muon<float>(net, {.iterations = 0}), option_error);
  CHECK_THROWS_AS(muon<float>(net, {.momentum = 1.0}), option_error);
  CHECK_THROWS_AS(muon<float>(net, {.rest_momentum = -0.1}), option_error);
}
