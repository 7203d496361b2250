#pragma once
/// Templates that one unit of a program may hold for all the others, which then compile in a third to two thirds of the time.
///
/// The library is headers, and every unit that uses a layer compiles its kernels. A program of many units defines
/// MINICNN_COMPILED for all of them and compiles compiled/float_unit.cpp once, with the same flags (compiled/double_unit.cpp
/// too if it uses networks of double); CMake's target minicnn::compiled does both. Results are the same.
///
/// Behind a template of one type: MINICNN_COMPILED_CLASS(conv2d_op), MINICNN_COMPILED_STRUCT(network_state) and, for functions
/// that are not overloaded, MINICNN_COMPILED_FUNCTION(gemm).

#include "minicnn/version.hpp"

#if defined(MINICNN_FLOAT_UNIT)
#define MINICNN_COMPILED_FLOAT(...) template __VA_ARGS__
#define MINICNN_COMPILED_DOUBLE(...) extern template __VA_ARGS__
#elif defined(MINICNN_DOUBLE_UNIT)
#define MINICNN_COMPILED_FLOAT(...) extern template __VA_ARGS__
#define MINICNN_COMPILED_DOUBLE(...) template __VA_ARGS__
#elif defined(MINICNN_COMPILED)
#define MINICNN_COMPILED_FLOAT(...) extern template __VA_ARGS__
#define MINICNN_COMPILED_DOUBLE(...) extern template __VA_ARGS__
#else
#define MINICNN_COMPILED_FLOAT(...) static_assert(true)
#define MINICNN_COMPILED_DOUBLE(...) static_assert(true)
#endif

// NOLINTBEGIN(bugprone-macro-parentheses): the names of templates
#define MINICNN_COMPILED_CLASS(name)         \
  MINICNN_COMPILED_FLOAT(class name<float>); \
  MINICNN_COMPILED_DOUBLE(class name<double>)
#define MINICNN_COMPILED_STRUCT(name)         \
  MINICNN_COMPILED_FLOAT(struct name<float>); \
  MINICNN_COMPILED_DOUBLE(struct name<double>)
#define MINICNN_COMPILED_FUNCTION(name)                      \
  MINICNN_COMPILED_FLOAT(decltype(name<float>) name<float>); \
  MINICNN_COMPILED_DOUBLE(decltype(name<double>) name<double>)
// NOLINTEND(bugprone-macro-parentheses)
