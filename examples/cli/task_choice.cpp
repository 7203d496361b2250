#include "task_choice.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <minicnn/data/label_table.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/train/classification.hpp>
#include <minicnn/train/multi_label.hpp>
#include <minicnn/train/regression.hpp>

#include "alike_names.hpp"
#include "commands.hpp"
#include "data_source.hpp"
#include "messages.hpp"
#include "paths.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::index_t;
using minicnn::text_of;

namespace {

/// Class weights beyond these are a slip; within them losses and gradients are finite with every mean.
constexpr double least_weight = 1e-9, most_weight = 1e9;

bool is_file(const std::string& path) {
  std::error_code problem;
  return std::filesystem::is_regular_file(system_path(path), problem);
}

/// What a text has beyond ASCII is all that can be written in two ways.
void add_accented(std::vector<std::string>& out, std::string_view text) {
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) out.emplace_back(text);
}

/// Names of pictures as a table may have them, below the data's folder with the ending and without.
std::vector<std::string> accented_names(const minicnn::image_dataset& data) {
  std::vector<std::string> out;
  for (const minicnn::sample& s : data.samples)
    for (const std::string_view way : minicnn::detail::ways_to_call(s.path, data.root)) add_accented(out, way);
  return out;
}

/// Gives pictures what `attach` finds for the ids of the table; ids and names that differ in composition are told.
template <class Attach>
void attach_rows(minicnn::image_dataset& data, const minicnn::csv_table& table, Attach attach) {
  const std::vector<std::string> names = accented_names(data);
  std::vector<std::string> ids;
  const auto id = std::find(table.header.begin(), table.header.end(), "id");
  const std::size_t column = id == table.header.end() ? 0 : static_cast<std::size_t>(id - table.header.begin());
  for (const minicnn::csv_row& row : table.rows) add_accented(ids, row.fields[column]);
  const std::string difference = composition_difference(ids, table.path, names, data.root);
  try {
    attach();
  } catch (const file_error& e) {
    fail<file_error>(e.what(), difference);
  }
  if (!difference.empty()) data.warnings.push_back("pictures and rows of " + table.path + " that are one by look" + difference);
}

/// A table that gives the labels is not left alone.
void count_as_read(minicnn::image_dataset& data, const std::string& table) {
  auto& names = data.ignored.names;
  std::error_code failed;
  const auto here = [&](const auto& e) { return std::filesystem::equivalent(system_path(e.path), system_path(table), failed); };
  const auto at = std::find_if(names.begin(), names.end(), here);
  if (at == names.end()) return;
  data.layout += ", labels in " + table.substr(table.rfind('/') + 1);
  names.erase(at);
  data.ignored.other -= 1;
}

}  // namespace

minicnn::image_dataset open_task_data(const std::string& path, const std::string& labels, const std::string& task,
                                      minicnn::data_part part, bool quiet) {
  std::error_code problem;
  const bool table_of_classes =
      is_file(path + "/labels.csv") ||
      (is_file(path + "/trainLabels.csv") && !std::filesystem::is_directory(system_path(path + "/train"), problem));
  if (task == "classify" && labels.empty() && (!table_of_classes || !minicnn::read_dataset(path, {.part = part}).classes.empty()))
    return open_data(path, part, quiet);
  std::string table = labels, pictures = path;
  if (table.empty())
    for (const char* name : {"/labels.csv", "/trainLabels.csv"})
      if (table.empty() && is_file(path + name)) table = path + name;
  if (table.empty())
    throw usage_error("--task " + task + ": wants --labels FILE (or labels.csv or trainLabels.csv in " + path + ")");
  if (table == path + "/trainLabels.csv" && std::filesystem::is_directory(system_path(path + "/train"), problem))
    pictures = path + "/train";
  minicnn::image_dataset data = minicnn::read_dataset(pictures, {.part = part, .labels = false});
  const minicnn::csv_table rows = minicnn::read_csv(table);
  const auto kind = task == "multilabel" ? minicnn::target_kind::labels : minicnn::target_kind::numbers;
  attach_rows(data, rows, [&] {
    if (task == "classify")
      minicnn::attach_classes(data, rows);
    else
      attach_targets(data, minicnn::read_label_table(rows, kind));
  });
  note_missing_values(data, rows);
  count_as_read(data, table);
  if (!quiet)
    say(text_of(data.root, ": ", data.size(), data.size() == 1 ? " picture" : " pictures", " with a row in ", table, ": ",
                list_of(output_names(data))));
  for (const std::string& text : data.warnings) warn(data.root + ": " + text);
  warn_of_alike_names(data.root, output_names(data));
  return data;
}

