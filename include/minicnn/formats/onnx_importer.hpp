#pragma once
/// An ONNX graph becomes nodes of ours, one operator after the other: what the rules for operators (onnx_import_*.hpp) work with.

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_folding.hpp"
#include "minicnn/graph/network.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/resample.hpp"
#include "minicnn/layers/reshape.hpp"
#include "minicnn/layers/window.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// A value of the graph: a constant, or what a node of ours makes. The first axis of the latter is the batch.
template <class T>
struct onnx_value {
  std::shared_ptr<const onnx_constant> constant;  ///< null: computed

  int id = -1;         ///< the node that makes it
  onnx_extents dims;   ///< as the model sees them; elements have the order of the node's, whatever the shape
  std::string viewer;  ///< the operator that gave the same elements another shape; empty: none did

  bool channels_last = false;  ///< the model's axes are (n, h, w, c), the node's (n, c, h, w)
  padding2d zeros = 0;         ///< around the node's images, not yet part of a layer

  /// Whether the batch is another axis than the first, or only a factor of one. `dims` are then the extents of a sample on all of
  /// the model's axes, and the node's elements (n, dims...).
  bool lifted = false;
  int batch_axis = 0;  ///< which axis it is; -1: none is known, the model is made for one sample
  index_t before = 1;  ///< a sample's extents on that axis in front of the batch, as 3 of an axis of 3 n 4
};

/// A parameter or buffer and how it gets its values.
template <class T>
struct onnx_filling {
  std::string name;
  bool buffer = false;
  std::function<void(view<T>)> fill;
};

template <class T>
class onnx_importer {
 public:
  using value_type = onnx_value<T>;

  onnx_importer(const onnx_model& model, onnx_memory& memory) : model_(model), memory_(memory) {}

  // ---- the operator at hand

  const onnx_node& at() const { return *node_; }
  std::int64_t opset() const { return model_.opset; }
  /// The batch of models that are made for one, -1 of others.
  index_t fixed_batch() const { return fixed_batch_; }
  onnx_memory& memory() { return memory_; }
  graph<T>& nodes() { return graph_; }

  index_t integer(std::string_view key, index_t otherwise) const { return integer_of(at(), key, otherwise); }
  double real(std::string_view key, double otherwise) const { return real_of(at(), key, otherwise); }
  onnx_extents integers(std::string_view key, onnx_extents otherwise = {}) const {
    return integers_of(at(), key, std::move(otherwise));
  }
  std::string_view text(std::string_view key, std::string_view otherwise) const { return text_attribute(at(), key, otherwise); }

  std::size_t count() const { return at().inputs.size(); }
  bool has(std::size_t i) const { return i < count() && !at().inputs[i].empty(); }
  bool is_constant(std::size_t i) const { return has(i) && find(at().inputs[i])->constant != nullptr; }

  const onnx_constant& constant(std::size_t i, std::string_view what) const {
    if (!has(i)) fail("its ", what, " (input ", i, ") is missing");
    if (!is_constant(i)) fail("its ", what, " (input ", i, ") is computed by the network, not a constant");
    const onnx_constant& c = *find(at().inputs[i])->constant;
    if (c.for_each_sample) fail("its ", what, " (input ", i, ") is repeated for each sample");
    return c;
  }
  /// Any value that the network computes.
  value_type& any(std::size_t i) {
    if (!has(i)) fail("input ", i, " is missing");
    value_type& v = values_.at(std::string(at().inputs[i]));
    if (v.constant != nullptr) fail("input ", i, " is a constant");
    return v;
  }
  /// One whose first axis is the batch.
  value_type& computed(std::size_t i) {
    value_type& v = any(i);
    if (v.lifted) fail("input ", i, " is ", lifted_text(v), "; wanted the batch as the first axis");
    return v;
  }

  /// Bounds and axes: an attribute in older operator sets, input i in newer ones.
  onnx_extents axes(std::size_t i = 1) { return has(i) ? memory_.integers(constant(i, "axes")) : integers("axes"); }

