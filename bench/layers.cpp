// Where the time of a training step or of a prediction goes: every layer of an AlexNet, forward and backward.
//
//   bench_layers [alexnet|alexnet-bn] [BATCH] [IMAGE_SIZE] [fp32|bf16] [train|predict]      default: alexnet 64 227 fp32 train

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "minicnn/alexnet.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct layer_time {
  std::string name;
  double multiply_adds = 0, forward = 0, backward = 0;
};

/// Passes everything on to another op and adds up its time.
class timed_op final : public op<float> {
 public:
  timed_op(std::shared_ptr<const op<float>> timed, std::shared_ptr<layer_time> time)
      : op_(std::move(timed)), time_(std::move(time)) {}
  std::string_view kind() const override { return op_->kind(); }
  attribute_list describe() const override { return op_->describe(); }
  op_plan plan(const plan_request& request) const override {
    op_plan p = op_->plan(request);
    time_->multiply_adds = static_cast<double>(p.multiply_adds);
    return p;
  }
  void prepare(const frame<float>& f) const override { op_->prepare(f); }
  void forward(const frame<float>& f) const override {
    const double start = now();
    op_->forward(f);
    time_->forward += now() - start;
  }
  void backward(const frame<float>& f) const override {
    const double start = now();
    op_->backward(f);
    time_->backward += now() - start;
  }

 private:
  std::shared_ptr<const op<float>> op_;
  std::shared_ptr<layer_time> time_;
};

/// The same network with a clock around every op.
network<float> timed(const network<float>& source, std::vector<std::shared_ptr<layer_time>>& times) {
  graph<float> g;
  std::vector<node<float>> made;
  for (const graph_node<float>& n : source.nodes()) {
    if (!n.operation) {
      made.push_back(g.input(shape(n.dims.begin() + 1, n.dims.end()), n.name));
      continue;
    }
    std::vector<node<float>> inputs;
    for (const int i : n.inputs) inputs.push_back(made[static_cast<std::size_t>(i)]);
    times.push_back(std::make_shared<layer_time>());
    times.back()->name = n.name;
    made.push_back(g.add(std::make_shared<timed_op>(n.operation, times.back()), inputs, n.name, ""));
  }
  return network<float>(std::move(g), {made.back()});
}

}  // namespace

int main(int argc, char** argv) {
  const std::string model = argc > 1 ? argv[1] : "alexnet";
  const int batch = argc > 2 ? std::atoi(argv[2]) : 64, size = argc > 3 ? std::atoi(argv[3]) : 227;
  const int steps = batch < 16 ? 50 : 5;
  std::vector<std::shared_ptr<layer_time>> times;
  network<float> net =
      timed(model == "alexnet-bn" ? alexnet_bn<float>({.image_size = size}) : alexnet<float>({.image_size = size}), times);
  const bool bf16 = argc > 4 && std::string(argv[4]) == "bf16", training = argc < 6 || std::string(argv[5]) == "train";
  net.bf16(bf16);
  workspace<float> space(net.threads());
  space.bf16(bf16);
  space.fixed_weights(true);
  sgd<float> optimizer(net, {.learning_rate = 1e-4, .momentum = 0.9});
  const softmax_cross_entropy<float> loss;
  tensor<float> images({batch, 3, size, size});
  random_stream random{random_key(1)};
  for (float& x : images) x = static_cast<float>(random.normal());
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch), 1);

  double step_time = 0, optimizer_time = 0;
  for (int step = -1; step < steps; ++step) {
    if (step == 0)  // the first step plans memory and meets it for the first time
      for (const auto& t : times) t->forward = t->backward = 0;
    const double start = now();
    if (training) {
      net.forward(images);
      loss(net, labels);
      net.backward();
    } else {
      net.predict(images, space);
    }
    const double before = now();
    if (training) optimizer.step();
    if (step >= 0) step_time += now() - start, optimizer_time += now() - before;
  }
  std::printf("%s, batch %d, %d px, %d threads, %s: %.1f images/s, %.1f ms a step, %.1f of them SGD\n", model.c_str(), batch,
              size, net.threads(), std::string(name_of(net.ctx().instruction_set)).c_str(), batch * steps / step_time,
              step_time / steps * 1e3, optimizer_time / steps * 1e3);
  std::printf("%-12s %10s %9s %10s %9s\n", "layer", "forward ms", "GFLOP/s", "backward ms", "GFLOP/s");
  for (const auto& t : times) {
    const double work = 2e-9 * t->multiply_adds * steps;
    const double returns = t->name == "conv1" ? work : 2 * work;  // conv1 has no input gradient
    std::printf("%-12s %10.2f %9.1f %10.2f %9.1f\n", t->name.c_str(), t->forward / steps * 1e3,
                work > 0 ? work / t->forward : 0.0, t->backward / steps * 1e3, work > 0 ? returns / t->backward : 0.0);
  }
  return 0;
}
