#include "kernels/convolution.hpp"

namespace {

using minicnn::index_t;
using minicnn::isa;
using minicnn::kernels::conv_geometry;

template <class T>
void check(index_t batch, const conv_geometry& g) {
  naive::check_convolution(naive::convolution<T>(minicnn::direct_convolution<T>, batch, g));
}

conv_geometry square(index_t channels, index_t size, index_t filters, index_t kernel, index_t stride = 1, index_t pad = 0,
                     index_t dilation = 1, index_t groups = 1) {
  return {channels, size, size, filters, kernel, kernel, stride, stride, dilation, dilation, pad, pad, pad, pad, groups};
}

/// Odd shapes drawn at random among those with at least one window.
conv_geometry varied(minicnn::random_stream& s) {
  conv_geometry g;
  g.groups = s.chance(0.3) ? 1 + s.below(3) : 1;
  g.channels = g.groups * (1 + s.below(12));
  g.filters = g.groups * (1 + s.below(17));
  g.kernel_h = 1 + s.below(4);
  g.kernel_w = 1 + s.below(4);
  g.stride_h = 1 + s.below(4);
  g.stride_w = 1 + s.below(4);
  g.dilation_h = s.chance(0.3) ? 1 + s.below(3) : 1;
  g.dilation_w = s.chance(0.3) ? 1 + s.below(3) : 1;
  g.pad_top = s.below(4);
  g.pad_bottom = s.below(4);
  g.pad_left = s.below(4);
  g.pad_right = s.below(4);
  g.height = 1 + s.below(12) + (g.kernel_h - 1) * g.dilation_h;
  g.width = 1 + s.below(24) + (g.kernel_w - 1) * g.dilation_w;
  return g;
}

}  // namespace

TEST_CASE_TEMPLATE("convolutions of random shapes", T, float, double) {
  minicnn::random_stream s{minicnn::random_key(2024)};
  for (int number = 0; number < 60; ++number) check<T>(1 + s.below(5), varied(s));
}

TEST_CASE_TEMPLATE("convolutions as networks have them", T, float, double) {
  check<T>(2, square(3, 35, 20, 11, 4));                         // AlexNet's first layer
  check<T>(3, square(4, 13, 33, 3, 1, 1));                       // maps of 13 x 13 across the batch
  check<T>(1, square(5, 9, 7, 5, 1, 2));                         // one image
  check<T>(2, square(37, 7, 70, 1));                             // 1 x 1, read in place
  check<T>(3, square(20, 17, 30, 1));                            // the same of few channels: images end within a row of tiles
  check<T>(1, square(16, 40, 23, 1));                            // several rows of tiles a block
  check<T>(2, square(6, 8, 10, 1, 2));                           // 1 x 1 with stride: untouched inputs have no gradient
  check<T>(2, square(6, 9, 6, 3, 1, 1, 1, 6));                   // depthwise
  check<T>(2, square(4, 9, 8, 3, 2, 1, 1, 2));                   // grouped, with stride
  check<T>(2, square(3, 11, 5, 3, 1, 2, 2));                     // dilated
  check<T>(5, square(40, 1, 50, 1));                             // a dense layer in disguise
  check<T>(4, square(9, 3, 12, 3));                              // one window an image
  check<T>(2, {3, 9, 75, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1});   // stride 2 on rows longer than a pair of vectors
  check<T>(2, {9, 7, 70, 20, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1});  // the same, 1 x 1
  check<T>(2, {9, 9, 41, 12, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1});  // stride 2 along the height alone
  check<T>(3, square(24, 12, 40, 1, 1, 0, 1, 2));                // grouped 1 x 1, rows of dy where they lie
  check<T>(2, square(40, 16, 16, 1));                            // maps of 1 KiB a channel
  check<T>(2, square(3, 17, 5, 3, 5, 1));                        // stride 5
  check<T>(2, square(3, 19, 5, 4, 6, 2));                        // stride 6
  check<T>(2, {2, 1, 1, 3, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1});    // all windows in the padding, none that meets the map
  check<T>(2, square(2, 10, 3, 2, 3));                           // last rows and columns untouched
  check<T>(2, square(2, 5, 3, 2, 4, 3));                         // windows that lie wholly in the padding
}

