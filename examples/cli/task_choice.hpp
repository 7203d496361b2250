#pragma once
// From --task and --labels to what is trained and measured.

#include <memory>
#include <minicnn/data/dataset.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/train/task.hpp>
#include <string>
#include <vector>

#include "recipe.hpp"
#include "weights.hpp"

namespace cli {

inline constexpr const char* labels_help =
    "CSV with the pictures' labels: id,label (classify); id and a column of 0 and 1 a label, or one of names (multilabel); id "
    "and "
    "columns of numbers (regress); ids are paths or names of files (default: as the layouts of --data have them; labels.csv or "
    "trainLabels.csv there)";

/// Pictures with what `task` wants to know of them: for classify, without `labels`, as `open_data` reads them. Throws usage_error
/// where a task that wants a table has none.
minicnn::image_dataset open_task_data(const std::string& path, const std::string& labels, const std::string& task,
                                      minicnn::data_part part = minicnn::data_part::train, bool quiet = false);

/// The same for commands that do without labels: a table beside the pictures that does not fit `task` is told, and they are read
/// without. What is wrong with `labels` is thrown.
minicnn::image_dataset open_labelled(const std::string& path, minicnn::data_part part, const std::string& labels = "",
                                     const std::string& task = "classify");

/// The names of a network's outputs: classes, labels or targets.
const std::vector<std::string>& output_names(const minicnn::image_dataset& data);

/// Throws minicnn::error unless the targets of `data` are those that the weights predict, in their order.
void match_targets(const minicnn::image_dataset& data, const model_info& info);

/// Class weights of --class-weights, "balanced" or a CSV file (class,weight), for the outputs of `data`. For multilabel they
/// weigh what is there against what is not (PyTorch's pos_weight). Empty: none.
std::vector<double> class_weights(const recipe& r, const minicnn::image_dataset& data, const minicnn::data_split& split);

/// The scaling of regress: that of the training part.
minicnn::task_info info_of_task(const recipe& r, const minicnn::image_dataset& data, const minicnn::data_split& split);

/// What training, or with an empty recipe evaluation, measures by.
std::unique_ptr<minicnn::task<float>> make_task(const minicnn::task_info& info, double label_smoothing = 0,
                                                std::vector<double> weights = {});

/// Throws usage_error where weights are not of a classification.
void want_classification(const model_info& info, const char* command);

}  // namespace cli
