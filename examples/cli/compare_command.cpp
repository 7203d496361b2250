// minicnn compare

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/io/json.hpp>
#include <optional>

#include "alike_names.hpp"
#include "commands.hpp"
#include "load_run.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "path_json.hpp"
#include "paths.hpp"

namespace cli {

using minicnn::fixed;
using minicnn::index_t;
using minicnn::json;
using minicnn::printable;
using minicnn::short_number;
namespace fs = std::filesystem;

namespace {

struct compare_options {
  std::vector<std::string> runs;
  std::string out, data;
  bool no_test = false, json = false;
  int threads = 0;
};

/// Runs with the same folder name are told apart by their whole path.
void name_runs(std::vector<finished_run>& runs) {
  std::vector<std::string> names;
  for (const finished_run& r : runs) names.push_back(r.page.name);
  for (finished_run& r : runs)
    if (std::count(names.begin(), names.end(), r.page.name) > 1) r.page.name = r.folder;
}

/// A run beside itself differs in nothing, which somebody might take for a result.
void note_same_folders(const std::vector<finished_run>& runs, std::vector<std::string>& notes) {
  for (std::size_t b = 1; b < runs.size(); ++b)
    for (std::size_t a = 0; a < b; ++a)
      if (std::error_code problem; fs::equivalent(system_path(runs[a].folder), system_path(runs[b].folder), problem))
        notes.push_back(runs[a].folder + " and " + runs[b].folder + " are the same run.");
}

/// What can be said about a run's validation pictures, or why nothing can, as a note.
std::optional<validated_run> validated(const finished_run& run, const compare_options& o, std::vector<std::string>& notes) {
  const std::string without = run.page.name + " takes no part in the paired test: ";
  std::error_code problem;
  if (run.task != "classify") {
    notes.push_back(without + "it is of --task " + run.task + ", and the test is one of classifications.");
    return std::nullopt;
  }
  if (!run.labels.empty() && !fs::exists(system_path(run.labels), problem)) {
    notes.push_back(without + "its labels, " + run.labels + " as config.json has it, are not there.");
    return std::nullopt;
  }
  if (!fs::exists(system_path(joined(run.folder, "best.safetensors")), problem)) {
    notes.push_back(without + "there is no " + joined(run.folder, "best.safetensors") + ".");
    return std::nullopt;
  }
  const std::string data = o.data.empty() ? run.data : o.data;
  if (!fs::exists(system_path(data), problem)) {
    notes.push_back(without + "its pictures, " + data + (o.data.empty() ? " as config.json has it," : ",") +
                    " are not there. Say where they are with --data.");
    return std::nullopt;
  }
  validated_run v = validate_run(run.folder, data, run.labels, o.threads);
  if (v.pictures.empty()) {
    notes.push_back(without + "it held back no pictures for validation.");
    return std::nullopt;
  }
  if (v.unreadable > 0)
    notes.push_back(minicnn::text_of(run.page.name, ": ", v.unreadable, " validation pictures cannot be read and are left out."));
  return v;
}

/// All pairs of runs that were validated on the same pictures.
void test_pairs(minicnn::run_comparison& page, const std::vector<std::optional<validated_run>>& runs) {
  for (std::size_t b = 1; b < runs.size(); ++b)
    for (std::size_t a = 0; a < b; ++a) {
      if (!runs[a] || !runs[b]) continue;
      if (runs[a]->pictures == runs[b]->pictures && runs[a]->classes == runs[b]->classes)
        page.pairs.push_back({a, b, compare_paired(runs[a]->judged, runs[b]->judged)});
      else
        page.notes.push_back(page.runs[a].name + " and " + page.runs[b].name +
                             " were validated on different pictures (seed, fraction, limit or data differ), so there is no "
                             "paired test between them." +
                             in_code_points(runs[a]->classes, page.runs[a].name, runs[b]->classes, page.runs[b].name));
    }
}

json to_json(const minicnn::run_comparison& c, const std::vector<finished_run>& runs) {
  json text{{"runs", json::array{}}, {"settings", json::object{}}, {"pairs", json::array{}}, {"notes", c.notes}};
  for (std::size_t i = 0; i < c.runs.size(); ++i) {
    const minicnn::epoch_record* e = c.runs[i].best();
    json run{{"name", minicnn::as_utf8(c.runs[i].name)},
             {"path", minicnn::as_utf8(runs[i].folder)},
             {"epochs", c.runs[i].history.size()}};
    if (e != nullptr) {
      run["best_epoch"] = e->epoch;
      run["val_accuracy"] = e->val_accuracy;
      run["val_loss"] = e->val_loss;
      run["train_loss"] = e->train_loss;
      run["seconds"] = c.runs[i].history.back().seconds;
    }
    if (c.runs[i].parameters > 0) run["parameters"] = c.runs[i].parameters;
    text["runs"].push(run);
  }
  for (const minicnn::compared_setting& s : compare_settings(c.runs))
    if (!s.same()) text["settings"][s.name] = s.values;
  for (const minicnn::compared_pair& p : c.pairs)
    text["pairs"].push({{"first", minicnn::as_utf8(c.runs[p.first].name)},
                        {"second", minicnn::as_utf8(c.runs[p.second].name)},
                        {"images", p.result.images},
                        {"both_right", p.result.both},
                        {"only_first_right", p.result.only_first},
                        {"only_second_right", p.result.only_second},
                        {"neither_right", p.result.neither},
                        {"mcnemar_p", p.result.p_value},
                        {"log_loss_difference", p.result.loss_difference.mean},
                        {"log_loss_interval", json::array{p.result.loss_difference.low, p.result.loss_difference.high}}});
  return text;
}

void print_text(const minicnn::run_comparison& c) {
  int width = 3;
  for (const minicnn::compared_run& r : c.runs) width = (std::max)(width, minicnn::text_columns(printable(r.name)));
  std::printf("%s  val accuracy  val log loss  best epoch  epochs      time\n", minicnn::left_aligned("run", width).c_str());
  for (const minicnn::compared_run& r : c.runs) {
    const minicnn::epoch_record* e = r.best();
    const std::string accuracy = e != nullptr && std::isfinite(e->val_accuracy) ? fixed(100 * e->val_accuracy, 2) + " %" : "-";
    const std::string loss = e != nullptr && std::isfinite(e->val_loss) ? fixed(e->val_loss, 4) : "-";
    std::printf("%s  %12s  %12s  %10s  %6zu  %8s\n", minicnn::left_aligned(printable(r.name), width).c_str(), accuracy.c_str(),
                loss.c_str(), e != nullptr ? minicnn::to_text(e->epoch).c_str() : "-", r.history.size(),
                e != nullptr ? minicnn::clock_text(r.history.back().seconds).c_str() : "-");
  }
  for (const minicnn::compared_pair& p : c.pairs) {
    const minicnn::mean_interval& d = p.result.loss_difference;
    std::printf(
        "%s against %s, %s pictures: only the first right %s, only the second %s, McNemar p = %s; log loss %s (%s to %s)\n",
        printable(c.runs[p.first].name).c_str(), printable(c.runs[p.second].name).c_str(),
        minicnn::to_text(p.result.images).c_str(), minicnn::to_text(p.result.only_first).c_str(),
        minicnn::to_text(p.result.only_second).c_str(), short_number(p.result.p_value).c_str(), fixed(d.mean, 4).c_str(),
        fixed(d.low, 4).c_str(), fixed(d.high, 4).c_str());
  }
}

int compare_command(const compare_options& o) {
  std::vector<finished_run> runs;
  for (const std::string& folder : o.runs) runs.push_back(load_run(folder));
  name_runs(runs);
  for (const finished_run& r : runs) refuse_inside_data(o.out, o.data.empty() ? r.data : o.data);

  minicnn::run_comparison page;
  for (const finished_run& r : runs) page.runs.push_back(r.page);
  note_same_folders(runs, page.notes);
  if (!o.no_test) {
    std::vector<std::optional<validated_run>> judged;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      judged.push_back(validated(runs[i], o, page.notes));
    }
    test_pairs(page, judged);
  }
  for (const std::string& note : page.notes) say(note);
  if (!o.out.empty()) {
    std::string title;
    for (std::size_t i = 0; i < page.runs.size() && i < 3; ++i) title += (i == 0 ? "" : " · ") + page.runs[i].name;
    if (page.runs.size() > 3) title += minicnn::text_of(" and ", page.runs.size() - 3, " more");
    minicnn::write_file(o.out, compare_html(page, title));
  }
  if (is_standard_output(o.out)) return exit_done;
  if (o.json)
    std::printf("%s\n", json_text(to_json(page, runs)).c_str());
  else
    print_text(page);
  return exit_done;
}

}  // namespace

void add_compare(CLI::App& app, action& chosen) {
  auto o = std::make_shared<compare_options>();
  CLI::App* command = app.add_subcommand(
      "compare",
      "training runs side by side: curves, figures of the best epochs, settings that differ, and for runs that were validated "
      "on\n"
      "the same pictures a paired test with their best weights (McNemar's exact test on right answers, bootstrap interval for\n"
      "log loss). The figures are printed; --out writes a page with everything.");
  command->add_option("RUN", o->runs, "run folders that train wrote, 2 to 16")->required()->expected(2, 16);
  command->add_option("--out", o->out, "page to write; - for standard output, in place of the text (default: none)");
  command->add_option("--data", o->data, "where the pictures are now (default: where each run's config.json says)");
  command->add_flag("--no-test", o->no_test, "no paired test: no pictures and no weights are read");
  command->add_option("--threads", o->threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, &chosen] {
    o->out = output_file(o->out);
    refuse_losing(o->out, {minicnn::file_kind::web_page});
    chosen = [o] { return compare_command(*o); };
  });
}

}  // namespace cli
