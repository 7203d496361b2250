#pragma once
/// One ONNX model on its way to a network: from constants over the operators that its first output needs to weights.

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "minicnn/formats/onnx_fold_table.hpp"
#include "minicnn/formats/onnx_import_table.hpp"
#include "minicnn/formats/onnx_patterns.hpp"
#include "minicnn/formats/onnx_source.hpp"
#include "minicnn/layers/dropout.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The order of an image's axes in a model.
enum class onnx_layout {
  automatic,  ///< channels last if the last axis has 1 or 3 elements and the one behind the batch has not
  nchw,
  nhwc
};

/// What the first axis of a model's input is.
enum class onnx_batch {
  first,  ///< samples
  none    ///< a part of the sample: the model is made for one, and the network puts the batch before it
};

struct onnx_import_options {
  /// Pixels of the images, where the model leaves them open or other ones are wanted. 0: as the model says. Models whose shapes
  /// are computed from their input's follow; in others a shape that does not fit is an error.
  index_t height = 0, width = 0;

  onnx_layout layout = onnx_layout::automatic;

  onnx_batch batch = onnx_batch::first;

  /// Whether a sigmoid at the end is left out as a softmax is.
  bool logits_of_sigmoid = false;

  network_options network = {};
};

/// A network and what the model says about it.
template <class T = float>
struct imported_onnx {
  network<T> net;
  bool softmax = false;      ///< the model ends with a softmax (or its logarithm), which the network leaves out
  bool sigmoid = false;      ///< the same of a sigmoid
  double temperature = 1.0;  ///< by which the model divides before the softmax
  std::map<std::string, std::string> metadata = {};  ///< texts kept in the model
};

namespace detail {

/// One model on its way to a network.
template <class T>
class onnx_loading {
 public:
  onnx_loading(const std::string& path, const onnx_import_options& o)
      : o_(o), source_(path), model_(source_.model()), in_(model_, source_.memory()) {}

  imported_onnx<T> run() {
    for (const auto* list : {&model_.known, &model_.outputs})
      for (const onnx_value_info& v : *list)
        if (v.dims.size() >= 2 && v.dims.size() <= 5) shapes_.emplace(v.name, &v);
    read_constants();
    const auto number = [&](std::string_view name) { return number_of(name); };
    const auto dims = [&](std::string_view name) {
      const auto* v = in_.find(name);
      return v != nullptr && v->constant != nullptr ? std::optional(v->constant->dims) : std::nullopt;
    };
    onnx_patterns(model_.nodes, number, dims).apply();
    find_result();
    find_needed();
    add_input();
    for (const onnx_node& n : model_.nodes)
      if (needed_.count(&n) > 0) translate(n);
    if (!refused_.empty()) source_.wrong("cannot be imported: ", refused_);
    return finish();
  }

 private:
  /// Initializers, and what can be computed of them alone.
  void read_constants() {
    for (const onnx_tensor& t : model_.initializers) {
      auto c = std::make_shared<onnx_constant>();
      c->dims = t.dims, c->floating = is_floating(t.type), c->stored = &t;
      try {
        (void)onnx_count(t.dims);
      } catch (const error& e) {
        source_.wrong("initializer ", excerpt(t.name), ": ", e.what());
      }
      onnx_value<T> v;
      v.constant = std::move(c);
      in_.set(t.name, std::move(v));
    }
    for (const onnx_node& n : model_.nodes) (void)fold(n, false);
  }

  /// Computes a node whose inputs are all constants. Without `strictly` what cannot be is left for later.
  bool fold(const onnx_node& n, bool strictly) {
    const onnx_fold_rule rule = find_fold_rule(n.type);
    if (rule == nullptr || n.outputs.empty() || !is_own(n)) return false;
    onnx_folding f{n, model_.opset, source_.memory(), {}};
    for (const std::string_view name : n.inputs) {
      const auto* v = name.empty() ? nullptr : in_.find(name);
      if (!name.empty() && (v == nullptr || v->constant == nullptr)) return false;
      if (v != nullptr && v->constant->for_each_sample && n.type != "Identity") return false;
      f.inputs.push_back(v == nullptr ? nullptr : v->constant.get());
    }
    try {
      onnx_value<T> v;
      v.constant = std::make_shared<const onnx_constant>(rule(f));
      in_.set(n.outputs[0], std::move(v));
      return true;
    } catch (const error&) {
      if (strictly) throw;
      return false;
    }
  }

