// The values of options: every number of every command by one grammar, and what is said where a value is refused.
#include "option_values.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>

#include "commands.hpp"
#include "program.hpp"

using program::contains;
using program::run;

namespace {

/// Why `command --option value` is refused, empty if it is not; `taken` is how the value is understood.
std::string refusal(const std::string& command, const std::string& option, const std::string& value,
                    std::string* taken = nullptr) {
  CLI::App app;
  cli::action chosen;
  cli::add_commands(app, chosen);
  CLI::App* const chosen_command = app.get_subcommand(command);
  CLI::Option* const chosen_option = chosen_command->get_option(option);
  std::string reason;
  try {
    app.parse(std::vector<std::string>{value, option, command});  // CLI11 takes them from the back
  } catch (const CLI::ValidationError& e) {
    reason = e.what();
  } catch (const CLI::ParseError& e) {
    if (dynamic_cast<const CLI::RequiredError*>(&e) == nullptr) reason = e.what();
  } catch (const minicnn::error&) {
    // Another option is missing.
  }
  if (taken != nullptr) *taken = chosen_option->results().empty() ? "" : chosen_option->results().front();
  return reason;
}

/// Calls `look(command, option, type)` for every option that has a number as its value.
void for_numeric_options(const std::function<void(const std::string&, const std::string&, const std::string&)>& look) {
  CLI::App app;
  cli::action chosen;
  cli::add_commands(app, chosen);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    for (const CLI::Option* option : command->get_options()) {
      const std::string type = option->get_type_name();
      if (option->get_items_expected_max() > 0 &&
          (type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT")))
        look(command->get_name(), option->get_name(), type);
    }
}

}  // namespace

TEST_CASE("G12 A20 A23 every number of every command: one grammar, and one short line that says what was wanted") {
  const std::vector<std::string> bad{"nan",
                                     "NaN",
                                     "inf",
                                     "-inf",
                                     "infinity",
                                     "1e999",
                                     "-1e999",
                                     "1e-320",
                                     " ",
                                     "0x10",
                                     "1_000",
                                     "1,5",
                                     "5 ",
                                     " 5",
                                     "5px",
                                     "1e",
                                     "+-5",
                                     "--5",
                                     "-",
                                     "\xD9\xA3",
                                     "\xEF\xBC\x95",
                                     "\xC2\xB2",
                                     "5\n",
                                     "99999999999999999999999999",
                                     std::string(309, '9'),
                                     "true",
                                     "0b1"};
  int options = 0;
  for_numeric_options([&](const std::string& command, const std::string& option, const std::string& type) {
    CAPTURE(command);
    CAPTURE(option);
    options += 1;
    std::vector<std::string> values = bad;
    if (!type.starts_with("FLOAT")) values.insert(values.end(), {"1e3", "5.", ".5", "1.5", "9223372036854775808000"});
    for (const std::string& value : values) {
      CAPTURE(value);
      const std::string reason = refusal(command, option, value);
      CHECK_MESSAGE(reason.starts_with(option + ": wanted "), reason);
      CHECK_MESSAGE(contains(reason, "got \""), reason);
      CHECK(reason.size() < 200);
      CHECK(reason.find('\n') == reason.npos);
    }
    if (type.starts_with("INT")) CHECK_FALSE(refusal(command, option, "9223372036854775807").empty());
    if (type.starts_with("INT") && option != "--limit") CHECK_FALSE(refusal(command, option, "4294967297").empty());
  });
  CHECK(options > 60);
}

TEST_CASE("A20 numbers are decimal, and go on in their plainest form") {
  std::string taken;
  for (const auto& [option, value, plain] :
       std::vector<std::array<std::string, 3>>{{"--epochs", "010", "10"},
                                               {"--epochs", "+5", "5"},
                                               {"--limit", "-0", "0"},
                                               {"--lr", "5.", "5"},
                                               {"--lr", ".5", "0.5"},
                                               {"--lr", "1e-3", "0.001"},
                                               {"--lr", "-0", "0"},
                                               {"--seed", "18446744073709551615", "18446744073709551615"}}) {
    CAPTURE(value);
    CHECK(refusal("train", option, value, &taken).empty());
    CHECK(taken == plain);
  }
  CHECK(contains(refusal("train", "--seed", "-1"), "wanted a whole number from 0 to 18446744073709551615, got \"-1\""));
  CHECK(contains(refusal("train", "--seed", "18446744073709551616"), "wanted a whole number"));
  CHECK(refusal("train", "--lr", "nan") == "--learning-rate: wanted a number from 0 to 1000000, got \"nan\"");
  CHECK(refusal("train", "--epochs", "0") == "--epochs: wanted a whole number from 1 to 100000, got \"0\"");
}

TEST_CASE("G12 numbers within values are numbers of the same grammar") {
  for (const auto& [option, form] : std::vector<std::pair<std::string, std::string>>{{"--schedule", "step:#"},
                                                                                     {"--schedule", "step:0.5,#"},
                                                                                     {"--schedule", "step:0.5:#"},
                                                                                     {"--schedule", "cosine:#"},
                                                                                     {"--schedule", "one-cycle:25,#"},
                                                                                     {"--schedule", "every:#"},
                                                                                     {"--schedule", "plateau:#"},
                                                                                     {"--sizes", "#:0"},
                                                                                     {"--sizes", "128:0,160:#"},
                                                                                     {"--sizes", "128/#"},
                                                                                     {"--init", "truncated-normal:#"},
                                                                                     {"--rate", "conv:#"}})
    for (const std::string value : {"nan", "inf", "-inf", "1e999", "1e-320", "", " ", "0x10", "1_000", "5px", "-1", "\xD9\xA3"}) {
      std::string text = form;
      text.replace(text.find('#'), 1, value);
      for (const char* command : {"train", "lr-find"}) {
        const std::string reason = refusal(command, option, text);
        CHECK_MESSAGE(reason.starts_with(option + ": "), (option + " " + text + ": " + reason));
        CHECK(reason.size() < 300);
      }
    }
  std::string longer = "step:" + std::string(309, '9');
  CHECK(refusal("train", "--schedule", longer).size() < 250);
  CHECK(refusal("train", "--rate", "conv:" + std::string(309, '9')).size() < 250);
}

TEST_CASE("second names of options are the same options") {
  for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{{"--sizes", "--size-schedule"},
                                                                                      {"--pooled", "--head-pool"},
                                                                                      {"--lighting", "--pca-jitter"},
                                                                                      {"--rate", "--lr-scale"}}) {
    const std::string reason = refusal("train", second, "x");
    CHECK_MESSAGE(reason.starts_with(first + ": "), reason);
    CHECK(reason == refusal("train", first, "x"));
  }
  CHECK(refusal("lr-find", "--min-lr", "x").starts_with("--lowest: "));
  CHECK(refusal("lr-find", "--max-lr", "x").starts_with("--highest: "));
}

TEST_CASE("A08 an empty value is refused everywhere: a variable of a script that is not set") {
  for (const char* arguments : {"train --data x --out y --epochs ''",
                                "train --data x --out y --lr ''",
                                "train --data '' --out y",
                                "train --data x --out ''",
                                "train --data x --out y --schedule ''",
                                "train --data x --out y --sizes ''",
                                "train --data x --out y --rate ''",
                                "train --data x --out y --freeze ''",
                                "train --data x --out y --init-from ''",
                                "train --data x --out y --seed ''",
                                "train --data x --out= --overwrite",
                                "train --data x --out y --epochs= --quiet",
                                "predict --weights w ''",
                                "predict --weights w -- ''",
                                "predict --weights '' x.jpg",
                                "explain --weights w --out o --method '' x.jpg",
                                "submit --weights w --data x --out ''",
                                "evaluate --weights w --data x --split ''",
                                "evaluate --weights w --data x --temperature ''",
                                "bench --model lenet5 --batch-size ''",
                                "check --data ''",
                                "generate --out ''",
                                "compare '' b",
                                "''",
                                "import --model '' --from a --out b",
                                "export --weights w --format '' --out b"}) {
    CAPTURE(arguments);
    const auto r = run(arguments);
    CHECK(r.code == 2);
    CHECK(r.out.empty());
    CHECK_MESSAGE(contains(r.err, "wanted a value, got \"\""), r.err);
  }
#if defined(MINICNN_WITH_SERVE)
  CHECK(run("serve --weights w --host ''").code == 2);
#endif
}

TEST_CASE("A07 temperatures and norms that are not finite are refused") {
  const program::red_means_dog weights;
  for (const char* value : {"nan", "inf", "0", "-1", "1e-320", "1e-5", "1e7", "1e999"}) {
    CAPTURE(value);
    for (const std::string& command : {"predict" + weights.option() + "x.png", "submit" + weights.option() + "--data x --out y",
                                       "evaluate" + weights.option() + "--data x"}) {
      const auto r = run(command + " --temperature " + value);
      CHECK(r.code == 2);
      CHECK_MESSAGE(contains(r.err, "--temperature: wanted a number from 1e-04 to 1000000, got \"" + std::string(value) + "\""),
                    r.err);
    }
  }
  CHECK(run("train --data x --out y --clip-norm inf").code == 2);
  CHECK(run("train --data x --out y --clip-norm nan").code == 2);
  // From a weights file too.
  const pictures::folder folder("coldness");
  const auto file = minicnn::safetensors_file::open(weights.path());
  minicnn::model_info info = minicnn::read_model_info(file);
  for (const double temperature : {1e-320, 1e300, 0.0, -1.0}) {
    CAPTURE(temperature);
    info.temperature = temperature;
    const minicnn::network<float> net = minicnn::make_model(info.config, {.seed = 0, .threads = 1});
    minicnn::save_weights(net, folder.path("w.safetensors"), minicnn::to_metadata(info));
    const auto r = run("predict --weights '" + folder.path("w.safetensors") + "' x.png");
    CHECK(r.code == 1);
    CHECK_MESSAGE(contains(r.err, "metadata \"temperature\": wanted a number from 1e-04 to 1e+06, got"), r.err);
  }
}

TEST_CASE("A23 a file whose name begins like an option is told how to be named") {
  for (const char* arguments : {"predict --weights w -x.jpg", "predict -x.jpg --weights w", "predict --weights w --json -x.jpg",
                                "check -x.jpg", "predict --weights w -h.jpg"}) {
    CAPTURE(arguments);
    const auto r = run(arguments);
    CHECK(r.code == 2);
    CHECK_MESSAGE(contains(r.err, "there is no option \"-"), r.err);
    CHECK_MESSAGE(contains(r.err, "or stands after --"), r.err);
  }
  CHECK(contains(run("predict --weights w -- -x.jpg").err, "w: "));
  CHECK(contains(run("check --data -x").err, "-x: "));  // a value
}

TEST_CASE("A23 names after -- are names, whatever stands before it") {
  const program::red_means_dog weights;
  const pictures::folder folder("dashes");
  for (const char* name : {"a.png", "-b.png", "--json", "train"}) folder.write(name, program::red_png(200));
  const std::string command = "predict --json --weights w", cd = "cd '" + folder.path() + "'; ";
  std::filesystem::copy_file(weights.path(), folder.path("w"));
  for (const char* names : {"a.png -- -b.png", "-- a.png -b.png", "-- -b.png a.png", "a.png -- -b.png --json", "-- train --json",
                            "a.png a.png -- train -b.png"}) {
    CAPTURE(names);
    const auto r = run(std::string(command) + " " + names, cd);
    INFO(r.err);
    CHECK(r.code == 0);
    const std::string given = names;
    const auto lines = r.lines();
    REQUIRE(lines.size() == static_cast<std::size_t>(std::count(given.begin(), given.end(), ' ')));  // words without --
    CHECK(nlohmann::json::parse(lines.back())["path"] == given.substr(given.rfind(' ') + 1));
  }
  const auto explained = run("explain --weights w --out out a.png -- -b.png", cd);
  INFO(explained.err);
  CHECK(explained.code == 0);
  CHECK(contains(run("compare --out c.html a -- -b", cd).err, "a: no such run folder"));
  for (const char* arguments : {"check --data . -- -x", "summary --model lenet5 -- x", "train --data . --out o -- --resume"}) {
    const auto r = run(arguments, cd);
    CHECK(r.code == 2);
    CHECK_MESSAGE(contains(r.err, ": takes options alone, got \""), r.err);
  }
}

TEST_CASE("A23 messages are one line without what a terminal obeys or a library's tags") {
  const pictures::folder folder("tags");
  folder.write("run/config.json", std::string("{x"));
  folder.write("run/results.csv", std::string("x"));
  const auto r = run("compare '" + folder.path("run") + "' '" + folder.path("run") + "' --no-test");
  CHECK(r.code == 1);
  CHECK_MESSAGE(contains(r.err, "config.json: byte "), r.err);
  const auto escape = run("check --data \"$(printf 'a\\033[31mb\\nminicnn: fine')\"");
  CHECK(escape.code == 1);
  CHECK_MESSAGE(contains(escape.err, "a\\x1b[31mb\\nminicnn: fine"), escape.err);
  CHECK(escape.err.find('\x1b') == escape.err.npos);
}

TEST_CASE("A23 options given twice or without a value, and too few names: wanted and got") {
  CHECK(contains(run("train --data a --out b --epochs").err, "--epochs: wanted a value\n"));
  CHECK(contains(run("check --data a --data b").err, "--data: wanted at most 1, got 2\n"));
  CHECK(contains(run("compare a --out c.html").err, "RUN: wanted at least 2, got 1\n"));
}
