#pragma once
/// Where a network looks: Grad-CAM (Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
/// localization", ICCV 2017).
///
///     grad_cam<float> explain(net);
///     const tensor<float> maps = explain(images, classes);  // (n, h, w)
///     write(overlay(picture, view<const float>(maps).at(0)));

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/output_nodes.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/train/metrics.hpp"

namespace minicnn::inline MINICNN_ABI {

/// For each size that feature maps have on the way to the first output, the last node with maps of that size that is not a
/// pooling, a normalisation (whose zero is not "nothing found") or dropout; from large maps to small ones. Maps of one value
/// are none. AlexNet: relu1, relu2, relu5.
template <class T>
std::vector<std::string> feature_map_nodes(const network<T>& net) {
  const std::vector<char> needed = nodes_of_first_output(net);
  std::vector<std::pair<index_t, std::string>> found;  // size and name
  for (std::size_t i = 0; i < needed.size(); ++i) {
    const graph_node<T>& n = net.nodes()[i];
    if (!needed[i] || n.operation == nullptr || n.dims.rank() != 4 || n.dims.size_from(2) < 2 || n.bytes) continue;
    const op_role role = n.operation->role();
    if (role == op_role::pooling || role == op_role::normalization || role == op_role::dropout) continue;
    const index_t size = n.dims.size_from(2);
    const auto same = std::find_if(found.begin(), found.end(), [&](const auto& f) { return f.first == size; });
    if (same != found.end())
      same->second = n.name;
    else
      found.emplace_back(size, n.name);
  }
  // Branches of a block may go back and forth between two sizes.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> names;
  for (auto& [size, name] : found) names.push_back(std::move(name));
  return names;
}

/// The last of them: the feature maps that the classifier sees, before they are pooled. Throws option_error for a network
/// without feature maps.
template <class T>
std::string last_feature_maps(const network<T>& net) {
  std::vector<std::string> names = feature_map_nodes(net);
  if (names.empty())
    fail<option_error>("grad_cam: the network has no feature maps larger than one value",
                       is_quantized(net) ? " in real numbers" : "");
  return names.back();
}

/// Makes class activation maps. The network is only read, so it may be trained in between, and may serve other sessions at once.
template <class T = float>
class grad_cam {
 public:
  /// `node`: whose feature maps are weighted; empty: `last_feature_maps`. `o`: how the network runs (threads, ...). Throws
  /// option_error if it has no such node or the node has no maps.
  explicit grad_cam(const network<T>& net, std::string_view node = {}, session_options o = {})
      : node_(node.empty() ? last_feature_maps(net) : std::string(node)), run_(net, options(net, node_, std::move(o))) {}
  explicit grad_cam(const network<T>&&, std::string_view = {}, session_options = {}) = delete;  // would not outlive the statement

  const std::string& node() const { return node_; }

  /// For each of `images` (n, c, h, w) the map of what speaks for its class: (n, node's height, node's width), not below 0.
  /// The mean gradient of the class's logit over a feature map is that map's weight; the weighted sum of the maps is cut at 0
  /// (equations 1 and 2). Throws option_error for a class outside the network's.
  tensor<T> operator()(const view<const T>& images, std::span<const index_t> classes) {
    return explain(
        images, [&](index_t i, const view<const T>&) { return classes[static_cast<std::size_t>(i)]; }, classes.size());
  }

  /// The same for the class that the network names for each image.
  tensor<T> operator()(const view<const T>& images) {
    return explain(
        images, [](index_t, const view<const T>& row) { return predicted_class(row); },
        static_cast<std::size_t>(images.dims().rank() > 0 ? images.dim(0) : 0));
  }

  /// Logits (n, classes) of the latest call, as `predict` gives them; valid until the next.
  view<const T> logits() const { return run_.output(); }

 private:
  MINICNN_COLD static session_options options(const network<T>& net, const std::string& node, session_options o) {
    const int id = net.topology().find(node);
    if (id < 0) fail<option_error>("grad_cam: no node is called ", node);
    const graph_node<T>& n = net.nodes()[static_cast<std::size_t>(id)];
    if (n.dims.rank() != 4 || !nodes_of_first_output(net)[static_cast<std::size_t>(id)])
      fail<option_error>("grad_cam: ", node, " (", n.dims, ") is not a feature map on the way to the output");
    o.frozen = true;
    o.retain = {node};
    return o;
  }

  template <class Choose>
  tensor<T> explain(const view<const T>& images, const Choose& choose, std::size_t wanted) {
    const view<const T> logits = run_.forward(images);
    const index_t n = logits.dim(0), columns = logits.dims().size_from(1), known = (std::max)(columns, index_t{2});
    if (static_cast<index_t>(wanted) != n) fail<shape_error>("grad_cam: ", wanted, " classes for ", n, " images");
    const view<T> gradient = run_.output_gradient();
    for (index_t i = 0; i < n; ++i) {
      const index_t k = choose(i, logits.at(i));
      if (k < 0 || k >= known) fail<option_error>("grad_cam: class ", k, " of ", known);
      // One column is the logit of class 1 against class 0.
      gradient[i * columns + (columns == 1 ? 0 : k)] = columns == 1 && k == 0 ? T(-1) : T(1);
    }
    run_.backward();
    return weighted(run_.value(node_), run_.gradient(node_));
  }

  static tensor<T> weighted(const view<const T>& maps, const view<const T>& gradients) {
    const index_t n = maps.dim(0), channels = maps.dim(1), area = maps.dims().size_from(2);
    tensor<T> out({n, maps.dim(2), maps.dim(3)});
    std::vector<double> sum(static_cast<std::size_t>(area));
    for (index_t i = 0; i < n; ++i) {
      std::fill(sum.begin(), sum.end(), 0.0);
      for (index_t c = 0; c < channels; ++c) {
        const T* map = maps.data() + (i * channels + c) * area;
        const T* slope = gradients.data() + (i * channels + c) * area;
        double weight = 0;
        for (index_t p = 0; p < area; ++p) weight += static_cast<double>(slope[p]);
        weight /= static_cast<double>(area);
        for (index_t p = 0; p < area; ++p) sum[static_cast<std::size_t>(p)] += weight * static_cast<double>(map[p]);
      }
      for (index_t p = 0; p < area; ++p) out[i * area + p] = static_cast<T>((std::max)(sum[static_cast<std::size_t>(p)], 0.0));
    }
    return out;
  }

  std::string node_;
  session<T> run_;
};

}  // namespace minicnn::inline MINICNN_ABI
