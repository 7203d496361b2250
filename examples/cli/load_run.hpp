#pragma once
// A run folder as other commands read it.

#include <minicnn/analysis/paired_test.hpp>
#include <minicnn/report/compare.hpp>
#include <string>

#include "weights.hpp"

namespace cli {

/// What config.json and results.csv of a run say.
struct finished_run {
  std::string folder;
  std::string data;            ///< the folder of pictures, as --data was given to train
  std::string labels;          ///< the same of --labels, or empty
  std::string task;            ///< of --task
  minicnn::compared_run page;  ///< named after the folder
};

/// Reads both files. Throws file_error naming the file that is missing or damaged.
finished_run load_run(const std::string& folder);

/// How a run's best weights judge the pictures that the run was validated on.
struct validated_run {
  std::vector<std::string> classes;
  std::vector<std::uint64_t> pictures;  ///< ids, in the order of `judged`
  minicnn::judged_pictures judged;
  minicnn::index_t unreadable = 0;
};

/// Redoes the split of `folder`/best.safetensors on `data`, with labels from the table `labels` if that is not empty, and
/// predicts its validation part, with the test-time augmentation and temperature that the weights record. Throws file_error for
/// weights that are damaged and minicnn::error for data that does not fit them. Progress goes to standard error.
validated_run validate_run(const std::string& folder, const std::string& data, const std::string& labels, int threads);

}  // namespace cli
