#pragma once
/// Principal components of a data set's colours and patches, by Eigen: the one header here that needs it.

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "minicnn/data/augment.hpp"
#include "minicnn/data/statistics.hpp"
#include "minicnn/graph/network.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Options for lighting as in Krizhevsky et al. (2012), section 4.1, from the colours' covariance. The paper multiplies by
/// eigenvalues; the published figures that reproduce it (0.2175, 0.0188, 0.0045 for pixels from 0 to 1) have the size of
/// deviations, that is of the eigenvalues' square roots, which keep the unit of pixels. So do these. Largest first; of
/// each component the coordinate of greatest size is positive, so that the result does not depend on Eigen's signs.
inline colour_lighting principal_colours(const channel_statistics& statistics, double deviation = 0.1) {
  Eigen::Matrix3d covariance;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b)
      covariance(a, b) = statistics.covariance[static_cast<std::size_t>(a)][static_cast<std::size_t>(b)];
  const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(covariance);
  colour_lighting lighting;
  lighting.deviation = deviation;
  for (int i = 0; i < 3; ++i) {
    Eigen::Vector3d component = solver.eigenvectors().col(2 - i);  // Eigen sorts upwards
    Eigen::Index largest = 0;
    component.cwiseAbs().maxCoeff(&largest);
    if (component(largest) < 0) component = -component;
    const auto place = static_cast<std::size_t>(i);
    lighting.values[place] = std::sqrt((std::max)(0.0, solver.eigenvalues()(2 - i)));
    for (int c = 0; c < 3; ++c) lighting.vectors[place][static_cast<std::size_t>(c)] = component(c);
  }
  return lighting;
}

namespace detail {

/// Mean over all patches p of c x height x width values, at every `step`-th place of every image, of p p^T.
template <class T>
Eigen::MatrixXd patch_moments(const view<const T>& images, index_t height, index_t width, index_t step) {
  const index_t channels = images.dim(1), rows = images.dim(2), columns = images.dim(3), size = channels * height * width;
  const index_t across = (columns - width) / step + 1, down = (rows - height) / step + 1;
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(size, size), line(size, across);
  for (index_t n = 0; n < images.dim(0); ++n)
    for (index_t y = 0; y + height <= rows; y += step) {
      for (index_t k = 0; k < size; ++k) {
        const index_t c = k / (height * width), v = k / width % height, u = k % width;
        const T* from = images.data() + ((n * channels + c) * rows + y + v) * columns + u;
        for (index_t x = 0; x < across; ++x) line(k, x) = static_cast<double>(from[x * step]);
      }
      sum.noalias() += line * line.transpose();
    }
  return sum / static_cast<double>(images.dim(0) * down * across);
}

}  // namespace detail

/// Filters of the shape `dims` (n, c, height, width) that whiten patches of `images` (m, c, h, w): the first n / 2 eigenvectors
/// of the patches' second moments, largest eigenvalue first, divided by sqrt(eigenvalue + eps), and the same with the other sign
/// (Page, "How to train your ResNet 8", 2019; Jordan, arXiv 2404.00498, section 3.2). Of each the coordinate of greatest size is
/// positive. `step`: rows and columns from one patch to the next. Throws shape_error where n is odd or more than twice a patch's
/// values, or an image has no patch.
template <class T>
tensor<T> whitening_filters(const view<const T>& images, const shape& dims, double eps = 5e-4, index_t step = 1) {
  if (images.dims().rank() != 4 || dims.rank() != 4 || images.dim(0) < 1 || images.dim(1) != dims[1] || images.dim(2) < dims[2] ||
      images.dim(3) < dims[3])
    fail<shape_error>("whitening: filters are ", dims, ", images ", images.dims());
  const index_t filters = dims[0], size = dims.size_from(1);
  if (filters % 2 != 0 || filters > 2 * size)
    fail<shape_error>("whitening: ", filters, " filters, wanted an even number up to ", 2 * size,
                      ", twice the values of a patch");
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(detail::patch_moments(images, dims[2], dims[3], step));
  tensor<T> out(dims);
  for (index_t i = 0; i < filters / 2; ++i) {
    Eigen::VectorXd vector = solver.eigenvectors().col(size - 1 - i);  // Eigen sorts upwards
    Eigen::Index largest = 0;
    vector.cwiseAbs().maxCoeff(&largest);
    const double length = std::sqrt((std::max)(0.0, solver.eigenvalues()(size - 1 - i)) + eps);
    const double factor = (vector(largest) < 0 ? -1.0 : 1.0) / length;
    for (index_t k = 0; k < size; ++k) {
      out[i * size + k] = static_cast<T>(factor * vector(k));
      out[(i + filters / 2) * size + k] = static_cast<T>(-factor * vector(k));
    }
  }
  return out;
}

/// Gives the convolution `layer` these filters, made of some thousand pictures as the network is fed them, and fixes them; its
/// bias goes on learning (`freeze_after` of train/callbacks.hpp ends that).
template <class T>
void whiten(network<T>& net, std::string_view layer, const view<const T>& images, double eps = 5e-4, index_t step = 1) {
  const std::string name = std::string(layer) + ".weight";
  const view<T> weight = net.parameter(name);
  const tensor<T> filters = whitening_filters(images, weight.dims(), eps, step);
  std::copy(filters.begin(), filters.end(), weight.begin());
  net.freeze(name);
}

}  // namespace minicnn::inline MINICNN_ABI
