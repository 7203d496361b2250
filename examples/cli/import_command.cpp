// minicnn import

#include <minicnn/data/csv.hpp>
#include <minicnn/files/text_lines.hpp>
#include <minicnn/io/checkpoint.hpp>

#include "commands.hpp"
#include "import_onnx.hpp"
#include "import_weights.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "resolve_model.hpp"
#include "weights.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::index_t;
using minicnn::text_of;

namespace {

struct import_options {
  model_config model;
  std::string from, out, class_names;
  bool new_head = false;
  onnx_import_request onnx;
};

/// What the file's tensors say about the model: channels, whether it has auxiliary heads, and how many classes.
template <class File>
void complete_from(const File& file, model_config& model, bool classes_given) {
  model_config probe = model;
  if (probe.classes == 0) probe.classes = 2;
  const minicnn::network<float> net = resolve_model(probe, 1);
  const auto names = names_in(file, model.name, net);
  const auto found = minicnn::tensors_by_name(file, names);
  const auto& first = names.front();
  if (const auto entry = found.find(first.other); entry != found.end() && first.dims.rank() == 4)
    if (const minicnn::shape& dims = entry->second->dims; dims.rank() == 4 && dims[1] <= 1024)
      model.channels = static_cast<int>(dims[1]);
  const std::vector<int> heads = head_nodes(net);
  if (heads.size() > 1) {
    model.aux = false;
    for (const minicnn::tensor_name& n : names) model.aux = model.aux || (n.node == heads[1] && found.count(n.other) > 0);
  }
  if (classes_given) return;
  for (const minicnn::tensor_name& n : names) {
    const auto entry = found.find(n.other);
    if (n.node != heads[0] || n.dims.rank() < 2 || entry == found.end()) continue;
    const minicnn::shape& dims = entry->second->dims;
    if (dims.rank() == n.dims.rank() && dims[0] >= 1 && dims[0] <= 1 << 20) model.classes = static_cast<int>(dims[0]);
  }
  if (model.classes == 0) model.classes = probe.classes;  // what is wrong with the file is said when it is read
}

std::vector<std::string> read_class_names(const std::string& path) {
  std::vector<minicnn::text_line> lines = minicnn::read_lines(path);
  while (!lines.empty() && minicnn::trimmed(lines.back().text).empty()) lines.pop_back();
  if (lines.empty()) fail<file_error>(path, ": holds no names of classes, wanted one a line");
  std::vector<std::string> names;
  for (const minicnn::text_line& line : lines) {
    names.emplace_back(minicnn::trimmed(line.text));
    if (names.back().empty()) fail<file_error>(path, ": line ", line.number, ": a class without a name");
  }
  return minicnn::distinct_names(names);
}

template <class File>
void load(const File& file, const import_options& o, minicnn::network<float>& net) {
  auto names = names_in(file, o.model.name, net);
  std::vector<minicnn::tensor_name> heads;
  const std::vector<int> nodes = head_nodes(net);
  const auto is_head = [&](const auto& n) { return std::find(nodes.begin(), nodes.end(), n.node) != nodes.end(); };
  if (o.new_head) {
    std::copy_if(names.begin(), names.end(), std::back_inserter(heads), is_head);
    std::erase_if(names, is_head);
  }
  refuse_whole_numbers(file, names);
  try {
    load_named_weights(net, file, names, heads);
  } catch (const file_error& e) {
    names.insert(names.end(), heads.begin(), heads.end());
    const auto found = minicnn::tensors_by_name(file, names);
    for (const minicnn::tensor_name& n : names)
      if (const auto entry = found.find(n.other); entry != found.end() && is_head(n) && !(entry->second->dims == n.dims))
        fail<file_error>(e.what(), " - the last layer is for other classes than the ", o.model.classes,
                         " of --classes; --new-head leaves it out and draws a new one");
    throw;
  }
}

template <class File>
int import_from(const File& file, import_options o, model_info info, bool known) {
  if (!known) complete_from(file, o.model, o.model.classes > 0);
  o.model = minicnn::completed(o.model);
  minicnn::network<float> net = resolve_model(o.model, 1);
  load(file, o, net);
  note_left_out(file, names_in(file, o.model.name, net), o.from);
  if (!known) info.transform = imagenet_pictures(o.model.image_size);
  info.config = o.model;
  if (!o.class_names.empty()) info.classes = read_class_names(o.class_names);
  if (info.classes.empty())
    for (int k = 0; k < o.model.classes; ++k) info.classes.push_back(minicnn::to_text(k));
  if (static_cast<int>(info.classes.size()) != o.model.classes)
    fail<file_error>(o.class_names, ": ", info.classes.size(), " names for ", o.model.classes, " classes");
  minicnn::save_weights(net, o.out, to_metadata(info));
  say(minicnn::text_of(o.out, ": ", o.model.name, ", ", net.parameter_count(), " parameters, ", o.model.classes, " classes",
                       o.new_head ? ", a new last layer" : ""));
  return exit_done;
}

/// The options that only one of the two kinds of files takes.
void check_kind(const import_options& o, bool onnx) {
  const auto refuse = [&](bool given, const char* option) {
    if (given)
      throw usage_error(
          text_of(option, onnx ? ": not with ONNX models, which say themselves what the network is" : ": only with ONNX models"));
  };
  if (onnx) {
    refuse(!o.model.name.empty(), "--model");
    refuse(o.new_head, "--new-head");
    refuse(o.model.classes > 0, "--classes");
    return;
  }
  refuse(!o.onnx.mean.empty(), "--mean");
  refuse(!o.onnx.deviation.empty(), "--std");
  refuse(o.onnx.range > 0, "--range");
  refuse(!o.onnx.layout.empty(), "--layout");
  refuse(o.onnx.no_batch, "--no-batch");
  if (o.model.name.empty()) throw usage_error("--model: wanted, for " + o.from + " holds weights alone");
}

int import_command(const import_options& o) {
  const bool onnx = kind_of_input(o.from) == minicnn::file_kind::onnx;
  if (!onnx) refuse_quantized(o.from, "its weights are for no other program or network");
  check_kind(o, onnx);
  if (onnx) {
    onnx_import_request told = o.onnx;
    told.from = o.from, told.out = o.out, told.image_size = o.model.image_size;
    if (!o.class_names.empty()) told.class_names = read_class_names(o.class_names);
    return import_onnx(told);
  }
  if (kind_of_weights(o.from) != minicnn::file_kind::safetensors)
    return with_weights_file(o.from, [&](const auto& file) { return import_from(file, o, {}, false); });
  const auto file = minicnn::safetensors_file::open(o.from);
  import_options told = o;
  // A file of ours says itself what it is, even if its tensors have torchvision's names.
  const bool known = file.find_metadata("picture") != nullptr && file.find_metadata("model") != nullptr && !o.new_head;
  model_info info;
  if (known) {
    info = read_info(file);
    if (info.config.name != o.model.name)
      fail<file_error>(o.from, ": holds the weights of ", minicnn::model_title(info.config), ", not of ", o.model.name);
    if (o.model.classes > 0 && o.model.classes != info.config.classes)
      fail<file_error>(o.from, ": holds a network for ", info.config.classes, " classes, --classes says ", o.model.classes,
                       "; --new-head draws a new last layer");
    told.model = info.config;
  }
  return import_from(file, told, info, known);
}

}  // namespace

