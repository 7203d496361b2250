#include "inference.hpp"

#include <new>

#include "commands.hpp"
#include "option_values.hpp"

namespace cli {

using minicnn::index_t;

void add_inference_options(CLI::App& command, inference_options& o) {
  command.add_option("--weights", o.weights, "weights file that train wrote")->required();
  command
      .add_option("--tta", o.tta,
                  "test-time augmentation: none, flip, flip-shift or ten-crop (default: what the weights file says)")
      ->transform(one_of({"none", "flip", "flip-shift", "ten-crop"}));
  command
      .add_option("--image-size", o.image_size,
                  "pixels a side, for networks that take any size (default: what the weights file says)")
      ->transform(whole_from(1, largest_image_size));
  command.add_option("--temperature", o.temperature, "divides the logits (default: what the weights file says)")
      ->transform(number_from(minicnn::least_temperature, minicnn::most_temperature));
  command.add_option("--batch-size", o.batch_size, "pictures at once")->transform(whole_from(1, 65536))->capture_default_str();
  command.add_option("--threads", o.threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
}

loaded_model load_for_inference(const inference_options& o) {
  loaded_model model = load_model(o.weights, o.threads);
  if (o.temperature) model.info.temperature = *o.temperature;
  if (o.image_size) try {
      minicnn::set_image_size(model, *o.image_size);
    } catch (const minicnn::error& e) {
      throw usage_error(minicnn::text_of("--image-size ", *o.image_size, ": ", e.what()));
    }
  return model;
}

std::string chosen_views(const inference_options& o, const model_info& info) { return o.tta.value_or(info.tta); }

std::string without_path(const std::string& text, const std::string& path) {
  return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
}

predictor predictor_of(const loaded_model& model, const std::string& tta, int batch_size, bool keep_size) {
  if (keep_size && (tta == "ten-crop" || tta == "flip-shift"))
    throw usage_error("--keep-size: goes with --tta none or flip, not with " + tta);
  try {
    return predictor(model, {.tta = tta, .batch_size = batch_size, .keep_size = keep_size});
  } catch (const minicnn::option_error& e) {
    throw usage_error(std::string("--") + e.what());
  }
}

std::vector<predictor::result> predict_samples(const predictor& predict, const minicnn::image_dataset& data,
                                               std::span<const index_t> chosen) {
  minicnn::picture_source source(data);
  auto results = predict.run(static_cast<index_t>(chosen.size()),
                             [&](index_t i, minicnn::image_workspace& workspace) -> const minicnn::image_u8& {
                               return source.get(chosen[static_cast<std::size_t>(i)], workspace);
                             });
  for (std::size_t i = 0; i < chosen.size(); ++i)
    results[i].reason = without_path(results[i].reason, data.samples[static_cast<std::size_t>(chosen[i])].path);
  return results;
}

std::vector<predictor::result> predict_what_fits(const predictor& predict, const minicnn::image_dataset& data,
                                                 std::span<const index_t> chosen) {
  try {
    try {
      return predict_samples(predict, data, chosen);  // what it worked with is freed when it throws
    } catch (const minicnn::length_error&) {
      throw std::bad_alloc();
    }
  } catch (const std::bad_alloc&) {
    if (chosen.size() == 1) return {{{}, "not enough memory for this picture"}};
  }
  std::vector<predictor::result> results;
  for (const index_t i : chosen) results.push_back(predict_what_fits(predict, data, {&i, 1}).front());
  return results;
}

}  // namespace cli
