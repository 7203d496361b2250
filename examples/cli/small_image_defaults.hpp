#pragma once
// The recipes `best`, `deep` and `quick` for pictures of a few dozen pixels: MNIST and its kin, CIFAR-10.

#include <minicnn/data/dataset.hpp>
#include <string>

#include "recipe.hpp"

namespace cli {

/// Pixels of the longer side of the first picture; 0 if there is none that can be read.
minicnn::index_t small_side(const minicnn::image_dataset& data);

/// Changes what one of these presets says, where no option says otherwise, if the pictures have at most 64 pixels a side: the
/// model's own size, reached by black borders where few pixels lack; mean and deviation of the data; crops that move the picture
/// by an eighth of its side; no colour changes; and no mirror images where classes are called by single characters, as digits and
/// letters have a left and a right. Returns what was chosen in words, empty for other pictures and presets. Opens one picture if
/// they are in files.
std::string apply_small_image_defaults(recipe& r, const recipe_overrides& o, const minicnn::image_dataset& data);

}  // namespace cli
