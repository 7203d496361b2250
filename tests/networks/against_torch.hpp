#pragma once
/// Networks with the weights of tests/golden/make_models.py, compared with what torchvision's compute.

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "golden/golden.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/train/loss.hpp"

namespace against_torch {

using minicnn::index_t;
using minicnn::network;
using minicnn::shape;
using minicnn::tensor;
using minicnn::view;

/// Options that spare the initial values, as all of them are replaced.
inline const minicnn::network_options unset{.initialize = false};

/// "layer1.0.bn2.weight": the last batch norm of a residual branch.
inline bool ends_branch(std::string_view name) {
  return name.starts_with("layer") && (name.ends_with(".bn2.weight") || name.ends_with(".bn3.weight"));
}

/// Sets parameters and buffers by the rule of make_models.py.
template <class T>
void fill(network<T>& net) {
  for (const auto& p : net.parameters()) {
    const view<T> values = net.parameter(p.name);
    const std::uint64_t salt = minicnn::name_hash(p.name);
    if (p.dims.rank() > 1)
      golden::fill(values, salt, std::sqrt(24.0 / static_cast<double>(p.dims.size_from(1))));
    else if (p.name.ends_with("weight"))
      golden::fill(values, salt, 0.5, ends_branch(p.name) ? 0.25 : 1.0);
    else
      golden::fill(values, salt);
  }
  for (const auto& b : net.buffers())
    golden::fill(net.buffer(b.name), minicnn::name_hash(b.name), 1.0, b.name.ends_with("running_var") ? 1.0 : 0.0);
}

/// Logits in evaluation mode, in double and, to 1e-4, in float. `make` is called with the element type: `make(float{})`.
/// `golden_name` is the file that has them.
template <class Make>
void check_logits(const std::string& name, const shape& input, const Make& make, std::string_view golden_name = "models") {
  CAPTURE(name);
  const golden::safetensors_file file = golden::open(golden_name);
  const auto difference = [&](auto element) {
    using T = decltype(element);
    network<T> net = make(element);
    fill(net);
    const tensor<T> x = golden::filled<T>(input, golden::input, 4.0);
    const tensor<T> logits = net.predict(x);
    return golden::relative_difference(view<const T>(logits), file, name + ".logits");
  };
  CHECK(difference(double{}) < 1e-10);
  CHECK(difference(float{}) < 1e-4);
}

/// Words of a metadata entry.
inline std::vector<std::string> words(const golden::safetensors_file& file, const std::string& key) {
  const std::string* text = file.find_metadata(key);
  REQUIRE(text != nullptr);
  std::istringstream in(*text);
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

/// One training step without the update on `count` images of 3 x `size` x `size`: losses, outputs, the gradients' lengths and
/// eight elements of each, and the running statistics. `bound` is for values, `gradient_bound` for gradients: relative, as
/// lengths of differences.
template <class T>
void check_step(const std::string& name, network<T> net, index_t size, index_t count, double bound, double gradient_bound) {
  CAPTURE(name);
  const golden::safetensors_file file = golden::open(name);
  fill(net);
  const tensor<T> x = golden::filled<T>({count, 3, size, size}, golden::input, 4.0);
  std::vector<std::int32_t> labels;
  for (index_t i = 0; i < count; ++i) labels.push_back(static_cast<std::int32_t>(3 * i % 10));

  minicnn::session<T> run(net);
  run.forward(x);
  const tensor<double> losses = file.load<double>("losses");
  const minicnn::softmax_cross_entropy<T> loss;
  REQUIRE(losses.size() == net.output_count());
  for (int i = 0; i < net.output_count(); ++i) {
    CAPTURE(i);
    const double weight = net.loss_weights()[static_cast<std::size_t>(i)];
    CHECK(loss(run, labels, i, weight) == doctest::Approx(weight * losses[i]).epsilon(bound));
    CHECK(golden::relative_difference(run.output(i), file, minicnn::text_of("output", i)) < bound);
  }
  run.backward();

  const std::vector<std::string> names = words(file, "parameters");
  REQUIRE(names.size() == net.parameters().size());
  const tensor<double> lengths = file.load<double>("gradient.lengths"), samples = file.load<double>("gradient.samples");
  double worst = 0;
  const double longest = *std::max_element(lengths.begin(), lengths.end());
  for (index_t k = 0; k < lengths.size(); ++k) {
    CAPTURE(names[static_cast<std::size_t>(k)]);
    const view<T> gradient = net.parameter_gradient(names[static_cast<std::size_t>(k)]);
    if (lengths[k] < 1e-12) {  // 0 but for rounding: an offset that the next batch norm takes off again
      CHECK(golden::length(gradient) < gradient_bound * longest);
      continue;
    }
    CHECK(golden::length(gradient) == doctest::Approx(lengths[k]).epsilon(gradient_bound));
    // Samples are held against the gradient's usual element: small ones are differences of large sums.
    const index_t every = (std::max)(index_t{1}, gradient.size() / 8);
    double squares = 0;
    index_t taken = 0;
    for (; taken < 8 && taken * every < gradient.size(); ++taken) {
      const double gap = static_cast<double>(gradient[taken * every]) - samples[8 * k + taken];
      squares += gap * gap;
    }
    const double usual = lengths[k] / std::sqrt(static_cast<double>(gradient.size()));
    const double difference = std::sqrt(squares / static_cast<double>(taken)) / usual;
    CHECK(difference < gradient_bound);
    worst = (std::max)(worst, difference);
  }
  MESSAGE(name << ": largest relative difference of a gradient's samples " << worst);

  const std::vector<std::string> buffers = words(file, "buffers");
  const tensor<double> buffer_lengths = file.load<double>("buffer.lengths");
  REQUIRE(buffers.size() == net.buffers().size());
  for (index_t k = 0; k < buffer_lengths.size(); ++k) {
    CAPTURE(buffers[static_cast<std::size_t>(k)]);
    CHECK(golden::length(net.buffer(buffers[static_cast<std::size_t>(k)])) == doctest::Approx(buffer_lengths[k]).epsilon(bound));
  }
}

}  // namespace against_torch
