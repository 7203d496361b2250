#pragma once
/// Building a network by its name, declared alone: registry.hpp defines it, and includes every network and layer to do so. A unit
/// that finds it compiled elsewhere (core/compiled.hpp) reads none of them.

#include "minicnn/graph/network.hpp"
#include "minicnn/model/model_config.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Builds the network. Throws option_error for an unknown name or initializer, and shape_error, which names model, size and node,
/// for an image size that is too small.
template <class T = float>
network<T> make_model(const model_config& config, const network_options& n = {});

}  // namespace minicnn::inline MINICNN_ABI
