#include "import_onnx.hpp"

#include <minicnn/core/number.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/formats/onnx_import.hpp>
#include <minicnn/model/described_network.hpp>

#include "commands.hpp"
#include "messages.hpp"
#include "paths.hpp"
#include "weights.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::index_t;
using minicnn::json;
using minicnn::text_of;

namespace {

using imported = minicnn::imported_onnx<float>;

/// An entry of the model's metadata as JSON; null where there is none, or where it is no JSON, as others may use the same word.
json metadata_of(const imported& model, const char* key) {
  const auto found = model.metadata.find(key);
  if (found == model.metadata.end()) return nullptr;
  try {
    return minicnn::parse_json(found->second);
  } catch (const minicnn::error&) {
    return nullptr;
  }
}

/// "0.485,0.456,0.406", or one number for all channels.
std::array<float, 3> channel_numbers(const char* option, const std::string& text) {
  std::vector<float> numbers;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = (std::min)(text.find(',', at), text.size());
    const auto number = minicnn::parse_number(text.substr(at, end - at));
    if (!number) throw usage_error(text_of(option, ": wanted numbers with commas between, got \"", minicnn::excerpt(text), "\""));
    numbers.push_back(static_cast<float>(*number));
    at = end + 1;
  }
  if (numbers.size() == 1) numbers.assign(3, numbers[0]);
  if (numbers.size() != 3) throw usage_error(text_of(option, ": wanted one number or three, got ", numbers.size()));
  return {numbers[0], numbers[1], numbers[2]};
}

/// From metadata of our own export, then options; else as torchvision has it, which is said.
minicnn::image_transform pictures_for(const imported& model, const onnx_import_request& o, index_t size) {
  minicnn::image_transform t = imagenet_pictures(size);
  const json told = metadata_of(model, "picture");
  const bool known = told.has("size") && told.at("size").is_int() && told.at("size").as_int() == size;
  if (known) t = minicnn::transform_from(told);
  const bool chosen = !o.mean.empty() || !o.deviation.empty() || o.range > 0;
  if (!chosen && !known)
    warn(o.from +
         ": does not say how pictures are prepared; taken for torchvision's mean and deviation of ImageNet, which --mean, "
         "--std and --range replace");
  if (!chosen) return t;
  t.normalize.mean = o.mean.empty() ? std::array<float, 3>{0, 0, 0} : channel_numbers("--mean", o.mean);
  t.normalize.std = o.deviation.empty() ? std::array<float, 3>{1, 1, 1} : channel_numbers("--std", o.deviation);
  for (const float s : t.normalize.std)
    if (!(s > 0)) throw usage_error(text_of("--std: wanted numbers above 0, got ", s));
  t.normalize.scale = o.range == 255 ? 1.0F : 1.0F / 255;
  return t;
}

std::vector<std::string> classes_for(const imported& model, const onnx_import_request& o, std::size_t count) {
  std::vector<std::string> names = o.class_names;
  const json told = metadata_of(model, "classes");
  if (names.empty() && told.is_array())
    for (const json& name : told.as_array())
      if (name.is_string() && !name.as_string().empty()) names.push_back(name.as_string());
  if (o.class_names.empty() && names.size() != count) names.clear();
  if (names.empty())
    for (std::size_t k = 0; k < count; ++k) names.push_back(minicnn::to_text(k));
  return minicnn::distinct_names(names);
}

imported read_model(const onnx_import_request& o) {
  minicnn::onnx_import_options how;
  how.height = how.width = o.image_size;
  how.logits_of_sigmoid = true;
  how.network.threads = 1;
  if (o.no_batch && !o.layout.empty())
    throw usage_error("--layout " + o.layout + ": not with --no-batch, whose one picture is (c, h, w)");
  if (o.no_batch) how.batch = minicnn::onnx_batch::none;
  if (!o.layout.empty()) how.layout = o.layout == "nhwc" ? minicnn::onnx_layout::nhwc : minicnn::onnx_layout::nchw;
  return minicnn::import_onnx<float>(o.from, how);
}

}  // namespace

minicnn::image_transform imagenet_pictures(index_t size) {
  minicnn::image_transform t;
  t.size = size;
  t.resize_to = size >= 64 ? (8 * size + 3) / 7 : size;
  t.fit = minicnn::fit_mode::crop;
  t.normalize = {{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, 1.0F / 255};
  return t;
}

int import_onnx(const onnx_import_request& o) {
  const imported model = read_model(o);
  const minicnn::shape& in = model.net.input_dims();
  if (in.rank() != 4 || in[2] != in[3] || (in[1] != 1 && in[1] != 3))
    fail<file_error>(o.from, ": takes inputs of ", in,
                     "; the program feeds square pictures of one or three channels. In code there is "
                     "minicnn::load_onnx");
  const index_t classes = model.net.output_dims().size_from(1);
  if (classes < 1 || classes > 1 << 20) fail<file_error>(o.from, ": has ", classes, " outputs");
  model_info info;
  info.config = minicnn::described_config(model.net, minicnn::as_utf8(path_text(system_path(o.from).filename())));
  info.classes = classes_for(model, o, static_cast<std::size_t>(classes));
  info.transform = pictures_for(model, o, in[2]);
  if (const json told = metadata_of(model, "task"); told.is_object())
    info.task = minicnn::task_info_from(told, info.classes.size());
  else if (model.sigmoid)
    info.task.kind = "multilabel";
  info.temperature = model.temperature;
  if (const json told = metadata_of(model, "temperature"); told.is_number() && !model.softmax)
    info.temperature = told.as_double();
  const auto format = model.metadata.find("format");
  if (format != model.metadata.end() && format->second == "minicnn") {  // others may use these words
    if (const json told = metadata_of(model, "tta"); told.is_string()) info.tta = told.as_string();
    if (const json told = metadata_of(model, "clip"); told.is_number()) info.clip = told.as_double();
  }
  if (info.classes.size() != static_cast<std::size_t>(classes))
    fail<file_error>("--class-names: ", info.classes.size(), " names for ", classes, " outputs of ", o.from);
  minicnn::save_model(model.net, info, o.out);
  say(text_of(o.out, ": ", model.net.nodes().size() - 1, " layers, ", model.net.parameter_count(), " parameters, images of ",
              in[1], " x ", in[2], " x ", in[3], ", ", classes, info.task.classifies() ? " classes" : " outputs"));
  return exit_done;
}

}  // namespace cli