void add_import(CLI::App& app, action& chosen) {
  auto o = std::make_shared<import_options>();
  o->model.name.clear();
  o->model.classes = 0;
  CLI::App* command = app.add_subcommand(
      "import",
      "takes a network from an ONNX model, or its weights from PyTorch (a .pth file of a state dict; nothing in it "
      "is run), NumPy (.npz)\n"
      "or a safetensors file, under torchvision's names or ours, and writes a weights file for the other commands");
  command->add_option("--model", o->model.name, "network that the weights are for; an ONNX model needs none")
      ->transform(one_of(minicnn::model_names()));
  command->add_option("--from", o->from, ".onnx, .pth, .npz or .safetensors file to read")->required();
  command->add_option("--out", o->out, "weights file to write; - for standard output")->required();
  command->add_option("--classes", o->model.classes, "outputs (default: as many as the file has)")
      ->transform(whole_from(1, 1 << 20));
  command->add_option("--image-size", o->model.image_size, "pixels a side (default: the model's own)")
      ->transform(whole_from(1, 1 << 14));
  command->add_option(
      "--class-names", o->class_names,
      "UTF-8 text with a class's name a line, in the order of the outputs; equal names get their number behind them "
      "(default: numbers)");
  command->add_flag("--new-head", o->new_head, "leave the last layer out and draw a new one, for other classes");
  command->add_flag(
      "--transform-input", o->model.transform_input,
      "googlenet and inception-v3: for weights that torchvision ported from TensorFlow, which want pixels from -1 to 1");
  command->add_option("--mean", o->onnx.mean, "onnx: subtracted from the pixels, a number a channel: 0.485,0.456,0.406");
  command->add_option("--std", o->onnx.deviation, "onnx: divides what is left, a number a channel: 0.229,0.224,0.225");
  command->add_option("--range", o->onnx.range, "onnx: what white is before --mean: 1 (torchvision, default) or 255")
      ->transform(CLI::IsMember(std::vector<int>{1, 255}));
  command->add_option("--layout", o->onnx.layout, "onnx: order of the input's axes (default: told by its shape)")
      ->transform(one_of({"nchw", "nhwc"}));
  command->add_flag("--no-batch", o->onnx.no_batch, "onnx: the model takes one picture, (c, h, w), without an axis for more");
  command->callback([o, &chosen] {
    if (o->model.transform_input && !minicnn::has_aux(o->model.name))
      throw usage_error("--transform-input goes with googlenet and inception-v3 only");
    if (o->new_head && o->model.classes == 0) throw usage_error("--new-head: wanted --classes, the number of new outputs");
    refuse_replacing(o->out, o->from, "--from");
    refuse_replacing(o->out, o->class_names, "--class-names");
    o->out = output_file(o->out);
    refuse_losing(o->out, {minicnn::file_kind::safetensors});
    chosen = [o] { return import_command(*o); };
  });
}

}  // namespace cli
