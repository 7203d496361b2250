#pragma once
/// Clipping gradients by their global norm (Pascanu et al., "On the difficulty of training recurrent neural networks",
/// ICML 2013), and the guard against gradients that are not finite.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "minicnn/graph/network.hpp"
#include "minicnn/train/reductions.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What is known about a network's gradients before a step.
struct gradient_clip {
  double norm = 0.0;       ///< over all trainable parameters together; infinity if some gradient is not finite
  double scale = 1.0;      ///< what the step multiplies gradients by: max_norm / norm where that is below 1
  index_t non_finite = 0;  ///< gradients that are NaN or infinite

  /// False: the optimizer skips the step.
  bool finite() const { return non_finite == 0; }
};

/// Measures the gradients of all trainable parameters as one vector, and says by how much to scale them so that its norm is
/// at most `max_norm` (0: no clipping, only the measurement). Changes nothing: `optimizer::step(rate, clip)` scales as it
/// reads, and skips the step where gradients are not finite. One pass over memory, no allocation, same bits for any number
/// of threads. `gradient_scale` is a factor that the gradients are still to be multiplied by (1 / accumulated batches):
/// norm and scale include it.
template <class T>
gradient_clip clip_gradients(network<T>& net, double max_norm, double gradient_scale = 1.0) {
  constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
  if (!is_finite(max_norm) || max_norm < 0) fail<option_error>("clip: max_norm is ", max_norm, ", wanted a number from 0");
  const view<T> gradients = net.gradient_arena();
  const auto& parameters = net.parameters();
  const square_sum sum = detail::reduce_pieces(
      net.threads(), gradients.size() / unit, index_t{1} << 12, [&](index_t begin, index_t end, square_sum& result) {
        for (const parameter_info& p : parameters) {
          const index_t first = (std::max)(begin * unit, p.offset), last = (std::min)(end * unit, p.offset + p.dims.size());
          if (p.trainable && first < last)
            kernels::dispatch<square_sum_kernel<T>>(net.ctx().instruction_set, static_cast<const T*>(gradients.data() + first),
                                                    last - first, &result);
        }
      });
  gradient_clip clip;
  clip.non_finite = sum.non_finite;
  clip.norm = clip.finite() ? std::sqrt(sum.value) * std::abs(gradient_scale) : std::numeric_limits<double>::infinity();
  clip.scale = gradient_scale;
  if (clip.finite() && max_norm > 0 && clip.norm > max_norm) clip.scale *= max_norm / clip.norm;
  return clip;
}

MINICNN_COMPILED_FUNCTION(clip_gradients);

}  // namespace minicnn::inline MINICNN_ABI
