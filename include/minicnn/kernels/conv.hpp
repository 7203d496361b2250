#pragma once
/// Convolution and its two gradients.

#include "minicnn/core/arena.hpp"
#include "minicnn/kernels/context.hpp"
#include "minicnn/kernels/conv_geometry.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Bytes of scratch for `conv_forward`; never less for a bigger batch.
template <class T>
index_t conv_forward_scratch_bytes(int threads, index_t batch, const conv_geometry& g);

/// y = convolution of x with the weights (OIHW, I = channels / groups) + bias (null: none), then ReLU if asked for.
template <class T>
void conv_forward(const context& run, index_t batch, const conv_geometry& g, const T* x, const T* weight, const T* bias,
                  bool relu, T* y, scratch& work);

template <class T>
index_t conv_backward_input_scratch_bytes(int threads, index_t batch, const conv_geometry& g);

/// dx = (or += if `add`) the gradient with respect to x.
template <class T>
void conv_backward_input(const context& run, index_t batch, const conv_geometry& g, const T* dy, const T* weight, T* dx, bool add,
                         scratch& work);

template <class T>
index_t conv_backward_weight_scratch_bytes(int threads, index_t batch, const conv_geometry& g);

/// dweight = (or += if `add_weight`) the gradient with respect to the weights; the same for the bias unless `dbias` is null.
template <class T>
void conv_backward_weight(const context& run, index_t batch, const conv_geometry& g, const T* x, const T* dy, T* dweight,
                          bool add_weight, T* dbias, bool add_bias, scratch& work);

}  // namespace minicnn::inline MINICNN_ABI
