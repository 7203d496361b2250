#pragma once
/// A graph under construction. A node can only name earlier nodes, so the order of insertion is a topological order.

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/op.hpp"

namespace minicnn::inline MINICNN_ABI {

template <class T>
class graph;

/// A handle to one value of a graph: what layer functions take and return. Valid until the graph's nodes move into a network,
/// where nodes have names only.
template <class T>
struct node {
  graph<T>* owner = nullptr;
  int id = -1;

  /// Shape for a batch of one: (1, c, h, w) or (1, features).
  const shape& dims() const { return owner->at(id).dims; }
  const std::string& name() const { return owner->at(id).name; }
};

/// Whether `name` is called `selector` or lies below it: "conv1" selects "conv1" and "conv1.weight" but not "conv10", "block1"
/// all of "block1.conv1", "block1.bn1", ... Scopes end with "." or "/"; one at the end of `selector` changes nothing. The empty
/// selector selects everything.
inline bool selects(std::string_view selector, std::string_view name) {
  const auto separates = [](char c) { return c == '.' || c == '/'; };
  while (!selector.empty() && separates(selector.back())) selector.remove_suffix(1);
  if (!name.starts_with(selector)) return false;
  return selector.empty() || name.size() == selector.size() || separates(name[selector.size()]);
}

/// One operation of a graph and the value it makes. `operation` is null for inputs.
template <class T>
struct graph_node {
  std::string name;
  std::shared_ptr<const op<T>> operation;
  std::vector<int> inputs;
  shape dims;          ///< for a batch of one
  bool bytes = false;  ///< its value is 8-bit numbers (`op_plan::output_bytes`)
};

namespace detail {
template <class T>
MINICNN_COLD std::shared_ptr<const op<T>> shared_op(const op<T>* made) {
  return std::shared_ptr<const op<T>>(made);
}
}  // namespace detail

/// An operation for `graph::add`. As std::make_shared, which compiles its counting anew for every class.
template <class Op, class... A>
auto make_op(A&&... arguments) {
  return detail::shared_op(new Op(std::forward<A>(arguments)...));
}

template <class T = float>
class graph {
 public:
  graph() = default;
  graph(const graph&) = delete;
  graph& operator=(const graph&) = delete;

  /// An input without its batch axis: `{3, 227, 227}`.
  MINICNN_COLD node<T> input(const shape& dims, std::string name = "input") {
    std::vector<index_t> extents{1};
    extents.insert(extents.end(), dims.begin(), dims.end());
    return insert({unique_name(std::move(name)), nullptr, {}, shape(extents.begin(), extents.end()), false});
  }

  /// Appends an operation. It is called `name`, or `prefix` with a running number when `name` is empty (conv1, conv2, ...),
  /// inside the current scope. Throws what the op's `plan` throws, with the name before the text.
  MINICNN_COLD node<T> add(std::shared_ptr<const op<T>> operation, const std::vector<node<T>>& inputs, std::string name,
                           std::string_view prefix) {
    graph_node<T> made;
    made.name = name.empty() ? numbered(prefix) : unique_name(scope_ + std::move(name));
    std::vector<shape> shapes;
    for (const node<T>& x : inputs) {
      if (x.owner != this) fail(made.name, ": its input belongs to another graph");
      made.inputs.push_back(x.id);
      shapes.push_back(x.dims());
    }
    const op_plan planned = plan_named(made.name, *operation, {shapes, true, {}});
    for (const node<T>& x : inputs)
      if (at(x.id).bytes != planned.reads_bytes)
        fail<option_error>(made.name, ": wants ", planned.reads_bytes ? "8-bit" : "real", " numbers, ", x.name(), " is ",
                           planned.reads_bytes ? "real; put quantize" : "8-bit; put dequantize", " between");
    made.dims = planned.output;
    made.bytes = planned.output_bytes > 0;
    made.operation = std::move(operation);
    return insert(std::move(made));
  }

  /// While the returned object lives, names of new nodes begin with "name." and numbers start again at 1.
  class [[nodiscard]] scope_guard {
   public:
    scope_guard(graph& g, std::string_view name) : graph_(g), previous_(g.scope_) { g.scope_ += std::string(name) + "."; }
    ~scope_guard() { graph_.scope_ = std::move(previous_); }
    scope_guard(const scope_guard&) = delete;
    scope_guard& operator=(const scope_guard&) = delete;

   private:
    graph& graph_;
    std::string previous_;
  };
  scope_guard scope(std::string_view name) { return scope_guard(*this, name); }

  /// Throws error once the nodes have moved into a network.
  const graph_node<T>& at(int id) const {
    if (id < 0 || id >= size()) fail_used(id);
    return nodes_[static_cast<std::size_t>(id)];
  }
  int size() const { return static_cast<int>(nodes_.size()); }

  /// Index of the node called `name`, or -1.
  int find(std::string_view name) const {
    for (int i = 0; i < size(); ++i)
      if (at(i).name == name) return i;
    return -1;
  }

  /// Gives up the nodes (to a network). The graph takes no others after that.
  std::vector<graph_node<T>> release() {
    released_ = true;
    return std::exchange(nodes_, {});
  }

  /// `operation.plan(request)`, with `name` before the text of what it throws.
  MINICNN_COLD static op_plan plan_named(const std::string& name, const op<T>& operation, const plan_request& request) {
    try {
      return operation.plan(request);
    } catch (const shape_error& e) {
      fail<shape_error>(name, ": ", e.what());
    } catch (const option_error& e) {
      fail<option_error>(name, ": ", e.what());
    }
  }

 private:
  node<T> insert(graph_node<T> made) {
    if (released_) fail(made.name, ": the graph has moved into a network and takes no more nodes");
    nodes_.push_back(std::move(made));
    return {this, size() - 1};
  }

  [[noreturn]] MINICNN_COLD void fail_used(int id) const {
    if (released_) fail("graph: node ", id, " has moved into a network; ask the network for it by name");
    fail("graph: node ", id, " of ", size());
  }

  MINICNN_COLD std::string unique_name(std::string name) const {
    if (find(name) >= 0) fail<option_error>("graph: two nodes are called ", name);
    return name;
  }

  MINICNN_COLD std::string numbered(std::string_view prefix) const {
    for (int number = 1;; ++number) {
      std::string name = text_of(scope_, prefix, number);
      if (find(name) < 0) return name;
    }
  }

  std::vector<graph_node<T>> nodes_;
  std::string scope_;
  bool released_ = false;
};

MINICNN_COMPILED_CLASS(graph);

}  // namespace minicnn::inline MINICNN_ABI
