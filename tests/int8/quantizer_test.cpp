// Networks in 8-bit numbers: what becomes of their layers, how near their answers are, and what they refuse.
#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "io/temporary_folder.hpp"
#include "minicnn/int8/quantizer.hpp"
#include "minicnn/io/checkpoint.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/model/described_network.hpp"

using namespace minicnn;

namespace {

/// Residual, depthwise, concatenated, pooled, a norm behind a ReLU, and a layer that has no 8-bit form.
network<float> everything(bool real_layer = true) {
  graph<float> g;
  auto x = relu(batch_norm(conv2d(g.input({3, 12, 12}), {.filters = 16, .kernel = 3, .padding = 1, .bias = false})));
  auto y = relu(conv2d(x, {.filters = 16, .kernel = 3, .padding = 1, .groups = 16}));
  x = relu(add(conv2d(y, {.filters = 16}), x));
  x = batch_norm(max_pool(relu(conv2d(x, {.filters = 20, .kernel = 3, .padding = 1})), {.kernel = 3, .stride = 2, .padding = 1}));
  x = batch_norm(relu(conv2d(x, {.filters = 12})));
  x = concat({x, clip(conv2d(x, {.filters = 8, .kernel = 3, .padding = 1}), 0, 6),
              avg_pool(x, {.kernel = 3, .stride = 1, .padding = 1})});
  x = add(x, x);
  x = conv2d(x, {.filters = 8});
  if (real_layer) x = silu(x);
  x = relu(conv2d(x, {.filters = 8}));
  x = dropout(relu(dense(flatten(x), 24)), 0.5);
  return network<float>(std::move(g), {dense(x, 3, {.name = "logits"})}, {.seed = 3, .threads = 2});
}

/// Running statistics that are not those of a network never trained.
void stir(network<float>& net) {
  random_stream random{random_key(8)};
  for (const buffer_info& b : net.buffers())
    for (float& v : net.buffer(b.name))
      v = static_cast<float>(b.initial > 0 ? random.uniform(0.5, 2) : random.uniform(-0.2, 0.2));
}

tensor<float> pictures(index_t n) {
  random_stream random{random_key(4)};
  tensor<float> x({n, 3, 12, 12});
  for (float& v : x) v = static_cast<float>(random.normal());
  return x;
}

/// Of `everything`: any one of its ten layers in 8 bits alone changes the logits by 0.6 to 5 %, independent errors of all of them
/// add up to 9 %. What is wrong, a zero point that is left out say, changes them by a multiple of themselves.
constexpr double error_of_rounding = 0.1;

/// Root of the mean square of a - b, as a share of b's.
double difference(const view<const float>& a, const view<const float>& b) {
  double apart = 0, all = 0;
  for (index_t i = 0; i < b.size(); ++i) apart += std::pow(a[i] - b[i], 2), all += std::pow(b[i], 2);
  return std::sqrt(apart / all);
}

std::map<std::string, std::string> kinds(const network<float>& net) {
  std::map<std::string, std::string> out;
  for (const auto& n : net.nodes())
    if (n.operation != nullptr) out[n.name] = n.operation->kind();
  return out;
}

}  // namespace

