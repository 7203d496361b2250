#pragma once
/// Declarations for headers that pass these types by reference. Default arguments live with the definitions, so the
/// element type is spelled out here: `network<float>&`.

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

// core/
class error;
class shape;
template <class T>
class view;
template <class T>
class tensor;
struct context;

// graph/
template <class T>
struct node;
template <class T>
class graph;
template <class T>
class op;
template <class T>
class network;
template <class T>
class session;

// train/
template <class T>
class optimizer;

}  // namespace minicnn::inline MINICNN_ABI
