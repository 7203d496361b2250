// Sums that prediction leaves to the convolution before them (graph/passes/fuse.hpp).

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/graph/passes/fold_batch_norm.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/add.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/resnet.hpp"
#include "noise.hpp"

using namespace minicnn;

namespace {

conv2d_options filters(index_t count, index_t kernel, const char* name) {
  return {.filters = count, .kernel = kernel, .padding = kernel / 2, .bias_init = 0.25, .name = name};
}

/// A convolution that says whether it was asked to add.
class watched_conv final : public op<float> {
 public:
  watched_conv(conv2d_options o, bool& added) : conv_(std::move(o)), added_(added) {}
  std::string_view kind() const override { return "conv2d"; }
  attribute_list describe() const override { return conv_.describe(); }
  op_plan plan(const plan_request& request) const override { return conv_.plan(request); }
  void prepack(const frame<float>& f) const override { conv_.prepack(f); }
  void forward(const frame<float>& f) const override {
    added_ = f.apply_add;
    conv_.forward(f);
  }
  void backward(const frame<float>& f) const override { conv_.backward(f); }

 private:
  conv2d_op<float> conv_;
  bool& added_;
};

using node_f = node<float>;

/// Whether the processor is a program, to which a second's work is a minute's.
bool emulated() { return std::getenv("MINICNN_TEST_EMULATED") != nullptr; }

struct sum_case {
  const char* what;
  bool left;  ///< whether the sum can be left to its convolution
  /// `late(input, options)` makes the convolution before the sum.
  std::function<node_f(node_f, const std::function<node_f(node_f, conv2d_options)>& late)> build;
};

const std::vector<sum_case>& cases() {
  static const std::vector<sum_case> list{
      {"identity, 1x1", true,
       [](node_f x, const auto& late) {
         x = relu(conv2d(x, filters(40, 1, "stem")), {.name = "early"});
         return relu(add(late(relu(conv2d(x, filters(8, 1, "inner"))), filters(40, 1, "late")), x, {.name = "sum"}));
       }},
      {"identity, by Winograd", true,
       [](node_f x, const auto& late) {
         x = relu(conv2d(x, filters(64, 3, "stem")), {.name = "early"});
         return relu(add(late(relu(conv2d(x, filters(64, 3, "inner"))), filters(64, 3, "late")), x, {.name = "sum"}));
       }},
      {"the shortcut is the later one", true,
       [](node_f x, const auto& late) {
         const node_f y = conv2d(relu(conv2d(x, filters(16, 3, "inner"))), filters(48, 1, "early"));
         return relu(add(y, late(x, filters(48, 1, "late")), {.name = "sum"}));
       }},
      {"no ReLU behind it", true,
       [](node_f x, const auto& late) {
         x = conv2d(x, filters(20, 1, "early"));
         return conv2d(add(x, late(relu(x), filters(20, 3, "late")), {.name = "sum"}), filters(3, 1, "end"));
       }},
      {"two blocks, one sum on the other", true,
       [](node_f x, const auto& late) {
         x = relu(conv2d(x, filters(24, 3, "stem")));
         x = relu(add(conv2d(relu(conv2d(x, filters(24, 3, "inner1"))), filters(24, 3, "late1")), x), {.name = "early"});
         return relu(add(late(relu(conv2d(x, filters(24, 3, "inner2"))), filters(24, 3, "late")), x, {.name = "sum"}));
       }},
      {"groups and strides", true,
       [](node_f x, const auto& late) {
         const node_f y = conv2d(x, {.filters = 24, .kernel = 1, .stride = 2, .name = "early"});
         return relu(add(y,
                         late(relu(conv2d(x, filters(8, 3, "inner"))),
                              {.filters = 24, .kernel = 5, .stride = 2, .padding = 2, .groups = 2, .name = "late"}),
                         {.name = "sum"}));
       }},
      {"the convolution reads what it would add to", false,
       [](node_f x, const auto& late) {
         x = relu(conv2d(x, filters(24, 3, "stem")), {.name = "early"});
         return relu(add(late(x, filters(24, 3, "late")), x, {.name = "sum"}));
       }},
      {"the other input is read later", false,
       [](node_f x, const auto& late) {
         x = relu(conv2d(x, filters(24, 3, "stem")), {.name = "early"});
         const node_f y = relu(add(late(relu(conv2d(x, filters(8, 1, "inner"))), filters(24, 1, "late")), x, {.name = "sum"}));
         return add(conv2d(y, filters(24, 3, "after")), relu(conv2d(x, filters(24, 1, "again"))));
       }},
      {"the convolution has another reader", false,
       [](node_f x, const auto& late) {
         x = relu(conv2d(x, filters(24, 3, "stem")), {.name = "early"});
         const node_f y = late(relu(conv2d(x, filters(8, 1, "inner"))), filters(24, 1, "late"));
         return add(conv2d(relu(add(y, x, {.name = "sum"})), filters(24, 1, "after")), relu(y));
       }},
      {"a sum with the network's input", false,
       [](node_f x, const auto& late) {
         return relu(add(late(relu(conv2d(x, filters(8, 1, "early"))), filters(3, 1, "late")), x, {.name = "sum"}));
       }},
      {"a value added to itself", false,
       [](node_f x, const auto& late) {
         x = late(x, filters(12, 3, "late"));
         return relu(add(x, x, {.name = "sum"}));
       }},
  };
  return list;
}

/// The case's network; its "late" convolution says in `added` what it was asked for.
network<float> built(const sum_case& c, const shape& input, bool& added) {
  graph<float> g;
  const node_f out = c.build(g.input(input), [&](node_f x, conv2d_options o) {
    return x.owner->add(std::make_shared<watched_conv>(std::move(o), added), {x}, "late", "conv");
  });
  return network<float>(std::move(g), {out}, {.seed = 7});
}

std::vector<float> values(const view<const float>& v) { return {v.begin(), v.end()}; }

}  // namespace

