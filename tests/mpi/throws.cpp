// A backward that throws on rank 1 while gradients are under way: `throws [overlap]`, by several ranks. All are to end.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "minicnn/layers/dense.hpp"
#include "minicnn/train/fit.hpp"
#include "minicnn/train/mpi.hpp"

using namespace minicnn;

namespace {

/// Passes values on. The third gradient on the rank at fault is not passed back.
class failing_op final : public op<float> {
 public:
  explicit failing_op(bool at_fault) : at_fault_(at_fault) {}
  std::string_view kind() const override { return "failing_op"; }
  attribute_list describe() const override { return {}; }
  op_plan plan(const plan_request& request) const override {
    op_plan p;
    p.output = request.inputs[0];
    return p;
  }
  void forward(const frame<float>& f) const override { std::copy(f.input().begin(), f.input().end(), f.output.begin()); }
  void backward(const frame<float>& f) const override {
    if (at_fault_ && ++calls_ == 3) fail("no gradient");
    std::copy(f.output_gradient.begin(), f.output_gradient.end(), f.input_gradient().data.begin());
  }

 private:
  bool at_fault_;
  mutable int calls_ = 0;
};

struct noise {
  noise() : x({8, features}), labels(8) {
    for (index_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 7) - 3;
    batch_.images = x, batch_.labels = labels;
  }
  index_t size() const { return 800; }
  index_t batches() const { return 100; }
  void start_epoch(index_t, index_t first = 0) { next_ = first; }
  const batch<float>* next() { return next_++ < batches() ? &batch_ : nullptr; }

  static constexpr index_t features = 1024;
  tensor<float> x;
  std::vector<std::int32_t> labels;
  batch<float> batch_;
  index_t next_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  mpi_team ranks({.tell = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }});
  graph<float> g;
  const node<float> x = dense(g.input({noise::features}), 64);
  const node<float> y = g.add(std::make_shared<failing_op>(ranks.rank() == 1), {x}, "failing", "failing");
  network<float> net(std::move(g), {dense(dense(y, 2048), 1024)}, {.threads = 1});  // several buckets behind it
  sgd<float> opt(net, {.learning_rate = 1e-6});
  noise data;
  fit_options o{.epochs = 1, .shards = ranks.size(), .ranks = &ranks};
  o.overlap = argc > 1 && std::strcmp(argv[1], "overlap") == 0;
  try {
    fit(net, opt, classification<float>(), data, o);
  } catch (const error& e) {  // within the life of the team, as who knows of no others would
    std::fprintf(stderr, "%s\n", e.what());
  }
}
