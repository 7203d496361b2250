#pragma once
/// A trained network with 8-bit weights and activations.
///
///     quantizer<float> small(net);
///     for (const tensor<float>& images : some_hundred_pictures) small.observe(images);
///     network<float> fast = small.quantized();
///
/// Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference", CVPR 2018;
/// weights by channel after Krishnamoorthi, "Quantizing deep convolutional networks for efficient inference", 2018.

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/core/parallel.hpp"
#include "minicnn/graph/passes/fold_batch_norm.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/int8/histogram.hpp"
#include "minicnn/int8/rewrite.hpp"

namespace minicnn::inline MINICNN_ABI {

struct quantizer_options {
  /// How the ranges of activations are chosen from what was observed.
  int8::range_rule range = int8::range_rule::least_error;

  /// Nodes and scopes that stay in real numbers (see `selects`): {"fc"}.
  std::vector<std::string> keep = {};
};

/// Watches a network's activations on pictures, and writes it anew with 8-bit numbers.
template <class T = float>
class quantizer {
 public:
  /// Batch normalisations of `net` are folded first (fold_batch_norm); `net` stays as it is and is not needed any more. What is
  /// made has what `predict` returns alone, the first output: no auxiliary heads, nor others of several.
  MINICNN_COLD explicit quantizer(const network<T>& net)
      : net_(std::make_unique<network<T>>(fold_batch_norm(net))), seen_(net_->nodes().size()) {
    if (is_quantized(net)) fail<option_error>("quantizer: the network is quantised already");
    session_options o;
    for (const graph_node<T>& n : net_->nodes()) {
      if (n.operation != nullptr) o.retain.push_back(n.name);
    }
    run_ = std::make_unique<session<T>>(*static_cast<const network<T>*>(net_.get()), std::move(o));
  }

  /// Prepared pictures (n, c, h, w), as `predict` takes them; some hundred in all are enough. Throws error for a value that is
  /// not finite.
  MINICNN_COLD void observe(const view<const T>& images) {
    run_->predict(images);
    const std::vector<graph_node<T>>& nodes = net_->nodes();
    parallel_tasks(net_->threads(), static_cast<index_t>(nodes.size()), [&](index_t i, int) {
      const auto k = static_cast<std::size_t>(i);
      const view<const T> x = nodes[k].operation == nullptr ? images : run_->value(nodes[k].name);
      seen_[k].add(std::span<const T>(x.data(), static_cast<std::size_t>(x.size())));
    });
    pictures_ += images.dim(0);
  }
  void observe(const tensor<T>& images) { observe(static_cast<view<const T>>(images)); }

  /// The network in 8-bit numbers, a network for prediction: it has no gradients. Convolutions and dense layers become 8-bit,
  /// with ReLU, normalisation and sum behind them, and pooling, sums and concatenations between; other layers stay. Throws error
  /// if nothing has been observed.
  MINICNN_COLD network<T> quantized(const quantizer_options& o = {}) const {
    if (pictures_ == 0) fail("quantizer: no pictures have been observed");
    std::vector<int8::quantization> ranges;
    for (const int8::value_histogram& h : seen_) ranges.push_back(h.choose(o.range));
    return detail::int8_rewriter<T>(*net_, std::move(ranges), o.keep).run();
  }

 private:
  std::unique_ptr<network<T>> net_;
  std::unique_ptr<session<T>> run_;
  std::vector<int8::value_histogram> seen_;
  index_t pictures_ = 0;
};

MINICNN_COMPILED_CLASS(quantizer);

}  // namespace minicnn::inline MINICNN_ABI
