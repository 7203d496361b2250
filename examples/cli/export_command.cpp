// minicnn export

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <minicnn/formats/npz.hpp>
#include <minicnn/formats/onnx.hpp>
#include <minicnn/formats/pth_writer.hpp>
#include <minicnn/formats/torchvision_names.hpp>
#include <minicnn/io/safetensors.hpp>

#include "commands.hpp"
#include "data_source.hpp"
#include "import_weights.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "weights.hpp"

namespace cli {

using minicnn::dtype;

namespace {

struct export_options {
  std::string weights, format, out, type = "f32", names;
  bool probabilities = false, free_size = false, signed_weights = false;
};

using tensors = std::vector<minicnn::named_tensor<float>>;

/// Everything that the file has, under the names that are asked for. What batch normalisation has gathered stays F32: it is
/// small, and what follows divides by its root. So do the scales and biases of a quantised network, whose weights are I8 in
/// safetensors.
tensors tensors_of(const minicnn::network<float>& net, const std::vector<minicnn::tensor_name>& names, dtype stored, bool int8) {
  tensors out;
  const bool quantized = minicnn::is_quantized(net);
  for (const minicnn::tensor_name& n : names) {
    const bool whole =
        std::any_of(net.parameters().begin(), net.parameters().end(), [&](const auto& p) { return p.int8 && p.name == n.own; });
    out.push_back({n.other, (n.buffer ? net.buffer(n.own) : net.parameter(n.own)).reshaped(n.dims),
                   whole && int8           ? dtype::i8
                   : n.buffer || quantized ? dtype::f32
                                           : stored});
  }
  return out;
}

/// The metadata of a weights file, without what only a resumed run needs.
std::map<std::string, std::string> kept_metadata(const minicnn::safetensors_file& file) {
  std::map<std::string, std::string> kept = file.metadata();
  for (const char* key : {"position", "recipe", "data"}) kept.erase(key);
  return kept;
}

/// PyTorch counts the batches that each normalisation has seen, and does nothing with it.
std::vector<std::string> counters_of(const std::vector<minicnn::tensor_name>& names) {
  const std::string last = "running_mean";
  std::vector<std::string> counters;
  for (const minicnn::tensor_name& n : names)
    if (n.other.ends_with(last)) counters.push_back(n.other.substr(0, n.other.size() - last.size()) + "num_batches_tracked");
  return counters;
}

void write_safetensors(const export_options& o, const tensors& all, const std::map<std::string, std::string>& metadata) {
  minicnn::safetensors_writer out;
  for (const auto& [key, text] : metadata) out.metadata(key, text);
  for (const auto& one : all) {
    check_range(one);
    out.add(one.name, one.values, one.stored);
  }
  out.write(o.out);
}

/// A network that diverged is exported as it is.
void warn_of_bad_values(const minicnn::network<float>& net, const std::string& path) {
  std::vector<std::string> names;
  const auto look_at = [&](const std::string& name, const minicnn::view<const float>& values) {
    if (std::any_of(values.begin(), values.end(), [](float v) { return !std::isfinite(v); })) names.push_back(name);
  };
  for (const auto& p : net.parameters()) look_at(p.name, net.parameter(p.name));
  for (const auto& b : net.buffers()) look_at(b.name, net.buffer(b.name));
  if (!names.empty()) warn(path + ": has values that are not finite, so what is exported predicts nothing: " + list_of(names));
}

int export_onnx(const export_options& o, const minicnn::safetensors_file& file, const loaded_model& model) {
  minicnn::onnx_options how;
  how.probabilities = o.probabilities;
  how.temperature = model.info.temperature;
  how.free_size = o.free_size;
  how.signed_weights = o.signed_weights;
  how.metadata = kept_metadata(file);
  minicnn::write_onnx(o.out, model.net, how);
  const minicnn::shape& in = model.net.input_dims();
  say(minicnn::text_of(o.out, ": ", minicnn::model_title(model.info.config), " for images of ", in[1], " x ", in[2], " x ", in[3],
                       o.free_size ? " or any other size" : "", ", result: ", o.probabilities ? "probabilities" : "logits"));
  return exit_done;
}

int export_command(const export_options& o) {
  const auto file = open_weights(o.weights);
  const loaded_model model = load_model(o.weights, 1);
  warn_of_bad_values(model.net, o.weights);
  if (o.format == "onnx") return export_onnx(o, file, model);
  if (o.format != "safetensors") refuse_quantized(o.weights, "of other formats ONNX alone has its scales");
  if (o.type != "f32" && minicnn::is_quantized(model.net))
    throw usage_error("--dtype " + o.type + ": " + o.weights + " is an 8-bit file, whose weights are I8 and the rest F32");
  const bool foreign = o.names.empty() ? o.format == "pth" : o.names == "torchvision";
  const auto names = foreign ? minicnn::torchvision_names(model.info.config.name, model.net) : minicnn::own_names(model.net);
  const dtype stored = o.type == "f16" ? dtype::f16 : o.type == "bf16" ? dtype::bf16 : dtype::f32;
  const tensors all = tensors_of(model.net, names, stored, o.format == "safetensors");
  if (o.format == "safetensors")
    write_safetensors(o, all, kept_metadata(file));
  else if (o.format == "npz")
    minicnn::write_npz<float>(o.out, all);
  else
    minicnn::write_pth<float>(o.out, all, foreign ? counters_of(names) : std::vector<std::string>());
  say(minicnn::text_of(o.out, ": ", all.size(), " tensors"));
  return exit_done;
}

}  // namespace

void add_export(CLI::App& app, action& chosen) {
  auto o = std::make_shared<export_options>();
  CLI::App* command = app.add_subcommand("export", "writes a network, or its weights alone, for other programs");
  command->add_option("--weights", o->weights, "weights file of minicnn")->required();
  command
      ->add_option("--format", o->format,
                   "safetensors; npz for NumPy; pth for PyTorch; onnx: the whole network, not the weights alone")
      ->required()
      ->transform(one_of({"safetensors", "npz", "pth", "onnx"}));
  command->add_option("--out", o->out, "file to write; - for standard output")->required();
  command->add_option("--dtype", o->type, "type of the parameters; running statistics of batch normalisation stay f32")
      ->transform(one_of({"f32", "f16", "bf16"}));
  command->add_option("--names", o->names, "whose names the tensors have (default: torchvision for pth, else minicnn)")
      ->transform(one_of({"minicnn", "torchvision"}));
  command->add_flag("--probabilities", o->probabilities,
                    "onnx: softmax behind the logits, with the temperature that the weights file has");
  command->add_flag("--free-size", o->free_size, "onnx: images of any height and width, where the network allows it");
  command->add_flag("--signed-weights", o->signed_weights,
                    "onnx: signed weights of an 8-bit network, which are faster with VNNI and wrong in ONNX Runtime without it");
  command->callback([o, &chosen, command] {
    const bool onnx = o->format == "onnx";
    for (const char* option : {"--dtype", "--names"})
      if (onnx && command->count(option) > 0) throw usage_error(std::string(option) + ": not with onnx, whose weights are f32");
    for (const char* option : {"--probabilities", "--free-size", "--signed-weights"})
      if (!onnx && command->count(option) > 0) throw usage_error(std::string(option) + " goes with --format onnx only");
    if (o->format == "npz" && o->type == "bf16") throw usage_error("--dtype bf16: NumPy has no such type; npz takes f32 or f16");
    refuse_replacing(o->out, o->weights, "--weights");
    o->out = output_file(o->out);
    using minicnn::file_kind;
    refuse_losing(o->out, {file_kind::safetensors, file_kind::npz, file_kind::torch_zip, file_kind::onnx});
    chosen = [o] { return export_command(*o); };
  });
}

}  // namespace cli
