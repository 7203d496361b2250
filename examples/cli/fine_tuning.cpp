#include "fine_tuning.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <minicnn/core/number.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/files/crc32.hpp>
#include <minicnn/formats/transfer_named_weights.hpp>
#include <optional>
#include <set>

#include "alike_names.hpp"
#include "commands.hpp"
#include "data_source.hpp"
#include "import_weights.hpp"
#include "paths.hpp"

namespace cli {

using minicnn::fail;
using minicnn::file_error;
using minicnn::index_t;
using minicnn::json;
using minicnn::option_error;
using minicnn::text_of;

namespace {

constexpr const char* not_trained = "nothing is trained from it";

/// A metadata entry of one of our files as JSON; null where there is none.
json metadata_of(const std::string& path, const char* key) {
  if (kind_of_weights(path) != minicnn::file_kind::safetensors) return nullptr;
  const auto file = minicnn::safetensors_file::open(path);
  const std::string* text = file.find_metadata(key);
  if (text == nullptr) return nullptr;
  try {
    return minicnn::parse_json(*text);
  } catch (const minicnn::error&) {
    return nullptr;
  }
}

/// Input channels that the file's network has, 0 if its tensors do not say.
int channels_of_weights(const std::string& path) {
  return with_weights_file(path, [](const auto& file) {
    // The first convolution is the only one whose kernels see 1 or 3 channels.
    for (const auto& entry : file.entries())
      if (entry.dims.rank() == 4 && entry.dims[2] > 1 && (entry.dims[1] == 1 || entry.dims[1] == 3))
        return static_cast<int>(entry.dims[1]);
    return 0;
  });
}

/// What NAME of --freeze and --rate means: the layer or scope called so, or else whatever begins so.
class name_choice {
 public:
  name_choice(const minicnn::network<float>& net, const std::string& text) : text_(text) {
    for (const auto& n : net.nodes()) exact_ = exact_ || minicnn::selects(text, n.name);
    for (const minicnn::parameter_info& p : net.parameters()) exact_ = exact_ || p.name == text;
  }
  bool operator()(std::string_view name) const { return exact_ ? minicnn::selects(text_, name) : name.starts_with(text_); }

 private:
  std::string text_;
  bool exact_ = false;
};

/// Layers that have parameters, in order.
std::vector<std::string> layer_names(const minicnn::network<float>& net) {
  std::vector<std::string> names;
  for (const minicnn::parameter_info& p : net.parameters()) {
    const std::string& name = net.nodes()[static_cast<std::size_t>(p.node)].name;
    if (names.empty() || names.back() != name) names.push_back(name);
  }
  return names;
}

std::vector<std::string> node_names(const minicnn::network<float>& net) {
  std::vector<std::string> names;
  for (const auto& n : net.nodes()) names.push_back(n.name);
  return names;
}

[[noreturn]] void no_such_layer(const std::string& option, const std::string& prefix, const minicnn::network<float>& net) {
  throw usage_error(text_of(option, ": no layer's name begins with \"", prefix, "\"; there are ", list_of(layer_names(net))));
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> items;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = (std::min)(text.find(',', at), text.size());
    items.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return items;
}

}  // namespace

std::string checksum_of(const std::string& path) {
  const minicnn::input_file file(path);
  std::string part;
  std::uint32_t sum = 0;
  for (index_t at = 0; at < file.size(); at += static_cast<index_t>(part.size())) {
    part.resize(static_cast<std::size_t>((std::min)(file.size() - at, index_t{1} << 20)));
    file.read_at(at, part.data(), static_cast<index_t>(part.size()));
    sum = minicnn::crc32(part, sum);
  }
  char text[16];
  std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(sum));
  return std::string("crc32:") + text;
}

void adopt_model(recipe_overrides& o, const std::string& run) {
  if (!o.init_from) return;
  std::error_code problem;
  const bool gone = !run.empty() && !std::filesystem::exists(system_path(*o.init_from), problem);
  const std::string path = gone ? run + "/last.safetensors" : *o.init_from;
  const json text = metadata_of(path, "model");
  if (!text.has("image_size")) return;
  refuse_quantized(path, not_trained);
  const model_config known = [&] {
    try {
      model_config c = minicnn::model_config_from(text);
      (void)minicnn::default_image_size(c);
      return c;
    } catch (const minicnn::error& e) {
      fail<file_error>(path, ": metadata \"model\": ", e.what());
    }
  }();
  if (o.model && *o.model != known.name)
    throw usage_error(text_of(path, ": holds the weights of ", minicnn::model_title(known), ", not of --model ", *o.model));
  o.model = known.name;
  o.transform_input = known.transform_input;
  o.graph = known.graph;
  if (known.name != "alexnet-bn") return;
  if (o.padded && (*o.padded == "on") != known.padded)
    throw usage_error(text_of(path, ": holds a network with --padded ", known.padded ? "on" : "off", ", not ", *o.padded));
  o.padded = known.padded ? "on" : "off";
  if (!o.pooled) o.pooled = known.pooled;
}

