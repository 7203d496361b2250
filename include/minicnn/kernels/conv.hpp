#pragma once
/// Convolution and its two gradients.

#include "minicnn/kernels/conv_backward_input.hpp"
#include "minicnn/kernels/conv_backward_weight.hpp"
#include "minicnn/kernels/conv_forward.hpp"
