#include "minicnn/kernels/simd/vector_math.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "minicnn/kernels/elementwise/elementwise.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

struct exp_formula {
  static constexpr int operands = 1;
  template <class V, class Vector>
  MINICNN_INLINE void operator()(Vector& y, const Vector& x) const {
    vector_exp<V, std::remove_cvref_t<decltype(y[0])>>(y, x);
  }
};
struct expm1_formula {
  static constexpr int operands = 1;
  template <class V, class Vector>
  MINICNN_INLINE void operator()(Vector& y, const Vector& x) const {
    vector_expm1<V, std::remove_cvref_t<decltype(y[0])>>(y, x);
  }
};
struct sigmoid_by_exp_formula {
  static constexpr int operands = 1;
  template <class V, class Vector>
  MINICNN_INLINE void operator()(Vector& y, const Vector& x) const {
    vector_sigmoid<V, std::remove_cvref_t<decltype(y[0])>>(y, x);
  }
};

/// Checks `formula` against `exact` (in long double) at `arguments` on every instruction set, in units in the last place.
template <class T, class F>
void compare(const F& formula, long double (*exact)(long double), const std::vector<T>& arguments, double units) {
  for (isa i : {isa::baseline, isa::avx2, isa::avx512}) {
    if (i > detect_isa()) continue;
    CAPTURE(name_of(i));
    std::vector<T> y(arguments.size());
    transform_elements(context{1, i}, formula, arguments.data(), static_cast<const T*>(nullptr), y.data(),
                       static_cast<index_t>(y.size()));
    for (std::size_t k = 0; k < y.size(); ++k) {
      const long double wanted = exact(static_cast<long double>(arguments[k]));
      const long double size = std::abs(wanted) * static_cast<long double>(std::numeric_limits<T>::epsilon());
      if (std::abs(static_cast<long double>(y[k]) - wanted) <= static_cast<long double>(units) * size) continue;
      CAPTURE(arguments[k]);
      CHECK(static_cast<double>(y[k]) == static_cast<double>(wanted));
    }
  }
}

template <class T>
std::vector<T> grid(double from, double to) {
  std::vector<T> values;
  for (int i = 0; i <= 20011; ++i) values.push_back(static_cast<T>(from + (to - from) * i / 20011));
  return values;
}

long double exact_exp(long double x) { return std::exp(x); }
long double exact_expm1(long double x) { return std::expm1(x); }
long double exact_sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE_TEMPLATE("the exponential is right to 3 units in the last place over its range", T, float, double) {
  using c = exp_constants<T>;
  compare<T>(exp_formula{}, exact_exp, grid<T>(static_cast<double>(c::lowest), static_cast<double>(c::highest)), 3);
  compare<T>(exp_formula{}, exact_exp, grid<T>(-2, 2), 3);
}

TEST_CASE_TEMPLATE("exp(x) - 1 keeps its digits near zero", T, float, double) {
  compare<T>(expm1_formula{}, exact_expm1, grid<T>(-40, 40), 4);
  compare<T>(expm1_formula{}, exact_expm1, grid<T>(-1, 1), 4);
  compare<T>(expm1_formula{}, exact_expm1, grid<T>(-1e-7, 1e-7), 4);
}

TEST_CASE_TEMPLATE("the sigmoid", T, float, double) { compare<T>(sigmoid_by_exp_formula{}, exact_sigmoid, grid<T>(-80, 80), 4); }

TEST_CASE_TEMPLATE("arguments outside the range count as its ends; NaN stays NaN", T, float, double) {
  const T infinity = std::numeric_limits<T>::infinity();
  const T x[] = {T{-1e4}, T{1e4}, infinity, -infinity, std::numeric_limits<T>::quiet_NaN(), T{0}, T{-0.0}};
  T y[7];
  transform_elements(context{}, exp_formula{}, x, static_cast<const T*>(nullptr), y, 7);
  using c = exp_constants<T>;
  CHECK(y[0] == doctest::Approx(static_cast<double>(std::exp(c::lowest))));
  CHECK(y[1] == doctest::Approx(static_cast<double>(std::exp(c::highest))));
  CHECK(y[2] == y[1]);
  CHECK(y[3] == y[0]);
  CHECK(std::isnan(y[4]));
  CHECK(y[5] == T{1});
  CHECK(y[6] == T{1});
}
