#pragma once
/// Whether a model can take images of any height and width.

#include <string>
#include <vector>

#include "minicnn/formats/onnx_layers.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// The operators of each node that is `needed`, as they are written for an input of `dims`.
template <class T>
std::vector<std::string> onnx_forms(const network<T>& net, const std::vector<char>& needed, const shape& dims) {
  std::vector<shape> shapes;
  for (const op_plan& p : net.plans(dims)) shapes.push_back(p.output);
  onnx_graph graph("");
  onnx_translator<T> translator(net, graph, std::move(shapes));
  std::vector<std::string> forms(needed.size());
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (needed[i]) translator.add(static_cast<int>(i));
    forms[i] = graph.take_form();
  }
  return forms;
}

/// Compares what is written for images of the network's size with what would be for 64 others: strides of 64 in all leave so many
/// remainders, which is what paddings and windows depend on. Throws shape_error naming the first node that is not the same.
template <class T>
void check_free_size(const network<T>& net, const std::vector<char>& needed) {
  shape dims = net.input_dims();
  if (dims.rank() != 4) fail<shape_error>("ONNX: height and width cannot be left free: the input has none, it is ", dims);
  const std::vector<std::string> own = onnx_forms(net, needed, dims);
  for (int more = 1; more <= 64; ++more) {
    for (const int axis : {2, 3}) dims.set(axis, dims[axis] + 1);
    std::vector<std::string> other;
    try {
      other = onnx_forms(net, needed, dims);
    } catch (const shape_error& e) {
      fail<shape_error>("ONNX: height and width cannot be left free: ", e.what());
    }
    for (std::size_t i = 0; i < own.size(); ++i)
      if (own[i] != other[i])
        fail<shape_error>("ONNX: height and width cannot be left free: node ", net.nodes()[i].name, " (",
                          net.nodes()[i].operation->kind(), ") becomes other operators for images of ", dims[2], " x ", dims[3],
                          " than for ", net.input_dims()[2], " x ", net.input_dims()[3]);
  }
}

}  // namespace detail

}  // namespace minicnn::inline MINICNN_ABI
