#include "resolve_model.hpp"

#include "commands.hpp"
#include "option_values.hpp"

namespace cli {

CLI::Option* add_model_options(CLI::App& command, model_config& o) {
  CLI::Option* model = command.add_option("--model", o.name, "network")->transform(one_of(minicnn::model_names()));
  command.add_option("--classes", o.classes, "outputs")->transform(whole_from(1, 1 << 20))->capture_default_str();
  command.add_option("--image-size", o.image_size, "pixels a side (default: the model's own)")->transform(whole_from(1, 1 << 14));
  return model;
}

minicnn::network<float> resolve_model(const model_config& o, int threads, std::uint64_t seed, bool initialize) {
  // The library says "model resnet18 at 9 pixels: ...", which is the option's value.
  const auto as_option = [](const std::string& text) { return text.starts_with("model ") ? "--" + text : text; };
  try {
    return minicnn::make_model(o, {.seed = seed, .threads = threads, .initialize = initialize});
  } catch (const minicnn::shape_error& e) {
    throw usage_error(as_option(e.what()));
  } catch (const minicnn::option_error& e) {
    throw usage_error(as_option(e.what()));
  }
}

}  // namespace cli
