#pragma once
// The options of `train` that decide a recipe, for every command that trains.

#include <CLI/CLI.hpp>

#include "recipe.hpp"

namespace cli {

/// Adds --preset, --model, --image-size and what else overrides a preset; absent options leave `o` without a value.
void add_recipe_options(CLI::App& command, recipe_overrides& o);

}  // namespace cli
