// minicnn predict

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/csv.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/report/progress.hpp>

#include "commands.hpp"
#include "inference.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "path_json.hpp"
#include "path_patterns.hpp"
#include "picture_list.hpp"
#include "target_commands.hpp"

namespace cli {

using minicnn::fixed;
using minicnn::index_t;
using minicnn::spreadsheet_field;

namespace {

struct predict_options {
  inference_options inference;
  std::vector<std::string> paths;
  int top_k = 0;  ///< 0: one class as text and CSV, all of them as JSON
  bool json = false, csv = false, keep_size = false;
};

std::string csv_header(std::size_t shown) {
  std::string text = "path,class,probability";
  for (std::size_t k = 2; k <= shown; ++k) text += minicnn::text_of(",class_", k, ",probability_", k);
  return text;
}

std::string line_of(const std::string& path, const std::vector<minicnn::ranked_class>& classes, std::size_t shown,
                    const predict_options& o) {
  if (o.json) {
    minicnn::json text;
    put_path(text, path);
    add_ranking(text, classes, shown);
    return json_text(text);
  }
  std::string text = o.csv ? spreadsheet_field(path) : minicnn::printable(path);
  for (std::size_t k = 0; k < shown; ++k)
    text += o.csv ? "," + spreadsheet_field(classes[k].name) + "," + minicnn::to_text(classes[k].probability)
                  : "\t" + minicnn::printable(classes[k].name) + "\t" + fixed(classes[k].probability, 6);
  return text;
}

int predict_command(const predict_options& o) {
  const loaded_model model = load_for_inference(o.inference);
  if (!model.info.task.classifies()) {
    if (o.top_k > 0) throw usage_error("--top-k: does not fit weights of --task " + model.info.task.kind);
    if (o.keep_size) throw usage_error("--keep-size: does not fit weights of --task " + model.info.task.kind);
    return predict_targets(model, {o.paths, chosen_views(o.inference, model.info), o.inference, o.json, o.csv});
  }
  const std::vector<std::string>& classes = model.info.classes;
  const predictor predict = predictor_of(model, chosen_views(o.inference, model.info), o.inference.batch_size, o.keep_size);
  const std::size_t usual = o.json ? classes.size() : 1;
  const std::size_t shown = o.top_k == 0 ? usual : (std::min)(classes.size(), static_cast<std::size_t>(o.top_k));

  std::vector<std::string> problems;
  minicnn::image_dataset pictures = list_pictures(expand_paths(o.paths, std::cin, problems), problems);
  convert_channels(pictures, model.info.config.channels);
  for (const std::string& text : problems) say(text);
  auto bad = static_cast<index_t>(problems.size());
  if (o.csv) std::printf("%s\n", csv_header(shown).c_str());

  minicnn::progress_line progress(stderr);
  const minicnn::sample_indices all = all_samples(pictures);
  for (std::size_t done = 0; done < all.size();) {
    progress.update("predicting", static_cast<index_t>(done), pictures.size(), "");
    const auto count = (std::min)(all.size() - done, static_cast<std::size_t>(predict.at_once()));
    const auto results = predict_what_fits(predict, pictures, std::span<const index_t>(all.data() + done, count));
    progress.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string& path = pictures.samples[done + i].path;
      if (results[i].reason.empty())
        std::printf("%s\n", line_of(path, minicnn::ranking(results[i].log_probabilities, classes), shown, o).c_str());
      else
        say(path + ": " + results[i].reason), bad += 1;
    }
    std::fflush(stdout);
    done += count;
  }
  if (bad > 0) say(minicnn::text_of(bad, bad == 1 ? " path has" : " paths have", " no prediction"));
  return bad > 0 ? exit_failed : exit_done;
}

}  // namespace

void add_predict(CLI::App& app, action& chosen) {
  auto o = std::make_shared<predict_options>();
  CLI::App* command =
      app.add_subcommand("predict",
                         "class and probability of pictures, a line each: path, class, probability, with tabs between them.\n"
                         "What cannot be read is named on standard error, the rest is done, and the exit code is 1.");
  command
      ->add_option("PATH", o->paths,
                   "pictures, folders of them (in natural order: 2.jpg before 10.jpg), quoted patterns ('*.jpg'), - for a list "
                   "on standard input, MNIST's or CIFAR-10's files of pictures")
      ->required();
  add_inference_options(*command, o->inference);
  command
      ->add_flag("--keep-size,--native-size", o->keep_size,
                 "pictures as they are, neither resized nor cut, each alone; for networks that take any height and width")
      ->excludes("--image-size");
  command->add_option("--top-k", o->top_k, "how many classes to show, the most probable first (default: 1; with --json all)")
      ->transform(whole_from(1, 1 << 20));
  CLI::Option* json = command->add_flag("--json", o->json, "one JSON object a line");
  command->add_flag("--csv", o->csv, "CSV with a header")->excludes(json);
  command->callback([o, &chosen] { chosen = [o] { return predict_command(*o); }; });
}

}  // namespace cli
