#pragma once
/// Evaluation by several processes: each predicts some of the batches, and all get what one process would have found, bit for
/// bit.

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/shards.hpp"
#include "minicnn/train/batch_source.hpp"
#include "minicnn/train/task.hpp"
#include "minicnn/train/team.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// What `task::observe` adds, as bytes.
MINICNN_COLD inline void append_observed(std::string& to, const evaluation& e) {
  const auto raw = [&](const void* data, std::size_t bytes) { to.append(static_cast<const char*>(data), bytes); };
  const auto list = [&](const auto& values) {
    const std::size_t count = values.size();
    raw(&count, sizeof count);
    raw(values.data(), count * sizeof values[0]);
  };
  const index_t counts[] = {e.images, e.columns, e.target_columns, static_cast<index_t>(e.parts.size())};
  raw(counts, sizeof counts);
  raw(&e.loss_sum, sizeof e.loss_sum);
  raw(&e.weight_sum, sizeof e.weight_sum);
  list(e.outputs), list(e.labels), list(e.targets);
  for (const evaluation& part : e.parts) append_observed(to, part);
}

/// Adds to `e` what stands at the beginning of `from`, and takes it from there.
MINICNN_COLD inline void add_observed(evaluation& e, std::string_view& from) {
  const auto raw = [&](void* data, std::size_t bytes) {
    std::memcpy(data, from.data(), bytes);
    from.remove_prefix(bytes);
  };
  const auto list = [&](auto& values) {
    std::size_t count = 0;
    raw(&count, sizeof count);
    const std::size_t before = values.size();
    values.resize(before + count);
    if (count > 0) raw(values.data() + before, count * sizeof values[0]);
  };
  index_t counts[4];
  double loss = 0, weight = 0;
  raw(counts, sizeof counts);
  raw(&loss, sizeof loss);
  raw(&weight, sizeof weight);
  e.images += counts[0], e.loss_sum += loss, e.weight_sum += weight;
  if (counts[0] > 0) e.columns = counts[1], e.target_columns = counts[2];
  list(e.outputs), list(e.labels), list(e.targets);
  e.parts.resize((std::max)(e.parts.size(), static_cast<std::size_t>(counts[3])));
  for (index_t i = 0; i < counts[3]; ++i) add_observed(e.parts[static_cast<std::size_t>(i)], from);
}

/// The batches of this rank, each observed by itself. `dealt`: `data` gives no others.
template <class T>
std::string observe_own_batches(session<T>& run, batch_source<T>& data, const task<T>& what, const team& ranks, bool dealt) {
  const network<T>& net = run.net();
  const index_range own = range_of_part(data.batches(), ranks.size(), ranks.rank());
  std::vector<view<const T>> outputs(static_cast<std::size_t>(what.output_count()));
  std::string observed;
  data.start_epoch(0, 0);
  index_t number = 0;
  while (const batch<T>* b = data.next()) {
    const index_t here = number++;
    if (!dealt && (here < own.begin || here >= own.end)) continue;
    outputs[0] = run.predict(b->images);
    for (std::size_t i = 1; i < outputs.size(); ++i)
      outputs[i] = run.value(net.nodes()[static_cast<std::size_t>(net.topology().outputs[i])].name);
    evaluation e;
    what.observe(e, outputs, *b);
    append_observed(observed, e);
  }
  return observed;
}

}  // namespace detail

/// As `evaluate` of task.hpp, on all ranks at once, with the same result on all of them. What the task's `observe` adds are sums
/// and rows. `dealt`: `data` gives each rank its own batches alone (`batch_source::deal`). Throws on all ranks if one of them
/// does.
template <class T>
MINICNN_COLD evaluation evaluate(session<T>& run, batch_source<T>& data, const task<T>& what, team& ranks, bool dealt) {
  std::string observed;
  together(ranks, [&] { observed = detail::observe_own_batches(run, data, what, ranks, dealt); });
  evaluation e;
  for (const std::string& one : gather_bytes(ranks, observed))
    for (std::string_view rest = one; !rest.empty();) detail::add_observed(e, rest);
  what.finish(e);
  return e;
}

}  // namespace minicnn::inline MINICNN_ABI
