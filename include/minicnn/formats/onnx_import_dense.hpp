#pragma once
/// ONNX's matrix products with a constant as dense layers.

#include <string>
#include <utility>

#include "minicnn/formats/onnx_importer.hpp"
#include "minicnn/layers/dense.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// A matrix of weights as a dense layer keeps it, (out, in), times `factor`.
template <class T>
void fill_matrix(onnx_importer<T>& in, const std::string& parameter, const onnx_constant& c, bool transpose, double factor) {
  if (!transpose && factor == 1.0) return in.fill(parameter, c);
  const auto values = std::make_shared<const onnx_constant>(c);
  in.fill(parameter, [&memory = in.memory(), values, transpose, factor](view<T> to) {
    const index_t rows = to.dim(0), columns = to.dim(1);
    tensor<T> read(shape{to.size()});
    copy_values<T>(*values, memory, read.data(), read.size());
    for (index_t r = 0; r < rows; ++r)
      for (index_t c2 = 0; c2 < columns; ++c2)
        to[r * columns + c2] = static_cast<T>(factor) * read[transpose ? c2 * rows + r : r * columns + c2];
  });
}

/// A bias of one number a unit, or one for all, times `factor`.
template <class T>
void fill_bias(onnx_importer<T>& in, const std::string& parameter, const onnx_constant& c, double factor) {
  const auto values = std::make_shared<const onnx_constant>(c);
  in.fill(parameter, [&memory = in.memory(), values, factor](view<T> to) {
    tensor<T> read(shape{values->size()});
    copy_values<T>(*values, memory, read.data(), read.size());
    for (index_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(factor) * read[read.size() == 1 ? 0 : i];
  });
}

/// The product of input 0 and the constant input 1, (in, out) or transposed.
template <class T>
void import_product(onnx_importer<T>& in, bool transposed, double alpha, const onnx_constant* bias, double beta) {
  const bool lifted = in.any(0).lifted;  // (5 n, features), say
  if (lifted) (void)in.node_axis(0, -1);
  node<T> x = lifted ? in.exact(0) : in.matrix(0);
  if (in.integer("transA", 0) != 0) {
    (void)in.node_axis(0, 0);  // the batch would become the features
    x = transpose(x, {0, 2, 1}, {.name = in.unique(text_of(in.own_name(), ".transposed"))});
  }
  const onnx_constant& weight = in.constant(1, "weight");
  if (weight.dims.size() != 2) fail("its weight is ", extents_text(weight.dims), "; wanted a matrix");
  const index_t units = weight.dims[transposed ? 0 : 1], features = weight.dims[transposed ? 1 : 0];
  if (const index_t own = x.dims()[x.dims().rank() - 1]; features != own)
    fail("its weight is for ", features, " features, the input has ", own);
  if (bias == nullptr) bias = in.bias_behind(units, false);
  if (bias != nullptr && bias->size() != 1 && (bias->size() != units || bias->dims.back() != units))
    fail("its bias is ", extents_text(bias->dims), "; wanted one number a unit, the same for all samples");
  const std::string name = in.name(1);
  in.put_node(dense(x, units, {.bias = bias != nullptr, .last_axis = lifted, .name = name}));
  fill_matrix(in, name + ".weight", weight, !transposed, alpha);
  if (bias != nullptr) fill_bias(in, name + ".bias", *bias, beta);
}

template <class T>
void import_gemm(onnx_importer<T>& in) {
  if (in.integer("transA", 0) != 0 && !in.any(0).lifted) fail("attribute transA: a dense layer takes samples as rows");
  const onnx_constant* bias = in.has(2) ? &in.constant(2, "bias") : nullptr;
  const double beta = bias != nullptr ? in.real("beta", 1.0) : 1.0;
  import_product(in, in.integer("transB", 0) != 0, in.real("alpha", 1.0), bias, beta);
}
template <class T>
void import_computed_product(onnx_importer<T>& in);
template <class T>
void import_last_axis_product(onnx_importer<T>& in);

template <class T>
void import_matmul(onnx_importer<T>& in) {
  if (in.has(1) && !in.is_constant(1)) return import_computed_product(in);
  if (in.any(0).lifted || in.any(0).dims.size() > 2) return import_last_axis_product(in);
  import_product(in, false, 1.0, nullptr, 1.0);
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
