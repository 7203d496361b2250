#pragma once
/// Classes of pictures from a model: preparation, test-time augmentation, temperature and probabilities.
///
///     const auto cats = load_classifier("best.safetensors");
///     const ranked_class top = cats.predict(load_image("photo.jpg")).front();  // of data/image.hpp

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/function_ref.hpp"
#include "minicnn/core/parallel.hpp"
#include "minicnn/core/tensor.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/model/model_file.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One class of an answer.
struct ranked_class {
  std::string name;
  double probability = 0;
  int index = 0;  ///< of the network's output
};

/// The classes from most to least probable; equal ones in the network's order.
inline std::vector<ranked_class> ranking(std::span<const double> log_probabilities, const std::vector<std::string>& classes) {
  if (log_probabilities.size() != classes.size())
    fail<shape_error>("ranking: ", log_probabilities.size(), " probabilities for ", classes.size(), " classes");
  std::vector<int> order(classes.size());
  std::iota(order.begin(), order.end(), 0);
  const auto value = [&](int k) { return log_probabilities[static_cast<std::size_t>(k)]; };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return value(a) > value(b); });
  std::vector<ranked_class> out;
  for (const int k : order) out.push_back({classes[static_cast<std::size_t>(k)], std::exp(value(k)), k});
  return out;
}

/// log softmax(logits / temperature) of each row of `classes` logits.
inline std::vector<double> log_softmax(std::vector<double> out, index_t classes, double temperature) {
  for (auto row = out.begin(); row != out.end(); row += classes) {
    const double top = *std::max_element(row, row + classes) / temperature;
    double sum = 0;
    for (auto z = row; z != row + classes; ++z) sum += std::exp(*z = *z / temperature - top);
    for (auto z = row; z != row + classes; ++z) *z -= std::log(sum);
  }
  return out;
}

/// log of the mean of exp over rows of `classes` logarithms, one a weight, without leaving the range of numbers. The weights sum
/// to 1.
inline std::vector<double> log_mean(std::span<const double> values, std::span<const double> weights, index_t classes) {
  const auto rows = static_cast<index_t>(weights.size());
  std::vector<double> out;
  for (index_t k = 0; k < classes; ++k) {
    double top = values[static_cast<std::size_t>(k)], sum = 0;
    for (index_t r = 1; r < rows; ++r) top = (std::max)(top, values[static_cast<std::size_t>(r * classes + k)]);
    for (index_t r = 0; r < rows; ++r)
      sum += weights[static_cast<std::size_t>(r)] * std::exp(values[static_cast<std::size_t>(r * classes + k)] - top);
    out.push_back(top + std::log(sum));
  }
  return out;
}

/// The transforms that `tta` (none, flip, flip-shift or ten-crop) averages over. Throws option_error for another text, and for
/// ten crops of pictures that have no margin.
inline std::vector<image_transform> views_named(const image_transform& base, std::string_view tta) {
  try {
    return views_of(base, test_views_named(tta));
  } catch (const option_error& e) {
    fail<option_error>("tta ", tta, ": ", e.what());
  }
}

/// Has a model evaluate pictures of `size` pixels a side; a margin around the crop grows or shrinks alike. Throws error for a
/// network that takes no pictures of this size; the model is then as it was.
template <class T>
void set_image_size(loaded_model<T>& model, index_t size) {
  image_transform t = model.info.transform;
  if (size == t.size) return;
  if (t.resize_to != 0) {
    const double ratio = static_cast<double>(t.resize_to) / static_cast<double>(t.size);
    t.resize_to = (std::max)(size, static_cast<index_t>(std::llround(ratio * static_cast<double>(size))));
  }
  t.size = size;
  check(t);
  (void)model.net.plans({1, model.info.config.channels, size, size});
  model.info.transform = t;
}

struct predictor_options {
  std::string tta = {};     ///< none, flip, flip-shift or ten-crop; empty: what the weights file says
  index_t batch_size = 64;  ///< views that go through the network at once
  bool keep_size = false;   ///< pictures are neither resized, cut nor moved, each goes alone; for networks that take any size
};