minicnn::image_dataset open_labelled(const std::string& path, minicnn::data_part part, const std::string& labels,
                                     const std::string& task) {
  if (!labels.empty()) return open_task_data(path, labels, task, part);
  std::string reason;
  try {
    return open_task_data(path, "", task, part);
  } catch (const usage_error&) {  // there is no table
    return open_data(path, part);
  } catch (const minicnn::error& e) {
    reason = e.what();
  }
  minicnn::image_dataset data = open_data(path, part);  // throws if it is no table's fault
  warn(reason + "; read without labels");
  return data;
}

const std::vector<std::string>& output_names(const minicnn::image_dataset& data) {
  return data.target_names.empty() ? data.classes : data.target_names;
}

void match_targets(const minicnn::image_dataset& data, const model_info& info) {
  if (data.target_names != info.classes)
    fail(data.root, ": has the targets ", list_of(data.target_names), "; the weights predict ", list_of(info.classes),
         in_code_points(data.target_names, data.root, info.classes, "the weights"));
}

std::vector<double> class_weights(const recipe& r, const minicnn::image_dataset& data, const minicnn::data_split& split) {
  if (r.class_weights.empty()) return {};
  const std::vector<std::string>& names = output_names(data);
  if (r.class_weights != "balanced") {
    const minicnn::csv_table table = minicnn::read_csv(r.class_weights);
    const std::size_t name = table.column("class"), weight = table.column("weight");
    std::vector<double> weights(names.size(), -1);
    for (const minicnn::csv_row& row : table.rows) {
      const std::string called = table.name(row, name), &text = row.fields[weight];
      const auto found = std::find(names.begin(), names.end(), called);
      const double value = minicnn::parse_number(minicnn::trimmed(text)).value_or(0);
      if (found == names.end())
        fail<file_error>(table.path, ": line ", row.line, ": \"", called, "\" is none of ", list_of(names),
                         in_code_points({called}, table.path, names, data.root));
      if (!(value >= least_weight && value <= most_weight))
        fail<file_error>(table.path, ": line ", row.line, ": --class-weights: wanted a weight from ", least_weight, " to ",
                         most_weight, ", got \"", text, "\"");
      double& place = weights[static_cast<std::size_t>(found - names.begin())];
      if (place >= 0) fail<file_error>(table.path, ": line ", row.line, ": a second weight for \"", *found, "\"");
      place = value;
    }
    for (std::size_t k = 0; k < names.size(); ++k)
      if (weights[k] < 0) fail<file_error>(table.path, ": no weight for \"", names[k], "\"");
    return weights;
  }
  std::vector<index_t> counts(names.size());
  for (const index_t i : split.train) {
    if (r.task == "classify") counts[static_cast<std::size_t>(data.samples[static_cast<std::size_t>(i)].label)] += 1;
    const std::span<const double> own = data.targets_of(i);
    for (std::size_t k = 0; k < own.size(); ++k) counts[k] += own[k] > 0;
  }
  return r.task == "classify" ? minicnn::balanced_class_weights(counts)
                              : minicnn::balanced_pos_weight(counts, static_cast<index_t>(split.train.size()));
}

minicnn::task_info info_of_task(const recipe& r, const minicnn::image_dataset& data, const minicnn::data_split& split) {
  minicnn::task_info info;
  info.kind = r.task;
  if (r.task != "regress") return info;
  std::vector<double> targets;
  for (const index_t i : split.train) {
    const std::span<const double> own = data.targets_of(i);
    targets.insert(targets.end(), own.begin(), own.end());
  }
  minicnn::target_scaling scaling = minicnn::standardize(targets, static_cast<index_t>(data.target_names.size()));
  info.mean = std::move(scaling.mean), info.std = std::move(scaling.std);
  return info;
}

std::unique_ptr<minicnn::task<float>> make_task(const minicnn::task_info& info, double label_smoothing,
                                                std::vector<double> weights) {
  if (info.kind == "multilabel")
    return std::make_unique<minicnn::multi_label<float>>(minicnn::multi_label_options{std::move(weights), info.thresholds});
  if (info.kind == "regress") return std::make_unique<minicnn::regression<float>>(minicnn::target_scaling{info.mean, info.std});
  return std::make_unique<minicnn::classification<float>>(minicnn::cross_entropy_options{label_smoothing, std::move(weights)});
}

void want_classification(const model_info& info, const char* command) {
  if (!info.task.classifies())
    throw usage_error(text_of(command, ": these weights are of --task ", info.task.kind, ", wanted a classification"));
}

}  // namespace cli
