#include "prediction_service.hpp"

#include <algorithm>
#include <minicnn/data/image_format.hpp>

#include "picture_encoding.hpp"

namespace cli {

using minicnn::index_t;

namespace {

/// Callers compute side by side, each on a thread of its own.
inference_options one_thread(inference_options o) {
  o.threads = 1;
  return o;
}

std::size_t most_probable(const std::vector<double>& values) {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace

/// Grad-CAM changes the network that it explains, so it has one of its own.
struct prediction_service::explainer {
  explicit explainer(loaded_model m) : model(std::move(m)), cam(model.net), input(model.net.input_dims()) {}
  loaded_model model;
  minicnn::grad_cam<float> cam;
  minicnn::tensor<float> input;
};

/// One of the seats at the machine; waits until one is free.
class prediction_service::turn {
 public:
  explicit turn(prediction_service& service) : service_(service) {
    std::unique_lock lock(service_.mutex_);
    service_.freed_.wait(lock, [&] { return !service_.free_.empty(); });
    seat_ = std::move(service_.free_.back());
    service_.free_.pop_back();
  }
  ~turn() {
    const std::lock_guard lock(service_.mutex_);
    service_.free_.push_back(std::move(seat_));
    service_.freed_.notify_one();
  }
  turn(const turn&) = delete;
  turn& operator=(const turn&) = delete;
  seat& operator*() { return *seat_; }

 private:
  prediction_service& service_;
  std::unique_ptr<seat> seat_;
};

prediction_service::prediction_service(const inference_options& o)
    : options_(one_thread(o)), model_(load_for_inference(options_)), tta_(chosen_views(o, model_.info)) {
  const int seats = minicnn::resolve_threads(o.threads);
  for (int i = 0; i < seats; ++i)
    free_.push_back(std::make_unique<seat>(seat{predictor(model_, tta_, o.batch_size), minicnn::image_workspace{}}));
}

prediction_service::~prediction_service() = default;

std::string prediction_service::overlay(const minicnn::image_u8& image, std::size_t named, minicnn::image_workspace& workspace) {
  // One at a time: the picture is small and the answer already there.
  const std::lock_guard lock(explaining_);
  if (explainer_ == nullptr) explainer_ = std::make_unique<explainer>(load_for_inference(options_));
  explainer& e = *explainer_;
  apply(image, model_.info.picture, minicnn::random_key(), false, e.input.data(), workspace);
  const std::vector<index_t> classes{static_cast<index_t>(named)};
  const minicnn::tensor<float> map = e.cam(e.input, classes);
  const index_t own = model_.info.picture.size, side = own * ((320 + own - 1) / own);
  return jpeg_uri(minicnn::overlay(seen_part(image, model_.info.picture, side, workspace), minicnn::view<const float>(map).at(0)),
                  85);
}

std::vector<picture_answer> prediction_service::answer(const std::vector<uploaded_picture>& pictures, bool explain) {
  std::vector<picture_answer> out(pictures.size());
  turn mine(*this);
  minicnn::image_dataset data;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (minicnn::detect_image_format(pictures[i].bytes) == minicnn::image_format::unknown) {
      out[i].is_picture = false;
      out[i].error = pictures[i].bytes.empty() ? "is empty" : "is not a JPEG, PNG or BMP file";
      continue;
    }
    try {
      data.pictures.push_back(minicnn::decode_image(pictures[i].bytes, pictures[i].name));
      data.samples.push_back({pictures[i].name, -1, 0});
      places.push_back(i);
    } catch (const minicnn::file_error& e) {
      out[i].error = without_path(e.what(), pictures[i].name);
    }
  }
  const minicnn::sample_indices all = all_samples(data);
  for (std::size_t done = 0; done < all.size();) {
    const auto count = (std::min)(all.size() - done, static_cast<std::size_t>((*mine).predict.at_once()));
    const auto results = (*mine).predict.run(data, std::span<const index_t>(all.data() + done, count));
    for (std::size_t i = 0; i < count; ++i) {
      picture_answer& a = out[places[done + i]];
      a.error = results[i].reason;
      a.log_probabilities = results[i].log_probabilities;
      if (explain && a.error.empty())
        a.overlay = overlay(data.pictures[done + i], most_probable(a.log_probabilities), (*mine).workspace);
    }
    done += count;
  }
  return out;
}

}  // namespace cli
