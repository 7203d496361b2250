#pragma once
// Options that change nothing with the others as they are.

#include <string>
#include <vector>

#include "recipe.hpp"

namespace cli {

/// A line for each option of `o` that was given and changes nothing in `r`, which is made of it and of pictures of so many
/// channels; presets' own are not told.
std::vector<std::string> unused_options(const recipe& r, const recipe_overrides& o, int channels);

/// Warns of each.
void warn_of_unused_options(const recipe& r, const recipe_overrides& o, int channels);

}  // namespace cli
