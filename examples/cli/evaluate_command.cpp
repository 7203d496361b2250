// minicnn evaluate

#include <cstdio>
#include <minicnn/train/classification.hpp>

#include "commands.hpp"
#include "inference.hpp"
#include "messages.hpp"
#include "metrics_json.hpp"
#include "option_values.hpp"
#include "path_json.hpp"
#include "progress_loader.hpp"
#include "target_commands.hpp"
#include "task_choice.hpp"

namespace cli {

using minicnn::fail;
using minicnn::index_t;

namespace {

struct evaluate_options {
  inference_options inference;
  std::string data;
  std::string labels;
  std::string split = "all";
  int workers = 1;
  bool skip_bad = false;
  bool json = false;
};

/// The data set as the weights file's run saw it: its classes by the same numbers, unlabelled pictures left out.
minicnn::image_dataset labelled_data(const std::string& path, const std::string& labels, const model_info& info, bool test) {
  minicnn::image_dataset data =
      open_task_data(path, labels, "classify", test ? minicnn::data_part::test : minicnn::data_part::train);
  match_classes(data, info.classes);
  convert_channels(data, info.config.channels);
  return data;
}

minicnn::sample_indices part_of(const minicnn::image_dataset& data, const model_info& info, const std::string& name) {
  if (name == "all" || name == "test") return all_samples(data);
  minicnn::data_split split = split_data(data, info.limit, info.val_fraction, info.split_seed, info.fold, info.folds);
  minicnn::sample_indices part = name == "train" ? std::move(split.train) : std::move(split.validation);
  if (part.empty())
    fail(data.root, ": the ", name, " part is empty (validation fraction ", info.val_fraction, " of the weights file)");
  return part;
}

/// The figures of one view, by the function that training validates with: its own come out again to the last digit.
class_metrics evaluate_once(const loaded_model& model, const minicnn::image_dataset& data, const minicnn::sample_indices& part,
                            const evaluate_options& o, std::vector<minicnn::bad_file>& bad) {
  minicnn::loader_options options = evaluation_loader(model.info.transform, o.inference.batch_size, o.workers);
  options.skip_bad = o.skip_bad;
  minicnn::loader<float> pictures(data, part, options);
  progress_loader watched(pictures, "evaluating");
  const minicnn::evaluation e = minicnn::evaluate(model.net, watched, minicnn::classification<float>());
  bad = pictures.bad_files();
  const auto classes = static_cast<index_t>(model.info.classes.size());
  class_metrics f = measure(minicnn::log_softmax({e.outputs.begin(), e.outputs.end()}, classes, model.info.temperature), e.labels,
                            model.info.classes);
  if (!(model.info.temperature < 1 || model.info.temperature > 1)) f.log_loss = e.loss;
  return f;
}

/// The figures of probabilities averaged over several views.
class_metrics evaluate_views(const loaded_model& model, const minicnn::image_dataset& data, const minicnn::sample_indices& part,
                             const evaluate_options& o, const std::string& tta, std::vector<minicnn::bad_file>& bad) {
  const predictor predict = predictor_of(model, tta, o.inference.batch_size);
  minicnn::progress_line progress(stderr);
  std::vector<double> rows;
  std::vector<std::int32_t> labels;
  for (std::size_t done = 0; done < part.size();) {
    progress.update("evaluating", static_cast<index_t>(done), static_cast<index_t>(part.size()), "");
    const auto count = (std::min)(part.size() - done, static_cast<std::size_t>(predict.at_once()));
    const std::span<const index_t> chosen(part.data() + done, count);
    const auto results = predict_samples(predict, data, chosen);
    for (std::size_t i = 0; i < count; ++i) {
      const minicnn::sample& s = data.samples[static_cast<std::size_t>(chosen[i])];
      if (results[i].reason.empty()) {
        rows.insert(rows.end(), results[i].log_probabilities.begin(), results[i].log_probabilities.end());
        labels.push_back(s.label);
      } else if (o.skip_bad) {
        bad.push_back({chosen[i], s.path, results[i].reason});
      } else {
        fail<minicnn::file_error>(s.path, ": ", results[i].reason);
      }
    }
    done += count;
  }
  if (labels.empty()) fail<minicnn::file_error>(data.root, ": no picture can be read");
  return measure(rows, labels, model.info.classes);
}

int evaluate_command(const evaluate_options& o) {
  const loaded_model model = load_for_inference(o.inference);
  if (!model.info.task.classifies())
    return evaluate_targets(
        model, {o.data, o.labels, o.split, chosen_views(o.inference, model.info), o.inference, o.workers, o.skip_bad, o.json});
  const minicnn::image_dataset data = labelled_data(o.data, o.labels, model.info, o.split == "test");
  const minicnn::sample_indices part = part_of(data, model.info, o.split);
  const std::string tta = chosen_views(o.inference, model.info);
  std::vector<minicnn::bad_file> bad;
  const class_metrics f =
      tta == "none" ? evaluate_once(model, data, part, o, bad) : evaluate_views(model, data, part, o, tta, bad);

  for (const minicnn::bad_file& b : bad) say(b.path + ": " + b.reason);
  if (!bad.empty()) say(minicnn::text_of(bad.size(), " pictures could not be read and are not in these figures"));
  if (!o.json) {
    std::printf("%s", to_table(f).c_str());
    return exit_done;
  }
  minicnn::json text = to_json(f);
  text["split"] = o.split;
  text["tta"] = tta;
  text["temperature"] = model.info.temperature;
  text["skipped"] = bad.size();
  std::printf("%s\n", json_text(text).c_str());
  return exit_done;
}

}  // namespace

void add_evaluate(CLI::App& app, action& chosen) {
  auto o = std::make_shared<evaluate_options>();
  CLI::App* command = app.add_subcommand("evaluate", "measures a network on labelled pictures");
  command->add_option("--data", o->data, data_help)->required();
  command->add_option("--labels", o->labels, labels_help);
  add_inference_options(*command, o->inference);
  command
      ->add_option(
          "--split", o->split,
          "all, or the train or val part of the split that training made (its seed, fraction and "
          "limit are in the weights file), or the test part of MNIST's and CIFAR-10's folders, which the others leave out")
      ->transform(one_of({"all", "train", "val", "test"}))
      ->capture_default_str();
  add_worker_option(*command, o->workers);
  command->add_flag("--skip-bad", o->skip_bad, "leaves out pictures that cannot be read, and says which");
  command->add_flag("--json", o->json, "one JSON object; confusion rows are true classes");
  command->callback([o, &chosen] { chosen = [o] { return evaluate_command(*o); }; });
}

}  // namespace cli