TEST_CASE("quantizer: layers become 8-bit ones, and answers stay near") {
  network<float> net = everything();
  stir(net);
  const tensor<float> x = pictures(16);
  quantizer<float> q(net);
  CHECK_THROWS_WITH(q.quantized(), "quantizer: no pictures have been observed");
  q.observe(x);
  const network<float> small = q.quantized();
  auto made = kinds(small);
  for (const char* name : {"conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "conv8", "fc1", "logits"}) {
    CAPTURE(name);
    CHECK(made[name] == "int8_conv2d");
  }
  CHECK(made["pool1"] == "int8_max_pool");
  CHECK(made["bn2"] == "int8_scale");
  CHECK(made["pool2"] == "int8_avg_pool");
  CHECK(made["concat1"] == "int8_concat");
  CHECK(made["add2"] == "int8_add");
  for (const char* gone : {"relu1", "add1", "bn1", "bn3", "dropout1", "flatten1"}) CHECK(made.count(gone) == 0);
  CHECK(made["silu1"] == "silu");

  const tensor<float> wanted = net.predict(x), got = small.predict(x);
  CHECK(difference(got, wanted) < error_of_rounding);
  CHECK(difference(got, wanted) > 1e-4);  // it is not the network that it was
}

TEST_CASE("quantised networks: the same bits for any threads, batches and instruction sets, weights packed before or not") {
  network<float> net = everything(false);
  stir(net);
  const tensor<float> x = pictures(5);
  quantizer<float> q(net);
  q.observe(x);
  const network<float> small = q.quantized();
  const tensor<float> wanted = small.predict(x), one(view<const float>(x.data(), {1, 3, 12, 12}));
  for (const isa set : {isa::baseline, isa::avx2, isa::avx512}) {
    if (set > detect_isa()) continue;
    for (const int threads : {1, 3})
      for (const bool packed : {false, true}) {
        CAPTURE(name_of(set));
        CAPTURE(threads);
        session<float> run(small, {.threads = threads, .instruction_set = set, .prepack_weights = packed});
        const view<const float> y = run.predict(x);
        CHECK(std::equal(y.begin(), y.end(), wanted.begin()));
        const view<const float> alone = run.predict(one);
        CHECK(std::equal(alone.begin(), alone.end(), wanted.begin()));
      }
  }
}

TEST_CASE("quantizer: what is kept stays in real numbers") {
  network<float> net = everything();
  stir(net);
  const tensor<float> x = pictures(8);
  quantizer<float> q(net);  // folds batch norms; `net` stays as it is
  q.observe(x);             // some hundred prepared pictures, a batch at a time
  const network<float> small = q.quantized({.range = int8::range_rule::all, .keep = {"conv1", "logits"}});
  auto made = kinds(small);
  CHECK(made["conv1"] == "conv2d");
  CHECK(made["logits"] == "dense");
  CHECK(made["conv2"] == "int8_conv2d");
  const tensor<float> wanted = net.predict(x), got = small.predict(x);
  CHECK(difference(got, wanted) < error_of_rounding);
  CHECK_THROWS_WITH(quantizer<float>{small}, "quantizer: the network is quantised already");
}

TEST_CASE("quantised networks: files and descriptions give the same bits") {
  network<float> net = everything();
  stir(net);
  const tensor<float> x = pictures(4);
  quantizer<float> q(net);
  q.observe(x);
  const network<float> small = q.quantized();
  const temporary_folder folder;  // outlives the open file, which Windows would not remove
  const std::string path = folder / "small.safetensors";
  save_weights(small, path);
  const safetensors_file file = safetensors_file::open(path);
  CHECK(file.at("conv1.weight").type == dtype::i8);
  CHECK(file.at("conv1.scale").type == dtype::f32);
  network<float> again = make_described_network<float>(parse_json(write_json(describe_network(small))));
  CHECK(describe_network(again) == describe_network(small));
  load_weights(again, file);
  const tensor<float> wanted = small.predict(x), got = again.predict(x);
  CHECK(std::equal(got.begin(), got.end(), wanted.begin()));

  again.parameter("conv3.weight")[5] = 0.5F;
  CHECK_THROWS_WITH(save_weights(again, path), "conv3.weight: wanted whole numbers from -127 to 127, got 0.5");

  const auto of_double = make_described_network<double>(describe_network(small));
  CHECK(of_double.predict(tensor<double>({1, 3, 12, 12})).size() == 3);
}

TEST_CASE("quantised networks: predict only, and bytes are no real numbers") {
  network<float> net = everything();
  quantizer<float> q(net);
  const tensor<float> x = pictures(2);
  q.observe(x);
  network<float> small = q.quantized();
  session<float> run(small);
  run.forward(x);
  CHECK_THROWS_WITH(run.backward(), "int8_conv2d: a quantised network predicts; it has no gradients");
  session<float> watched(static_cast<const network<float>&>(small), {.retain = {"conv1"}});
  CHECK_THROWS_WITH(watched.predict(x), "network: the value of conv1 is 8-bit numbers");

  graph<float> g;
  const auto bytes = quantize(g.input({3, 4, 4}), {{0.1F, 128}, "bytes"});
  CHECK_THROWS_WITH(relu(bytes), "relu1: wants real numbers, bytes is 8-bit; put dequantize between");
  CHECK_THROWS_WITH(int8_conv2d(relu(dequantize(bytes, {})), {.filters = 2}),
                    "conv1: wants 8-bit numbers, relu1 is real; put quantize between");
  CHECK_THROWS_AS(quantize(g.input({3, 4, 4}, "other"), {{0.0F, 0}}), option_error);
  CHECK_THROWS_AS(quantize(g.input({3, 4, 4}, "third"), {{1.0F, 256}}), option_error);
  CHECK_THROWS_AS(int8_conv2d(bytes, {.filters = 2, .low = 9, .high = 8}), option_error);
  CHECK_THROWS_AS(int8_conv2d(bytes, {.filters = 2, .kernel = 3, .real = true}), shape_error);
  CHECK_THROWS_AS(network<float>(std::move(g), {bytes}), option_error);

  tensor<float> broken = pictures(1);
  broken.data()[7] = NAN;
  CHECK_THROWS_WITH(q.observe(broken), "calibration: a value is nan");
}

TEST_CASE("ranges: all that was seen, or less where rare values would make everything coarse") {
  int8::value_histogram h;
  std::vector<float> values;
  for (int i = 0; i < 400000; ++i) values.push_back(static_cast<float>(i % 100) * 0.01F);
  values.push_back(10);
  h.add(std::span<const float>(values).first(10));  // the limit grows with what comes
  h.add(std::span<const float>(values));
  CHECK(h.choose(int8::range_rule::all).scale == doctest::Approx(10.0 / 255));
  CHECK(h.choose(int8::range_rule::all).zero == 0);
  // With a share s of the range kept, 396,000 values err by (10 s / 255)^2 / 12 in the mean and one by 10 - 10 s: least at 0.66.
  CHECK(h.choose(int8::range_rule::least_error).scale == doctest::Approx(6.6 / 255).epsilon(0.02));
  int8::value_histogram both;
  const std::vector<float> ends{-1, 3};
  both.add(std::span<const float>(ends));
  CHECK(both.choose(int8::range_rule::all).scale == doctest::Approx(4.0 / 255));
  CHECK(both.choose(int8::range_rule::all).zero == 64);  // 0 lies at 63.75
  CHECK(int8::value_histogram().choose(int8::range_rule::all).scale > 0);
}
