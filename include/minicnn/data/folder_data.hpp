#pragma once
/// A folder of pictures ready to train on: found, split, loaded.

#include <cstdint>
#include <string>

#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"

namespace minicnn::inline MINICNN_ABI {

struct folder_data_options {
  index_t image_size = 128;
  index_t batch_size = 32;
  double val_fraction = 0.1;  ///< held back, stratified; above 0
  std::uint64_t seed = 0;     ///< of split, order and augmentation
  int workers = 1;            ///< threads that load pictures
  /// Mirror images and random crops of the training pictures.
  bool augment = true;
};

/// Pictures in the layouts of `read_image_folder`, normalised with ImageNet's mean and deviation. Not movable: its loaders refer
/// to its list of pictures.
class folder_data {
 public:
  /// Throws file_error for a folder without labelled pictures and option_error for options outside their range.
  explicit folder_data(const std::string& path, folder_data_options o = {})
      : pictures(read_image_folder(path)),
        split(stratified_split(pictures, all_samples(pictures), o.val_fraction, o.seed)),
        train(pictures, split.train, loading(o, true)),
        validation(pictures, split.validation, loading(o, false)) {}

  const image_dataset pictures;
  const data_split split;
  loader<float> train, validation;

  int classes() const { return static_cast<int>(pictures.classes.size()); }

 private:
  static loader_options loading(const folder_data_options& o, bool training) {
    loader_options out;
    out.batch_size = training ? o.batch_size : 64;
    out.transform.size = o.image_size;
    out.transform.normalize = {{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, 1.0F / 255};
    if (training && o.augment) {
      out.transform.augment.flip = 0.5;
      out.transform.augment.crop = crop_mode::random_resized;
      out.transform.augment.crop_area = {0.5, 1.0};
    }
    out.training = training;
    out.seed = o.seed;
    out.workers = o.workers;
    return out;
  }
};

}  // namespace minicnn::inline MINICNN_ABI
