// minicnn: trains and uses convolutional networks for pictures. This file maps command lines to commands and what they throw
// to exit codes; each command is a file of its own.

#include <cstdio>
#include <exception>
#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/version.hpp>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "interrupt.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "platform.hpp"
#include "ranks.hpp"
#include "standard_descriptors.hpp"

namespace {

int complain(const std::string& text, int code) {
  cli::say(text);
  return code;
}

/// CLI11 says "--epochs: At Most 1 required but received 2" and "--epochs: 1 required INT missing".
std::string in_our_words(std::string text) {
  if (const auto at = text.find(": 1 required "); at != text.npos && text.ends_with(" missing"))
    return text.substr(0, at) + ": wanted a value";
  for (const auto& [theirs, ours] : {std::pair{" At Most ", " wanted at most "}, std::pair{" At least ", " wanted at least "},
                                     std::pair{" required but received ", ", got "}})
    if (const auto at = text.find(theirs); at != text.npos) text.replace(at, std::string(theirs).size(), ours);
  return text;
}

int run(int argc, const char* const* argv) {
  CLI::App app("Trains and uses convolutional networks for pictures, on processors.", "minicnn");
  app.set_version_flag("--version", std::string("minicnn ") + minicnn::version_string);
  app.require_subcommand(1);
  app.allow_windows_style_options(false);  // what begins with '/' is a path there too
  app.option_defaults()->always_capture_default();
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 command line not understood, 130 interrupted.\n"
      "Results go to standard output; progress, warnings and errors to standard error.");
  cli::action chosen;
  cli::add_commands(app, chosen);

  bool started = false;
  try {
    app.parse(cli::check_arguments(app, argc, argv));
    started = true;
    return chosen();
  } catch (const CLI::Success& e) {  // --help, --version
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string first = argc > 1 ? argv[1] : "";
    const bool no_command = !first.empty() && first[0] != '-' && app.get_subcommands().empty();
    // CLI11 repeats arguments whole.
    std::string text = no_command ? "there is no command \"" + minicnn::excerpt(first) + "\"" : minicnn::printable(e.what());
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&e) != nullptr) text = in_our_words(text);
    complain(std::string(minicnn::cut_to_columns(text, 1000)), cli::exit_usage);
    std::fprintf(stderr, "Run with --help for what there is.\n");
    return cli::exit_usage;
  } catch (const cli::usage_error& e) {
    return complain(e.what(), cli::exit_usage);
  } catch (const minicnn::option_error& e) {
    return complain(e.what(), started ? cli::exit_failed : cli::exit_usage);
  } catch (const std::bad_alloc&) {
    return complain("not enough memory", cli::exit_failed);
  } catch (const std::length_error&) {
    return complain("not enough memory: a size beyond what can be addressed", cli::exit_failed);
  } catch (const std::filesystem::filesystem_error& e) {  // before system_error, whose kind it is; it names the file
    return complain(e.what(), cli::exit_failed);
  } catch (const std::system_error& e) {  // of std::thread, which names nothing
    return complain(std::string("the system did not start a thread: ") + e.what(), cli::exit_failed);
  } catch (const std::exception& e) {
    return complain(e.what(), cli::exit_failed);
  }
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments = cli::system_arguments(count, words);
  std::vector<const char*> argv;
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  const int argc = static_cast<int>(argv.size());
  cli::open_standard_descriptors();
  cli::end_at_interrupts();
  if (argc > 1 && arguments[1] == "train") cli::silence_other_ranks();
  const int code = run(argc, argv.data());
  // Results that did not reach their file or pipe are a failure.
  if ((std::fflush(stdout) != 0 || std::ferror(stdout) != 0) && code == cli::exit_done)
    return complain("standard output cannot be written", cli::exit_failed);
  return code;
}
