#pragma once
// Networks chosen on the command line: --model, --classes, --image-size.

#include <CLI/CLI.hpp>
#include <minicnn/model/registry.hpp>

#include "weights.hpp"

namespace cli {

/// Adds the three options and returns --model.
CLI::Option* add_model_options(CLI::App& command, model_config& o);

/// The network. Throws usage_error if no such network can be built: those options are then at fault.
minicnn::network<float> resolve_model(const model_config& o, int threads, std::uint64_t seed = 0, bool initialize = true);

}  // namespace cli
