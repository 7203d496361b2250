// minicnn bench

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <minicnn/core/random.hpp>
#include <minicnn/graph/passes/fold_batch_norm.hpp>
#include <minicnn/graph/session.hpp>
#include <minicnn/int8/quantizer.hpp>
#include <minicnn/report/progress.hpp>
#include <minicnn/train/adam.hpp>
#include <minicnn/train/loss.hpp>

#include "commands.hpp"
#include "option_values.hpp"
#include "path_json.hpp"
#include "platform.hpp"
#include "resolve_model.hpp"

namespace cli {

using minicnn::fixed;
using minicnn::index_t;

namespace {

struct bench_options {
  model_config model;
  int batch_size = 0;
  std::string mode = "train";
  int steps = 10;
  int threads = 0;
  std::string precision = "fp32";
  bool fold = false;
  bool json = false;
};

/// Steps that are not counted: the first one plans memory and touches it.
constexpr int warm_up_steps = 2;

/// Milliseconds of each counted call of `step`.
template <class F>
std::vector<double> measure(int steps, const F& step) {
  using clock = std::chrono::steady_clock;
  minicnn::progress_line progress(stderr);
  std::vector<double> times;
  for (int i = -warm_up_steps; i < steps; ++i) {
    progress.update(i < 0 ? "warming up" : "step", (std::max)(i, 0), steps, "");
    const clock::time_point start = clock::now();
    step();
    if (i >= 0) times.push_back(std::chrono::duration<double, std::milli>(clock::now() - start).count());
  }
  return times;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

int bench_command(const bench_options& o) {
  minicnn::network<float> net = resolve_model(o.model, o.threads);
  net.bf16(o.precision == "bf16");
  const minicnn::shape one = net.input_dims();
  minicnn::tensor<float> images({o.batch_size, one[1], one[2], one[3]});
  minicnn::random_stream random(minicnn::random_key(1));
  for (float& x : images) x = static_cast<float>(random.normal());
  std::vector<std::int32_t> labels(static_cast<std::size_t>(o.batch_size));
  for (std::int32_t& label : labels) label = static_cast<std::int32_t>(random.below(o.model.classes));

  std::vector<double> times;
  if (o.mode == "infer") {
    // Folding has both sets of weights in memory for a moment; networks without norms are spared that.
    const auto is_norm = [](const auto& node) {
      return dynamic_cast<const minicnn::channel_mapping<float>*>(node.operation.get()) != nullptr;
    };
    if (o.precision == "int8") {
      minicnn::quantizer<float> q(net);
      q.observe(images);
      net = q.quantized();
    }
    if (o.fold && std::any_of(net.nodes().begin(), net.nodes().end(), is_norm)) net = fold_batch_norm(net);
    minicnn::session<float> run(net, {.bf16 = o.precision == "bf16", .prepack_weights = true});
    times = measure(o.steps, [&] { run.predict(images); });
  } else {
    const minicnn::softmax_cross_entropy<float> loss;
    minicnn::adam<float> optimizer(net);
    minicnn::session<float> run(net);
    times = measure(o.steps, [&] {
      run.forward(images);
      for (int i = 0; i < net.output_count(); ++i) loss(run, labels, i, net.loss_weights()[static_cast<std::size_t>(i)]);
      run.backward();
      optimizer.step();
    });
  }

  const double ms = median(times), speed = o.batch_size / ms * 1000;
  const std::string isa(minicnn::name_of(net.ctx().instruction_set));
  if (o.json) {
    const minicnn::json text{{"model", o.model.name},
                             {"mode", o.mode},
                             {"batch_size", o.batch_size},
                             {"images_per_second", speed},
                             {"ms_per_step", ms},
                             {"peak_rss_mib", peak_mebibytes()},
                             {"isa", isa},
                             {"threads", net.threads()},
                             {"precision", o.precision},
                             {"folded", o.fold},
                             {"image_size", one[2]},
                             {"steps", o.steps}};
    std::printf("%s\n", json_text(text).c_str());
    return exit_done;
  }
  std::printf("%s %s, batch of %d at %d pixels: %s images/s, %s ms a step (median of %d), peak %s MiB, %s, %d threads, %s%s\n",
              o.model.name.c_str(), o.mode.c_str(), o.batch_size, static_cast<int>(one[2]), fixed(speed, 1).c_str(),
              fixed(ms, 1).c_str(), o.steps, fixed(peak_mebibytes(), 0).c_str(), isa.c_str(), net.threads(), o.precision.c_str(),
              o.fold ? ", batch norms folded" : "");
  return exit_done;
}

}  // namespace

void add_bench(CLI::App& app, action& chosen) {
  auto o = std::make_shared<bench_options>();
  auto aux = std::make_shared<std::string>("on");
  o->model.name.clear();
  CLI::App* command = app.add_subcommand("bench", "speed of a step (forward, loss, backward, Adam) on random images");
  add_model_options(*command, o->model)->required();
  command->add_option("--batch-size", o->batch_size, "images a step")->required()->transform(whole_from(1, 65536));
  command->add_option("--mode", o->mode, "train, or infer: forward alone, in evaluation mode")
      ->transform(one_of({"train", "infer"}))
      ->capture_default_str();
  command->add_option("--aux", *aux, "auxiliary heads in training, for models that have them")
      ->transform(one_of({"on", "off"}))
      ->capture_default_str();
  command->add_option("--steps", o->steps, "counted steps, after 2 others")
      ->transform(whole_from(1, 1000000))
      ->capture_default_str();
  command->add_option("--threads", o->threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
  command
      ->add_option(
          "--precision", o->precision,
          "fp32; bf16: products of matrices rounded to bfloat16, sums and weights in fp32; int8, with --mode infer: quantised, "
          "batch norms folded")
      ->transform(one_of({"fp32", "bf16", "int8"}))
      ->capture_default_str();
  command->add_flag("--fold", o->fold,
                    "with --mode infer: batch norms folded into the convolutions before them (fold_batch_norm)");
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, aux, &chosen] {
    if (o->fold && o->mode != "infer")
      minicnn::fail<minicnn::option_error>("--fold is for --mode infer: training needs the batch norms");
    if (o->precision == "int8" && o->mode != "infer")
      minicnn::fail<minicnn::option_error>("--precision int8 is for --mode infer: a quantised network is not trained");
    o->model.aux = *aux == "on";
    chosen = [o] { return bench_command(*o); };
  });
}

}  // namespace cli
