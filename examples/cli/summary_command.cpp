// minicnn summary

#include <cstdio>
#include <minicnn/graph/summary.hpp>

#include "commands.hpp"
#include "option_values.hpp"
#include "path_json.hpp"
#include "resolve_model.hpp"
#include "weights.hpp"

namespace cli {

using minicnn::json;

namespace {

struct summary_options {
  model_config model;
  std::string weights;
  std::string aux;
  bool json = false;
};

json to_json(const model_config& model, const minicnn::network_summary& s) {
  json layers = json::array{};
  for (const minicnn::layer_summary& l : s.layers)
    layers.push({{"name", l.name},
                 {"kind", l.kind},
                 {"output", std::vector<minicnn::index_t>(l.output.begin() + 1, l.output.end())},
                 {"parameters", l.parameters},
                 {"macs", l.multiply_adds},
                 {"bytes", l.output_bytes}});
  return {{"model", model.name},
          {"title", minicnn::model_title(model)},
          {"classes", model.classes},
          {"input", json::array{model.channels, model.image_size, model.image_size}},
          {"parameters", s.parameters},
          {"parameters_without_aux", s.parameters_without_aux},
          {"macs", s.multiply_adds},
          {"weight_bytes", s.weight_bytes},
          {"layers", layers}};
}

int summary_command(const summary_options& o) {
  model_config model = o.model;
  // The counts that are published: GoogLeNet's without its auxiliary heads, Inception v3's with.
  const auto with_aux = [&] { return o.aux.empty() ? model.name != "googlenet" : o.aux == "on"; };
  minicnn::network_summary s;
  if (o.weights.empty()) {
    model = minicnn::completed(model);
    s = minicnn::summarize(resolve_model(model, 1, 0, false), with_aux());
  } else {
    const loaded_model loaded = load_model(o.weights, 1);
    model = minicnn::completed(loaded.info.config);
    s = minicnn::summarize(loaded.net, with_aux());
  }
  if (o.json) {
    std::printf("%s\n", json_text(to_json(model, s)).c_str());
    return exit_done;
  }
  std::printf("%s, input %d x %d x %d, %d classes\n\n%s", minicnn::model_title(model).c_str(), model.channels, model.image_size,
              model.image_size, model.classes, minicnn::summary_table(s).c_str());
  return exit_done;
}

}  // namespace

void add_summary(CLI::App& app, action& chosen) {
  auto o = std::make_shared<summary_options>();
  o->model.name.clear();
  CLI::App* command = app.add_subcommand("summary", "layers, parameters, multiply-adds and memory of a network");
  CLI::Option* model = add_model_options(*command, o->model);
  command->add_option("--weights", o->weights, "the network of this weights file")->excludes(model);
  command->add_option("--aux", o->aux, "count auxiliary heads (default: as published, googlenet off, inception-v3 on)")
      ->transform(one_of({"on", "off"}));
  command->add_flag("--json", o->json, "one JSON object");
  command->callback([o, command, &chosen] {
    if (o->model.name.empty() && o->weights.empty()) throw usage_error("summary: wanted --model or --weights");
    if (!o->weights.empty() && (command->count("--classes") > 0 || command->count("--image-size") > 0))
      throw usage_error("summary: --classes and --image-size go with --model; a weights file has its own");
    const std::string& name = o->model.name;
    if (o->aux == "on" && !name.empty() && !minicnn::has_aux(name))
      throw usage_error("--aux on: " + name + " has no auxiliary heads");
    chosen = [o] { return summary_command(*o); };
  });
}

}  // namespace cli