  static bool is_own(const onnx_node& n) { return n.domain.empty() || n.domain == "ai.onnx"; }

  std::optional<double> number_of(std::string_view name) {
    const auto* v = in_.find(name);
    if (v == nullptr || v->constant == nullptr) return std::nullopt;
    try {
      if (v->constant->size() != 1 || v->constant->depends_on_batch()) return std::nullopt;
      const std::vector<double>& numbers = source_.memory().numbers(*v->constant);
      return numbers.size() == 1 ? std::optional(numbers[0]) : std::nullopt;
    } catch (const error&) {
      return std::nullopt;
    }
  }

  /// The value that the network is to compute: the first output, or what its softmax is made of.
  void find_result() {
    std::unordered_map<std::string_view, const onnx_node*> makers;
    for (const onnx_node& n : model_.nodes)
      if (!n.outputs.empty()) makers.emplace(n.outputs[0], &n);
    result_ = model_.outputs[0].name;
    for (int steps = 0; steps < 8; ++steps) {
      const auto made = makers.find(result_);
      if (made == makers.end() || made->second->inputs.empty() || !is_own(*made->second)) return;
      const onnx_node& n = *made->second;
      const bool ends = made_softmax_.softmax || made_softmax_.sigmoid;
      const double scalar = n.inputs.size() == 2 ? number_of(n.inputs[1]).value_or(0.0) : 0.0;
      if (n.type == "Softmax" || n.type == "LogSoftmax") {
        if (ends) return;
        made_softmax_.softmax = true, softmax_ = &n;
      } else if (n.type == "Sigmoid" && o_.logits_of_sigmoid) {
        if (ends) return;
        made_softmax_.sigmoid = true;
      } else if (n.type == "Mul" && scalar > 0 && made_softmax_.softmax) {
        made_softmax_.temperature /= scalar;
      } else if (n.type != "Identity") {
        return;
      }
      left_out_.push_back(&n);
      result_ = n.inputs[0];
    }
  }

  void find_needed() {
    std::unordered_map<std::string_view, const onnx_node*> makers;
    for (const onnx_node& n : model_.nodes)
      for (const std::string_view output : n.outputs)
        if (!output.empty() && !makers.emplace(output, &n).second) source_.wrong("two operators make ", excerpt(output));
    std::vector<std::string_view> open{result_};
    in_.count_use(result_, nullptr);
    while (!open.empty()) {
      const auto made = makers.find(open.back());
      open.pop_back();
      if (made == makers.end() || !needed_.insert(made->second).second) continue;
      for (const std::string_view input : made->second->inputs)
        if (!input.empty()) in_.count_use(input, made->second), open.push_back(input);
    }
  }

