#pragma once
/// The ways in which convolutions are computed, and which is taken.

#include <algorithm>
#include <type_traits>

#include "minicnn/kernels/amx/backward_input.hpp"
#include "minicnn/kernels/amx/backward_weight.hpp"
#include "minicnn/kernels/amx/forward.hpp"
#include "minicnn/kernels/conv/backward_input.hpp"
#include "minicnn/kernels/conv/backward_weight.hpp"
#include "minicnn/kernels/conv/forward.hpp"
#include "minicnn/kernels/winograd/backward_weight.hpp"
#include "minicnn/kernels/winograd/forward.hpp"

namespace minicnn::inline MINICNN_ABI {

/// All passes of a convolution, and the memory they take.
template <class T>
struct convolution_method {
  using geometry = kernels::conv_geometry;
  void (*forward)(const context&, index_t batch, const geometry&, const kernels::conv_operands<T>&, scratch&);
  void (*backward_input)(const context&, index_t batch, const geometry&, const T* dy, const T* weight, T* dx, bool add, scratch&);
  void (*backward_weight)(const context&, index_t batch, const geometry&, const kernels::weight_gradient_operands<T>&, scratch&);
  void (*prepack_weights)(const context&, const geometry&, const T* weight, T* packed);
  index_t (*packed_weight_bytes)(const geometry&);
  index_t (*forward_scratch_bytes)(int threads, index_t batch, const geometry&, bool prepacked);
  index_t (*backward_input_scratch_bytes)(int threads, index_t batch, const geometry&);
  index_t (*backward_weight_scratch_bytes)(int threads, index_t batch, const geometry&);

  index_t backward_scratch_bytes(int threads, index_t batch, const geometry& g) const {
    return (std::max)(backward_input_scratch_bytes(threads, batch, g), backward_weight_scratch_bytes(threads, batch, g));
  }
};

/// A product of filters and gathered pixels: every convolution.
template <class T>
inline constexpr convolution_method<T> direct_convolution = {kernels::conv_forward<T>,
                                                             kernels::conv_backward_input<T>,
                                                             kernels::conv_backward_weight<T>,
                                                             kernels::conv_prepack_weights<T>,
                                                             kernels::conv_packed_weight_bytes<T>,
                                                             kernels::conv_forward_scratch_bytes<T>,
                                                             kernels::conv_backward_input_scratch_bytes<T>,
                                                             kernels::conv_backward_weight_scratch_bytes<T>};

template <class T>
inline constexpr convolution_method<T> winograd_convolution = {kernels::winograd::forward<T>,
                                                               kernels::winograd::backward_input<T>,
                                                               kernels::winograd::backward_weight<T>,
                                                               kernels::winograd::prepack_weights<T>,
                                                               kernels::winograd::packed_weight_bytes<T>,
                                                               kernels::winograd::forward_scratch_bytes<T>,
                                                               kernels::winograd::backward_input_scratch_bytes<T>,
                                                               kernels::winograd::backward_weight_scratch_bytes<T>};

#if MINICNN_AMX
inline constexpr convolution_method<float> amx_convolution = {kernels::amx::forward,
                                                              kernels::amx::backward_input,
                                                              kernels::amx::backward_weight,
                                                              kernels::amx::prepack_weights,
                                                              kernels::amx::packed_weight_bytes,
                                                              kernels::amx::forward_scratch_bytes,
                                                              kernels::amx::backward_input_scratch_bytes,
                                                              kernels::amx::backward_weight_scratch_bytes};
#endif

/// The method for a convolution, the same in all passes. `prepacked`: weights are packed once for many predictions.
template <class T>
const convolution_method<T>& choose_convolution(const context& ctx, index_t batch, const kernels::conv_geometry& g,
                                                bool prepacked = false) {
#if MINICNN_AMX
  if constexpr (std::is_same_v<T, float>)
    if (kernels::amx::is_chosen(ctx, g)) return amx_convolution;
#endif
  return kernels::winograd::is_chosen<T>(ctx, batch, g, prepacked) ? winograd_convolution<T> : direct_convolution<T>;
}

}  // namespace minicnn::inline MINICNN_ABI
