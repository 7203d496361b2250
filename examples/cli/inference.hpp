#pragma once
// What evaluate, predict and submit share: options, the views of test-time augmentation, and probabilities.

#include <CLI/CLI.hpp>
#include <minicnn/core/tensor.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/graph/session.hpp>
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
std::string chosen_views(const inference_options& o, const weights_info& info);

/// `text` without the path that file_error puts before the reason.
std::string without_path(const std::string& text, const std::string& path);

/// Returns log softmax(logits / temperature) of each row of `classes` values.
std::vector<double> log_softmax(std::span<const float> logits, minicnn::index_t classes, double temperature);

/// Predicts pictures a batch at a time.
class predictor {
 public:
  /// What came of one picture.
  struct result {
    std::vector<double> log_probabilities;  ///< of each class; empty if the picture could not be read
    std::string reason;                     ///< why not, without its path
  };

  /// `model` must outlive it. Probabilities are averaged over the views of `tta`; throws usage_error if the file's pictures
  /// have no margin for ten crops. With `keep_size` a picture is neither resized nor cut, and goes through the network alone.
  predictor(const loaded_model& model, const std::string& tta, int batch_size, bool keep_size = false);

  minicnn::index_t views() const { return static_cast<minicnn::index_t>(views_.size()); }

  /// Pictures that one call of `run` should be given: a batch, all views counted.
  minicnn::index_t at_once() const { return at_once_; }

  /// One result for each of the samples `chosen` of `data`, in their order. All threads decode, then all compute. Logarithms are
  /// kept because a certain mistake still has a finite log loss then. Throws minicnn::error if the network's outputs are not
  /// finite.
  std::vector<result> run(const minicnn::image_dataset& data, std::span<const minicnn::index_t> chosen);

 private:
  result run_alone(minicnn::picture_source& source, minicnn::index_t chosen);
  std::string prepare(const minicnn::image_u8& image, float* out, minicnn::image_workspace& workspace) const;

  const loaded_model& model_;
  std::vector<minicnn::image_transform> views_;
  minicnn::index_t at_once_, image_elements_;
  minicnn::tensor<float> input_;
  std::vector<minicnn::image_workspace> workspaces_;
  minicnn::session<float> session_;
  bool keep_size_;
};

}  // namespace cli
