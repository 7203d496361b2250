#pragma once
/// A weights file as a function from pictures to classes.
///
///     const auto cats = load_classifier("best.safetensors");
///     const ranked_class top = cats.predict(load_image("photo.jpg")).front();  // {"dog", 0.98}; load_image: data/image.hpp

#include <concepts>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/model/predictor.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What is not set is as the weights file says.
struct classifier_options {
  std::string tta = {};                    ///< test-time augmentation: none, flip, flip-shift or ten-crop
  std::optional<index_t> image_size = {};  ///< pixels a side, for networks that take any size
  std::optional<double> temperature = {};  ///< divides the logits; above 0
  int threads = 0;                         ///< of one call of `predict`, as in network_options: 0 is all processors
};

/// A trained network with all that a weights file says about it. Copies share it. Answers are those of `minicnn predict`.
template <class T = float>
class classifier {
 public:
  /// Throws option_error for options that the model cannot have.
  MINICNN_COLD explicit classifier(loaded_model<T> model, const classifier_options& o = {})
      : shared_(std::make_shared<const contents>(std::move(model), o)) {}

  /// What the weights file says, with the options in place.
  const model_info& info() const { return shared_->model.info; }
  /// Names of the classes in the order of the network's outputs.
  const std::vector<std::string>& classes() const { return info().classes; }
  const network<T>& net() const { return shared_->model.net; }

  /// All classes, the most probable first. The picture has any size; colours become grey, and grey three equal channels, as the
  /// network wants it. Any number of threads may call it at once; a server takes `threads` = 1 and as many callers as it has
  /// processors. Throws error if the network's outputs are not finite.
  std::vector<ranked_class> predict(const image_u8& picture) const { return std::move(predict({&picture, 1}).front()); }

  /// The same for several pictures, which takes less time than one after the other.
  MINICNN_COLD std::vector<std::vector<ranked_class>> predict(std::span<const image_u8> pictures) const;

 private:
  struct contents {
    contents(loaded_model<T> m, const classifier_options& o)
        : model(configured(std::move(m), o)), predict(model, {.tta = o.tta}) {}
    static loaded_model<T> configured(loaded_model<T> m, const classifier_options& o) {
      if (!m.info.task.classifies()) fail<option_error>("classifier: the outputs are of a task to ", m.info.task.kind);
      if (o.temperature) m.info.temperature = *o.temperature;
      try {
        detail::check_temperature(m.info);
      } catch (const error& e) {
        fail<option_error>("temperature: ", e.what());
      }
      if (o.image_size) set_image_size(m, *o.image_size);
      return m;
    }
    loaded_model<T> model;
    predictor<T> predict;
  };

  /// The picture in as many channels as the network takes.
  const image_u8& converted(const image_u8& picture, image_workspace& workspace) const {
    const int wanted = info().config.channels;
    if (picture.height < 1 || picture.width < 1 ||
        picture.pixels.size() != static_cast<std::size_t>(picture.height * picture.width * picture.channels))
      fail<shape_error>("picture of ", picture.height, " x ", picture.width, " pixels and ", picture.channels, " channels has ",
                        picture.pixels.size(), " bytes");
    if (picture.channels == wanted) return picture;
    if (!(picture.channels == 3 && wanted == 1) && !(picture.channels == 1 && wanted == 3)) return picture;
    workspace.image = picture;
    set_channels(workspace.image, wanted);
    return workspace.image;
  }

  std::shared_ptr<const contents> shared_;
};

template <class T>
std::vector<std::vector<ranked_class>> classifier<T>::predict(std::span<const image_u8> pictures) const {
  const predictor<T>& predict = shared_->predict;
  std::vector<std::vector<ranked_class>> out;
  for (std::size_t done = 0; done < pictures.size();) {
    const auto part = pictures.subspan(done, (std::min)(pictures.size() - done, static_cast<std::size_t>(predict.at_once())));
    const auto results =
        predict.run(static_cast<index_t>(part.size()), [&](index_t i, image_workspace& workspace) -> const image_u8& {
          return converted(part[static_cast<std::size_t>(i)], workspace);
        });
    for (const auto& r : results) {
      if (!r.reason.empty()) fail("picture ", out.size(), ": ", r.reason);
      out.push_back(ranking(r.log_probabilities, classes()));
    }
    done += part.size();
  }
  return out;
}

/// Opens a weights file that `save_model`, `minicnn train` or `minicnn import` wrote. Throws file_error naming the file and what
/// is missing or wrong in it, and option_error for options that the model cannot have.
template <class T = float>
MINICNN_COLD classifier<T> load_classifier(const std::string& path, const classifier_options& o = {}) {
  return classifier<T>(load_model<T>(path, o.threads), o);
}

/// The same for the one network that `make` builds: see `load_model`.
template <class T = float, std::invocable<const model_config&, const network_options&> Make>
classifier<T> load_classifier(const std::string& path, const Make& make, const classifier_options& o = {}) {
  return classifier<T>(load_model<T>(safetensors_file::open(path), o.threads, make), o);
}

MINICNN_COMPILED_CLASS(classifier);
MINICNN_COMPILED_FUNCTION(load_classifier);

}  // namespace minicnn::inline MINICNN_ABI
