#include "target_commands.hpp"

#include <cmath>
#include <cstdio>
#include <iostream>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/csv.hpp>
#include <minicnn/report/progress.hpp>
#include <minicnn/train/loss.hpp>

#include "commands.hpp"
#include "messages.hpp"
#include "path_json.hpp"
#include "path_patterns.hpp"
#include "picture_list.hpp"
#include "progress_loader.hpp"
#include "task_choice.hpp"

namespace cli {

using minicnn::fail;
using minicnn::fixed;
using minicnn::index_t;
using minicnn::json;

namespace {

std::vector<minicnn::image_transform> views(const model_info& info, const std::string& tta) {
  try {
    return views_of(info.transform, minicnn::test_views_named(tta));
  } catch (const minicnn::option_error& e) {
    throw usage_error("--tta " + tta + ": " + e.what());
  }
}

void refuse_temperature(const loaded_model& model, const inference_options& o) {
  if (o.temperature) throw usage_error("--temperature: does not fit weights of --task " + model.info.task.kind);
}

/// What output `k` means: the probability of a label, or a number in the target's units.
double answer(const minicnn::task_info& task, double output, std::size_t k) {
  return task.kind == "regress" ? task.mean[k] + task.std[k] * output : minicnn::sigmoid(output);
}

/// The output that means `value`.
double output_of(const minicnn::task_info& task, double value, std::size_t k) {
  if (task.kind == "regress") return (value - task.mean[k]) / task.std[k];
  return std::log(value) - std::log1p(-value);
}

double threshold(const minicnn::task_info& task, std::size_t k) { return task.thresholds.empty() ? 0.5 : task.thresholds[k]; }

/// Mean loss of `e`'s outputs, which are those of no single pass.
double loss_of(const minicnn::task<float>& what, const minicnn::evaluation& e) {
  const auto filled = [](const std::vector<double>& from, index_t columns) {
    minicnn::tensor<float> to({static_cast<index_t>(from.size()) / columns, columns});
    for (index_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(from[static_cast<std::size_t>(i)]);
    return to;
  };
  const minicnn::tensor<float> y = filled(e.outputs, e.columns), targets = filled(e.targets, e.target_columns);
  minicnn::batch<float> b;
  b.images = y, b.targets = targets;
  return what.loss(y, b, {}, 1.0);
}

/// The figures of `part`, of answers averaged over all views.
minicnn::evaluation measure_views(const loaded_model& model, const minicnn::image_dataset& data,
                                  const minicnn::sample_indices& part, const target_evaluation& o,
                                  std::vector<minicnn::bad_file>& bad) {
  const minicnn::task_info& task = model.info.task;
  const auto what = make_task(task);
  const std::vector<minicnn::image_transform> all = views(model.info, o.tta);
  minicnn::evaluation first;
  const std::vector<double> weights = view_weights(minicnn::test_views_named(o.tta));
  std::vector<double> sums;
  for (std::size_t v = 0; v < all.size(); ++v) {
    minicnn::loader_options options = evaluation_loader(all[v], o.inference.batch_size, o.workers);
    options.skip_bad = o.skip_bad;
    minicnn::loader<float> pictures(data, part, options);
    progress_loader watched(pictures, "evaluating");
    minicnn::evaluation e = minicnn::evaluate(model.net, watched, *what);
    bad = pictures.bad_files();
    if (all.size() == 1) return e;
    sums.resize(e.outputs.size());
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] += answer(task, e.outputs[i], i % static_cast<std::size_t>(e.columns)) * weights[v];
    first = std::move(e);
  }
  minicnn::evaluation mean;
  mean.images = first.images, mean.columns = first.columns, mean.target_columns = first.target_columns;
  mean.targets = std::move(first.targets);
  for (std::size_t i = 0; i < sums.size(); ++i)
    mean.outputs.push_back(output_of(task, sums[i], i % static_cast<std::size_t>(mean.columns)));
  mean.loss = loss_of(*what, mean);
  what->measure(mean);
  return mean;
}

json to_json(const minicnn::evaluation& e, const model_info& info, const target_evaluation& o, std::size_t skipped) {
  json text{{"images", e.images}, {"task", info.task.kind}, {"loss", e.loss}};
  for (const minicnn::metric& m : e.metrics) text[m.name] = m.value;
  json::array labels, targets;
  for (std::size_t k = 0; k < e.per_label.size(); ++k) {
    const minicnn::label_figures& one = e.per_label[k];
    labels.push_back({{"label", info.classes[k]},
                      {"images", one.positives},
                      {"average_precision", one.average_precision},
                      {"precision", one.precision},
                      {"recall", one.recall},
                      {"f1", one.f1},
                      {"threshold", one.threshold}});
  }
  for (std::size_t k = 0; k < e.per_target.size(); ++k)
    targets.push_back(
        {{"target", info.classes[k]}, {"rmse", e.per_target[k].rmse}, {"mae", e.per_target[k].mae}, {"r2", e.per_target[k].r2}});
  if (!labels.empty()) text["labels"] = std::move(labels);
  if (!targets.empty()) text["targets"] = std::move(targets);
  text["split"] = o.split;
  text["tta"] = o.tta;
  text["skipped"] = skipped;
  return text;
}

void print_table(const minicnn::evaluation& e, const model_info& info) {
  const auto text = [](double v) { return std::isfinite(v) ? fixed(v, 6) : std::string("-"); };
  std::printf("images\t%s\nloss\t%s\n", minicnn::to_text(e.images).c_str(), text(e.loss).c_str());
  for (const minicnn::metric& m : e.metrics) std::printf("%s\t%s\n", m.name.c_str(), text(m.value).c_str());
  if (!e.per_label.empty()) std::printf("\nlabel\timages\taverage precision\tprecision\trecall\tF1\tthreshold\n");
  for (std::size_t k = 0; k < e.per_label.size(); ++k) {
    const minicnn::label_figures& one = e.per_label[k];
    std::printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", minicnn::printable(info.classes[k]).c_str(),
                minicnn::to_text(one.positives).c_str(), text(one.average_precision).c_str(), text(one.precision).c_str(),
                text(one.recall).c_str(), text(one.f1).c_str(), text(one.threshold).c_str());
  }
  if (!e.per_target.empty()) std::printf("\ntarget\tRMSE\tMAE\tR2\n");
  for (std::size_t k = 0; k < e.per_target.size(); ++k)
    std::printf("%s\t%s\t%s\t%s\n", minicnn::printable(info.classes[k]).c_str(), text(e.per_target[k].rmse).c_str(),
                text(e.per_target[k].mae).c_str(), text(e.per_target[k].r2).c_str());
}

/// One picture's line.
std::string line_of(const std::string& path, const std::vector<double>& answers, const model_info& info,
                    const target_prediction& o) {
  const bool labels = info.task.kind == "multilabel";
  std::vector<std::string> given;
  for (std::size_t k = 0; labels && k < answers.size(); ++k)
    if (answers[k] > threshold(info.task, k)) given.push_back(info.classes[k]);
  if (o.json) {
    json text = json::object{};
    put_path(text, path);
    json::object values;
    for (std::size_t k = 0; k < answers.size(); ++k) values.emplace_back(info.classes[k], answers[k]);
    if (labels) text["labels"] = json::array(given.begin(), given.end());
    text[labels ? "probabilities" : "values"] = std::move(values);
    return json_text(text);
  }
  std::string text = o.csv ? minicnn::spreadsheet_field(path) : minicnn::printable(path);
  if (labels) {
    std::string names;
    for (const std::string& name : given) names += (names.empty() ? "" : ";") + name;
    text += o.csv ? "," + minicnn::spreadsheet_field(names) : "\t" + minicnn::printable(names);
  }
  for (const double v : answers) text += o.csv ? "," + minicnn::to_text(v) : "\t" + fixed(v, 6);
  return text;
}

}  // namespace

