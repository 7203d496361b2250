#pragma once
/// LeNet-5: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", Proceedings of the
/// IEEE, 1998, section II.B, in the form that is common today: C3 sees all six maps (the paper's table I leaves out 20 of its 60
/// connections of maps), subsampling has no weights of its own, and the last layer is a dense one. 61,706 parameters.

#include <utility>

#include "minicnn/graph/network.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

struct lenet5_options {
  int classes = 10;
  int channels = 1;

  /// Pixels a side, at least 16. 32 is the paper's: digits of 28 pixels with 2 of background around them. At 28 C1 adds the two
  /// pixels itself, as zeros.
  int image_size = 32;

  /// ReLU and the maximum of 2x2 cells, which train faster, or the paper's tanh (there scaled, 1.7159 tanh(2x / 3)) and means.
  bool modern = true;

  initializer init = initializer::he();
  network_options network = {};
};

/// | layer  | kernel     | maps at 32 px | parameters |
/// |--------|------------|---------------|------------|
/// | c1     | 5x5        | 6 x 28 x 28   | 156        |
/// | s2     | 2x2        | 6 x 14 x 14   |            |
/// | c3     | 5x5        | 16 x 10 x 10  | 2,416      |
/// | s4     | 2x2        | 16 x 5 x 5    |            |
/// | c5     | all of 5x5 | 120           | 48,120     |
/// | f6     | dense      | 84            | 10,164     |
/// | output | dense      | 10            | 850        |
template <class T = float>
MINICNN_COLD network<T> lenet5(const lenet5_options& o = {}) {
  graph<T> g;
  const auto squash = [&](node<T> x) { return o.modern ? relu(x) : tanh(x); };
  const auto subsample = [&](node<T> x, const char* name) {
    return o.modern ? max_pool(x, {.kernel = 2, .name = name}) : avg_pool(x, {.kernel = 2, .name = name});
  };
  auto x = g.input({o.channels, o.image_size, o.image_size});
  const index_t background = o.image_size == 28 ? 2 : 0;
  x = squash(conv2d(x, {.filters = 6, .kernel = 5, .padding = background, .init = o.init, .name = "c1"}));
  x = subsample(x, "s2");
  x = squash(conv2d(x, {.filters = 16, .kernel = 5, .init = o.init, .name = "c3"}));
  x = flatten(subsample(x, "s4"));
  x = squash(dense(x, 120, {.init = o.init, .name = "c5"}));
  x = squash(dense(x, 84, {.init = o.init, .name = "f6"}));
  return network<T>(std::move(g), {dense(x, o.classes, {.init = initializer::lecun(), .name = "output"})}, o.network);
}

MINICNN_COMPILED_FUNCTION(lenet5);

}  // namespace minicnn::inline MINICNN_ABI
