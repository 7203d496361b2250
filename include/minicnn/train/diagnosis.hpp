#pragma once
/// What to look at when training goes wrong: which node made the first NaN, and why a loss does not leave that of guessing.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "minicnn/train/reductions.hpp"
#include "minicnn/train/task.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// "nan at 3 of 64 places, first at 17", or nothing where all values are finite.
template <class T>
MINICNN_COLD std::string describe_non_finite(const view<const T>& values) {
  index_t count = 0, first = -1;
  for (index_t i = 0; i < values.size(); ++i)
    if (!is_finite(values[i])) first = first < 0 ? i : first, count += 1;
  if (count == 0) return "";
  return text_of(is_nan(values[first]) ? "NaN" : "infinity", " at ", count, " of ", values.size(), " places, first at ", first);
}

/// Four significant digits.
MINICNN_COLD inline std::string short_text(double x) {
  char buffer[32];
  return std::string(buffer, detail::float_to_chars(buffer, buffer + sizeof buffer, x, std::chars_format::general, 4).ptr);
}

/// Adds how often each class occurs in a batch.
MINICNN_COLD inline void describe_labels(std::span<const std::int32_t> labels, index_t outputs, std::string& text,
                                         std::string& hints) {
  std::vector<index_t> histogram(static_cast<std::size_t>(outputs));
  for (const std::int32_t l : labels)
    if (l >= 0 && static_cast<std::size_t>(l) < histogram.size()) histogram[static_cast<std::size_t>(l)] += 1;
  text += "labels of a batch:";
  index_t classes = 0;
  for (std::size_t c = 0; c < histogram.size(); ++c) {
    if (c < 20) text += text_of(c == 0 ? " " : ", ", c, ": ", histogram[c]);
    classes += histogram[c] > 0;
  }
  text += "\n";
  if (classes < 2) hints += "- all labels of the batch are equal: are the pictures shuffled, do names give the labels?\n";
}

}  // namespace detail

/// Runs the batch again in training mode and says where the first value is NaN or infinite: a parameter, the input, a node in
/// the order of computing, or in backward the gradient of a node or parameter. Empty if all is finite. Running statistics and
/// step counter end as they were; gradients are overwritten.
template <class T>
MINICNN_COLD std::string first_non_finite(network<T>& net, const batch<T>& b, const task<T>& what) {
  const auto found = [](const std::string& thing, const view<const T>& values, std::string& text) {
    const std::string problem = detail::describe_non_finite(values);
    if (!problem.empty()) text = thing + ": " + problem;
    return !problem.empty();
  };
  std::string text;
  for (const parameter_info& p : net.parameters())
    if (found("parameter " + p.name, static_cast<const network<T>&>(net).parameter(p.name), text)) return text;
  for (const buffer_info& s : net.buffers())
    if (found("running statistics " + s.name, static_cast<const network<T>&>(net).buffer(s.name), text)) return text;
  if (found("input", b.images, text)) return text;

  const view<T> buffers = net.buffer_arena();
  const std::vector<T> before(buffers.begin(), buffers.end());
  const std::uint64_t step = net.step();
  std::vector<std::string> names;
  for (const auto& n : net.nodes())
    if (n.operation) names.push_back(n.name);
  session<T> run(net, {.retain = std::move(names)});
  net.step(step > 0 ? step - 1 : 0);  // dropout as in the step that failed
  run.forward(b.images);
  const auto search = [&] {
    for (const auto& n : net.nodes())
      if (n.operation && found(text_of("node ", n.name, " (", n.operation->kind(), ")"), run.value(n.name), text)) return;
    output_table<T> outputs;
    what.losses(outputs.of(run), b, 1.0);
    run.backward();
    for (auto n = net.nodes().rbegin(); n != net.nodes().rend(); ++n)
      if (n->operation && found("gradient of node " + n->name, run.gradient(n->name), text)) return;
    for (const parameter_info& p : net.parameters())
      if (found("gradient of parameter " + p.name, net.parameter_gradient(p.name), text)) return;
  };
  search();
  std::copy(before.begin(), before.end(), buffers.begin());
  net.step(step);
  return text;
}

/// Lines about a network whose loss stays at that of guessing: labels and values of a batch, size of parameters and of their
/// latest gradients layer by layer, units of ReLU layers that are 0 for every image of the batch, and what is conspicuous in
/// these. Changes nothing; `net` must have run backward.
template <class T>
MINICNN_COLD std::string diagnose_stuck(network<T>& net, const batch<T>& b) {
  using detail::short_text;
  std::string text, hints;

  if (!b.labels.empty()) detail::describe_labels(b.labels, net.output_dims().size_from(1), text, hints);

  double sum = 0, squares = 0, low = INFINITY, high = -INFINITY;
  for (const T value : b.images) {
    const double x = static_cast<double>(value);
    sum += x, squares += x * x, low = (std::min)(low, x), high = (std::max)(high, x);
  }
  const double count = static_cast<double>(b.images.size()), mean = sum / count;
  const double deviation = std::sqrt((std::max)(0.0, squares / count - mean * mean));
  text += "input: mean " + short_text(mean) + ", deviation " + short_text(deviation) + ", from " + short_text(low) + " to " +
          short_text(high) + "\n";
  if (deviation < 1e-3) hints += "- the input hardly varies: are pictures decoded and scaled as they should be?\n";
  if (std::abs(mean) > 10 || deviation > 10)
    hints += "- the input is not normalised: subtract the mean, divide by the deviation\n";

  text += "layer: root mean square of weights, of their gradients\n";
  const network<T>& fixed = net;
  for (const parameter_info& p : net.parameters()) {
    if (!p.trainable || !p.name.ends_with(".weight")) continue;
    const double size = static_cast<double>(p.dims.size());
    const double w = std::sqrt(sum_of_squares(fixed.parameter(p.name), net.ctx()).value / size);
    const double g = std::sqrt(sum_of_squares(view<const T>(net.parameter_gradient(p.name)), net.ctx()).value / size);
    text += "  " + p.name.substr(0, p.name.size() - 7) + ": " + short_text(w) + ", " + short_text(g) + "\n";
    if (g <= 0) hints += "- no gradient reaches " + p.name + "\n";
  }

  std::vector<std::string> names;
  for (const auto& n : net.nodes())
    if (n.operation && n.operation->role() == op_role::relu) names.push_back(n.name);
  if (!names.empty()) {
    session<T> run(fixed, {.retain = names});
    run.predict(b.images);
    text += "units that are 0 for every picture of the batch:";
    for (std::size_t i = 0; i < names.size(); ++i) {
      const view<const T> y = run.value(names[i]);
      const index_t channels = y.dim(1), plane = y.dims().size_from(2);
      index_t dead = 0;
      for (index_t c = 0; c < channels; ++c) {
        bool alive = false;
        for (index_t n = 0; n < y.dim(0) && !alive; ++n) {
          const T* from = y.data() + (n * channels + c) * plane;
          alive = std::any_of(from, from + plane, [](T x) { return x > T(0); });
        }
        dead += !alive;
      }
      text += text_of(i == 0 ? " " : ", ", names[i], " ", dead, " of ", channels);
      if (2 * dead > channels)
        hints += text_of("- most units of ", names[i], " are dead: a lower rate, a warm-up or smaller initial values help\n");
    }
    text += "\n";
  }
  if (hints.empty()) hints = "- nothing conspicuous: try another learning rate (ten times higher, ten times lower)\n";
  return text + hints;
}

MINICNN_COMPILED_FUNCTION(diagnose_stuck);

}  // namespace minicnn::inline MINICNN_ABI