  /// The one input that is no constant.
  void add_input() {
    const onnx_value_info* input = nullptr;
    for (const onnx_value_info& v : model_.inputs) {
      if (in_.find(v.name) != nullptr || in_.uses(v.name) == 0) continue;
      if (input != nullptr)
        source_.wrong("has two inputs, ", excerpt(input->name), " and ", excerpt(v.name), "; networks here have one");
      input = &v;
    }
    if (input == nullptr) source_.wrong("its output depends on no input");
    if (!input->has_dims || input->dims.empty() || input->dims.size() > 5)
      source_.wrong("input ", excerpt(input->name), ": wanted a shape of one to five axes, got ", extents_text(input->dims));
    const auto type = static_cast<onnx_type>(input->type);
    const bool whole = type != onnx_type::text && input->type >= 1 && type <= onnx_type::u64;  // pictures as bytes, cast at once
    if (!is_floating(input->type) && !(whole && in_.only_used_by(input->name, "Cast")))
      source_.wrong("input ", excerpt(input->name), ": its type is ", input->type, "; layers compute in floating point");
    onnx_value<T> v;
    v.dims = input->dims;
    if (o_.batch == onnx_batch::none) {
      v.lifted = true, v.batch_axis = -1;
      in_.fixed_batch(1);
    } else {
      in_.fixed_batch(std::exchange(v.dims[0], 1));
    }
    if (v.lifted && v.dims.size() == 3) {
      if (o_.height > 0) v.dims[1] = o_.height;
      if (o_.width > 0) v.dims[2] = o_.width;
    }
    if (v.dims.size() == 4 && !v.lifted) {
      const auto few = [](index_t c) { return c == 1 || c == 3; };
      v.channels_last =
          o_.layout == onnx_layout::nhwc || (o_.layout == onnx_layout::automatic && few(v.dims[3]) && !few(v.dims[1]));
      const std::size_t rows = v.channels_last ? 1 : 2;
      if (o_.height > 0) v.dims[rows] = o_.height;
      if (o_.width > 0) v.dims[rows + 1] = o_.width;
    }
    for (std::size_t i = v.lifted ? 0 : 1; i < v.dims.size(); ++i) {
      if (v.dims[i] < 0)
        source_.wrong("input ", excerpt(input->name), " is ", extents_text(input->dims), ": its size is open, say which");
      if (v.dims[i] > 1 << 20) source_.wrong("input ", excerpt(input->name), " is ", extents_text(input->dims));
    }
    onnx_extents own(v.dims.begin() + (v.lifted ? 0 : 1), v.dims.end());
    if (own.empty()) own = {1};
    if (own.size() == 2 && !v.lifted) own.insert(own.begin() + 1, 1);
    if (v.channels_last) own = {own[2], own[0], own[1]};
    v.id = in_.nodes().input(shape(own.begin(), own.end()), in_.unique(input->name)).id;
    in_.set(input->name, std::move(v));
  }

  /// One operator. What cannot be expressed is noted, and work goes on with values whose shapes the model tells, so that all that
  /// is wrong is told at once.
  void translate(const onnx_node& n) {
    if (n.outputs.empty() || in_.find(n.outputs[0]) != nullptr || in_.done(n)) return;
    try {
      if (!is_own(n)) fail("no layer for an operator of the domain ", excerpt(n.domain));
      const onnx_rule<T> rule = find_import_rule<T>(n.type);
      const bool known = std::all_of(n.inputs.begin(), n.inputs.end(),
                                     [&](std::string_view name) { return name.empty() || in_.find(name) != nullptr; });
      if (known && fold(n, true)) return;
      if (rule == nullptr && !known && find_fold_rule(n.type) != nullptr) return lose(n);  // arithmetic on a shape
      if (rule == nullptr)
        fail(n.type == "Softmax" || n.type == "LogSoftmax" ? "only at the end, where it is left out"
                                                           : "no layer for this operator");
      if (known) return in_.translate(n, rule);
      for (const std::string_view name : n.inputs)
        if (!name.empty() && in_.find(name) == nullptr && lost_.count(name) == 0)
          fail("its input ", excerpt(name), " is made by nothing before it");
      lose(n);
    } catch (const error& e) {
      refused_.add(n, e.what());
      lose(n);
    }
  }

  /// Stands in for the results of an operator that has no layer.
  void lose(const onnx_node& n) {
    for (const std::string_view output : n.outputs) {
      if (output.empty() || in_.find(output) != nullptr) continue;
      lost_.insert(output);
      const auto told = shapes_.find(output);
      if (told == shapes_.end()) continue;
      const onnx_extents dims(told->second->dims.begin() + 1, told->second->dims.end());
      if (std::any_of(dims.begin(), dims.end(), [](index_t d) { return d < 1 || d > 1 << 20; })) continue;
      onnx_value<T> stand_in;
      stand_in.dims = told->second->dims, stand_in.dims[0] = 1;
      const onnx_extents own = dims.size() == 2 ? onnx_extents{dims[0], 1, dims[1]} : dims;
      stand_in.id = in_.nodes().input(shape(own.begin(), own.end()), in_.unique(output)).id;
      in_.set(output, std::move(stand_in));
    }
  }

