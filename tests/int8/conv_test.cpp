// Convolutions of 8-bit numbers against their definition: every instruction set gives the same bits.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/naive.hpp"
#include "minicnn/int8/conv.hpp"

using namespace minicnn;
using int8::conv_geometry;
using naive::at;

namespace {

/// A geometry, and what is done with its sums.
struct conv_case {
  const char* name;
  conv_geometry g;
  index_t batch = 1;
  bool mapped = false, added = false, real = false;
};

struct conv_data {
  index_t pixel, stride, pixels;  // bytes of a pixel of x and y, pixels of y
  std::vector<std::uint8_t> x, addend;
  std::vector<float> weight, scale, bias, factor, shift;
  int zero = 117;
  int8::conv_parameters<float> parameters;
};

constexpr float addend_scale = 0.53F, low = 3, high = 251;
constexpr int addend_zero = 9;

conv_data make_data(const conv_case& c, random_stream& random) {
  const conv_geometry& g = c.g;
  conv_data d;
  d.pixel = int8::padded_channels(g.channels), d.stride = int8::padded_channels(g.filters);
  d.pixels = c.batch * g.out_height() * g.out_width();
  const auto byte = [&] { return static_cast<std::uint8_t>(random.below(256)); };
  for (index_t i = 0; i < c.batch * g.height * g.width * d.pixel; ++i) d.x.push_back(byte());
  for (index_t i = 0; i < d.pixels * d.stride; ++i) d.addend.push_back(byte());
  for (index_t i = 0; i < g.filters * g.group_channels() * g.taps(); ++i)
    d.weight.push_back(static_cast<float>(random.below(255)) - 127);
  for (index_t f = 0; f < g.filters; ++f) {
    d.scale.push_back(static_cast<float>(random.uniform(0.001, 0.1)));
    for (auto* v : {&d.bias, &d.factor, &d.shift}) v->push_back(static_cast<float>(random.uniform(-1, 1)));
  }
  d.parameters = {.weight = d.weight.data(),
                  .scale = d.scale.data(),
                  .bias = d.bias.data(),
                  .factor = c.mapped ? d.factor.data() : nullptr,
                  .shift = c.mapped ? d.shift.data() : nullptr,
                  .input = {0.01F, d.zero},
                  .output = {0.3F, 100},
                  .real_output = c.real};
  return d;
}

/// What filter `f` makes at one pixel, as a real number: sums as whole numbers, then float by float.
MINICNN_NAIVE float value_at(const conv_case& c, const conv_data& d, index_t pixel, index_t f) {
  const conv_geometry& g = c.g;
  const index_t ow = g.out_width(), n = pixel / (g.out_height() * ow), i = pixel / ow % g.out_height(), j = pixel % ow;
  const double unit = 0.01F * static_cast<double>(d.scale[at(f)]);
  auto sum = static_cast<std::int64_t>(std::nearbyint(static_cast<double>(d.bias[at(f)]) / unit));
  for (index_t q = 0; q < g.group_channels(); ++q)
    for (index_t a = 0; a < g.kernel_h; ++a)
      for (index_t b = 0; b < g.kernel_w; ++b) {
        const index_t y = i * g.stride_h + a * g.dilation_h - g.pad_top, x = j * g.stride_w + b * g.dilation_w - g.pad_left;
        if (y < 0 || y >= g.height || x < 0 || x >= g.width) continue;  // the real number 0
        const index_t channel = f / g.group_filters() * g.group_channels() + q;
        const int byte = d.x[at(((n * g.height + y) * g.width + x) * d.pixel + channel)];
        sum += (byte - d.zero) * static_cast<int>(d.weight[at(((f * g.group_channels() + q) * g.kernel_h + a) * g.kernel_w + b)]);
      }
  if (c.mapped && sum < 0) sum = 0;
  const double step = c.real ? 1.0 : static_cast<double>(0.3F);
  const float scale = static_cast<float>(unit * (c.mapped ? static_cast<double>(d.factor[at(f)]) : 1.0) / step);
  const float offset = static_cast<float>((c.mapped ? static_cast<double>(d.shift[at(f)]) : 0.0) / step + (c.real ? 0 : 100));
  volatile float value = static_cast<float>(static_cast<std::int32_t>(sum)) * scale;  // volatile: no fused multiply-add
  value = value + offset;
  if (!c.added) return value;
  volatile float more = (static_cast<float>(d.addend[at(pixel * d.stride + f)]) - addend_zero) * addend_scale;
  return value + more;
}

conv_geometry geometry(index_t channels, index_t side, index_t filters, index_t kernel, index_t stride, index_t padding) {
  conv_geometry g;
  g.channels = channels, g.height = side, g.width = side + 1, g.filters = filters;
  g.kernel_h = g.kernel_w = kernel, g.stride_h = g.stride_w = stride;
  g.pad_top = g.pad_bottom = g.pad_left = g.pad_right = padding;
  return g;
}

std::vector<conv_case> all_cases() {
  conv_geometry odd = geometry(5, 6, 21, 3, 1, 0);
  odd.kernel_w = 2, odd.stride_h = 2, odd.dilation_w = 2, odd.pad_left = 3, odd.pad_bottom = 1;
  conv_geometry grouped = geometry(16, 5, 22, 3, 1, 1);
  grouped.groups = 2;
  conv_geometry depthwise = geometry(37, 6, 37, 3, 1, 1);
  depthwise.groups = 37;
  conv_geometry depthwise_stride = geometry(64, 9, 64, 5, 2, 2);
  depthwise_stride.groups = 64;
  conv_geometry dense = geometry(13, 4, 35, 4, 1, 0);
  dense.kernel_w = 5;
  return {{"first layer, whole tiles and a rest", geometry(3, 23, 33, 7, 2, 3), 2},
          {"one by one", geometry(8, 7, 64, 1, 1, 0), 3},
          {"one by one, every second pixel", geometry(12, 7, 40, 1, 2, 0), 1, false, true},
          {"three by three, added", geometry(17, 6, 32, 3, 1, 1), 3, false, true},
          {"mapped behind a ReLU", geometry(4, 9, 9, 3, 1, 1), 2, true},
          {"unlike sides, dilated", odd, 2},
          {"groups", grouped, 2, false, true},
          {"depthwise", depthwise, 2},
          {"depthwise, stride 2, mapped", depthwise_stride, 1, true},
          {"dense, real", dense, 5, false, false, true},
          {"dense, one picture", geometry(300, 1, 70, 1, 1, 0), 1, false, false, true},
          {"one pixel, one channel, one filter", geometry(1, 1, 1, 1, 1, 0), 1}};
}

}  // namespace