/// Predicts pictures some at a time. Calls from several threads at once each get run-time memory of their own (activations and
/// packed weights), which is kept for later calls. A picture's answer depends on those that are predicted with it in the last
/// bits at most.
template <class T = float>
class predictor {
 public:
  /// Writes or finds picture `index`, with the memory of the thread that asks; any number of threads ask at once. A file_error
  /// becomes that picture's reason.
  using picture_getter = function_ref<const image_u8&(index_t index, image_workspace& workspace)>;

  /// What came of one picture.
  struct result {
    std::vector<double> log_probabilities;  ///< of each class; empty if the picture could not be read
    std::string reason;                     ///< why not
  };

  /// `model` must outlive it and not move. Throws option_error as `views_named` does, and for flip-shift and ten-crop with
  /// `keep_size`.
  MINICNN_COLD explicit predictor(const loaded_model<T>& model, predictor_options o = {});

  index_t views() const { return static_cast<index_t>(views_.size()); }

  /// Pictures that one call of `run` should be given: a batch, all views counted.
  index_t at_once() const { return (std::max)(index_t{1}, options_.batch_size / views()); }

  /// One result for each of pictures 0 to `count` - 1. All threads of the network decode, then all compute. Logarithms are kept
  /// because a certain mistake still has a finite log loss then. Throws error if the network's outputs are not finite.
  std::vector<result> run(index_t count, picture_getter picture) const;

 private:
  /// What one call works with.
  struct memory {
    // Whether Winograd pays depends on the batch.
    explicit memory(const network<T>& net)
        : session(net, {.winograd = false, .prepack_weights = true}), workspaces(static_cast<std::size_t>(net.threads())) {}
    minicnn::session<T> session;
    tensor<T> input;
    std::vector<image_workspace> workspaces;
  };
  struct memory_pool {
    std::mutex mutex;
    std::vector<std::unique_ptr<memory>> free;
  };

  index_t channels() const { return model_->info.config.channels; }
  void prepare(const image_u8& image, T* out, image_workspace& workspace) const;
  void check_channels(const image_u8& image) const {
    if (image.channels != channels()) fail<file_error>("has ", image.channels, " channels, the network wants ", channels());
  }
  std::vector<double> averaged(std::span<const double> rows, index_t classes) const {
    return views() == 1 ? std::vector<double>(rows.begin(), rows.end()) : log_mean(rows, weights_, classes);
  }
  std::vector<double> log_probabilities_of(const view<const T>& logits) const;
  result run_alone(memory& m, index_t index, picture_getter picture) const;
  void run_batch(memory& m, std::vector<result>& out, picture_getter picture) const;

  const loaded_model<T>* model_;
  predictor_options options_;
  std::vector<image_transform> views_;
  std::vector<double> weights_;  ///< of the views
  std::unique_ptr<memory_pool> pool_ = std::make_unique<memory_pool>();
};

template <class T>
predictor<T>::predictor(const loaded_model<T>& model, predictor_options o) : model_(&model), options_(std::move(o)) {
  if (options_.tta.empty()) options_.tta = model.info.tta;
  if (options_.batch_size < 1) fail<option_error>("predictor: batch_size is ", options_.batch_size, ", wanted at least 1");
  views_ = views_named(model.info.transform, options_.tta);
  if (options_.keep_size && views_.size() > 2)
    fail<option_error>("keep_size: goes with tta none or flip, not with ", options_.tta);
  weights_ = view_weights(test_views_named(options_.tta));
}

template <class T>
std::vector<typename predictor<T>::result> predictor<T>::run(index_t count, picture_getter picture) const {
  std::unique_ptr<memory> m;
  {
    const std::scoped_lock lock(pool_->mutex);
    if (!pool_->free.empty()) m = std::move(pool_->free.back()), pool_->free.pop_back();
  }
  if (m == nullptr) m = std::make_unique<memory>(model_->net);
  std::vector<result> out(static_cast<std::size_t>(count));
  if (options_.keep_size) {
    for (index_t i = 0; i < count; ++i) out[static_cast<std::size_t>(i)] = run_alone(*m, i, picture);
  } else {
    run_batch(*m, out, picture);
  }
  const std::scoped_lock lock(pool_->mutex);
  pool_->free.push_back(std::move(m));
  return out;
}

