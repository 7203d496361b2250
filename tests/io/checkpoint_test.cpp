#include "minicnn/io/checkpoint.hpp"

#include <doctest/doctest.h>

#include "counted_new.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/lenet5.hpp"

using namespace minicnn;

namespace {

network<float> small(index_t hidden, std::uint64_t seed) {
  graph<float> g;
  auto x = batch_norm(relu(dense(g.input({5}), hidden)));
  return network<float>(std::move(g), {dense(x, 2)}, {.seed = seed});
}

std::vector<float> all(const network<float>& net) {
  std::vector<float> out(net.parameter_arena().begin(), net.parameter_arena().end());
  out.insert(out.end(), net.buffer_arena().begin(), net.buffer_arena().end());
  return out;
}

}  // namespace

TEST_CASE("weights and buffers come back exactly, with their metadata") {
  const temporary_folder folder;
  auto a = small(7, 1), b = small(7, 2);
  a.buffer("bn1.running_mean")[3] = 0.25F;
  save_weights(a, folder / "w.safetensors", {{"model", "small"}});
  CHECK(all(a) != all(b));
  load_weights(b, folder / "w.safetensors");
  CHECK(all(a) == all(b));
  CHECK(*safetensors_file::open(folder / "w.safetensors").find_metadata("model") == "small");
}

TEST_CASE("a file of another network is refused by tensor and shape, and the network stays as it was") {
  const temporary_folder folder;
  save_weights(small(8, 1), folder / "w.safetensors");
  auto net = small(7, 2);
  const auto before = all(net);
  CHECK_THROWS_WITH_AS(load_weights(net, folder / "w.safetensors"), doctest::Contains("wanted shape 7x5, got 8x5"), file_error);
  CHECK(all(net) == before);

  graph<float> g;
  auto x = dense(relu(dense(g.input({5}), 8)), 2);
  network<float> without(std::move(g), {x});
  CHECK_THROWS_WITH_AS(load_weights(without, folder / "w.safetensors"), doctest::Contains("bn1"), file_error);
  CHECK_THROWS_AS(load_weights(net, folder / "missing.safetensors"), file_error);
  CHECK(all(net) == before);
}

TEST_CASE("F51 a LeNet-5 file that ends at any 1,000th byte is an error, before memory is asked for or the network touched") {
  const temporary_folder folder;
  save_weights(lenet5({.network = {.seed = 1}}), folder / "whole.safetensors", {{"model", "lenet5"}});
  const std::string whole = read_file(folder / "whole.safetensors");
  REQUIRE(whole.size() > 61706 * sizeof(float));
  auto net = lenet5({.network = {.seed = 2}});
  const auto before = all(net);
  std::size_t cuts = 0;
  for (std::size_t length = 0; length < whole.size(); length += 1000, ++cuts) {
    CAPTURE(length);
    const std::string path = folder / "cut.safetensors";
    put_file(path, whole.substr(0, length));
    counted_new::largest = 0;
    CHECK(contains(thrown<file_error>([&] { load_weights(net, path); }), path));
    CHECK(counted_new::largest < 100'000);  // the header's text and what is made of it; the weights are 246,824 bytes
    CHECK(all(net) == before);
  }
  CHECK(cuts == (whole.size() + 999) / 1000);
  load_weights(net, folder / "whole.safetensors");
  CHECK(all(net) != before);
}
