#pragma once
/// Spatial pyramid pooling: He, Zhang, Ren and Sun, "Spatial pyramid pooling in deep convolutional networks for visual
/// recognition", ECCV 2014.

#include <string>
#include <utility>
#include <vector>

#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/pooling.hpp"

namespace minicnn::inline MINICNN_ABI {

struct spatial_pyramid_options {
  /// Bins a side of each level. The paper's four levels have 36 + 9 + 4 + 1 = 50 bins.
  std::vector<index_t> levels = {6, 3, 2, 1};

  /// The scope of its nodes: NAME.pool6, NAME.flatten6, ..., and NAME.concat, the result.
  std::string name = "spp";
};

/// x (n, c, any, any) -> (n, c * bins): the maximum of every bin of every level, finest level first. The length does not depend
/// on the image's size, so dense layers may follow and one set of weights serves all sizes and aspect ratios.
///
/// Bins are those of the paper's section 2.3 and appendix, floor to ceil (`adaptive_max_pool`), which exist for every size. The
/// windows of its single-size training, ceil(a / n) wide and floor(a / n) apart, are these bins where n divides the side a;
/// elsewhere they can leave out cells at the edge or do not make n bins.
template <class T>
MINICNN_COLD node<T> spatial_pyramid(node<T> x, spatial_pyramid_options o = {}) {
  if (o.levels.empty()) fail<option_error>("spatial_pyramid: no levels");
  const auto scope = x.owner->scope(o.name);
  std::vector<node<T>> levels;
  for (const index_t n : o.levels)
    levels.push_back(flatten(adaptive_max_pool(x, {.output = n, .name = text_of("pool", n)}), {.name = text_of("flatten", n)}));
  return concat(levels, {.name = "concat"});
}

}  // namespace minicnn::inline MINICNN_ABI
