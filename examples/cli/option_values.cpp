#include "option_values.hpp"

#include <algorithm>
#include <cmath>
#include <minicnn/core/context.hpp>
#include <minicnn/core/number.hpp>
#include <minicnn/core/printable.hpp>
#include <optional>
#include <string_view>

#include "commands.hpp"

namespace cli {

using minicnn::text_of;
using minicnn::to_text;

namespace {

const char* const checked = "checked";  ///< name of the validators that know the grammar

/// Bounds are short to read: 1000000 rather than 1e+06.
std::string bound(double x) {
  return std::abs(x) < 1e15 && x == std::floor(x) ? to_text(static_cast<std::int64_t>(x)) : to_text(x);
}

std::string refused(const std::string& wanted, const std::string& got) {
  return text_of("wanted ", wanted, ", got \"", minicnn::excerpt(got), "\"");
}

/// A validator that rewrites the value: `read` returns it in its plainest form, or nothing.
CLI::Validator reading(std::string wanted, std::string description,
                       std::function<std::optional<std::string>(const std::string&)> read) {
  CLI::Validator made(
      [wanted = std::move(wanted), read = std::move(read)](std::string& text) {
        const std::optional<std::string> value = read(text);
        if (!value) return refused(wanted, text);
        text = *value;
        return std::string();
      },
      std::move(description));
  return made.name(checked);
}

template <class N, class Bounds>
std::function<std::optional<std::string>(const std::string&)> number_in(const Bounds& bounds) {
  return [bounds](const std::string& text) -> std::optional<std::string> {
    std::optional<N> value;
    if constexpr (std::is_same_v<N, double>)
      value = minicnn::parse_number(text);
    else
      value = minicnn::parse_whole_number<N>(text);
    if (!value || !bounds(*value)) return std::nullopt;
    return to_text(*value);
  };
}

bool knows_grammar(CLI::Option& option) {
  try {
    return option.get_validator(checked) != nullptr;
  } catch (const CLI::OptionNotFound&) {
    return false;
  }
}

constexpr char after_dashes_mark = '\0';  ///< before an argument that stands after --; none can hold it

CLI::Option* positional_of(CLI::App& command) {
  const auto all = command.get_options([](CLI::Option* option) { return option->get_positional(); });
  return all.empty() ? nullptr : all.front();
}

void check_values_of(CLI::Option& option) {
  if (option.get_positional())
    option.transform([](std::string name) { return name.empty() || name[0] != after_dashes_mark ? name : name.substr(1); });
  const std::string type = option.get_type_name();
  if (option.get_items_expected_max() == 0 || knows_grammar(option)) return;
  if (type.starts_with("INT"))
    option.transform(whole_from((std::numeric_limits<std::int64_t>::min)(), (std::numeric_limits<std::int64_t>::max)()), checked);
  else if (type.starts_with("UINT"))
    option.transform(any_seed(), checked);
  else if (type.starts_with("FLOAT"))
    option.transform(number_from(-(std::numeric_limits<double>::max)(), (std::numeric_limits<double>::max)()), checked);
}

/// Whether `argument` is an option of `command` that takes the next argument as its value.
bool takes_value(CLI::App* command, std::string_view argument) {
  if (command == nullptr || !argument.starts_with("--") || argument.find('=') != argument.npos) return false;
  const CLI::Option* option = command->get_option_no_throw(std::string(argument));
  return option != nullptr && option->get_items_expected_max() > 0;
}

}  // namespace

CLI::Validator number_from(double low, double high) {
  const std::string range = text_of(bound(low), " to ", bound(high));
  return reading("a number from " + range, range, number_in<double>([=](double x) { return x >= low && x <= high; }));
}

CLI::Validator number_below(double low, double high) {
  const std::string range = text_of(bound(low), " to below ", bound(high));
  return reading("a number from " + range, range, number_in<double>([=](double x) { return x >= low && x < high; }));
}

CLI::Validator whole_from(std::int64_t low, std::int64_t high) {
  const std::string range = text_of(low, " to ", high);
  return reading("a whole number from " + range, range,
                 number_in<std::int64_t>([=](std::int64_t x) { return x >= low && x <= high; }));
}

CLI::Validator any_seed() {
  return reading(text_of("a whole number from 0 to ", (std::numeric_limits<std::uint64_t>::max)()), "",
                 number_in<std::uint64_t>([](std::uint64_t) { return true; }));
}

CLI::Validator one_of(std::vector<std::string> words) {
  std::string wanted, listed;
  for (std::size_t i = 0; i < words.size(); ++i) {
    wanted += (i == 0 ? "" : i + 1 == words.size() ? " or " : ", ") + words[i];
    listed += (i == 0 ? "" : ",") + words[i];
  }
  return reading(std::move(wanted), "{" + listed + "}", [words](const std::string& text) -> std::optional<std::string> {
    if (std::find(words.begin(), words.end(), text) == words.end()) return std::nullopt;
    return text;
  });
}

CLI::Validator readable_by(std::function<void(const std::string&)> read) {
  CLI::Validator made(
      [read = std::move(read)](std::string& text) -> std::string {
        if (text.empty()) return refused("a value", text);
        try {
          read(text);
        } catch (const minicnn::option_error& e) {
          return e.what();
        }
        return "";
      },
      "");
  return made.name(checked);
}

void add_worker_option(CLI::App& command, int& workers) {
  command.add_option("--workers", workers, "threads that load pictures; 0: none of their own")
      ->transform(whole_from(0, 256))
      ->capture_default_str();
}

void add_thread_options(CLI::App& command, int& threads, int& workers) {
  command.add_option("--threads", threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
  add_worker_option(command, workers);
}

void check_all_values(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) check_values_of(*option);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) check_all_values(*command);
}

std::vector<std::string> check_arguments(CLI::App& app, int argc, const char* const* argv) {
  CLI::App* command = nullptr;
  for (CLI::App* one : app.get_subcommands([](CLI::App*) { return true; }))
    if (argc > 1 && one->check_name(argv[1])) command = one;
  std::vector<std::string> checked_ones;
  bool after_dashes = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i], before = argv[i - 1];
    const bool is_value = !after_dashes && takes_value(command, before);
    if (argument.empty())
      throw usage_error(text_of(is_value ? std::string(before) : text_of("argument ", i), ": ", refused("a value", "")));
    if (!after_dashes && argument == "--" && !is_value && command != nullptr) {
      after_dashes = true;
      continue;
    }
    // CLI11 hands what stands after -- to the program itself once the command has as many names as it must have.
    if (after_dashes && positional_of(*command) == nullptr)
      throw usage_error(text_of(argv[1], ": takes options alone, got \"", minicnn::excerpt(argument), "\""));
    checked_ones.push_back((after_dashes ? std::string(1, after_dashes_mark) : "") + std::string(argument));
    if (after_dashes || is_value) continue;
    if (argument.starts_with("--") && argument.find('=') + 1 == argument.size())
      throw usage_error(text_of(argument.substr(0, argument.size() - 1), ": ", refused("a value", "")));
    if (argument[0] == '-' && argument.size() > 1 && argument[1] != '-' && argument != "-h" && !minicnn::parse_number(argument))
      throw usage_error(text_of("there is no option \"", minicnn::excerpt(argument), "\"; a file of that name is ./",
                                minicnn::excerpt(argument), ", or stands after --"));
  }
  std::reverse(checked_ones.begin(), checked_ones.end());
  return checked_ones;
}

}  // namespace cli
