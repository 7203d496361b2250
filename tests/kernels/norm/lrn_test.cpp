#include "minicnn/kernels/norm/lrn.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/naive.hpp"

using namespace minicnn;
using namespace minicnn::kernels;

namespace {

struct lrn_results {
  std::vector<double> out, gradient;
};

/// The definition, and its derivative: the sum over outputs of upstream * d out / d in.
lrn_results naive_lrn(const lrn_extents& e, const lrn_window& w, const std::vector<double>& x, const std::vector<double>& g) {
  lrn_results r{std::vector<double>(x.size()), std::vector<double>(x.size(), 0.0)};
  for (index_t n = 0; n < e.images; ++n)
    for (index_t p = 0; p < e.pixels; ++p) {
      const auto at = [&](index_t c) { return static_cast<std::size_t>((n * e.channels + c) * e.pixels + p); };
      for (index_t c = 0; c < e.channels; ++c) {
        const index_t from = (std::max)(c - w.before, index_t{0}), to = (std::min)(c + w.after, e.channels - 1);
        double s = w.k;
        for (index_t j = from; j <= to; ++j) s += w.alpha * x[at(j)] * x[at(j)];
        r.out[at(c)] = x[at(c)] * std::pow(s, -w.beta);
        r.gradient[at(c)] += g[at(c)] * std::pow(s, -w.beta);
        for (index_t j = from; j <= to; ++j)
          r.gradient[at(j)] -= 2 * w.alpha * w.beta * g[at(c)] * x[at(c)] * x[at(j)] * std::pow(s, -w.beta - 1);
      }
    }
  return r;
}

template <class T>
double worst_difference(const std::vector<T>& got, const std::vector<double>& wanted) {
  double worst = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    worst = (std::max)(worst, std::abs(static_cast<double>(got[i]) - wanted[i]));
    size = (std::max)(size, std::abs(wanted[i]));
  }
  return worst / size;
}

}  // namespace

TEST_CASE_TEMPLATE("LRN against its definition", T, float, double) {
  const double bound = sizeof(T) == 4 ? 1e-6 : 1e-14;
  for (index_t pixels : {1, 7, 16, 45, 600})
    for (index_t channels : {1, 3, 12})
      for (index_t size : {1, 2, 4, 5, 9, 30})
        for (double beta : {0.75, 0.6}) {
          if (pixels == 600 && size != 5) continue;
          CAPTURE(pixels);
          CAPTURE(channels);
          CAPTURE(size);
          const lrn_extents e{2, channels, pixels};
          const lrn_window w{size / 2, (size - 1) / 2, 0.3, beta, 1.5};
          const auto x = naive::random_values<T>(2 * channels * pixels, 1), g = naive::random_values<T>(2 * channels * pixels, 2);
          const lrn_results wanted = naive_lrn(e, w, naive::widened(x), naive::widened(g));
          for (isa set : naive::all_isas()) {
            const context ctx{2, set};
            std::vector<T> out(x.size(), T{-9}), gradient(x.size(), T{-9}), in_place = g;
            naive::guarded_scratch work(lrn_backward_scratch_bytes<T>(2, w));
            lrn_forward(ctx, e, w, x.data(), out.data());
            lrn_backward(ctx, e, w, x.data(), g.data(), gradient.data(), false, work.get());
            lrn_backward(ctx, e, w, x.data(), in_place.data(), in_place.data(), false, work.get());
            CHECK(worst_difference(out, wanted.out) < bound);
            CHECK(worst_difference(gradient, wanted.gradient) < 4 * bound);
            CHECK(in_place == gradient);
            CHECK(work.intact());
          }
        }
}

TEST_CASE_TEMPLATE("LRN with beta 0.75: s^-0.75 is right to two units in the last place for s from 1e-20 to 1e20", T, float,
                   double) {
  // With x = 1 and a tiny alpha the output is k^-0.75.
  const std::vector<T> x(16, T{1});
  double worst = 0;
  for (isa set : naive::all_isas())
    for (double exponent = -20; exponent < 20; exponent += 0.0173) {
      const double k = static_cast<double>(static_cast<T>(std::pow(10.0, exponent)));
      std::vector<T> out(16);
      lrn_forward(context{1, set}, lrn_extents{1, 1, 16}, lrn_window{0, 0, 0.0, 0.75, k}, x.data(), out.data());
      const long double wanted = std::pow(static_cast<long double>(k), -0.75L);
      for (T y : out)
        worst = (std::max)(worst, static_cast<double>(std::abs(static_cast<long double>(y) - wanted) / wanted) /
                                      static_cast<double>(std::numeric_limits<T>::epsilon()));
    }
  CHECK(worst < 2.0);
}

TEST_CASE_TEMPLATE("LRN hands NaN on", T, float, double) {
  std::vector<T> x(20, T{1}), out(20);
  x[7] = std::numeric_limits<T>::quiet_NaN();
  for (isa set : naive::all_isas()) {
    lrn_forward(context{1, set}, lrn_extents{1, 1, 20}, lrn_window{}, x.data(), out.data());
    for (std::size_t i = 0; i < out.size(); ++i) CHECK(std::isnan(out[i]) == (i == 7));
  }
}

TEST_CASE_TEMPLATE("LRN: sums do not drift along a thousand channels", T, float, double) {
  // A large value in channel 0 must leave no trace in the sums of channels beyond its reach.
  std::vector<T> x(1000, T(0.5)), out(1000);
  x[0] = T(1e4);
  const double wanted = 0.5 * std::pow(2.0 + 0.1 * 5 * 0.25, -0.75);
  for (isa set : naive::all_isas()) {
    lrn_forward(context{1, set}, lrn_extents{1, 1000, 1}, lrn_window{2, 2, 0.1, 0.75, 2.0}, x.data(), out.data());
    double worst = 0;
    for (std::size_t c = 3; c < 998; ++c) worst = (std::max)(worst, std::abs(static_cast<double>(out[c]) - wanted));
    CHECK(worst < (sizeof(T) == 4 ? 2e-7 : 1e-15));
  }
}
