#pragma once
// Recipes with a name, for --preset. docs/recipes.md says what each of them reaches.

#include <string>
#include <vector>

#include "recipe.hpp"

namespace cli {

/// What each preset stands for, in words.
extern const char* const preset_help;

const std::vector<std::string>& preset_names();

/// Throws option_error for an unknown name.
recipe preset(const std::string& name);

/// The preset is one of `best`, `deep` and `quick`, which take any network and adapt to small pictures.
bool suits_any_pictures(const std::string& preset);

}  // namespace cli
