// Where the time of a training step or of a prediction goes: every layer of a network, forward and backward, and every kind.
//
//   bench_layers [MODEL] [BATCH] [IMAGE_SIZE] [fp32|bf16] [train|predict]      default: alexnet 64 0 (its own) fp32 train
//
// Predictions fold batch norms, as `minicnn bench --fold` does. OMP_NUM_THREADS sets the threads.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models.hpp"

using namespace minicnn;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct layer_time {
  std::string name, kind;
  double multiply_adds = 0, gradients = 0;  ///< multiply-adds of forward, and of backward
  double forward = 0, backward = 0;         ///< seconds
  bool first = false;                       ///< has no input gradient
};

/// Passes everything on to another op and adds up its time.
class timed_op final : public op<float> {
 public:
  timed_op(std::shared_ptr<const op<float>> timed, std::shared_ptr<layer_time> time)
      : op_(std::move(timed)), time_(std::move(time)) {}
  std::string_view kind() const override { return op_->kind(); }
  attribute_list describe() const override { return op_->describe(); }
  op_role role() const override { return op_->role(); }
  std::optional<kernels::fused_activation<float>> activation(isa i) const override { return op_->activation(i); }
  op_plan plan(const plan_request& request) const override {
    op_plan p = op_->plan(request);
    time_->multiply_adds = static_cast<double>(p.multiply_adds);
    time_->gradients = time_->multiply_adds * (time_->first ? 1 : 2);
    return p;
  }
  void prepack(const frame<float>& f) const override { op_->prepack(f); }
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
    times.back()->kind = n.operation->kind();
    for (const int i : n.inputs) times.back()->first |= !source.nodes()[static_cast<std::size_t>(i)].operation;
    made.push_back(g.add(std::make_shared<timed_op>(n.operation, times.back()), inputs, n.name, ""));
  }
  std::vector<node<float>> outputs;
  for (const int i : source.topology().outputs) outputs.push_back(made[static_cast<std::size_t>(i)]);
  return network<float>(std::move(g), outputs);
}

/// A line of the tables; rates count the multiplications of the direct convolution.
void print(const layer_time& t, int steps) {
  const double work = 2e-9 * t.multiply_adds * steps, returns = 2e-9 * t.gradients * steps;
  std::printf("%-28s %10.2f %9.1f %10.2f %9.1f\n", t.name.c_str(), t.forward / steps * 1e3, work > 0 ? work / t.forward : 0.0,
              t.backward / steps * 1e3, work > 0 && t.backward > 0 ? returns / t.backward : 0.0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "alexnet";
  const int batch = argc > 2 ? std::atoi(argv[2]) : 64;
  const int steps = batch < 16 ? 20 : 5;
  std::vector<std::shared_ptr<layer_time>> times;
  const bool bf16 = argc > 4 && std::string(argv[4]) == "bf16", training = argc < 6 || std::string(argv[5]) == "train";
  std::unique_ptr<network<float>> made;
  for (const bench::model& m : bench::models()) {
    if (m.name != name) continue;
    const network<float> source = m.make(argc > 3 ? std::atoi(argv[3]) : 0);
    made = std::make_unique<network<float>>(training ? timed(source, times) : timed(fold_batch_norm(source), times));
  }
  if (made == nullptr || batch < 1) {
    std::fprintf(stderr, "bench_layers: no network '%s', or batch %d below 1\n", name.c_str(), batch);
    return 2;
  }
  network<float>& net = *made;
  net.bf16(bf16);
  session<float> run(net, {.prepack_weights = true});
  sgd<float> optimizer(net, {.learning_rate = 1e-4, .momentum = 0.9});
  const softmax_cross_entropy<float> loss;
  const shape& one = net.input_dims();
  tensor<float> images({batch, one[1], one[2], one[3]});
  random_stream random{random_key(1)};
  for (float& x : images) x = static_cast<float>(random.normal());
  const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch), 1);

  double step_time = 0, optimizer_time = 0;
  for (int step = -1; step < steps; ++step) {
    if (step == 0)  // the first step plans memory and meets it for the first time
      for (const auto& t : times) t->forward = t->backward = 0;
    const double start = now();
    if (training) {
      run.forward(images);
      for (int i = 0; i < net.output_count(); ++i) loss(run, labels, i);
      run.backward();
    } else {
      run.predict(images);
    }
    const double before = now();
    if (training) optimizer.step();
    if (step >= 0) step_time += now() - start, optimizer_time += now() - before;
  }
  std::printf("%s, batch %d, %d px, %d threads, %s: %.1f images/s, %.1f ms a step, %.1f of them SGD\n", name.c_str(), batch,
              static_cast<int>(one[2]), net.threads(), std::string(name_of(net.ctx().instruction_set)).c_str(),
              batch * steps / step_time, step_time / steps * 1e3, optimizer_time / steps * 1e3);
  std::printf("%-28s %10s %9s %10s %9s\n", "layer", "forward ms", "GFLOP/s", "backward ms", "GFLOP/s");
  std::map<std::string, layer_time> kinds;
  for (const auto& t : times) {
    print(*t, steps);
    layer_time& kind = kinds[t->kind];
    kind.name = "all " + t->kind;
    kind.multiply_adds += t->multiply_adds;
    kind.gradients += t->gradients;
    kind.forward += t->forward;
    kind.backward += t->backward;
  }
  for (const auto& [kind, t] : kinds) print(t, steps);
  return 0;
}
