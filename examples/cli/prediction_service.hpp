#pragma once
// Predictions for many callers at once: what serve does behind its door.

#include <functional>
#include <memory>
#include <minicnn/analysis/grad_cam.hpp>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "inference.hpp"
#include "turns.hpp"

namespace cli {

/// A picture file in memory of the caller.
struct uploaded_picture {
  std::string name;
  std::span<const unsigned char> bytes;
  std::int64_t pixels = 0;  ///< as its header says, in the memory of 8-bit RGB; 0: nothing that can be read
};

/// What came of it.
struct picture_answer {
  std::vector<double> log_probabilities;  ///< of each class; empty if there is an error
  std::string error;                      ///< why there is no answer, without the name
  bool is_picture = true;                 ///< false: the bytes are not those of a JPEG, PNG or BMP file at all
  std::string overlay;                    ///< Grad-CAM of the most probable class as a data URI, if asked for
  std::string no_overlay;                 ///< why there is none although it was asked for
};

class prediction_service {
 public:
  /// Reads the weights. At most `o.threads` callers (0: as many as processors) compute at the same time, each on one thread with
  /// memory of its own; the others wait, by pictures and not by requests (turns.hpp). Large pictures that are decoded at the same
  /// time have together at most `max_pixels`. Throws minicnn::error.
  prediction_service(const inference_options& o, std::int64_t max_pixels);
  ~prediction_service();

  const model_info& info() const { return model_.info; }
  const std::string& views() const { return tta_; }

  /// One answer a picture, in their order, with the bits that `minicnn predict --batch-size 1` has for it. One picture at a time
  /// is decoded and forgotten. Between pictures `given_up` is asked: true ends it, and what is missing has neither answer nor
  /// error. May be called from any thread. Throws minicnn::error if the network's outputs are not finite.
  std::vector<picture_answer> answer(const std::vector<uploaded_picture>& pictures, bool explain,
                                     const std::function<bool()>& given_up);

 private:
  struct explainer;
  struct seat {
    predictor predict;
    minicnn::image_workspace workspace;
  };

  picture_answer answer_one(seat& mine, const uploaded_picture& picture, bool explain);
  std::string overlay(const minicnn::image_u8& image, std::size_t named, minicnn::image_workspace& workspace);

  std::string no_overlay_;    ///< why these weights explain nothing; empty: they do
  const loaded_model model_;  ///< shared by all callers and the explainer
  std::string tta_;
  turns turns_;
  std::vector<std::unique_ptr<seat>> seats_;
  std::mutex explaining_;
  std::unique_ptr<explainer> explainer_;  ///< made when first asked for
};

}  // namespace cli