TEST_CASE("sums left to convolutions have the same bits as sums of their own") {
  for (const sum_case& c : cases()) {
    CAPTURE(c.what);
    bool added = false;
    const network<float> net = built(c, {3, 17, 15}, added);
    for (const index_t batch : emulated() ? std::vector<index_t>{2} : std::vector<index_t>{1, 5}) {
      const auto x = noise<float>({batch, 3, 17, 15});
      for (const isa i : {isa::baseline, isa::avx2, isa::avx512}) {
        if (i > detect_isa()) continue;
        for (const int way : {0, 1, 2, 3}) {
          const bool winograd = way % 2 == 1, bf16 = way >= 2;
          CAPTURE(winograd);
          CAPTURE(bf16);
          // Whoever wants the convolution's own value gets it, and the sum is made by itself.
          session_options o{.threads = 2, .bf16 = bf16, .winograd = winograd, .instruction_set = i}, keeping = o;
          keeping.retain = {"late"};
          session<float> left(net, o), own(net, keeping);
          const std::vector<float> got = values(left.predict(x));
          CHECK(added == c.left);
          CHECK(got == values(own.predict(x)));
          CHECK(!added);
          // Used again for a smaller batch, and with weights packed once.
          tensor<float> first({1, 3, 17, 15});
          std::copy(x.begin(), x.begin() + first.size(), first.begin());
          CHECK(values(left.predict(first)) == values(own.predict(first)));
          for (const int threads : {1, 3}) {
            o.threads = threads;
            session<float> other(net, o);
            CHECK(values(other.predict(x)) == got);
          }
          o.threads = keeping.threads = 2;
          o.prepack_weights = keeping.prepack_weights = true;
          session<float> packed(net, o), packed_own(net, keeping);
          const std::vector<float> fixed = values(packed.predict(x));
          CHECK(added == c.left);
          CHECK(fixed == values(packed_own.predict(x)));
        }
      }
    }
  }
}

