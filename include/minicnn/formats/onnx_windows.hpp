#pragma once
/// Windows of convolution and pooling in ONNX's terms.

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "minicnn/formats/onnx_graph.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// Kernel and strides as {rows, columns}, pads as {top, left, bottom, right}.
struct onnx_window {
  onnx_integers kernel, strides, dilations, pads;

  onnx_attributes attributes() const {
    onnx_attributes a;
    a.integers("kernel_shape", kernel).integers("strides", strides).integers("pads", pads);
    return a;
  }

  /// The padding that an image of (n, c, h, w) `in` needs for as many windows as `out` has; where the layer is given as "same",
  /// an odd row or column goes to the bottom or right.
  void pad_same(const shape& in, const shape& out) {
    pads.assign(4, 0);
    for (int axis = 0; axis < 2; ++axis) {
      const index_t total = (std::max)(missing(axis, in, out), index_t{0});
      pads[at(axis)] = total / 2;
      pads[at(axis) + 2] = total - total / 2;
    }
  }

  /// Pads bottom and right so that windows that stick out are whole, in place of ONNX's ceil_mode: its rule for the last window
  /// was another one than ours (PyTorch's) until operator set 19, and programs differ.
  void complete(const shape& in, const shape& out) {
    for (int axis = 0; axis < 2; ++axis)
      pads[at(axis) + 2] = (std::max)(pads[at(axis) + 2], missing(axis, in, out) - pads[at(axis)]);
  }

 private:
  static std::size_t at(int axis) { return static_cast<std::size_t>(axis); }

  /// Cells that all windows together reach over, less those that the image has.
  index_t missing(int axis, const shape& in, const shape& out) const {
    const index_t dilation = dilations.empty() ? 1 : dilations[at(axis)];
    const index_t reach = (kernel[at(axis)] - 1) * dilation + 1;
    return (out[axis + 2] - 1) * strides[at(axis)] + reach - in[axis + 2];
  }
};

/// Where bins of adaptive pooling begin and end along one axis.
struct onnx_bins {
  index_t length, count;

  index_t begin(index_t bin) const { return bin * length / count; }
  index_t end(index_t bin) const { return ((bin + 1) * length + count - 1) / count; }
  index_t width() const { return end(0); }
  index_t step() const { return count > 1 && begin(1) > 0 ? begin(1) : 1; }

  /// Whether they are the windows of ordinary pooling, `width` wide and `step` apart.
  bool regular() const {
    for (index_t bin = 0; bin < count; ++bin)
      if (begin(bin) != bin * step() || end(bin) != begin(bin) + width()) return false;
    return true;
  }
};

/// The bins of one axis (2: rows, 3: columns), each cut out and pooled, and put together again.
inline void onnx_pool_bins(onnx_graph& graph, const std::string& pool, const onnx_bins& bins, int axis, const std::string& from,
                           const std::string& to) {
  std::vector<std::string> parts;
  for (index_t bin = 0; bin < bins.count; ++bin) {
    const std::string name = text_of(to, ".", bin);
    const std::string begin = graph.integers(name + ".begin", {bins.begin(bin)});
    const std::string end = graph.integers(name + ".end", {bins.end(bin)});
    graph.node("Slice", {from, begin, end, graph.integers(name + ".axis", {axis})}, name + ".cells");
    onnx_window w{{1, 1}, {1, 1}, {}, onnx_integers(4, 0)};
    w.kernel[axis == 2 ? 0 : 1] = bins.end(bin) - bins.begin(bin);
    graph.node(pool, {name + ".cells"}, name, w.attributes());
    parts.push_back(name);
  }
  graph.node("Concat", parts, to, onnx_attributes().integer("axis", axis));
}

/// Adaptive pooling of images of (n, c, h, w) `in` to `size` rows and columns; `what` is "Max" or "Average". One global pool, one
/// ordinary pool where all bins are alike, else rows bin by bin and then columns: maxima of maxima, and means of means of equally
/// many.
inline void onnx_adaptive_pool(onnx_graph& graph, const std::string& what, const shape& in, const onnx_integers& size,
                               const std::string& from, const std::string& to) {
  if (size == onnx_integers{1, 1}) return graph.node("Global" + what + "Pool", {from}, to);
  const std::string pool = what + "Pool";
  const onnx_bins rows{in[2], size[0]}, columns{in[3], size[1]};
  if (rows.regular() && columns.regular()) {
    const onnx_window w{{rows.width(), columns.width()}, {rows.step(), columns.step()}, {}, onnx_integers(4, 0)};
    return graph.node(pool, {from}, to, w.attributes());
  }
  onnx_pool_bins(graph, pool, rows, 2, from, to + ".rows");
  onnx_pool_bins(graph, pool, columns, 3, to + ".rows", to);
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
