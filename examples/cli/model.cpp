#include "model.hpp"

#include <charconv>
#include <minicnn/alexnet.hpp>

namespace cli {

using minicnn::fail;
using minicnn::option_error;

namespace {

using maker = minicnn::network<float> (*)(const minicnn::alexnet_options&);

struct known_model {
  const char* name;
  int image_size;
  maker make;
};

const known_model models[] = {
    {"alexnet", 227, minicnn::alexnet<float>},
    {"alexnet-2012", 227, minicnn::alexnet_2012<float>},
    {"alexnet-torchvision", 224, minicnn::alexnet_torchvision<float>},
    {"alexnet-bn", 227, minicnn::alexnet_bn<float>},
    {"alexnet-small", 128, minicnn::alexnet_small<float>},
};

const known_model& find_model(const std::string& name) {
  std::string known;
  for (const known_model& m : models) {
    if (name == m.name) return m;
    known += std::string(known.empty() ? "" : ", ") + m.name;
  }
  fail<option_error>("--model ", name, ": unknown; known are ", known);
}

minicnn::initializer initializer_of(const std::string& text) {
  if (text == "he") return minicnn::initializer::he();
  if (text == "glorot") return minicnn::initializer::glorot();
  if (text == "lecun") return minicnn::initializer::lecun();
  const std::string cut = "truncated-normal:";
  if (text.starts_with(cut)) {
    double deviation = 0;
    const char* first = text.data() + cut.size();
    const char* last = text.data() + text.size();
    const auto [stop, reason] = std::from_chars(first, last, deviation);
    if (reason == std::errc() && stop == last && deviation > 0) return minicnn::initializer::truncated_normal(deviation);
  }
  fail<option_error>("--init ", text, ": wanted he, glorot, lecun, paper or truncated-normal:DEVIATION");
}

}  // namespace

void check_init(const std::string& text) {
  if (text != "paper") (void)initializer_of(text);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const known_model& m : models) names.emplace_back(m.name);
  return names;
}

int default_image_size(const std::string& name) { return find_model(name).image_size; }

minicnn::network<float> make_model(const model_options& o, std::uint64_t seed, int threads) {
  const known_model& m = find_model(o.name);
  minicnn::alexnet_options options;
  options.classes = o.classes;
  options.channels = o.channels;
  options.image_size = o.image_size == 0 ? m.image_size : o.image_size;
  options.dropout = o.dropout;
  options.dense_bias = o.dense_bias;
  options.logits_bias = o.logits_bias;
  options.padded = o.padded;
  options.pooled = o.pooled;
  if (o.init == "paper")
    options = minicnn::paper_initialization(options);
  else
    options.init = initializer_of(o.init);
  if (o.init != "he") options.dense_init = options.init;
  options.network = {.seed = seed, .threads = threads};
  return m.make(options);
}

nlohmann::ordered_json to_json(const model_options& o) {
  return {{"name", o.name},       {"classes", o.classes}, {"channels", o.channels},     {"image_size", o.image_size},
          {"dropout", o.dropout}, {"init", o.init},       {"dense_bias", o.dense_bias}, {"logits_bias", o.logits_bias},
          {"padded", o.padded},   {"pooled", o.pooled}};
}

model_options model_from_json(const nlohmann::ordered_json& text) {
  try {
    model_options o;
    text.at("name").get_to(o.name);
    text.at("classes").get_to(o.classes);
    text.at("channels").get_to(o.channels);
    text.at("image_size").get_to(o.image_size);
    text.at("dropout").get_to(o.dropout);
    text.at("init").get_to(o.init);
    text.at("dense_bias").get_to(o.dense_bias);
    text.at("logits_bias").get_to(o.logits_bias);
    o.padded = text.value("padded", false);  // files of version 0.1 do not have these
    o.pooled = text.value("pooled", 0);
    return o;
  } catch (const nlohmann::json::exception& e) {
    fail("model: ", e.what());
  }
}

}  // namespace cli
