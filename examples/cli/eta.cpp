#include "eta.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/graph/session.hpp>
#include <minicnn/train/reductions.hpp>

#include "fine_tuning.hpp"
#include "resolve_model.hpp"
#include "train_setup.hpp"

namespace cli {

using minicnn::index_t;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

/// The least of up to three runs of `work` after a first one, which counts only if `enough` seconds have gone by then.
template <class Work>
double least_seconds(const Work& work, double enough) {
  const double begin = now();
  work();
  double best = now() - begin;
  if (best >= enough) return best;
  best = INFINITY;
  for (int i = 0; i < 3 && (i == 0 || now() - begin < enough); ++i) {
    const double start = now();
    work();
    best = (std::min)(best, now() - start);
  }
  return best;
}

minicnn::tensor<float> random_images(const minicnn::network<float>& net, index_t count, index_t size) {
  minicnn::random_stream random{minicnn::random_key(1)};
  minicnn::tensor<float> x({count, net.input_dims()[1], size, size});
  for (float& v : x) v = static_cast<float>(random.uniform(-1, 1));
  return x;
}

/// A batch of random images with labels and targets of 0: something for every task.
class random_batch {
 public:
  random_batch(const minicnn::network<float>& net, index_t count, index_t size)
      : images_(random_images(net, count, size)),
        targets_({count, net.output_dims().size_from(1)}),
        labels_(static_cast<std::size_t>(count), 0) {
    batch_.images = images_;
    batch_.labels = labels_;
    batch_.targets = targets_;
  }
  random_batch(const random_batch&) = delete;
  random_batch& operator=(const random_batch&) = delete;
  const minicnn::batch<float>& get() const { return batch_; }

 private:
  minicnn::tensor<float> images_, targets_;
  std::vector<std::int32_t> labels_;
  minicnn::batch<float> batch_;
};

}  // namespace

trial_steps::trial_steps(const recipe& r, int threads, const minicnn::task<float>& what)
    : recipe_(r), task_(what), net_(resolve_model(r.model, threads, r.seed)) {
  net_.bf16(r.precision == "bf16");
  freeze_layers(net_, r);
  optimizer_ = make_optimizer(r, net_);
}

double trial_steps::step(index_t size) {
  const random_batch pictures(net_, recipe_.batch_size, size);
  minicnn::session<float> run(net_);
  minicnn::output_table<float> outputs;
  return least_seconds(
      [&] {
        run.forward(pictures.get().images);
        task_.losses(outputs.of(run), pictures.get(), 1.0);
        run.backward();
        optimizer_->step();
      },
      INFINITY);
}

double trial_steps::prediction(index_t count, index_t size) { return seconds_a_prediction(net_, count, size, INFINITY); }

double seconds_a_step(minicnn::network<float>& net, const minicnn::optimizer<float>& optimizer, const minicnn::task<float>& what,
                      index_t batch_size, index_t size, double enough) {
  const random_batch pictures(net, batch_size, size);
  minicnn::output_table<float> outputs;
  const minicnn::view<float> buffers = net.buffer_arena();
  const std::vector<float> before(buffers.begin(), buffers.end());
  const std::uint64_t step = net.step();
  minicnn::session<float> run(net);
  const double seconds = least_seconds(
      [&] {
        run.forward(pictures.get().images);
        what.losses(outputs.of(run), pictures.get(), 1.0);
        run.backward();
      },
      enough);
  std::copy(before.begin(), before.end(), buffers.begin());
  net.step(step);
  // An update reads weights, gradients and its own state, and writes weights and state.
  const minicnn::view<const float> gradients = net.gradient_arena();
  const double pass = least_seconds([&] { (void)minicnn::sum_of_squares(gradients, net.ctx()); }, enough);
  const double state = static_cast<double>(optimizer.memory_bytes()) / sizeof(float);
  return seconds + pass * (3 + 2 * state / static_cast<double>(gradients.size()));
}

double seconds_a_prediction(const minicnn::network<float>& net, index_t count, index_t size, double enough) {
  const minicnn::tensor<float> x = random_images(net, count, size);
  minicnn::session<float> run(net);
  return least_seconds([&] { run.predict(x); }, enough);
}

double seconds_a_picture(const minicnn::image_dataset& data, const minicnn::sample_indices& samples,
                         const minicnn::image_transform& picture, bool cached) {
  minicnn::picture_source source(data, cached ? std::int64_t{1} << 30 : 0);
  minicnn::image_workspace workspace, own;
  minicnn::tensor<float> input({data.channels, picture.size, picture.size});
  const std::size_t count = (std::min)(samples.size(), std::size_t{16});
  double seconds = 0;
  int read = 0;
  for (std::size_t k = 0; k < count; ++k) {
    const index_t index = samples[k * samples.size() / count];
    try {
      if (cached) (void)source.get(index, workspace);
      const double start = now();
      apply(source.get(index, workspace), picture, minicnn::random_key(1), true, input.data(), own);
      seconds += now() - start;
      ++read;
    } catch (const minicnn::file_error&) {
      // Training itself says which pictures cannot be read.
    }
  }
  return read > 0 ? seconds / read : 0;
}

double epoch_seconds(const epoch_costs& c, int threads, int workers, int processors) {
  if (workers == 0) return c.computing + c.reading;
  const double readers = (std::min)(workers, processors), all = processors;
  return (std::max)({c.computing, c.reading / readers, (c.computing * (std::min)(threads, processors) + c.reading) / all});
}

}  // namespace cli
