#include "prediction_service.hpp"

#include <algorithm>
#include <minicnn/data/image_format.hpp>

#include "picture_encoding.hpp"

#include "task_choice.hpp"

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

struct prediction_service::explainer {
  explicit explainer(const minicnn::network<float>& net) : cam(net), input(net.input_dims()) {}
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

pixel_budget::share::share(pixel_budget& budget, std::int64_t pixels)
    : budget_(budget), pixels_((std::min)(pixels, budget.most_)) {
  std::unique_lock lock(budget_.mutex_);
  const std::uint64_t mine = budget_.next_++;
  budget_.changed_.wait(lock, [&] { return budget_.served_ == mine && budget_.left_ >= pixels_; });
  budget_.served_ += 1;
  budget_.left_ -= pixels_;
  budget_.changed_.notify_all();
}

pixel_budget::share::~share() {
  {
    const std::lock_guard lock(budget_.mutex_);
    budget_.left_ += pixels_;
  }
  budget_.changed_.notify_all();
}

prediction_service::prediction_service(const inference_options& o, std::int64_t max_pixels)
    : model_(load_for_inference(one_thread(o))), tta_(chosen_views(o, model_.info)), decoding_(max_pixels) {
  want_classification(model_.info, "serve");
  const int seats = minicnn::resolve_threads(o.threads);
  for (int i = 0; i < seats; ++i)
    free_.push_back(std::make_unique<seat>(seat{predictor_of(model_, tta_, o.batch_size), minicnn::image_workspace{}}));
}

prediction_service::~prediction_service() = default;

std::string prediction_service::overlay(const minicnn::image_u8& image, std::size_t named, minicnn::image_workspace& workspace) {
  // One at a time: the picture is small and the answer already there.
  const std::lock_guard lock(explaining_);
  if (explainer_ == nullptr) explainer_ = std::make_unique<explainer>(model_.net);
  explainer& e = *explainer_;
  apply(image, model_.info.transform, minicnn::random_key(), false, e.input.data(), workspace);
  const std::vector<index_t> classes{static_cast<index_t>(named)};
  const minicnn::tensor<float> map = e.cam(e.input, classes);
  const index_t own = model_.info.transform.size, side = own * ((320 + own - 1) / own);
  const minicnn::rgb_picture seen = seen_part(image, model_.info.transform, side, workspace);
  const minicnn::rgb_picture explained = minicnn::overlay(seen, minicnn::view<const float>(map).at(0));
  return jpeg_uri(explained, 85);
}

picture_answer prediction_service::answer_one(seat& mine, const uploaded_picture& picture, bool explain) {
  picture_answer out;
  if (minicnn::detect_image_format(picture.bytes) == minicnn::image_format::unknown) {
    out.is_picture = false;
    out.error = picture.bytes.empty() ? "is empty" : "is not a JPEG, PNG or BMP file";
    return out;
  }
  const pixel_budget::share share(decoding_, picture.pixels);
  minicnn::image_dataset data;
  try {
    data.pictures.push_back(minicnn::decode_image(picture.bytes, picture.name));
  } catch (const minicnn::file_error& e) {
    out.error = without_path(e.what(), picture.name);
    return out;
  }
  data.samples.push_back({picture.name, -1, 0});
  const minicnn::sample_indices one = all_samples(data);
  predictor::result result = predict_samples(mine.predict, data, one).front();
  out.error = result.reason;
  out.log_probabilities = std::move(result.log_probabilities);
  if (explain && out.error.empty())
    out.overlay = overlay(data.pictures.front(), most_probable(out.log_probabilities), mine.workspace);
  return out;
}

std::vector<picture_answer> prediction_service::answer(const std::vector<uploaded_picture>& pictures, bool explain,
                                                       const std::function<bool()>& given_up) {
  std::vector<picture_answer> out(pictures.size());
  turn mine(*this);
  for (std::size_t i = 0; i < pictures.size() && !given_up(); ++i) out[i] = answer_one(*mine, pictures[i], explain);
  return out;
}

}  // namespace cli