  /// Throws error if any output but the first is used.
  void want_one_output() const {
    for (std::size_t i = 1; i < at().outputs.size(); ++i)
      if (uses(at().outputs[i]) > 0) fail("its output ", i, " is used; layers have one");
  }

  // ---- inputs in the form that a layer wants

  /// (n, features).
  node<T> matrix(std::size_t i) {
    (void)computed(i);
    value_type& v = plain(i);
    if (v.dims.size() != 2) fail("wanted an input of (n, features), got ", extents_text(v.dims));
    if (graph_.at(v.id).dims.rank() != 2) v.id = flatten(node<T>{&graph_, v.id}, {.name = unique(v.viewer)}).id;
    return {&graph_, v.id};
  }

  /// Any shape, as the model sees it. One spatial axis is an image of one row.
  node<T> natural(std::size_t i) {
    (void)computed(i);
    value_type& v = plain(i);
    if (v.dims.size() == 2) return matrix(i);
    if (!fits(v)) reshape_to(v, {v.dims.begin() + 1, v.dims.end()});
    return {&graph_, v.id};
  }

  /// The very axes that the model sees; of a lifted value (n, all axes).
  node<T> exact(std::size_t i) {
    value_type& v = plain(i);
    if (!v.lifted && v.dims.size() < 2) fail("wanted (n, ...), got ", extents_text(v.dims));
    const shape& own = graph_.at(v.id).dims;
    const auto first = v.dims.begin() + (v.lifted ? 0 : 1);
    if (!std::equal(own.begin() + 1, own.end(), first, v.dims.end())) reshape_to(v, {first, v.dims.end()});
    return {&graph_, v.id};
  }
  /// Which axis of `exact(i)` is the model's axis `axis`. Throws error for one that has the batch.
  int node_axis(std::size_t i, index_t axis) {
    const value_type& v = any(i);
    const auto own = static_cast<int>(onnx_axis(axis, v.dims.size()));
    if (own == (v.lifted ? v.batch_axis : 0)) fail("axis ", axis, " is that of the batch: samples stay apart");
    return own + (v.lifted ? 1 : 0);
  }
  /// (n, all axes of the model), whatever the value.
  node<T> with_all_axes(std::size_t i) {
    const node<T> x = exact(i);
    if (any(i).lifted) return x;
    return reshape(x, onnx_extents(any(i).dims), {.name = unique(text_of(own_name(), ".axes"))});
  }
  /// Two inputs with the batch on the same axis, both as `exact` has them or both with all axes.
  std::pair<node<T>, node<T>> exact_pair() {
    const value_type &a = any(0), &b = any(1);
    const int axes[] = {a.lifted ? a.batch_axis : 0, b.lifted ? b.batch_axis : 0};
    if (axes[0] >= 0 && axes[1] >= 0 && (axes[0] != axes[1] || a.before != b.before))
      fail("inputs of ", lifted_text(a), " and ", lifted_text(b), ": samples stay apart");
    const bool lifted = a.lifted || b.lifted;
    const node<T> first = lifted ? with_all_axes(0) : exact(0);
    return {first, lifted ? with_all_axes(1) : exact(1)};
  }
  /// Which input of such a pair tells where the batch is.
  std::size_t pair_form() { return any(1).lifted ? 1 : 0; }

  /// (n, c, h, w), with zeros around it that `v.zeros` tells.
  node<T> image(std::size_t i) {
    if (computed(i).channels_last) (void)plain(i);
    value_type& v = computed(i);
    if (v.dims.size() > 4) fail("three spatial axes");
    if (v.dims.size() < 3) fail("wanted images, got ", extents_text(v.dims));
    if (!fits(v) || graph_.at(v.id).dims.rank() != 4)
      reshape_to(v, v.dims.size() == 3 ? onnx_extents{v.dims[1], 1, v.dims[2]} : onnx_extents{v.dims[1], v.dims[2], v.dims[3]});
    return {&graph_, v.id};
  }
  bool one_axis() { return computed(0).dims.size() == 3; }

