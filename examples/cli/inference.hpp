#pragma once
// What evaluate, predict and submit share: options, the views of test-time augmentation, and probabilities.

#include <CLI/CLI.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/model/predictor.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data_source.hpp"
#include "weights.hpp"

namespace cli {

struct inference_options {
  std::string weights;
  std::optional<std::string> tta;  ///< absent: what the weights file says
  std::optional<int> image_size;   ///< absent: what the weights file says
  std::optional<double> temperature;
  int batch_size = evaluation_batch_size;
  int threads = 0;
};

/// Adds --weights (required), --tta, --image-size, --temperature, --batch-size and --threads.
void add_inference_options(CLI::App& command, inference_options& o);

/// The model of --weights, evaluated at --image-size with --temperature where they are given. Throws usage_error for a size that
/// this network does not take.
loaded_model load_for_inference(const inference_options& o);

/// The name of the test-time augmentation that counts: the option's or the file's.
std::string chosen_views(const inference_options& o, const model_info& info);

/// `text` without the path that file_error puts before the reason.
std::string without_path(const std::string& text, const std::string& path);

using predictor = minicnn::predictor<float>;

/// Predicts with the model, which must outlive it and not move. Throws usage_error if the file's pictures have no margin for ten
/// crops, or have several sizes (`keep_size`).
predictor predictor_of(const loaded_model& model, const std::string& tta, int batch_size, bool keep_size = false);

/// One result for each of the samples `chosen` of `data`, in their order, as predictor::run; reasons are without the path.
std::vector<predictor::result> predict_samples(const predictor& predict, const minicnn::image_dataset& data,
                                               std::span<const minicnn::index_t> chosen);

/// The same where pictures are answered for one by one: if memory does not suffice for all of them together they are taken
/// singly, and one for which it does not suffice even so has that for its reason, which says nothing about the picture.
std::vector<predictor::result> predict_what_fits(const predictor& predict, const minicnn::image_dataset& data,
                                                 std::span<const minicnn::index_t> chosen);

}  // namespace cli
