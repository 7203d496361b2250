// minicnn check

#include <cstdio>

#include "commands.hpp"
#include "data_source.hpp"
#include "dataset_check.hpp"
#include "option_values.hpp"
#include "path_json.hpp"
#include "task_choice.hpp"

namespace cli {

namespace {

struct check_options {
  std::string data;
  int threads = 0;
  bool json = false;
};

int check_command(const check_options& o) {
  const minicnn::image_dataset data = open_labelled(o.data, minicnn::data_part::all);
  const diagnosis found = examine(data, o.threads);
  std::printf("%s", o.json ? (json_text(to_json(data, found)) + "\n").c_str() : to_table(data, found).c_str());
  return found.broken.empty() ? exit_done : exit_failed;
}

}  // namespace

void add_check(CLI::App& app, action& chosen) {
  auto o = std::make_shared<check_options>();
  CLI::App* command = app.add_subcommand("check",
                                         "reads every picture of a data set and names what is broken, odd or there twice.\n"
                                         "The exit code is 1 if a picture cannot be read. Nothing is changed.");
  command->add_option("--data", o->data, data_help)->required();
  command->add_option("--threads", o->threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &chosen] { chosen = [o] { return check_command(*o); }; });
}

}  // namespace cli