  /// The input without zeros around it and with axes in the model's order.
  value_type& plain(std::size_t i) {
    value_type& v = plain_zeros(i);
    if (v.channels_last) {
      v.id = transpose(node<T>{&graph_, v.id}, {0, 2, 3, 1}, {.name = unique(text_of(own_name(), ".channels_last"))}).id;
      v.channels_last = false;
    }
    return v;
  }

  /// The input without zeros around it, with its elements in the model's order: what another shape wants.
  value_type& ordered(std::size_t i) {
    value_type& v = plain_zeros(i);
    const shape& own = graph_.at(v.id).dims;
    return v.channels_last && own[1] != 1 && own.size_from(2) != 1 ? plain(i) : v;
  }

  /// The input without zeros around it, in any layout.
  value_type& plain_zeros(std::size_t i) {
    value_type& v = any(i);
    if (!(v.zeros == padding2d(0))) {
      v.id = pad(node<T>{&graph_, v.id}, {.padding = v.zeros, .name = unique(text_of(own_name(), ".zeros"))}).id;
      v.zeros = 0;
    }
    return v;
  }

  // ---- results

  /// A node that changes each element, or each channel, of input 0: shapes stay.
  void same_shape(node<T> made) {
    value_type v = any(0);
    v.id = made.id;
    if (v.viewer.empty() && !v.channels_last && !fits(v)) v.viewer = own_name();
    put(std::move(v));
  }
  /// A node whose result has the node's own shape; an image of one row has one spatial axis if input 0 had.
  void own_shape(node<T> made) {
    value_type v;
    v.id = made.id;
    v.dims.assign(made.dims().begin(), made.dims().end());
    if (has(0) && find(at().inputs[0])->dims.size() == 3 && v.dims.size() == 4 && v.dims[2] == 1)
      v.dims.erase(v.dims.begin() + 2);
    put(std::move(v));
  }
  /// A node made of `exact(from)` whose axes are the model's, as output `output`. `gone`: how many axes before that of the batch
  /// it lacks.
  void put_node(node<T> made, std::size_t output = 0, std::size_t from = 0, int gone = 0) {
    const value_type& source = any(from);
    value_type v;
    v.id = made.id;
    v.dims.assign(made.dims().begin() + (source.lifted ? 1 : 0), made.dims().end());
    v.lifted = source.lifted, v.batch_axis = (std::max)(source.batch_axis - gone, -1), v.before = source.before;
    put(std::move(v), output);
  }
  /// The elements of an `ordered` input in another shape, of which `axis` is the batch or has it as a factor; `dims` are those of
  /// a sample. -1: the model is made for one sample, and does not say.
  void view_with_batch(value_type v, onnx_extents dims, int axis) {
    v.channels_last = false;
    const auto product = [](const onnx_extents& d, std::size_t count) {
      return onnx_count({d.begin(), d.begin() + static_cast<std::ptrdiff_t>(count)});
    };
    if (product(dims, dims.size()) != product(v.dims, v.dims.size()))
      fail("a shape of ", extents_text(dims), " for ", extents_text(v.dims), " of a sample");
    if (dims.empty()) fail("a shape without axes");
    v.lifted = true;
    if (axis >= 0 && v.batch_axis >= 0) {
      const auto at = static_cast<std::size_t>(axis);
      const index_t front = product(v.dims, static_cast<std::size_t>(v.batch_axis)) * v.before, outer = product(dims, at);
      v.before = outer > 0 ? front / outer : 1;
      if (outer < 1 || v.before < 1 || v.before * outer != front || dims[at] % v.before != 0)
        fail("a shape of ", extents_text(dims), " a sample, whose axis ", axis, " is not where the batch is: samples stay apart");
    }
    v.batch_axis = v.batch_axis < 0 ? -1 : axis;
    if (v.batch_axis < 0) v.before = 1;
    v.dims = std::move(dims), v.viewer = own_name();
    put(std::move(v));
  }
  /// The elements of an `ordered` input in another shape; the batch is the first axis.
  void view_as(value_type v, onnx_extents dims) {
    if (v.lifted) return view_with_batch(std::move(v), std::move(dims), v.batch_axis < 0 ? -1 : 0);
    index_t before = 1, after = 1;
    for (std::size_t i = 1; i < v.dims.size(); ++i) before *= v.dims[i];
    for (std::size_t i = 1; i < dims.size(); ++i) after *= dims[i];
    if (before != after) fail("a shape of ", extents_text(dims), " for ", extents_text(v.dims));
    v.channels_last = false;
    v.dims = std::move(dims);
    v.viewer = own_name();
    put(std::move(v));
  }
  void put(value_type v, std::size_t output = 0) {
    if (v.id >= 0 && graph_.at(v.id).dims.size() > index_t{1} << 40)
      fail("its result would have a shape of ", graph_.at(v.id).dims);
    if (v.lifted && v.batch_axis <= 0 && v.before == 1 && v.dims[0] == 1) {
      v.lifted = false, v.batch_axis = 0;
      if (v.viewer.empty()) v.viewer = own_name();
    }
    values_[std::string(at().outputs.at(output))] = std::move(v);
  }
  /// Counts layers of an operator that is many: as many in all as a model has operators at most, so that a few bytes do not ask
  /// for more.
  void count_parts(std::size_t count) {
    if ((parts_ += count) > most_onnx_nodes) fail("more than ", most_onnx_nodes, " parts in all");
  }
  void pass_on(std::size_t i = 0) { put(value_type(any(i))); }