TEST_CASE("8-bit convolution: every instruction set, one thread and more, gives the bits of the definition") {
  random_stream random{random_key(5)};
  for (const conv_case& c : all_cases()) {
    CAPTURE(c.name);
    const conv_data d = make_data(c, random);
    for (const isa set : naive::all_isas())
      for (const int threads : {1, 3}) {
        CAPTURE(name_of(set));
        CAPTURE(threads);
        context ctx;
        ctx.threads = threads, ctx.instruction_set = set;
        aligned_buffer<std::byte> packed(int8::packed_weight_bytes(set, c.g));
        int8::pack_weights(set, c.g, d.parameters, packed.data());
        naive::guarded_scratch block(int8::conv_scratch_bytes(threads, c.batch, c.g));
        scratch work = block.get();
        std::vector<std::uint8_t> y(at(c.real ? 0 : d.pixels * d.stride + 1), 77);
        std::vector<float> values(at(c.real ? d.pixels * c.g.filters : 0));
        y.shrink_to_fit();
        int8::conv_result r;
        r.relu_first = c.mapped, r.low = low, r.high = high;
        if (c.added) r.addend = d.addend.data(), r.addend_is = {1, addend_zero}, r.addend_scale = addend_scale;
        (c.real ? reinterpret_cast<void*&>(r.values) : reinterpret_cast<void*&>(r.y)) =
            c.real ? static_cast<void*>(values.data()) : static_cast<void*>(y.data());
        int8::convolve(ctx, c.batch, c.g, d.x.data(), d.zero, packed.data(), r, work);
        index_t wrong = 0;
        for (index_t p = 0; p < d.pixels; ++p)
          for (index_t f = 0; f < c.g.filters; ++f) {
            const float wanted = value_at(c, d, p, f);
            if (c.real) {
              wrong += values[at(p * c.g.filters + f)] != wanted;
            } else {
              const float bounded = std::fmin(std::fmax(wanted, low), high);
              wrong += y[at(p * d.stride + f)] != static_cast<int>(std::nearbyint(bounded));
            }
          }
        CHECK(wrong == 0);
        CHECK(block.intact());
        if (!c.real) CHECK(y.back() == 77);
      }
  }
}

TEST_CASE("8-bit convolution: sums as large as they get, and weights outside their range") {
  // 65536 products of 255 and -127 fit 32 bits; vpmaddubsw would have stopped at 32767.
  conv_geometry g = geometry(65536, 1, 1, 1, 1, 0);
  g.width = 1;
  const std::vector<std::uint8_t> x(65536, 255);
  std::vector<float> weight(65536, -300);  // as -127
  const float scale = 1;
  for (const isa set : naive::all_isas()) {
    CAPTURE(name_of(set));
    context ctx;
    ctx.instruction_set = set;
    aligned_buffer<std::byte> packed(int8::packed_weight_bytes(set, g));
    int8::conv_parameters<float> p{
        .weight = weight.data(), .scale = &scale, .input = {1, 0}, .output = {1, 0}, .real_output = true};
    int8::pack_weights(set, g, p, packed.data());
    aligned_buffer<std::byte> block(int8::conv_scratch_bytes(1, 1, g));
    scratch work(block.data(), block.size());
    float value = 0;
    int8::conv_result r;
    r.values = &value;
    int8::convolve(ctx, 1, g, x.data(), 0, packed.data(), r, work);
    CHECK(value == -255.0F * 127 * 65536);
  }
}
