#pragma once
// ONNX models of other programs as weights files.

#include <minicnn/data/transform.hpp>
#include <optional>
#include <string>
#include <vector>

namespace cli {

/// What `minicnn import` was told about an ONNX model; empty: the model's metadata, or the usual, decide.
struct onnx_import_request {
  std::string from, out;
  std::vector<std::string> class_names;
  int image_size = 0;
  std::string mean, deviation;  ///< one number, or one a channel with commas between
  int range = 0;                ///< 1: pixels from 0 to 1 (torchvision); 255: from 0 to 255
  std::string layout;           ///< nchw or nhwc; empty: told by the shape of the input
  bool no_batch = false;        ///< the model takes one picture, (c, h, w)
};

/// Writes the weights file. Throws minicnn::file_error for a model that cannot be expressed, usage_error for options that do not
/// fit it.
int import_onnx(const onnx_import_request& o);

/// As torchvision prepares pictures for its own weights: the shorter side resized to 8/7 of the window, ImageNet's statistics.
minicnn::image_transform imagenet_pictures(minicnn::index_t size);

}  // namespace cli