TEST_CASE("random networks of convolutions, ReLUs and sums give what they give where every value is kept") {
  int left_sums = 0;
  for (std::uint64_t seed = 0; seed < 80; ++seed) {
    CAPTURE(seed);
    random_stream s{random_key(seed)};
    std::deque<bool> added;
    graph<float> g;
    std::vector<node_f> made{conv2d(g.input({3, 7, 6}), filters(8, 1, "stem"))};
    std::vector<std::string> every{"stem"};
    const auto any = [&] {  // of the last nodes, so that chains grow
      const auto count = static_cast<index_t>(made.size());
      return made[static_cast<std::size_t>(count - 1 - s.below((std::min)(count, index_t{4})))];
    };
    for (int n = 0; n < 14; ++n) {
      const std::string name = text_of("n", n);
      const index_t kind = s.below(5);
      if (kind < 2) {
        const conv2d_options o = filters(8, kind == 0 ? 1 : 3, name.c_str());
        added.push_back(false);
        made.push_back(g.add(std::make_shared<watched_conv>(o, added.back()), {any()}, name, ""));
      } else if (kind == 2) {
        made.push_back(relu(any(), {.name = name}));
      } else {
        const node_f x = any();
        made.push_back(add(x, any(), {.name = name}));
      }
      every.push_back(name);
    }
    const network<float> net(std::move(g), {made.back()}, {.seed = seed});
    const auto x = noise<float>({2, 3, 7, 6});
    const std::string kept = every[static_cast<std::size_t>(s.below(static_cast<index_t>(every.size())))];
    session<float> left(net, {.threads = 1}), own(net, {.threads = 1, .retain = every}),
        some(net, {.threads = 1, .retain = {kept}});
    const std::vector<float> want = values(own.predict(x));
    CHECK(values(some.predict(x)) == want);
    CHECK(values(some.value(kept)) == values(own.value(kept)));
    CHECK(values(left.predict(x)) == want);
    left_sums += static_cast<int>(std::count(added.begin(), added.end(), true));
  }
  CHECK(left_sums > 20);
}

TEST_CASE("values that are kept are not added to") {
  for (const sum_case& c : cases()) {
    CAPTURE(c.what);
    bool added = false;
    const network<float> net = built(c, {3, 9, 9}, added);
    if (net.topology().find("early") < 0) continue;
    const auto x = noise<float>({2, 3, 9, 9});
    session<float> all(net, {.threads = 1, .retain = {"late", "early", "sum"}});
    session<float> early(net, {.threads = 1, .retain = {"early"}}), sum(net, {.threads = 1, .retain = {"sum"}});
    all.predict(x);
    early.predict(x);
    CHECK(!added);
    CHECK(values(early.value("early")) == values(all.value("early")));
    sum.predict(x);
    CHECK(added == c.left);
    CHECK(values(sum.value("sum")) == values(all.value("sum")));
  }
}

TEST_CASE("residual networks whose batch norms are folded") {
  const int side = emulated() ? 32 : 64;
  for (const int depth : {18, 50}) {
    CAPTURE(depth);
    const auto net = fold_batch_norm(resnet<float>({.depth = depth, .classes = 10, .image_size = side}));
    std::vector<std::string> every;
    for (const auto& n : net.nodes())
      if (n.operation != nullptr) every.push_back(n.name);
    session<float> left(net, {.threads = 2}), own(net, {.threads = 2, .retain = every});
    const auto x = noise<float>({3, 3, side, side});
    CHECK(values(left.predict(x)) == values(own.predict(x)));
  }
}

TEST_CASE("not a number stays one when it is added to") {
  graph<float> g;
  node_f x = relu(conv2d(g.input({3, 7, 7}), filters(20, 1, "stem")), {.name = "early"});
  const node_f out = relu(add(conv2d(relu(conv2d(x, filters(64, 3, "inner"))), filters(20, 3, "late")), x));
  const network<float> net(std::move(g), {out});
  auto input = noise<float>({1, 3, 7, 7});
  input[3] = std::numeric_limits<float>::quiet_NaN();  // reaches every filter of the first pixels
  for (const bool winograd : {true, false}) {
    session<float> run(net, {.threads = 1, .winograd = winograd});
    CHECK(std::isnan(run.predict(input)[3]));
  }
}
