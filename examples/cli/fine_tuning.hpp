#pragma once
// Training that begins with another network's weights: which of them it takes, what stays fixed, what learns faster or slower.

#include <minicnn/data/dataset.hpp>
#include <minicnn/train/optimizer.hpp>
#include <string>
#include <vector>

#include "recipe.hpp"

namespace cli {

/// Where the file of --init-from is one of ours, what it says about its network fills what no option says: model, padded and
/// pooled. A run that is resumed (`run` is its folder, else empty) says so itself where the file is gone. Throws usage_error if
/// --model names another network, and minicnn::error if the file cannot be read.
void adopt_model(recipe_overrides& o, const std::string& run = "");

/// Gives the pictures as many channels as --channels says, or else as the network of --init-from has, or else leaves them alone.
void choose_channels(minicnn::image_dataset& data, const recipe_overrides& o);

/// Reads the file into `net`, all but heads of other shapes or for other classes, and puts its checksum into the recipe. Returns
/// what was taken and what is new, in words. Throws minicnn::file_error naming every tensor that does not fit.
std::string begin_with_weights(minicnn::network<float>& net, recipe& r, const std::string& path,
                               const minicnn::image_dataset& data);

/// "crc32:" and eight digits: what a recipe records of a file.
std::string checksum_of(const std::string& path);

/// For a run that is resumed when the file of --init-from is gone: its checksum, from the run's last.safetensors.
std::string recorded_checksum(const std::string& run);

/// The recipe of the run in a folder, as its last.safetensors says it; an empty object without one.
minicnn::json recorded_recipe(const std::string& run);

/// Fixes the recipe's frozen layers. Returns how many parameters still learn, in words, or nothing without such layers. Throws
/// usage_error for a name that no layer has, and if nothing is left to train.
std::string freeze_layers(minicnn::network<float>& net, const recipe& r);

/// Gives the recipe's groups their rates. Throws usage_error for a name that no layer has or whose layers are all frozen.
void set_group_rates(minicnn::optimizer<float>& optimizer, const minicnn::network<float>& net, const recipe& r);

/// Splits "PREFIX:FACTOR". Throws minicnn::option_error for another text and for a factor outside 0 to 1e6, 0 excluded.
struct group_rate {
  std::string prefix;
  double factor = 1;
};
group_rate parse_group_rate(const std::string& text);

}  // namespace cli
