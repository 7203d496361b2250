#pragma once
// Predictions for many callers at once: what serve does behind its door.

#include <condition_variable>
#include <memory>
#include <minicnn/analysis/grad_cam.hpp>
#include <mutex>
#include <string>
#include <vector>

#include "inference.hpp"

namespace cli {

/// A picture file in memory.
struct uploaded_picture {
  std::string name;
  std::vector<unsigned char> bytes;
};

/// What came of it.
struct picture_answer {
  std::vector<double> log_probabilities;  ///< of each class; empty if there is an error
  std::string error;                      ///< why there is no answer, without the name
  bool is_picture = true;                 ///< false: the bytes are not those of a JPEG, PNG or BMP file at all
  std::string overlay;                    ///< Grad-CAM of the most probable class as a data URI, if asked for
};

class prediction_service {
 public:
  /// Reads the weights. At most `o.threads` callers (0: as many as processors) compute at the same time, each on one thread with
  /// memory of its own; the others wait. Throws minicnn::error.
  explicit prediction_service(const inference_options& o);
  ~prediction_service();

  const weights_info& info() const { return model_.info; }
  const std::string& views() const { return tta_; }

  /// One answer a picture, in their order, with the bits that `minicnn predict` has for the same pictures in one batch. May be
  /// called from any thread. Throws minicnn::error if the network's outputs are not finite.
  std::vector<picture_answer> answer(const std::vector<uploaded_picture>& pictures, bool explain);

 private:
  class turn;
  struct explainer;
  struct seat {
    predictor predict;
    minicnn::image_workspace workspace;
  };

  std::string overlay(const minicnn::image_u8& image, std::size_t named, minicnn::image_workspace& workspace);

  inference_options options_;
  loaded_model model_;
  std::string tta_;
  std::vector<std::unique_ptr<seat>> free_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::mutex explaining_;
  std::unique_ptr<explainer> explainer_;  ///< made when first asked for: it holds a second copy of the network
};

}  // namespace cli
