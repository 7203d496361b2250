#include "minicnn/eigen.hpp"

#include <doctest/doctest.h>
#include <Eigen/Eigenvalues>

#include <vector>

using namespace minicnn;

TEST_CASE("as_matrix: the first axis by all others, without a copy") {
  tensor<float> x({2, 3, 2});
  for (index_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  auto m = as_matrix(x);
  REQUIRE(m.rows() == 2);
  REQUIRE(m.cols() == 6);
  CHECK(m(1, 2) == x(1, 1, 0));
  m(1, 2) = 100;
  CHECK(x(1, 1, 0) == 100);
  const tensor<float>& constant = x;
  CHECK(as_matrix(constant).data() == x.data());
  static_assert(!std::is_assignable_v<decltype(as_matrix(constant)(0, 0)), float>);
  CHECK(as_vector(constant).sum() == doctest::Approx(0 + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 100 + 9 + 10 + 11));
  CHECK_THROWS_WITH_AS(as_matrix(view<float>(x.data(), shape())), "as_matrix: wanted at least one axis, got a scalar",
                       shape_error);
  CHECK(as_matrix(view<float>(x.data(), {0, 4})).size() == 0);
}

TEST_CASE("products by Eigen, both ways") {
  const tensor<double> a({2, 3}, {1, 2, 3, 4, 5, 6}), b({3, 2}, {1, 0, 0, 1, 1, 1});
  const tensor<double> product = to_tensor(as_matrix(a) * as_matrix(b));
  REQUIRE(product.dims() == shape{2, 2});
  CHECK(std::vector<double>(product.begin(), product.end()) == std::vector<double>{4, 5, 10, 11});

  Eigen::MatrixXd by_columns(2, 2);
  by_columns << 1, 2, 3, 4;
  const tensor<double> rows = to_tensor(by_columns);
  CHECK(std::vector<double>(rows.begin(), rows.end()) == std::vector<double>{1, 2, 3, 4});
  CHECK(to_tensor(as_matrix(a).row(1)).dims() == shape{3});
  CHECK(to_tensor(as_matrix(a).col(2))[1] == 6);

  Eigen::Matrix<double, 2, 3, Eigen::RowMajor> fixed;
  fixed << 1, 2, 3, 4, 5, 6;
  const view<double> seen = as_view(fixed);
  REQUIRE(seen.dims() == shape{2, 3});
  seen(1, 2) = 60;
  CHECK(fixed(1, 2) == 60);
  const Eigen::VectorXf v = Eigen::VectorXf::LinSpaced(4, 0, 3);
  CHECK(as_view(v).dims() == shape{4});
  CHECK(as_view(v)[3] == 3);
}

TEST_CASE("F66 maps of memory that is not aligned") {
  std::vector<float> memory(64);
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<float>(i);
  for (index_t shift = 0; shift < 8; ++shift) {
    const view<float> x(memory.data() + shift, {3, 17});
    Eigen::MatrixXf copy = as_matrix(x);
    CHECK(copy(2, 16) == memory[static_cast<std::size_t>(shift + 2 * 17 + 16)]);
    CHECK(as_matrix(x).row(1).sum() == doctest::Approx(17.0 * static_cast<double>(shift + 17 + 8)));
    const view<float> second = x.at(1);
    as_vector(second) *= 2.0F;
    as_vector(second) *= 0.5F;
    CHECK(second[0] == memory[static_cast<std::size_t>(shift + 17)]);
  }
  // Maps and tensors as members of objects wherever the program puts them.
  struct holder {
    char odd = 0;
    tensor<float> x = tensor<float>({5, 5}, 1.0F);
    float total() const { return as_matrix(x).sum(); }
  };
  std::vector<holder> many(7);
  for (const holder& h : many) CHECK(h.total() == 25.0F);
  alignas(64) std::byte room[sizeof(holder) + 64];
  auto* placed = new (room + alignof(holder)) holder;
  CHECK(placed->total() == 25.0F);
  placed->~holder();
}
