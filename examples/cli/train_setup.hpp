#pragma once
// From a recipe to what training runs on: transforms, optimizer, descriptions.

#include <memory>
#include <minicnn/data/dataset.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/data/transform.hpp>
#include <minicnn/train/optimizer.hpp>
#include <minicnn/train/team.hpp>
#include <span>
#include <vector>

#include "recipe.hpp"

namespace cli {

/// How pictures are fed to the network outside of training, but for what follows their colours.
minicnn::image_transform evaluation_transform(const recipe& r);

/// Where the recipe subtracts the training pictures' mean, or divides by their deviation too: reads those that are `readable`.
void normalize_by_colours(minicnn::image_transform& t, const recipe& r, const minicnn::image_dataset& data,
                          std::span<const minicnn::index_t> readable, int threads, minicnn::team& ranks);

/// The same with the recipe's augmentation. Reads some of the training pictures where it follows their colours.
minicnn::image_transform training_transform(const recipe& r, minicnn::image_transform t, const minicnn::image_dataset& data,
                                            const minicnn::data_split& split, int threads, minicnn::team& ranks);

std::unique_ptr<minicnn::optimizer<float>> make_optimizer(const recipe& r, minicnn::network<float>& net);

/// The name of the first convolution. Throws usage_error if there is none.
const std::string& first_convolution(const minicnn::network<float>& net);

/// Gives the first convolution filters that whiten the training pictures' patches, and fixes them. `bad`: pictures that cannot be
/// read; `how`: of evaluation.
void whiten_first_layer(minicnn::network<float>& net, const minicnn::image_dataset& data, const minicnn::sample_indices& training,
                        const std::vector<minicnn::bad_file>& bad, const minicnn::loader_options& how, minicnn::team& ranks);

/// Images per class of the two parts, as rows for a report.
std::vector<std::pair<std::string, std::string>> count_rows(const minicnn::image_dataset& data, const minicnn::data_split& split);

/// Images per class, to standard error.
void print_counts(const minicnn::image_dataset& data, const minicnn::data_split& split);

}  // namespace cli
