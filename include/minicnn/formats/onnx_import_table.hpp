#pragma once
/// Which ONNX operators become layers, and how: a line each.

#include <string_view>

#include "minicnn/formats/onnx_import_dense.hpp"
#include "minicnn/formats/onnx_import_elements.hpp"
#include "minicnn/formats/onnx_import_norm.hpp"
#include "minicnn/formats/onnx_import_parts.hpp"
#include "minicnn/formats/onnx_import_shapes.hpp"
#include "minicnn/formats/onnx_import_tensors.hpp"
#include "minicnn/formats/onnx_import_windows.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

template <class T>
struct onnx_import_row {
  std::string_view type;
  onnx_rule<T> rule;
};

template <class T>
inline constexpr onnx_import_row<T> onnx_import_table[] = {
    {"Add", import_add<T>},
    {"AveragePool", import_average_pool<T>},
    {"BatchNormalization", import_batch_norm<T>},
    {"Cast", import_cast<T>},
    {"Clip", import_clip<T>},
    {"Concat", import_concat<T>},
    {"Conv", import_conv<T>},
    {"ConvTranspose", import_conv_transpose<T>},
    {"DepthToSpace", import_depth_to_space<T>},
    {"Div", import_arithmetic<T>},
    {"Dropout", import_dropout<T>},
    {"Elu", import_elu<T>},
    {"Flatten", import_flatten<T>},
    {"Gather", import_gather<T>},
    {"Gelu", import_gelu<T>},
    {"Gemm", import_gemm<T>},
    {"GlobalAveragePool", import_global_average<T>},
    {"GlobalMaxPool", import_global_max<T>},
    {"GroupNormalization", import_group_norm<T>},
    {"HardSigmoid", import_hard_sigmoid<T>},
    {"HardSwish", import_hard_swish<T>},
    {"Identity", import_identity<T>},
    {"InstanceNormalization", import_instance_norm<T>},
    {"LRN", import_lrn<T>},
    {"LayerNorm", import_norm_of_axis<T>},  // of onnx_patterns.hpp
    {"LayerNormalization", import_layer_norm<T>},
    {"LeakyRelu", import_leaky_relu<T>},
    {"MatMul", import_matmul<T>},
    {"MaxPool", import_max_pool<T>},
    {"Mean", import_mean<T>},
    {"Mul", import_arithmetic<T>},
    {"Neg", import_neg<T>},
    {"PRelu", import_prelu<T>},
    {"Pad", import_pad<T>},
    {"ReduceMean", import_reduce_mean<T>},
    {"ReduceSum", import_mean_of_axes<T>},
    {"Relu", import_relu<T>},
    {"Reshape", import_reshape<T>},
    {"Resize", import_resize<T>},
    {"Shape", import_shape<T>},
    {"SiLU", import_silu<T>},  // of onnx_patterns.hpp
    {"Sigmoid", import_sigmoid<T>},
    {"Slice", import_slice<T>},
    {"Softmax", import_softmax<T>},
    {"Softplus", import_softplus<T>},
    {"SpaceToDepth", import_space_to_depth<T>},
    {"Split", import_split<T>},
    {"Squeeze", import_squeeze<T>},
    {"Sub", import_arithmetic<T>},
    {"Sum", import_add<T>},
    {"Tanh", import_tanh<T>},
    {"Transpose", import_transpose<T>},
    {"Unsqueeze", import_unsqueeze<T>},
    {"Upsample", import_upsample<T>},
};

/// How an operator becomes a layer; null: it does not.
template <class T>
onnx_rule<T> find_import_rule(std::string_view type) {
  for (const onnx_import_row<T>& row : onnx_import_table<T>)
    if (row.type == type) return row.rule;
  return nullptr;
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