void choose_channels(minicnn::image_dataset& data, const recipe_overrides& o) {
  std::error_code problem;
  int wanted = o.channels.value_or(0);
  if (wanted == 0 && o.init_from && std::filesystem::exists(system_path(*o.init_from), problem))
    wanted = channels_of_weights(*o.init_from);
  if (wanted != 0 && wanted != data.channels) convert_channels(data, wanted);
}

std::string begin_with_weights(minicnn::network<float>& net, recipe& r, const std::string& path,
                               const minicnn::image_dataset& data) {
  refuse_quantized(path, not_trained);
  const json told = metadata_of(path, "classes");
  const bool other_classes = told.is_array() && told != json(data.classes);
  if (other_classes) {  // a new last layer for the same names would be no help
    std::vector<std::string> names;
    for (const json& name : told.as_array())
      if (name.is_string()) names.push_back(name.as_string());
    if (const std::string text = composition_difference(data.classes, data.root, names, path); !text.empty())
      fail<option_error>(path, ": tells apart ", list_of(names), "; ", data.root, " has ", list_of(data.classes), text);
  }
  r.init_from = checksum_of(path);
  const minicnn::transfer_result got = with_weights_file(path, [&](const auto& file) {
    const auto names = names_in(file, r.model.name, net);
    refuse_whole_numbers(file, names);
    note_left_out(file, names, path);
    return minicnn::transfer_named_weights(net, file, names, other_classes);
  });
  if (got.loaded.empty()) fail<file_error>(path, ": has no tensors for ", minicnn::model_title(r.model));
  std::string text = text_of("weights to begin with: ", path, ", ", got.loaded.size(), " tensors");
  if (got.skipped.empty()) return text + ", all there are";
  text += text_of("; with initial values, as ", other_classes ? "its classes are others" : "it has none that fit", ": ");
  return text + list_of(got.skipped);
}

std::string recorded_checksum(const std::string& run) {
  const json text = metadata_of(run + "/last.safetensors", "recipe");
  return text.value_or("init_from", "");
}

json recorded_recipe(const std::string& run) {
  std::error_code problem;
  for (const char* name : {"/last.safetensors", "/.replaced/last.safetensors"})
    if (std::filesystem::exists(system_path(run + name), problem)) {
      (void)open_training(run + name);
      if (json text = metadata_of(run + name, "recipe"); text.is_object()) return text;
    }
  return json::object{};
}

std::string freeze_layers(minicnn::network<float>& net, const recipe& r) {
  if (r.freeze.empty()) return "";
  const auto names = layer_names(net);
  for (const std::string& prefix : split_at_commas(r.freeze)) {
    if (prefix == "body") {
      minicnn::freeze_body(net);
      continue;
    }
    const name_choice chosen(net, prefix);
    if (prefix.empty() || std::none_of(names.begin(), names.end(), chosen)) no_such_layer("--freeze", prefix, net);
    for (const std::string& name : node_names(net))
      if (chosen(name)) net.freeze(name);
  }
  index_t learning = 0;
  for (const minicnn::parameter_info& p : net.parameters())
    if (p.trainable) learning += p.dims.size();
  if (learning == 0) throw usage_error("--freeze " + r.freeze + ": leaves nothing to train");
  return text_of("frozen: ", r.freeze, "; ", learning, " of ", net.parameter_count(), " parameters learn");
}

group_rate parse_group_rate(const std::string& text) {
  group_rate out;
  const std::size_t colon = text.rfind(':');
  const std::size_t at = colon == text.npos ? text.size() : colon + 1;
  const std::optional<double> factor = minicnn::parse_number(std::string_view(text).substr(at));
  if (!factor || !(*factor > 0 && *factor <= 1e6))
    fail<option_error>("wanted NAME:FACTOR, a factor above 0 and up to 1000000, got \"", minicnn::excerpt(text), "\"");
  out.factor = *factor;
  out.prefix = text.substr(0, colon);
  if (out.prefix.empty())
    fail<option_error>("wanted the beginning of a layer's name, body or head before the factor, got \"", minicnn::excerpt(text),
                       "\"");
  return out;
}

void set_group_rates(minicnn::optimizer<float>& optimizer, const minicnn::network<float>& net, const recipe& r) {
  const std::vector<int> heads = minicnn::head_nodes(net);
  for (const std::string& text : r.rates) {
    const group_rate group = parse_group_rate(text);
    const name_choice chosen(net, group.prefix);
    bool found = false, learns = false;
    optimizer.configure([&](const minicnn::parameter_info& p, std::string_view, minicnn::parameter_settings& settings) {
      const bool head = std::find(heads.begin(), heads.end(), p.node) != heads.end();
      if (group.prefix == "head" ? !head : group.prefix == "body" ? head : !chosen(p.name)) return;
      settings.learning_rate_scale = group.factor;
      found = true;
      learns = learns || p.trainable;
    });
    if (!found) no_such_layer("--rate " + text, group.prefix, net);
    if (!learns) throw usage_error("--rate " + text + ": these layers are frozen");
  }
}

}  // namespace cli
