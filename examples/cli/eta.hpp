#pragma once
// How long training will take, told before it begins.

#include <cmath>
#include <memory>
#include <minicnn/data/dataset.hpp>
#include <minicnn/data/transform.hpp>
#include <minicnn/train/optimizer.hpp>
#include <minicnn/train/task.hpp>

#include "recipe.hpp"

namespace cli {

/// For the plan of a time limit: whole steps, at any size, on a second network and random images, so that the run is as it would
/// be without them.
class trial_steps {
 public:
  trial_steps(const recipe& r, int threads, const minicnn::task<float>& what);

  /// Seconds of a training step on pictures of `size` pixels a side: the least of three after one that plans memory.
  double step(minicnn::index_t size);

  /// Seconds of a prediction for `count` pictures, measured alike.
  double prediction(minicnn::index_t count, minicnn::index_t size);

 private:
  const recipe& recipe_;
  const minicnn::task<float>& task_;
  minicnn::network<float> net_;
  std::unique_ptr<minicnn::optimizer<float>> optimizer_;
};

/// Seconds of a training step of `net` itself on random images, but for the update of its weights, which is judged by a pass over
/// the gradients: memory as in training, and weights, running statistics and step counter end as they were. A step in which
/// memory is planned counts only if `enough` seconds have gone by then.
double seconds_a_step(minicnn::network<float>& net, const minicnn::optimizer<float>& optimizer, const minicnn::task<float>& what,
                      minicnn::index_t batch_size, minicnn::index_t size, double enough);

/// Seconds that `net` takes for a prediction of `count` random images.
double seconds_a_prediction(const minicnn::network<float>& net, minicnn::index_t count, minicnn::index_t size, double enough);

/// Seconds that one thread takes to read and prepare a picture: mean over a few of `samples`. `cached`: as from
/// memory.
double seconds_a_picture(const minicnn::image_dataset& data, const minicnn::sample_indices& samples,
                         const minicnn::image_transform& picture, bool cached);

/// What an epoch consists of; all in seconds of one pass over its pictures.
struct epoch_costs {
  double computing = 0;  ///< on `threads` threads together
  double reading = 0;    ///< on one thread
};

/// Seconds of an epoch where `workers` threads read while `threads` compute, on `processors`; without workers one after the
/// other.
double epoch_seconds(const epoch_costs& c, int threads, int workers, int processors);

}  // namespace cli
