// Convolutions that prediction lets write into their place of a concatenation (graph/passes/fuse.hpp).

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/concat.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/pooling.hpp"
#include "noise.hpp"

using namespace minicnn;

namespace {

/// A convolution that says how far apart it was asked to write images.
class watched_conv final : public op<float> {
 public:
  watched_conv(conv2d_options o, index_t& image) : conv_(std::move(o)), image_(image) {}
  std::string_view kind() const override { return "conv2d"; }
  attribute_list describe() const override { return conv_.describe(); }
  op_plan plan(const plan_request& request) const override { return conv_.plan(request); }
  void prepack(const frame<float>& f) const override { conv_.prepack(f); }
  void forward(const frame<float>& f) const override {
    image_ = f.output_image;
    conv_.forward(f);
  }
  void backward(const frame<float>& f) const override { conv_.backward(f); }

 private:
  conv2d_op<float> conv_;
  index_t& image_;
};

/// Branches of one map: 1 x 1, by Winograd, in two groups, pooled alone, with a dropout behind, read twice; all joined.
struct branches {
  std::vector<index_t> images = std::vector<index_t>(6, -1);
  std::vector<std::string> names{"point", "wide", "groups", "pooled", "dropped", "twice"};

  network<float> make() {
    graph<float> g;
    node<float> x = g.input({64, 12, 12});
    std::size_t next = 0;
    const auto conv = [&](node<float> from, index_t filters, index_t kernel, index_t groups = 1) {
      conv2d_options o{.filters = filters, .kernel = kernel, .padding = kernel / 2, .groups = groups, .bias_init = 0.1};
      const std::size_t i = next++;
      return g.add(std::make_shared<watched_conv>(o, images[i]), {from}, names[i], "");
    };
    x = relu(conv2d(x, {.filters = 64, .kernel = 1}));
    const node<float> point = relu(conv(x, 7, 1), {.name = "a"}), wide = relu(conv(x, 64, 3), {.name = "b"}),
                      groups = conv(x, 6, 5, 2), pooled = conv(max_pool(x, {.kernel = 3, .stride = 1, .padding = 1}), 5, 1),
                      dropped = dropout(conv(x, 4, 1), 0.5), twice = conv(x, 3, 1), alone = max_pool(x, {.kernel = 1});
    node<float> y = concat({point, wide, groups, pooled, dropped, twice, alone}, {.name = "joined"});
    y = concat({relu(y, {.name = "after"}), twice}, {.name = "again"});
    return network<float>(std::move(g), {conv2d(y, {.filters = 4, .kernel = 1, .name = "last"})}, {.seed = 5});
  }
};

}  // namespace

TEST_CASE("branches are written into their place of a concatenation, with the bits that copying gives") {
  branches made;
  const network<float> net = made.make();
  const index_t image = (7 + 64 + 6 + 5 + 4 + 3 + 64) * 144;
  for (const bool prepack : {false, true})
    for (const int threads : {1, 3})
      for (const index_t batch : {4, 1, 3}) {
        CAPTURE(prepack);
        CAPTURE(threads);
        CAPTURE(batch);
        const tensor<float> x = noise({batch, 64, 12, 12}, 1);
        session<float> copies(net, {.threads = threads, .retain = {"a", "b", "groups", "pooled"}, .prepack_weights = prepack});
        const view<const float> wanted = copies.predict(x);
        CHECK(made.images == std::vector<index_t>(6, 0));
        session<float> slices(net, {.threads = threads, .retain = {"joined"}, .prepack_weights = prepack});
        const view<const float> got = slices.predict(x);
        CHECK(made.images == std::vector<index_t>{image, image, image, image, 0, 0});
        CHECK(std::equal(got.begin(), got.end(), wanted.begin(), wanted.end()));
        const view<const float> a = copies.value("a"), b = copies.value("b"), joined = slices.value("joined");
        for (index_t n = 0; n < batch; ++n) {
          CHECK(std::equal(a.data() + n * 7 * 144, a.data() + (n + 1) * 7 * 144, joined.data() + n * image));
          CHECK(std::equal(b.data() + n * 64 * 144, b.data() + (n + 1) * 64 * 144, joined.data() + n * image + 7 * 144));
        }
      }
}

TEST_CASE("a session that was planned for a larger batch writes smaller ones into the same places") {
  branches made;
  const network<float> net = made.make();
  session<float> run(net);
  const tensor<float> four = noise({4, 64, 12, 12}, 2);
  const view<const float> all = run.predict(four);
  const std::vector<float> wanted(all.begin(), all.begin() + all.size() / 4);
  tensor<float> one({1, 64, 12, 12});
  std::copy(four.begin(), four.begin() + one.size(), one.begin());
  session<float> alone(net);
  const view<const float> single = alone.predict(one);
  const std::vector<float> expected(single.begin(), single.end());
  const view<const float> got = run.predict(one);
  CHECK(std::equal(got.begin(), got.end(), expected.begin(), expected.end()));
  CHECK(wanted.size() == expected.size());
}

TEST_CASE("training copies: the gradients of branches are their own") {
  branches made;
  network<float> net = made.make();
  session<float> run(net);
  const tensor<float> x = noise({2, 64, 12, 12}, 3);
  run.forward(x);
  CHECK(made.images == std::vector<index_t>(6, 0));
}
