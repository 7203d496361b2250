// Sizes beyond 32 bits: counted rightly where memory is planned, refused where they cannot be.
#include <doctest/doctest.h>

#include "minicnn/alexnet.hpp"
#include "minicnn/graph/session.hpp"

using namespace minicnn;

namespace {

op_plan plan_of(const op<float>& o, const shape& x, int threads = 2) {
  context ctx;
  ctx.threads = threads;
  const shape inputs[] = {x};
  return o.plan({inputs, true, ctx});
}

constexpr index_t limit = 2147483647;

}  // namespace

TEST_CASE("F62 AlexNet's first convolution on 2048 images: 64-bit counts, and no patch matrix") {
  CHECK(shape{65536, 65536}.size() == 4294967296);
  CHECK(shape{363, 3025, 2048}.size() == 2248857600);
  const conv2d_op<float> conv1({.filters = 96, .kernel = 11, .stride = 4});
  const op_plan p = plan_of(conv1, {2048, 3, 227, 227});
  CHECK(p.output == shape{2048, 96, 55, 55});
  CHECK(p.output.size() == 594739200);
  CHECK(p.multiply_adds == 215890329600);
  // The patch matrix would take 4 * 2,248,857,600 bytes; patches are packed block by block instead.
  CHECK(p.forward_scratch_bytes > 0);
  CHECK(p.forward_scratch_bytes < index_t{64} << 20);
  CHECK(p.backward_scratch_bytes < index_t{1} << 30);
}

TEST_CASE("F62 planes and batches of more than 2^31 elements are planned without overflow") {
  const shape wide{1, 1, 65536, 65536};
  const op_plan conv = plan_of(conv2d_op<float>({.filters = 2, .kernel = 3, .padding = 1}), wide);
  CHECK(conv.output.size() == 2 * shape(wide).size());
  CHECK(conv.output.size() > limit);
  CHECK(conv.multiply_adds == conv.output.size() * 9);
  CHECK(conv.forward_scratch_bytes >= 0);
  CHECK(conv.backward_scratch_bytes >= 0);
  const op_plan pool = plan_of(max_pool_op<float>({.kernel = 3, .stride = 2}), {1000, 96, 331, 331});
  CHECK(pool.output == shape{1000, 96, 165, 165});
  CHECK(pool.output.size() == 2613600000);
  CHECK(pool.saved_bytes >= 0);
  const op_plan norm = plan_of(lrn_op<float>({.size = 5}), {100000, 96, 27, 27});
  CHECK(norm.output.size() == 6998400000);
  CHECK(norm.saved_bytes >= 0);
  const op_plan fc = plan_of(dense_op<float>(4096), {1, 1048576});
  CHECK(fc.parameters[0].dims.size() == 4294967296);
  CHECK(fc.multiply_adds == 4294967296);
  const op_plan drop = plan_of(dropout_op<float>(0.5), {1048576, 4096});
  CHECK(drop.output.size() == 4294967296);
  CHECK(drop.saved_bytes >= 0);
}

TEST_CASE("F62 impossible sizes are a length_error of the library, not bad pointers") {
  CHECK_THROWS_AS((shape{index_t{1} << 40, index_t{1} << 40}), length_error);
  CHECK_THROWS_AS(tensor<float>(shape{index_t{1} << 56}), length_error);
  const auto net = alexnet_small<float>();
  CHECK_THROWS_AS(net.predict(view<const float>(nullptr, {index_t{1} << 44, 3, 63, 63})), error);
  auto training = alexnet_small<float>();
  session run(training);
  CHECK_THROWS_AS(run.reserve({index_t{1} << 40, 3, 63, 63}), error);
  // What was refused leaves a network that works.
  run.reserve({1, 3, 63, 63});
  const tensor<float> image({1, 3, 63, 63});
  CHECK(run.forward(image).dims() == shape{1, 2});
}