/// Writes all views of one picture.
template <class T>
void predictor<T>::prepare(const image_u8& image, T* out, image_workspace& workspace) const {
  check_channels(image);
  for (const image_transform& v : views_) {
    apply(image, v, random_key(), false, out, workspace);
    out += channels() * v.size * v.size;
  }
}

template <class T>
std::vector<double> predictor<T>::log_probabilities_of(const view<const T>& logits) const {
  for (const T z : logits)
    if (!std::isfinite(z)) fail("the network's outputs are not finite numbers: these weights are of no use");
  return log_softmax({logits.begin(), logits.end()}, logits.dims().size_from(1), model_->info.temperature);
}

/// One picture at its own size, whatever the sides.
template <class T>
typename predictor<T>::result predictor<T>::run_alone(memory& m, index_t index, picture_getter picture) const try {
  image_workspace& workspace = m.workspaces.front();
  const image_u8* image = &picture(index, workspace);
  check_channels(*image);
  if (const index_t padding = model_->info.transform.padding; padding > 0) {
    pad(*image, padding, workspace.padded);
    image = &workspace.padded;
  }
  const index_t height = image->height, width = image->width;
  tensor<T> input({views(), channels(), height, width});
  T* place = input.data();
  for (const image_transform& v : views_) {
    resize_plan as_it_is;
    as_it_is.source = {0, 0, height, width};
    as_it_is.height = height, as_it_is.width = width;
    as_it_is.window = {0, 0, height, width};
    as_it_is.mirrored = v.mirrored;
    workspace.resize.run(*image, as_it_is, v.normalize.affine(), place);
    place += channels() * height * width;
  }
  try {
    const view<const T> logits = m.session.predict(input);
    return {averaged(log_probabilities_of(logits), logits.dims().size_from(1)), ""};
  } catch (const shape_error& e) {
    return {{}, text_of("at ", height, " x ", width, " pixels: ", e.what())};
  }
} catch (const file_error& e) {
  return {{}, e.what()};
}

template <class T>
void predictor<T>::run_batch(memory& m, std::vector<result>& out, picture_getter picture) const {
  const auto count = static_cast<index_t>(out.size());
  const index_t side = model_->info.transform.size, block = views() * channels() * side * side;
  if (count > 0 && (m.input.dims().rank() == 0 || m.input.dim(0) < count * views()))
    m.input = tensor<T>({count * views(), channels(), side, side});
  parallel_tasks(model_->net.threads(), count, [&](index_t i, int thread) {
    image_workspace& workspace = m.workspaces[static_cast<std::size_t>(thread)];
    try {
      prepare(picture(i, workspace), m.input.data() + i * block, workspace);
    } catch (const file_error& e) {
      out[static_cast<std::size_t>(i)].reason = e.what();
    }
  });

  // Pictures that could be read move together: the network sees no gaps.
  index_t good = 0;
  for (index_t i = 0; i < count; ++i) {
    if (!out[static_cast<std::size_t>(i)].reason.empty()) continue;
    if (good != i) std::copy_n(m.input.data() + i * block, block, m.input.data() + good * block);
    good += 1;
  }
  if (good == 0) return;
  const view<const T> logits = m.session.predict(view<const T>(m.input.data(), {good * views(), channels(), side, side}));
  const index_t classes = logits.dims().size_from(1);
  const std::vector<double> rows = log_probabilities_of(logits);
  const double* row = rows.data();
  for (result& r : out) {
    if (!r.reason.empty()) continue;
    r.log_probabilities = averaged({row, static_cast<std::size_t>(views() * classes)}, classes);
    row += views() * classes;
  }
}

MINICNN_COMPILED_CLASS(predictor);

}  // namespace minicnn::inline MINICNN_ABI