  /// Whether a softmax over the features of a sample was left out at the end.
  bool ends_with_softmax(const onnx_value<T>& v) const {
    if (v.lifted) return v.dims.size() == 1;
    const auto rank = static_cast<index_t>(v.dims.size());
    const index_t given = integer_of(*softmax_, "axis", model_.opset < 13 ? 1 : -1);
    const bool last = given == rank - 1 || given == -1;
    index_t behind = 1;
    for (std::size_t i = 2; i < v.dims.size(); ++i) behind *= v.dims[i];
    // Before operator set 13 it went over all axes from the given one on.
    const bool over_features = rank >= 2 && (given == 1 || given == 1 - rank) && (behind == 1 || model_.opset < 13);
    return over_features || (rank == 2 && last);
  }

  /// Softmax along another axis is a layer after all.
  void put_softmax_back() {
    made_softmax_.softmax = false, made_softmax_.temperature = 1.0, softmax_ = nullptr;
    for (auto n = left_out_.rbegin(); n != left_out_.rend(); ++n) translate(**n);
    if (!refused_.empty()) source_.wrong("cannot be imported: ", refused_);
    result_ = model_.outputs[0].name;
  }

  imported_onnx<T> finish() {
    const auto* result = in_.find(result_);
    if (result == nullptr) source_.wrong("its output ", excerpt(result_), " is made by no operator");
    if (result->constant != nullptr) source_.wrong("its output is a constant");
    if (result->lifted && (result->batch_axis > 0 || result->before > 1))
      source_.wrong("its output ", extents_text(result->dims), " of a sample has another first axis than the batch");
    if (softmax_ != nullptr && !ends_with_softmax(*result)) {
      put_softmax_back();
      return finish();
    }
    graph<T>& g = in_.nodes();
    node<T> last{&g, result->id};
    if (!(result->zeros == padding2d(0))) last = pad(last, {.padding = result->zeros, .name = in_.unique(result_)});
    if (result->channels_last) last = transpose(last, {0, 2, 3, 1}, {.name = in_.unique(result_)});
    const onnx_extents own(last.dims().begin() + 1, last.dims().end());
    const onnx_extents wanted(result->dims.begin() + (result->lifted ? 0 : 1), result->dims.end());
    if (!wanted.empty() && own != wanted)
      last = wanted.size() == 1 ? flatten(last, {.name = in_.unique(result_)})
                                : reshape(last, wanted, {.name = in_.unique(result_)});
    if (g.at(last.id).operation == nullptr) last = dropout(last, 0.0, {.name = in_.unique(result_)});  // a network has a layer
    network_options o = o_.network;
    o.initialize = false;
    // Weights may be used by several layers, each of which then has its own.
    const index_t limit = (std::max)(8 * source_.total_bytes(), index_t{1} << 20);
    o.parameter_limit = o.parameter_limit > 0 ? (std::min)(o.parameter_limit, limit) : limit;
    made_softmax_.net.emplace(std::move(g), std::vector<node<T>>{last}, o);
    for (const onnx_filling<T>& f : in_.fillings()) try {
        f.fill(f.buffer ? made_softmax_.net->buffer(f.name) : made_softmax_.net->parameter(f.name));
      } catch (const error& e) {
        source_.wrong(f.name, ": ", e.what());
      }
    imported_onnx<T> out{
        std::move(*made_softmax_.net), made_softmax_.softmax, made_softmax_.sigmoid, made_softmax_.temperature, {}};
    for (const auto& [key, value] : model_.metadata) out.metadata[std::string(key)] = std::string(value);
    return out;
  }

  struct ending {
    std::optional<network<T>> net;
    bool softmax = false, sigmoid = false;
    double temperature = 1.0;
  };

  onnx_import_options o_;
  onnx_source source_;
  onnx_model& model_;
  onnx_importer<T> in_;
  std::string_view result_;
  const onnx_node* softmax_ = nullptr;
  std::vector<const onnx_node*> left_out_;  ///< of the end, the last one first
  ending made_softmax_;
  std::set<const onnx_node*> needed_;
  std::set<std::string_view> lost_;
  std::unordered_map<std::string_view, const onnx_value_info*> shapes_;  ///< that the model tells, of two to five axes
  onnx_refusals refused_;
};

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
