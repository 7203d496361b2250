// minicnn quantize

#include <algorithm>
#include <filesystem>
#include <map>
#include <minicnn/core/printable.hpp>
#include <minicnn/int8/quantizer.hpp>
#include <minicnn/model/described_network.hpp>

#include "alike_names.hpp"
#include "commands.hpp"
#include "data_source.hpp"
#include "import_weights.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "paths.hpp"
#include "progress_loader.hpp"
#include "task_choice.hpp"
#include "weights.hpp"

namespace cli {

using minicnn::fail;
using minicnn::index_t;

namespace {

struct quantize_command_options {
  std::string weights, data, labels, out;
  int pictures = 512;
  std::string range = "least-error";
  std::vector<std::string> keep;
  int threads = 0, workers = 1;
  bool skip_bad = false;
};

constexpr index_t few_pictures = 32;  ///< fewer say little about how large activations get

/// Warns where the chosen pictures say little, or of some classes nothing.
void warn_of_few(const minicnn::image_dataset& data, const minicnn::sample_indices& chosen, const model_info& info) {
  const auto count = static_cast<index_t>(chosen.size());
  if (count < few_pictures)
    warn(minicnn::text_of(data.root, ": calibrates with ", count, count == 1 ? " picture" : " pictures",
                          "; some hundred show how large activations get"));
  std::vector<std::string> seen;
  for (const index_t i : chosen)
    if (const int label = data.samples[static_cast<std::size_t>(i)].label; label >= 0)
      seen.push_back(data.classes[static_cast<std::size_t>(label)]);
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  const std::vector<std::string> without = missing_names(info.classes, seen);
  if (info.task.classifies() && !seen.empty() && !without.empty())
    warn(data.root + ": calibrates without a picture of " + list_of(without));
}

/// Pictures of what training saw, if the data has labels; else of all.
minicnn::sample_indices calibration_pictures(const minicnn::image_dataset& data, const model_info& info, int count) {
  const bool classes = info.task.classifies();
  const bool labelled = std::all_of(data.samples.begin(), data.samples.end(),
                                    [&](const auto& s) { return classes ? s.label >= 0 : s.target >= 0; });
  if (!labelled && (info.val_fraction > 0 || info.folds > 0))
    warn(data.root + ": without labels, which --labels gives, it is not known what was validated on; taken from all pictures");
  const minicnn::sample_indices from =
      labelled ? split_data(data, info.limit, info.val_fraction, info.split_seed, info.fold, info.folds).train
               : all_samples(data);
  const std::vector<std::string> others = missing_names(data.classes, info.classes);
  if (labelled && classes && !others.empty())
    warn(data.root + ": has classes that the weights do not tell apart: " + list_of(others) + "; the weights' are " +
         list_of(info.classes) + in_code_points(data.classes, data.root, info.classes, "the weights"));
  if (from.empty()) fail<minicnn::file_error>(data.root, ": holds no pictures to calibrate with");
  minicnn::sample_indices chosen = stratified_subset(data, from, count, info.split_seed);
  warn_of_few(data, chosen, info);
  return chosen;
}

/// The network with 8-bit numbers, calibrated on pictures of --data.
minicnn::network<float> quantized(const loaded_model& model, const quantize_command_options& o) {
  minicnn::image_dataset data = open_labelled(o.data, minicnn::data_part::train, o.labels, model.info.task.kind);
  if (!o.labels.empty() && !model.info.task.classifies()) match_targets(data, model.info);
  if (model.info.task.classifies() && !data.classes.empty())  // training left out those of no class, too
    std::erase_if(data.samples, [](const minicnn::sample& s) { return s.label < 0; });
  convert_channels(data, model.info.config.channels);
  constexpr int at_once = 8;  // all activations are in memory
  minicnn::loader_options how = evaluation_loader(model.info.transform, at_once, o.workers);
  how.skip_bad = o.skip_bad;
  minicnn::loader<float> pictures(data, calibration_pictures(data, model.info, o.pictures), how);
  progress_loader watched(pictures, "calibrating");
  minicnn::quantizer<float> q(model.net);
  watched.start_epoch(0, 0);
  while (const minicnn::batch<float>* b = watched.next()) q.observe(b->images);
  for (const minicnn::bad_file& b : pictures.bad_files()) say(b.path + ": " + b.reason);
  return q.quantized(
      {.range = o.range == "all" ? minicnn::int8::range_rule::all : minicnn::int8::range_rule::least_error, .keep = o.keep});
}

std::string megabytes(index_t bytes) { return minicnn::fixed(static_cast<double>(bytes) / 1e6, 2) + " MB"; }

int quantize_command(const quantize_command_options& o) {
  refuse_quantized(o.weights, "the network is quantised already");
  const loaded_model model = load_model(o.weights, o.threads);
  for (const std::string& name : o.keep)
    if (std::none_of(model.net.nodes().begin(), model.net.nodes().end(),
                     [&](const auto& n) { return minicnn::selects(name, n.name); }))
      throw usage_error("--keep " + name + ": no layer or scope is called so");
  const minicnn::network<float> net = quantized(model, o);
  model_info info = model.info;
  info.config = minicnn::described_config(net, minicnn::model_title(model.info.config) + " (8-bit)");
  std::map<std::string, std::string> metadata = to_metadata(checked_info(net, info, o.out));
  metadata[quantized_from] = minicnn::as_utf8(path_text(system_path(o.weights).filename()));
  save_weights(net, o.out, metadata);
  index_t bytes = 0, multiplying = 0;
  for (const auto& n : net.nodes()) {
    const std::string_view kind = n.operation == nullptr ? "" : n.operation->kind();
    bytes += kind == "int8_conv2d", multiplying += kind == "int8_conv2d" || kind == "conv2d" || kind == "dense";
  }
  std::string text = minicnn::text_of(o.out, ": ", bytes, " of ", multiplying, " convolutions and dense layers in 8 bits");
  std::error_code ignored;
  if (!is_standard_output(o.out) && std::filesystem::is_regular_file(system_path(o.out), ignored))
    text += ", " + megabytes(static_cast<index_t>(std::filesystem::file_size(system_path(o.out)))) + " instead of " +
            megabytes(4 * model.net.parameter_arena().size()) + " in fp32";
  say(text);
  if (2 * bytes < multiplying) warn(o.out + ": most layers have no 8-bit form and stay in fp32, so little is gained");
  return exit_done;
}

}  // namespace

void add_quantize(CLI::App& app, action& chosen) {
  auto o = std::make_shared<quantize_command_options>();
  CLI::App* command =
      app.add_subcommand("quantize", "writes a network with 8-bit weights and activations: a quarter of the size, and faster");
  command->add_option("--weights", o->weights, "weights file of minicnn")->required();
  command->add_option("--data", o->data, std::string("pictures to calibrate with, of which none is trained on: ") + data_help)
      ->required();
  command->add_option("--out", o->out, "file to write, which evaluate, predict, serve and export take; - for standard output")
      ->required();
  command->add_option("--labels", o->labels, labels_help);
  command->add_option("--pictures", o->pictures, "how many, of each class its share, of the part that training saw")
      ->transform(whole_from(1, 1 << 20))
      ->capture_default_str();
  command
      ->add_option(
          "--range", o->range,
          "range of activations: least-error cuts off rare large values where that loses least, all keeps everything seen")
      ->transform(one_of({"least-error", "all"}))
      ->capture_default_str();
  command->add_option("--keep", o->keep, "layers or scopes that stay in fp32")->delimiter(',');
  add_thread_options(*command, o->threads, o->workers);
  command->add_flag("--skip-bad", o->skip_bad, "leaves out pictures that cannot be read, and says which");
  command->callback([o, &chosen] {
    refuse_replacing(o->out, o->weights, "--weights");
    refuse_inside_data(o->out, o->data);
    o->out = output_file(o->out);
    refuse_losing(o->out, {minicnn::file_kind::safetensors});
    chosen = [o] { return quantize_command(*o); };
  });
}

}  // namespace cli
