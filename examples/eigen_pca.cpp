// Principal components of a network's features, by Eigen: what AlexNet sees in a folder of pictures, on two axes.
//
//   eigen_pca WEIGHTS FOLDER     WEIGHTS as examples/quickstart.cpp saves them; writes one line a picture: x,y,class

#include <minicnn/alexnet.hpp>
#include <minicnn/data/image_folder.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/eigen.hpp>
#include <minicnn/graph/session.hpp>
#include <minicnn/io/checkpoint.hpp>

#include <Eigen/Eigenvalues>
#include <cstdio>
#include <string>

using namespace minicnn;

namespace {

/// Values of the last hidden layer for every picture: (n, units).
tensor<float> features(const network<float>& net, loader<float>& data, std::vector<std::int32_t>& labels) {
  session<float> run(net, {.retain = {"fc2"}});
  tensor<float> out;
  index_t done = 0;
  data.start_epoch(0);
  while (const batch<float>* b = data.next()) {
    run.predict(b->images);
    const view<const float> values = run.value("fc2");
    if (done == 0) out = tensor<float>({data.size(), values.dims().size_from(1)});
    as_matrix(out).middleRows(done, values.dim(0)) = as_matrix(values);
    done += values.dim(0);
    labels.insert(labels.end(), b->labels.begin(), b->labels.end());
  }
  return out;
}

/// The rows of `x` on the two directions in which they differ most.
tensor<float> principal_components(const tensor<float>& x) {
  const auto rows = as_matrix(x);
  const Eigen::MatrixXf centred = rows.rowwise() - rows.colwise().mean();
  // Fewer pictures than units: the n x n product has the same non-zero eigenvalues as the covariance, and is small.
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> solver(centred * centred.transpose());
  const Eigen::MatrixXf scores =
      solver.eigenvectors().rightCols(2) * solver.eigenvalues().tail(2).cwiseMax(0).cwiseSqrt().asDiagonal();
  return to_tensor(scores.rowwise().reverse());
}

int run(const std::string& weights, const std::string& folder) {
  const image_dataset pictures = read_image_folder(folder);
  const image_transform transform{.size = 96, .normalize = {.mean = {124, 116, 104}, .std = {58, 57, 57}}};
  loader<float> data(pictures, all_samples(pictures), {.batch_size = 32, .transform = transform});
  auto net = alexnet_bn<float>({.classes = static_cast<int>(pictures.classes.size()), .image_size = 96});
  load_weights(net, weights);
  std::vector<std::int32_t> labels;
  const tensor<float> points = principal_components(features(net, data, labels));
  for (index_t i = 0; i < points.dim(0); ++i)
    std::printf("%g,%g,%s\n", double(points(i, 0)), double(points(i, 1)),
                pictures.classes[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])].c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: eigen_pca WEIGHTS FOLDER\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2]);
  } catch (const error& e) {
    std::fprintf(stderr, "eigen_pca: %s\n", e.what());
    return 1;
  }
}
