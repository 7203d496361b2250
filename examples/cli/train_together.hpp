#pragma once
// A training by this process, or by all that were started with it.

#include "recipe.hpp"
#include "training.hpp"

namespace cli {

/// Returns the exit code, the same on all processes.
int train(const train_options& o, const recipe& r);

}  // namespace cli
