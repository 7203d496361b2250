#pragma once
// From a recipe to what training runs on: transforms, optimizer, descriptions.

#include <memory>
#include <minicnn/data/dataset.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/data/transform.hpp>
#include <minicnn/train/optimizer.hpp>

#include "recipe.hpp"

namespace cli {

/// How pictures are fed to the network outside of training. Reads the training pictures where the recipe subtracts their mean.
minicnn::image_transform evaluation_transform(const recipe& r, const minicnn::image_dataset& data,
                                              const minicnn::data_split& split, int threads, bool skip_bad);

/// The same with the recipe's augmentation. Reads some of the training pictures where it follows their colours.
minicnn::image_transform training_transform(const recipe& r, minicnn::image_transform t, const minicnn::image_dataset& data,
                                            const minicnn::data_split& split, int threads);

std::unique_ptr<minicnn::optimizer<float>> make_optimizer(const recipe& r, minicnn::network<float>& net);

/// The name of the first convolution. Throws usage_error if there is none.
const std::string& first_convolution(const minicnn::network<float>& net);

/// Gives the first convolution filters that whiten the training pictures' patches, and fixes them. `how`: of evaluation.
void whiten_first_layer(minicnn::network<float>& net, const minicnn::image_dataset& data, const minicnn::data_split& split,
                        const minicnn::loader_options& how);

/// Images per class of the two parts, as rows for a report.
std::vector<std::pair<std::string, std::string>> count_rows(const minicnn::image_dataset& data, const minicnn::data_split& split);

/// Images per class, to standard error.
void print_counts(const minicnn::image_dataset& data, const minicnn::data_split& split);

}  // namespace cli