TEST_CASE_TEMPLATE("convolutions of several blocks and chunks", T, float, double) {
  check<T>(1, square(40, 9, 30, 3, 1, 1));                        // 360 taps
  check<T>(1, {70, 5, 6, 400, 2, 2, 1, 1, 1, 1, 0, 1, 1, 0, 1});  // more filters than a block
  check<T>(2, {1, 30, 300, 3, 3, 3, 1, 2, 1, 1, 1, 1, 1, 1, 1});  // rows longer than a block
}

TEST_CASE_TEMPLATE("depthwise convolutions: a filter a channel", T, float, double) {
  check<T>(3, square(6, 9, 6, 3, 1, 1, 1, 6));
  check<T>(2, square(7, 56, 7, 3, 2, 1, 1, 7));
  check<T>(2, square(5, 35, 5, 3, 1, 0, 1, 5));
  check<T>(2, square(3, 16, 3, 5, 1, 2, 1, 3));                   // rows of one vector
  check<T>(1, square(4, 15, 4, 7, 2, 3, 1, 4));                   // wider filters
  check<T>(2, {5, 11, 40, 5, 2, 4, 3, 2, 1, 1, 1, 0, 3, 2, 5});   // even filters, unequal strides and padding
  check<T>(2, {4, 6, 5, 4, 4, 1, 2, 1, 1, 1, 3, 3, 0, 0, 4});     // columns of taps, more padding than map
  check<T>(2, {3, 1, 70, 3, 1, 3, 1, 2, 1, 1, 0, 0, 1, 1, 3});    // one row
  check<T>(2, {33, 3, 3, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 33});  // more channels than tasks
  check<T>(2, {4, 9, 9, 4, 3, 3, 1, 3, 1, 1, 1, 1, 1, 1, 4});     // stride 3: as products
  minicnn::random_stream s{minicnn::random_key(77)};
  for (int number = 0; number < 40; ++number) {
    conv_geometry g = varied(s);
    g.groups = g.channels = g.filters = 2 + s.below(6);
    g.dilation_h = g.dilation_w = 1;
    g.stride_w = 1 + s.below(2);
    check<T>(1 + s.below(3), g);
  }
}

TEST_CASE_TEMPLATE("depthwise convolutions of maps smaller than a vector, into a part of larger images", T, float, double) {
  for (const index_t size : {1, 2, 3, 5}) {
    const naive::convolution<T> c(minicnn::direct_convolution<T>, 2, square(21, size, 21, 3, 1, 1, 1, 21));
    for (const isa i : naive::all_isas())
      for (const int threads : {1, 2, 3})
        CHECK(c.forward(i, threads, true, naive::fused::nothing, false, 7) == c.forward(i, 1, true, naive::fused::nothing));
  }
}

TEST_CASE("a batch larger than the group that is copied at a time") {
  const conv_geometry g{8, 200, 200, 2, 3, 3, 4, 4, 1, 1, 1, 1, 1, 1, 1};
  const index_t images = minicnn::kernels::padded_input(g).images_at_a_time(sizeof(float));
  CHECK(images < 9);
  check<float>(9, g);
  check<float>(2, {8, 600, 600, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});   // 1 x 1 with padding
  check<float>(4, {16, 300, 301, 2, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 2});  // phases of a 1 x 1 with stride
}

TEST_CASE("the plan for a batch is_supported smaller ones") {
  minicnn::random_stream s{minicnn::random_key(7)};
  for (int number = 0; number < 50; ++number) {
    const conv_geometry g = varied(s);
    for (index_t batch = 1; batch < 40; batch += 3) {
      CHECK(minicnn::kernels::conv_forward_scratch_bytes<float>(2, batch, g) <=
            minicnn::kernels::conv_forward_scratch_bytes<float>(2, batch + 3, g));
      CHECK(minicnn::kernels::conv_backward_input_scratch_bytes<float>(2, batch, g) <=
            minicnn::kernels::conv_backward_input_scratch_bytes<float>(2, batch + 3, g));
      CHECK(minicnn::kernels::conv_backward_weight_scratch_bytes<float>(2, batch, g) <=
            minicnn::kernels::conv_backward_weight_scratch_bytes<float>(2, batch + 3, g));
    }
  }
}
