// minicnn submit

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/csv.hpp>
#include <minicnn/data/image_folder.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/report/progress.hpp>

#include "alike_names.hpp"
#include "commands.hpp"
#include "data_source.hpp"
#include "inference.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "paths.hpp"
#include "task_choice.hpp"

namespace cli {

using minicnn::fail;
using minicnn::index_t;
using minicnn::spreadsheet_field;

namespace {

struct submit_options {
  inference_options inference;
  std::string data, out;
  std::string positive;
  std::optional<double> clip;  ///< absent: what the weights file says
};

/// Which output's probability is "label": --positive, else of two the class called dog or the second. None where there are more:
/// "label" is then the name of the most probable class.
std::optional<std::size_t> positive_class(const std::string& wanted, const std::vector<std::string>& classes) {
  if (wanted.empty() && classes.size() != 2) return std::nullopt;
  const auto place = std::find(classes.begin(), classes.end(), wanted.empty() ? "dog" : wanted);
  if (place != classes.end()) return static_cast<std::size_t>(place - classes.begin());
  if (!wanted.empty())
    throw usage_error("--positive " + wanted + ": the weights tell apart " + list_of(classes) +
                      in_code_points({wanted}, "--positive", classes, "the weights"));
  return 1;
}

struct row {
  std::uint64_t id;
  index_t sample;
};

/// A row that is missing is a wrong submission: whatever is left out but could be one of its pictures is an error.
void refuse_left_out(const minicnn::image_dataset& data, const std::vector<row>& rows) {
  const auto present = [&](std::uint64_t id) {
    const auto at = std::lower_bound(rows.begin(), rows.end(), id, [](const row& r, std::uint64_t i) { return r.id < i; });
    return at != rows.end() && at->id == id;
  };
  std::vector<std::string> out;
  for (const minicnn::ignored_files::entry& e : data.ignored.names) {
    const std::string name = e.path.substr(e.path.find_last_of('/') + 1);
    const auto id = minicnn::number_of(name.substr(0, name.find('.')));
    if (id && !present(*id)) out.push_back(name + ": " + e.reason);
  }
  if (data.ignored.pictures == 0 && out.empty()) return;
  if (out.empty())
    for (const minicnn::ignored_files::entry& e : data.ignored.names) out.push_back(e.path + ": " + e.reason);
  const auto count = (std::max)(data.ignored.pictures, static_cast<index_t>(out.size()));
  fail<minicnn::file_error>(data.root, ": ", count, count == 1 ? " picture" : " pictures",
                            " would have no row in the submission (", list_of(out), "); nothing is written");
}

/// Ids of all pictures, in numeric order. Throws file_error for one without a number and for two with the same.
std::vector<row> numbered(const minicnn::image_dataset& data) {
  std::vector<row> rows;
  for (index_t i = 0; i < data.size(); ++i) {
    const std::string& path = data.samples[static_cast<std::size_t>(i)].path;
    const auto id = minicnn::number_of(path);
    if (!id) fail<minicnn::file_error>(path, ": its name is not a number; Kaggle's ids are (12.jpg)");
    rows.push_back({*id, i});
  }
  std::stable_sort(rows.begin(), rows.end(), [](const row& a, const row& b) { return a.id < b.id; });
  for (std::size_t i = 1; i < rows.size(); ++i)
    if (rows[i - 1].id == rows[i].id)
      fail<minicnn::file_error>(data.samples[static_cast<std::size_t>(rows[i].sample)].path, ": has the same id as ",
                                data.samples[static_cast<std::size_t>(rows[i - 1].sample)].path);
  const std::uint64_t wanted = rows.back().id - rows.front().id + 1;
  if (wanted != rows.size())
    warn(minicnn::text_of(data.root, ": ids run from ", rows.front().id, " to ", rows.back().id, ", but there are ", rows.size(),
                          " pictures: ", wanted - rows.size(), " ids are missing"));
  return rows;
}

/// The pictures to be told about: in the folder itself, or its test/ where it is one of Kaggle's with trainLabels.csv.
minicnn::image_dataset open_submission(const std::string& path) {
  std::error_code failed;
  const bool whole = std::filesystem::exists(system_path(path + "/trainLabels.csv"), failed);
  return open_data(path, whole ? minicnn::data_part::test : minicnn::data_part::train);
}

int submit_command(const submit_options& o) {
  const loaded_model model = load_for_inference(o.inference);
  want_classification(model.info, "submit");
  const double clip = o.clip.value_or(model.info.clip);
  const std::optional<std::size_t> positive = positive_class(o.positive, model.info.classes);
  minicnn::image_dataset data = open_submission(o.data);
  convert_channels(data, model.info.config.channels);
  const std::vector<row> rows = numbered(data);
  refuse_left_out(data, rows);
  const predictor predict = predictor_of(model, chosen_views(o.inference, model.info), o.inference.batch_size);
  minicnn::atomic_file file(o.out);  // now, so that a folder that cannot be written to is not found out after the work

  std::string text = "id,label\n";
  index_t bad = 0;
  minicnn::progress_line progress(stderr);
  std::vector<index_t> chosen;
  for (std::size_t done = 0; done < rows.size(); done += chosen.size()) {
    progress.update("predicting", static_cast<index_t>(done), data.size(), "");
    chosen.clear();
    for (std::size_t i = done; i < rows.size() && static_cast<index_t>(i - done) < predict.at_once(); ++i)
      chosen.push_back(rows[i].sample);
    const auto results = predict_samples(predict, data, chosen);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (!results[i].reason.empty()) {
        progress.clear();
        say(data.samples[static_cast<std::size_t>(chosen[i])].path + ": " + results[i].reason);
        bad += 1;
        continue;
      }
      const std::vector<double>& logs = results[i].log_probabilities;
      if (positive) {
        text += minicnn::text_of(rows[done + i].id, ",", std::clamp(std::exp(logs[*positive]), clip, 1 - clip), "\n");
      } else {
        const auto best = static_cast<std::size_t>(std::max_element(logs.begin(), logs.end()) - logs.begin());
        text += minicnn::text_of(rows[done + i].id, ",", spreadsheet_field(model.info.classes[best]), "\n");
      }
    }
  }
  progress.clear();
  if (bad > 0) fail(bad, bad == 1 ? " picture" : " pictures", " of ", o.data, " could not be read; nothing is written");
  file.write(text);
  file.commit();
  const std::string label = positive ? "P(" + model.info.classes[*positive] + ")" : "the most probable class";
  const std::string told = minicnn::text_of(rows.size(), " rows in ", o.out, ": ", label);
  if (is_standard_output(o.out))
    say(told);
  else
    std::printf("%s\n", minicnn::printable(told).c_str());
  return exit_done;
}

}  // namespace

void add_submit(CLI::App& app, action& chosen) {
  auto o = std::make_shared<submit_options>();
  CLI::App* command = app.add_subcommand(
      "submit", "Kaggle's submission file, id,label in order of ids: of two classes P(dog), of more the class's name");
  command->add_option("--data", o->data, "folder of 1.jpg, 2.jpg, ..., or one with test/ and trainLabels.csv")->required();
  command->add_option("--out", o->out, "CSV file to write; - for standard output")->required();
  add_inference_options(*command, o->inference);
  command->add_option("--positive", o->positive,
                      "class whose probability is written (default: of two classes dog, or the second; of more none)");
  command->add_option("--clip", o->clip, "keeps probabilities in [X, 1 - X] (default: what the weights file says)")
      ->transform(number_below(0, 0.5));
  command->callback([o, &chosen] {
    if (o->out != "-") refuse_inside_data(o->out, o->data);
    refuse_replacing(o->out, o->inference.weights, "--weights");
    o->out = output_file(o->out);
    refuse_losing(o->out, {minicnn::file_kind::text});
    chosen = [o] { return submit_command(*o); };
  });
}

}  // namespace cli
