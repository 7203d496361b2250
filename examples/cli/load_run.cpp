#include "load_run.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <minicnn/files/text_lines.hpp>
#include <minicnn/report/progress.hpp>

#include "data_source.hpp"
#include "inference.hpp"
#include "path_json.hpp"
#include "paths.hpp"
#include "task_choice.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::index_t;
using minicnn::json;

namespace {

/// Parameters of the network that a recipe describes, without memory for them being touched; 0 if it describes none.
index_t parameters_of(const json& recipe) {
  try {
    return minicnn::make_model(minicnn::model_config_from(recipe.at("model")), {.threads = 1, .initialize = false})
        .parameter_count();
  } catch (const std::exception&) {  // also of memory, for sizes that no run can have had
    return 0;
  }
}

json read_json(const std::string& path) {
  json text = minicnn::parse_json(minicnn::read_utf8(path), path);
  if (!text.is_object()) fail<file_error>(path, ": wanted a JSON object");
  return text;
}

}  // namespace

finished_run load_run(const std::string& folder) {
  std::error_code problem;
  if (!std::filesystem::is_directory(system_path(folder), problem)) fail<file_error>(folder, ": no such run folder");
  finished_run run;
  run.folder = folder;
  const std::string config = folder + "/config.json", results = folder + "/results.csv";
  const json text = read_json(config);
  try {
    run.data = text.at("data").as_string();
    run.labels = text.value_or("labels", "");
    const json& recipe = text.at("recipe");
    if (!recipe.is_object()) fail<file_error>(config, ": recipe: wanted a JSON object");
    run.task = recipe.value_or("task", "classify");
    run.page.parameters = parameters_of(recipe);
    run.page.settings.emplace_back("data", run.data);
    if (!run.labels.empty()) run.page.settings.emplace_back("labels", run.labels);
    for (auto& member : flat_members(recipe)) run.page.settings.push_back(std::move(member));
    for (const char* name : {"threads", "workers", "instruction_set", "time_limit_minutes", "version"})
      if (const json* value = text.find(name))
        run.page.settings.emplace_back(name, value->is_string() ? value->as_string() : json_text(*value));
  } catch (const file_error&) {
    throw;
  } catch (const minicnn::error& e) {
    fail<file_error>(config, ": ", e.what());
  }
  run.page.history = minicnn::parse_history_csv(minicnn::read_utf8(results), results);
  std::filesystem::path path = system_path(folder);
  if (path.filename().empty() || path.filename() == ".") path = path.parent_path();
  run.page.name = path.filename().empty() || path.filename() == ".." ? folder : path_text(path.filename());
  return run;
}

validated_run validate_run(const std::string& folder, const std::string& data_path, const std::string& labels, int threads) {
  const loaded_model model = load_model(folder + "/best.safetensors", threads);
  want_classification(model.info, "compare --data");
  minicnn::image_dataset data = open_task_data(data_path, labels, model.info.task.kind);
  match_classes(data, model.info.classes);
  convert_channels(data, model.info.config.channels);
  std::erase_if(data.samples, [](const minicnn::sample& s) { return s.label < 0; });
  const minicnn::sample_indices part =
      split_data(data, model.info.limit, model.info.val_fraction, model.info.split_seed, model.info.fold, model.info.folds)
          .validation;

  validated_run out;
  out.classes = model.info.classes;
  const predictor predict = predictor_of(model, model.info.tta, evaluation_batch_size);
  minicnn::progress_line progress(stderr);
  for (std::size_t done = 0; done < part.size();) {
    progress.update("validating " + folder, static_cast<index_t>(done), static_cast<index_t>(part.size()), "");
    const auto count = (std::min)(part.size() - done, static_cast<std::size_t>(predict.at_once()));
    const auto results = predict_samples(predict, data, std::span<const index_t>(part.data() + done, count));
    for (std::size_t i = 0; i < count; ++i) {
      const minicnn::sample& s = data.samples[static_cast<std::size_t>(part[done + i])];
      if (!results[i].reason.empty()) {
        out.unreadable += 1;
        continue;
      }
      const std::vector<double>& row = results[i].log_probabilities;
      const auto truth = static_cast<std::size_t>(s.label);
      out.pictures.push_back(s.id);
      out.judged.right.push_back(std::max_element(row.begin(), row.end()) - row.begin() == s.label);
      out.judged.losses.push_back(-row[truth]);
    }
    done += count;
  }
  return out;
}

}  // namespace cli