  // ---- names and weights

  /// What the operator is called, or its value.
  std::string_view own_name() const { return !at().name.empty() ? at().name : at().outputs.at(0); }

  /// What the new layer is called: as the model calls its weights ("conv1" of "conv1.weight"), else as the operator or its value
  /// is called.
  std::string name(std::size_t weight = 0) {
    if (weight > 0 && has(weight)) {
      std::string_view stem = at().inputs[weight];
      if (stem.ends_with(".weight")) return unique(stem.substr(0, stem.size() - 7));
    }
    if (moved_ != nullptr)
      for (const std::string_view other : moved_->inputs)
        if (other.ends_with(".bias")) return unique(other.substr(0, other.size() - 5));
    return unique(own_name());
  }

  /// A name that no other layer has, of characters that files and messages can hold.
  std::string unique(std::string_view wanted) {
    std::string name;
    for (const char c : wanted.substr(0, 200)) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                         c == '.' || c == '/' || c == ':';
      if (!(name.empty() && (c == '/' || c == '.'))) name += plain ? c : '_';
    }
    while (!name.empty() && (name.back() == '/' || name.back() == '.')) name.pop_back();
    if (name.empty()) name = "node";
    int& number = names_[name];
    std::string result = ++number == 1 ? name : text_of(name, "_", number);
    while (number > 1 && names_.count(result) > 0) result = text_of(name, "_", ++number);
    if (number > 1) names_[result] = 1;
    return result;
  }

  /// The values of a parameter ("conv1.weight") or a buffer.
  void fill(std::string parameter, std::function<void(view<T>)> how, bool buffer = false) {
    fillings_.push_back({std::move(parameter), buffer, std::move(how)});
  }
  void fill(std::string parameter, const onnx_constant& c, bool buffer = false) {
    const auto values = std::make_shared<const onnx_constant>(c);
    fill(
        std::move(parameter), [this, values](view<T> to) { copy_values<T>(*values, memory_, to.data(), to.size()); }, buffer);
  }

  /// The constant of one number a channel that is added to the result right behind this operator, and by nothing else used: a
  /// layer's bias. Its operator is then done. Null: none is.
  const onnx_constant* bias_behind(index_t channels, bool image) {
    const std::string_view result = at().outputs.at(0);
    if (uses(result) != 1) return nullptr;
    const auto [first, last] = users_.equal_range(result);
    if (first == last || first->second->type != "Add" || first->second->inputs.size() != 2) return nullptr;
    const onnx_node& sum = *first->second;
    const auto* other = find(sum.inputs[sum.inputs[0] == result ? 1 : 0]);
    if (other == nullptr || other->constant == nullptr) return nullptr;
    onnx_extents dims = other->constant->dims;
    if (image && dims.size() >= 3 && dims.size() <= 4 && dims[dims.size() - 1] == 1 && dims[dims.size() - 2] == 1)
      dims.resize(dims.size() - 2);
    else if (image)
      return nullptr;
    if (dims.empty() || dims.size() > 2 || dims.back() != channels || onnx_count(dims) != channels) return nullptr;
    done_.insert(&sum);
    moved_ = &sum;
    return other->constant.get();
  }

  // ---- what drives it (onnx_import.hpp)

  const value_type* find(std::string_view name) const {
    const auto found = values_.find(std::string(name));
    return found == values_.end() ? nullptr : &found->second;
  }
  void set(std::string_view name, value_type v) { values_[std::string(name)] = std::move(v); }
  int uses(std::string_view name) const {
    const auto found = uses_.find(name);
    return found == uses_.end() ? 0 : found->second;
  }
  /// Whether a value is used by operators of one type alone.
  bool only_used_by(std::string_view name, std::string_view type) const {
    const auto [first, last] = users_.equal_range(name);
    return std::all_of(first, last, [&](const auto& user) { return user.second->type == type; });
  }
  void count_use(std::string_view name, const onnx_node* user) {
    ++uses_[name];
    if (user != nullptr) users_.emplace(name, user);
  }
  void fixed_batch(index_t size) { fixed_batch_ = size; }
  bool done(const onnx_node& n) const { return done_.count(&n) > 0; }

  /// Calls a rule for `n`, and gives its result to the operator that was made a part of it.
  template <class F>
  void translate(const onnx_node& n, const F& rule) {
    node_ = &n, moved_ = nullptr;
    rule(*this);
    if (moved_ != nullptr) values_[std::string(moved_->outputs.at(0))] = values_.at(std::string(n.outputs.at(0)));
  }

  const std::vector<onnx_filling<T>>& fillings() const { return fillings_; }

 private:
  /// "(5, n 2, 3)" for a value whose axis 1 has the batch as a factor.
  static std::string lifted_text(const value_type& v) {
    std::string out = "(";
    for (std::size_t i = 0; i < v.dims.size(); ++i) {
      const bool batch = static_cast<int>(i) == v.batch_axis;
      out += text_of(i == 0 ? "" : ", ", batch ? "n " : "", v.dims[i]);
    }
    return out + ")";
  }

  void reshape_to(value_type& v, onnx_extents dims) {
    v.id = reshape(node<T>{&graph_, v.id}, std::move(dims), {.name = unique(v.viewer)}).id;
  }

  /// Whether a value's node has the shape that the model gives it.
  bool fits(const value_type& v) const {
    const shape& own = graph_.at(v.id).dims;
    if (v.dims.size() == 1) return own.size() == 1;
    onnx_extents dims(own.begin(), own.end());
    if (dims.size() == 4) dims[2] += v.zeros.top + v.zeros.bottom, dims[3] += v.zeros.left + v.zeros.right;
    if (v.dims.size() == 3 && dims.size() == 4 && dims[2] == 1) dims.erase(dims.begin() + 2);
    return std::equal(dims.begin() + 1, dims.end(), v.dims.begin() + 1, v.dims.end());
  }

  const onnx_model& model_;
  onnx_memory& memory_;
  graph<T> graph_;
  const onnx_node* node_ = nullptr;
  const onnx_node* moved_ = nullptr;
  index_t fixed_batch_ = -1;
  std::unordered_map<std::string, value_type> values_;
  std::unordered_map<std::string_view, int> uses_;
  std::unordered_multimap<std::string_view, const onnx_node*> users_;
  std::set<const onnx_node*> done_;
  std::map<std::string, int> names_;
  std::vector<onnx_filling<T>> fillings_;
  std::size_t parts_ = 0;
};

template <class T>
using onnx_rule = void (*)(onnx_importer<T>&);

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
