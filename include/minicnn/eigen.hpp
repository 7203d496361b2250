#pragma once
/// Tensors seen as Eigen maps, and Eigen's results as tensors. Nothing is copied on the way to Eigen.
///
///     auto x = as_matrix(features);                           // rows: the first axis; columns: all the others
///     Eigen::VectorXf mean = x.colwise().mean();
///     tensor<float> projected = to_tensor(x * basis);         // evaluates, row-major
///
/// Maps are declared unaligned: a view may begin at any element (an image of a batch, a row of a matrix). They stay valid as
/// long as the memory that they look at. Needs Eigen 3.3 or later.

#include <Eigen/Core>
#include <type_traits>

#include "minicnn/core/tensor.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {
template <class T>
using eigen_matrix = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using eigen_vector = Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>;
template <class T, class M>
using eigen_map_of = Eigen::Map<std::conditional_t<std::is_const_v<T>, const M, M>, Eigen::Unaligned>;
}  // namespace detail

/// A row-major map of `T`; of `const T`, one that cannot be written through.
template <class T>
using matrix_map = detail::eigen_map_of<T, detail::eigen_matrix<T>>;
template <class T>
using vector_map = detail::eigen_map_of<T, detail::eigen_vector<T>>;

/// First axis by the product of all others: a batch of images is (n, c * h * w), convolution weights (out, in * h * w), dense
/// weights (out, in). Rank 1 is one column. Throws shape_error for a scalar.
template <class T>
matrix_map<T> as_matrix(const view<T>& x) {
  if (x.dims().rank() == 0) fail<shape_error>("as_matrix: wanted at least one axis, got a scalar");
  return matrix_map<T>(x.data(), x.dim(0), x.dims().size_from(1));
}
template <class T>
matrix_map<T> as_matrix(tensor<T>& x) {
  return as_matrix(view<T>(x));
}
template <class T>
matrix_map<const T> as_matrix(const tensor<T>& x) {
  return as_matrix(view<const T>(x));
}
/// The map would outlive its memory.
template <class T>
void as_matrix(tensor<T>&&) = delete;

/// All elements, in row-major order.
template <class T>
vector_map<T> as_vector(const view<T>& x) {
  return vector_map<T>(x.data(), x.size());
}
template <class T>
vector_map<T> as_vector(tensor<T>& x) {
  return as_vector(view<T>(x));
}
template <class T>
vector_map<const T> as_vector(const tensor<T>& x) {
  return as_vector(view<const T>(x));
}
template <class T>
void as_vector(tensor<T>&&) = delete;

/// A tensor of (rows, columns) with the values of an Eigen expression, whatever its storage order; of (size) for vectors.
template <class Derived>
tensor<typename Derived::Scalar> to_tensor(const Eigen::DenseBase<Derived>& expression) {
  using scalar = typename Derived::Scalar;
  if constexpr (Derived::IsVectorAtCompileTime) {
    tensor<scalar> out({static_cast<index_t>(expression.size())});
    if constexpr (Derived::RowsAtCompileTime == 1)
      as_vector(out) = expression.derived().transpose();
    else
      as_vector(out) = expression.derived();
    return out;
  } else {
    tensor<scalar> out({static_cast<index_t>(expression.rows()), static_cast<index_t>(expression.cols())});
    as_matrix(out) = expression.derived();
    return out;
  }
}

/// A view of an Eigen matrix or vector that lies in memory row by row without gaps: a row-major matrix, or a vector.
template <class Derived>
view<typename Derived::Scalar> as_view(Eigen::PlainObjectBase<Derived>& m) {
  static_assert(Derived::IsRowMajor || Derived::IsVectorAtCompileTime, "as_view wants a row-major matrix; copy with to_tensor");
  if constexpr (Derived::IsVectorAtCompileTime)
    return {m.data(), {static_cast<index_t>(m.size())}};
  else
    return {m.data(), {static_cast<index_t>(m.rows()), static_cast<index_t>(m.cols())}};
}
template <class Derived>
view<const typename Derived::Scalar> as_view(const Eigen::PlainObjectBase<Derived>& m) {
  return as_view(const_cast<Eigen::PlainObjectBase<Derived>&>(m));
}
template <class Derived>
void as_view(Eigen::PlainObjectBase<Derived>&&) = delete;

}  // namespace minicnn::inline MINICNN_ABI
