#include "prediction_service.hpp"

#include <algorithm>
#include <minicnn/data/image_format.hpp>

#include "import_weights.hpp"
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

prediction_service::prediction_service(const inference_options& o, std::int64_t max_pixels)
    : model_(load_for_inference(one_thread(o))),
      tta_(chosen_views(o, model_.info)),
      turns_(minicnn::resolve_threads(o.threads), max_pixels) {
  want_classification(model_.info, "serve");
  if (minicnn::is_quantized(model_.net))  // which has no gradients
    no_overlay_ = about_quantized(minicnn::safetensors_file::open(o.weights), "it explains nothing");
  for (int i = 0; i < minicnn::resolve_threads(o.threads); ++i)
    seats_.push_back(std::make_unique<seat>(seat{predictor_of(model_, tta_, o.batch_size), minicnn::image_workspace{}}));
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
  if (!explain || !out.error.empty()) return out;
  out.no_overlay = no_overlay_;
  if (no_overlay_.empty()) out.overlay = overlay(data.pictures.front(), most_probable(out.log_probabilities), mine.workspace);
  return out;
}

std::vector<picture_answer> prediction_service::answer(const std::vector<uploaded_picture>& pictures, bool explain,
                                                       const std::function<bool()>& given_up) {
  std::vector<picture_answer> out(pictures.size());
  for (std::size_t i = 0; i < pictures.size() && !given_up(); ++i) {
    const turns::turn mine(turns_, pictures[i].pixels, explain);
    if (!given_up()) out[i] = answer_one(*seats_[static_cast<std::size_t>(mine.seat())], pictures[i], explain);
  }
  return out;
}

}  // namespace cli