int evaluate_targets(const loaded_model& model, const target_evaluation& o) {
  refuse_temperature(model, o.inference);
  minicnn::image_dataset data = open_task_data(o.data, o.labels, model.info.task.kind);
  match_targets(data, model.info);
  convert_channels(data, model.info.config.channels);
  minicnn::sample_indices part = all_samples(data);
  if (o.split == "test") throw usage_error("--split test: wanted all, train or val for --task " + model.info.task.kind);
  if (o.split != "all") {
    minicnn::data_split split =
        split_data(data, model.info.limit, model.info.val_fraction, model.info.split_seed, model.info.fold, model.info.folds);
    part = o.split == "train" ? std::move(split.train) : std::move(split.validation);
    if (part.empty()) fail(data.root, ": the ", o.split, " part is empty");
  }
  std::vector<minicnn::bad_file> bad;
  const minicnn::evaluation e = measure_views(model, data, part, o, bad);
  for (const minicnn::bad_file& b : bad) say(b.path + ": " + b.reason);
  if (o.json)
    std::printf("%s\n", json_text(to_json(e, model.info, o, bad.size())).c_str());
  else
    print_table(e, model.info);
  return exit_done;
}

int predict_targets(const loaded_model& model, const target_prediction& o) {
  refuse_temperature(model, o.inference);
  const model_info& info = model.info;
  const std::vector<minicnn::image_transform> all = views(info, o.tta);
  std::vector<std::string> problems;
  minicnn::image_dataset pictures = list_pictures(expand_paths(o.paths, std::cin, problems), problems);
  convert_channels(pictures, info.config.channels);
  for (const std::string& text : problems) say(text);
  auto bad = static_cast<index_t>(problems.size());
  if (o.csv) {
    std::string header = info.task.kind == "multilabel" ? "path,labels" : "path";
    for (const std::string& name : info.classes) header += "," + minicnn::spreadsheet_field(name);
    std::printf("%s\n", header.c_str());
  }
  const std::vector<double> weights = view_weights(minicnn::test_views_named(o.tta));
  const auto count = static_cast<index_t>(all.size());
  const index_t side = info.transform.size, channels = info.config.channels;
  minicnn::tensor<float> input({count, channels, side, side});
  minicnn::picture_source source(pictures);
  minicnn::image_workspace reading, applying;
  minicnn::session<float> run(model.net, {.threads = model.net.threads(), .prepack_weights = true});
  for (index_t i = 0; i < pictures.size(); ++i) {
    const std::string& path = pictures.samples[static_cast<std::size_t>(i)].path;
    try {
      const minicnn::image_u8& image = source.get(i, reading);
      for (index_t v = 0; v < count; ++v)
        apply(image, all[static_cast<std::size_t>(v)], minicnn::random_key(), false, input.data() + v * channels * side * side,
              applying);
    } catch (const minicnn::file_error& e) {
      say(e.what()), bad += 1;
      continue;
    } catch (const minicnn::length_error& e) {  // memory for this picture
      say(e.what()), bad += 1;
      continue;
    }
    const minicnn::view<const float> outputs = run.predict(input);
    std::vector<double> answers(info.classes.size());
    for (index_t v = 0; v < count; ++v)
      for (std::size_t k = 0; k < answers.size(); ++k) {
        const double output = static_cast<double>(outputs.at(v)[static_cast<index_t>(k)]);
        if (!std::isfinite(output)) fail("the network's outputs are not finite numbers: these weights are of no use");
        answers[k] += answer(info.task, output, k) * weights[static_cast<std::size_t>(v)];
      }
    std::printf("%s\n", line_of(path, answers, info, o).c_str());
  }
  if (bad > 0) say(minicnn::text_of(bad, bad == 1 ? " path has" : " paths have", " no prediction"));
  return bad > 0 ? exit_failed : exit_done;
}

}  // namespace cli
