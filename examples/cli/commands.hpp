#pragma once
// The commands of the program. Each adds its subcommand with its options; parsing a command line that names it runs the
// subcommand's callback, which interprets the options and puts what is to be done into `chosen`; main runs that.
//
//     void add_example(CLI::App& app, action& chosen) {
//       auto o = std::make_shared<example_options>();
//       CLI::App* command = app.add_subcommand("example", "what it does");
//       command->add_option("--count", o->count, "how many");
//       command->callback([o, &chosen] {
//         if (o->count < 1) throw usage_error("--count ...");  // ends with exit code 2, as option_error does here
//         chosen = [o] { return run_example(*o); };            // what this throws ends with exit code 1
//       });
//     }

#include <CLI/CLI.hpp>
#include <functional>
#include <minicnn/core/error.hpp>

namespace cli {

/// Exit codes of the program.
inline constexpr int exit_done = 0, exit_failed = 1, exit_usage = 2, exit_interrupted = 130;

/// The work of a command; returns the exit code.
using action = std::function<int()>;

/// An option or argument that cannot be meant, seen before or while the command runs: exit code 2.
class usage_error : public minicnn::error {
 public:
  using error::error;
};

void add_train(CLI::App& app, action& chosen);
void add_evaluate(CLI::App& app, action& chosen);
void add_predict(CLI::App& app, action& chosen);
void add_submit(CLI::App& app, action& chosen);
void add_summary(CLI::App& app, action& chosen);
void add_check(CLI::App& app, action& chosen);
void add_bench(CLI::App& app, action& chosen);
void add_generate(CLI::App& app, action& chosen);
void add_pack(CLI::App& app, action& chosen);
void add_explain(CLI::App& app, action& chosen);
void add_export(CLI::App& app, action& chosen);
void add_import(CLI::App& app, action& chosen);
void add_quantize(CLI::App& app, action& chosen);
void add_lr_find(CLI::App& app, action& chosen);
void add_compare(CLI::App& app, action& chosen);
void add_serve(CLI::App& app, action& chosen);  // only where the program is built with cpp-httplib

/// All commands that this program has, their options checked by one grammar (option_values.hpp).
void add_commands(CLI::App& app, action& chosen);

}  // namespace cli
