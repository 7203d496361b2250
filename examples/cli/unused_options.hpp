#pragma once
// Options that change nothing with the others as they are.

#include <minicnn/data/dataset.hpp>
#include <string>
#include <vector>

#include "recipe.hpp"

namespace cli {

/// A line for each option of `o` that was given and changes nothing in `r`, which is made of it and of `data`; presets' own are
/// not told. Takes these out of `r` again, so that a run can be resumed without them.
std::vector<std::string> drop_unused_options(recipe& r, const recipe_overrides& o, const minicnn::image_dataset& data);

/// Warns of each.
void warn_of_unused_options(recipe& r, const recipe_overrides& o, const minicnn::image_dataset& data);

}  // namespace cli
