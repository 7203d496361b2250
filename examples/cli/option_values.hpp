#pragma once
// The values of options: one grammar for all commands. Numbers are decimal and finite (minicnn/core/number.hpp) and within bounds
// that the message names; no value is empty; names are of a list. What is refused ends with exit code 2 and one line: the option,
// what was wanted, what was got.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace cli {

/// A number from `low` to `high`. Give these to Option::transform: the value goes on in its plainest form.
CLI::Validator number_from(double low, double high);

/// A number from `low` to below `high`.
CLI::Validator number_below(double low, double high);

/// A whole number from `low` to `high`.
CLI::Validator whole_from(std::int64_t low, std::int64_t high);

/// --threads, and --workers, which load pictures.
void add_thread_options(CLI::App& command, int& threads, int& workers);
void add_worker_option(CLI::App& command, int& workers);

/// A whole number that fits into 64 bits without a sign.
CLI::Validator any_seed();

/// One of these words.
CLI::Validator one_of(std::vector<std::string> words);

/// What `read` takes without throwing option_error, whose text is the message.
CLI::Validator readable_by(std::function<void(const std::string&)> read);

/// Numbers by the grammar for every option of every command, also where no bounds were given. To be called once all options are
/// there.
void check_all_values(CLI::App& app);

/// Throws usage_error for what CLI11 would pass over or take for something else: an empty argument (a variable of a script that
/// is not set), "--out=", whose value it would look for in the next argument, files like "-x.jpg", and names after -- for a
/// command that takes none. Returns the arguments as App::parse takes them, the last one first, where all that stands after --
/// are names.
std::vector<std::string> check_arguments(CLI::App& app, int argc, const char* const* argv);

}  // namespace cli
