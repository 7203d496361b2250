#pragma once
/// Declarations of the types that other headers pass by reference. Default arguments live with the definitions.

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

class error;
class shape;
template <class T>
class view;
template <class T>
class tensor;

}  // namespace minicnn::inline MINICNN_ABI
