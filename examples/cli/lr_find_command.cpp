// minicnn lr-find

#include <cstdio>
#include <memory>
#include <minicnn/analysis/lr_finder.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/report/lr_range_chart.hpp>
#include <optional>

#include "commands.hpp"
#include "data_source.hpp"
#include "fine_tuning.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "path_json.hpp"
#include "recipe_options.hpp"
#include "resolve_model.hpp"
#include "run_data.hpp"
#include "small_image_defaults.hpp"
#include "start_passes.hpp"
#include "task_choice.hpp"
#include "train_setup.hpp"
#include "unused_options.hpp"

namespace cli {

using minicnn::index_t;
using minicnn::json;
using minicnn::short_number;

namespace {

struct lr_find_options {
  std::string data, out, labels;
  recipe_overrides overrides;
  minicnn::lr_range_options test;
  std::optional<double> lowest, highest;
  int threads = 0, workers = 1;
  bool skip_bad = false, json = false;
};

json to_json(const minicnn::lr_range_test& t, const recipe& r) {
  json text{{"suggestion", t.suggestion()},       {"rule", t.rule()},       {"steepest", t.steepest},  {"minimum", t.minimum},
            {"minimum_tenth", t.minimum_tenth()}, {"diverged", t.diverged}, {"steps", t.rates.size()}, {"recipe", to_json(r)}};
  text["rates"] = t.rates;
  text["losses"] = t.losses;
  text["smoothed"] = t.smoothed;
  return text;
}

/// The test as training would run: the recipe's network, first weights, pictures, augmentation, optimizer and clipping.
minicnn::lr_range_test run_test(recipe& r, const lr_find_options& o) {
  minicnn::image_dataset data = open_task_data(o.data, o.labels, r.task);
  const bool classifies = r.task == "classify";
  if (classifies && data.classes.size() < 2)
    minicnn::fail(o.data, ": wanted pictures of at least 2 classes, found ", data.classes.size());
  if (classifies) std::erase_if(data.samples, [](const minicnn::sample& s) { return s.label < 0; });
  choose_channels(data, o.overrides);
  if (const std::string text = apply_small_image_defaults(r, o.overrides, data); !text.empty()) say(text);
  warn_of_unused_options(r, o.overrides, data);
  const minicnn::data_split split = split_data(data, r.limit, r.val_fraction, r.seed, r.fold, r.folds);
  if (classifies)
    for (const std::string& text : class_warnings(data, split)) warn(data.root + ": " + text);
  r.model.classes = static_cast<int>(output_names(data).size());
  r.model.channels = data.channels;
  minicnn::network<float> net = resolve_model(r.model, o.threads, r.seed);
  if (o.overrides.init_from) say(begin_with_weights(net, r, *o.overrides.init_from, data));
  if (const std::string text = freeze_layers(net, r); !text.empty()) say(text);
  minicnn::session<float>(net).reserve({r.batch_size, r.model.channels, r.model.image_size, r.model.image_size});  // fails early
  const std::unique_ptr<minicnn::optimizer<float>> optimizer = make_optimizer(r, net);

  minicnn::loader_options options;
  options.batch_size = r.batch_size;
  minicnn::team_of_one alone;
  std::vector<minicnn::bad_file> bad;
  if (o.skip_bad) bad = find_bad(data, split.train, o.threads, alone);
  options.skip_bad = o.skip_bad;
  options.known_bad = bad;
  minicnn::image_transform picture = evaluation_transform(r);
  normalize_by_colours(picture, r, data, without_bad(split.train, bad), o.threads, alone);
  options.transform = training_transform(r, picture, data, split, o.threads, alone);
  options.training = true;
  options.balance = r.balance;
  if (r.shuffle == "blocks") options.shuffle = minicnn::shuffle_mode::blocks;
  options.seed = r.seed;
  options.workers = o.workers;
  minicnn::loader<float> train(data, split.train, options);

  minicnn::progress_line progress(stderr);
  minicnn::lr_range_options test = o.test;
  test.clip_norm = r.clip_norm;
  test.on_step = [&](index_t step, double rate, double loss) {
    progress.update("trying rates", step, o.test.steps, " rate " + short_number(rate) + "  loss " + short_number(loss));
  };
  r.weights = class_weights(r, data, split);
  const auto what = make_task(info_of_task(r, data, split), r.label_smoothing, r.weights);
  return find_learning_rate(net, *optimizer, *what, train, test);
}

/// The outcome in words, the first line the one that counts.
std::vector<std::string> in_words(const minicnn::lr_range_test& t, const minicnn::lr_range_options& o) {
  std::vector<std::string> lines;
  if (!(t.suggestion() > 0))
    return {minicnn::text_of("the loss does not fall clearly at any rate from ", short_number(o.lowest), " to ",
                             short_number(o.highest), " and does not break away: try more --steps or a higher --highest")};
  lines.push_back("suggested learning rate: " + short_number(t.suggestion()) + " (" + std::string(t.rule()) + ")");
  if (t.minimum > 0)
    lines.push_back("the loss falls fastest at a rate of " + short_number(t.steepest) + " and is lowest at " +
                    short_number(t.minimum) + ", of which a tenth is " + short_number(t.minimum_tenth()));
  else
    lines.push_back("the loss does not fall clearly in so few steps: more --steps would tell more");
  lines.push_back(t.breaking > 0 ? "the loss breaks away at " + short_number(t.breaking)
                                 : std::string("the loss does not break away: a higher --highest would tell more"));
  return lines;
}

int lr_find_command(const lr_find_options& o, recipe r) {
  const minicnn::lr_range_test found = run_test(r, o);
  std::vector<std::string> lines = in_words(found, o.test);
  if (!o.out.empty()) {
    const std::string title = minicnn::model_title(r.model) + " on " + o.data + ", " + r.optimizer;
    std::vector<std::string> notes = lines;
    notes.push_back(minicnn::text_of(found.rates.size(), " batches of ", r.batch_size,
                                     ", each rate a constant factor above the one before."));
    const bool svg = o.out.ends_with(".svg");
    minicnn::write_file(o.out, svg ? lr_range_svg(found, title) : lr_range_html(found, title, notes));
  }
  if (is_standard_output(o.out))
    for (const std::string& line : lines) say(line);
  else if (o.json)
    std::printf("%s\n", json_text(to_json(found, r)).c_str());
  else if (found.suggestion() > 0)
    for (const std::string& line : lines) std::printf("%s\n", line.c_str());
  if (!(found.suggestion() > 0)) minicnn::fail(lines.front());
  return exit_done;
}

}  // namespace

void add_lr_find(CLI::App& app, action& chosen) {
  auto o = std::make_shared<lr_find_options>();
  CLI::App* command = app.add_subcommand(
      "lr-find",
      "learning-rate range test: trains a fresh network while the rate grows, and suggests a peak rate for train.\n"
      "Suggests where the loss falls fastest, or a tenth of the rate of the lowest loss if that is less, or, where it does not\n"
      "fall clearly, a tenth of the rate at which it breaks away; and says which.\n"
      "Writes nothing but --out.");
  command->add_option("--data", o->data, "folder of pictures, as for train")->required();
  command
      ->add_option("--out", o->out,
                   "plot to write: an .html page or an .svg file, - for the page on standard output (default: none)")
      ->check(CLI::Validator(
          [](const std::string& name) {
            const bool known = name == "-" || name.ends_with(".html") || name.ends_with(".svg");
            return known ? "" : "wanted a name that ends with .html or .svg";
          },
          ""));
  command->add_option("--labels", o->labels, labels_help);
  add_recipe_options(*command, o->overrides);
  command->add_option("--lowest,--min-lr", o->lowest, "first rate (default: sgd 1e-4, else 1e-6)")
      ->transform(number_from(1e-12, 1e6));
  command->add_option("--highest,--max-lr", o->highest, "last rate (default: sgd 10, else 0.1)")
      ->transform(number_from(1e-12, 1e6));
  command->add_option("--steps", o->test.steps, "batches, one for each rate")
      ->transform(whole_from(3, 1 << 20))
      ->capture_default_str();
  add_thread_options(*command, o->threads, o->workers);
  command->add_flag("--skip-bad", o->skip_bad, "leaves out pictures that cannot be read");
  command->add_flag("--json", o->json, "one JSON object with the suggestion and the whole curve");
  command->callback([o, &chosen] {
    refuse_inside_data(o->out, o->data);
    o->out = output_file(o->out);
    refuse_losing(o->out, {minicnn::file_kind::text});
    adopt_model(o->overrides);
    const recipe r = make_recipe(o->overrides);
    o->test.lowest = o->lowest.value_or(r.optimizer == "sgd" ? 1e-4 : 1e-6);
    o->test.highest = o->highest.value_or(r.optimizer == "sgd" ? 10 : 0.1);
    if (!(o->test.lowest < o->test.highest))
      throw usage_error(minicnn::text_of("--lowest ", o->test.lowest, ": wanted less than --highest ", o->test.highest));
    chosen = [o, r] { return lr_find_command(*o, r); };
  });
}

}  // namespace cli
