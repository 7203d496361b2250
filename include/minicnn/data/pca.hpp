#pragma once
/// Principal components of a data set's colours, by Eigen: the one header here that needs it.

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

#include "minicnn/data/augment.hpp"
#include "minicnn/data/statistics.hpp"

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

}  // namespace minicnn::inline MINICNN_ABI
