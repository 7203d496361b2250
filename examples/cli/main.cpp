// minicnn: trains and uses convolutional networks for pictures. This file maps command lines to commands and what they throw
// to exit codes; each command is a file of its own.

#include <cstdio>
#include <exception>
#include <minicnn/version.hpp>
#include <new>
#include <string>

#include "commands.hpp"
#include "interrupt.hpp"
#include "standard_descriptors.hpp"

namespace {

/// Commands that other versions have. Refused by name, so that a script's author sees what is missing.
void add_unavailable(CLI::App& app) {
#if !defined(MINICNN_WITH_SERVE)
  CLI::App* command = app.add_subcommand("serve")->group("")->prefix_command();
  command->set_help_flag();
  command->callback([] { throw cli::usage_error("serve is not available: this program was built without cpp-httplib"); });
#else
  (void)app;
#endif
}

int complain(const std::string& text, int code) {
  std::fprintf(stderr, "minicnn: %s\n", text.c_str());
  return code;
}

int run(int argc, const char* const* argv) {
  CLI::App app("Trains and uses convolutional networks for pictures, on processors.", "minicnn");
  app.set_version_flag("--version", std::string("minicnn ") + minicnn::version_string);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default();
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 command line not understood, 130 interrupted.\n"
      "Results go to standard output; progress, warnings and errors to standard error.");
  cli::action chosen;
  cli::add_train(app, chosen);
  cli::add_evaluate(app, chosen);
  cli::add_predict(app, chosen);
  cli::add_submit(app, chosen);
  cli::add_summary(app, chosen);
  cli::add_check(app, chosen);
  cli::add_bench(app, chosen);
  cli::add_generate(app, chosen);
  cli::add_export(app, chosen);
  cli::add_import(app, chosen);
  cli::add_lr_find(app, chosen);
  cli::add_compare(app, chosen);
#if defined(MINICNN_WITH_SERVE)
  cli::add_serve(app, chosen);
#endif
  cli::add_explain(app, chosen);
  add_unavailable(app);

  bool started = false;
  try {
    app.parse(argc, argv);
    started = true;
    return chosen();
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string first = argc > 1 ? argv[1] : "";
    const bool no_command = !first.empty() && first[0] != '-' && app.get_subcommands().empty();
    complain(no_command ? "there is no command \"" + first + "\"" : e.what(), cli::exit_usage);
    std::fprintf(stderr, "Run with --help for what there is.\n");
    return cli::exit_usage;
  } catch (const cli::usage_error& e) {
    return complain(e.what(), cli::exit_usage);
  } catch (const minicnn::option_error& e) {
    return complain(e.what(), started ? cli::exit_failed : cli::exit_usage);
  } catch (const std::bad_alloc&) {
    return complain("not enough memory", cli::exit_failed);
  } catch (const std::exception& e) {
    return complain(e.what(), cli::exit_failed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  cli::open_standard_descriptors();
  cli::end_at_interrupts();
  const int code = run(argc, argv);
  // Results that did not reach their file or pipe are a failure.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && code == cli::exit_done)
    return complain("standard output cannot be written", cli::exit_failed);
  return code;
}
