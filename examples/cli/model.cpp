#include "model.hpp"

#include <minicnn/alexnet.hpp>
#include <minicnn/core/number.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/googlenet.hpp>
#include <minicnn/inception_v3.hpp>
#include <minicnn/lenet5.hpp>
#include <minicnn/network_in_network.hpp>
#include <minicnn/resnet.hpp>
#include <minicnn/spp_net.hpp>
#include <minicnn/squeezenet.hpp>
#include <minicnn/vgg.hpp>
#include <optional>

namespace cli {

using minicnn::fail;
using minicnn::option_error;

namespace {

/// Whether dense weights are left to the model: He's choice has its own for them, and so have the schemes of whole networks.
bool leaves_dense(const std::string& init) { return init == "he" || init == "paper" || init == "caffe"; }

minicnn::initializer initializer_of(const std::string& text) {
  if (leaves_dense(text)) return minicnn::initializer::he();
  if (text == "glorot") return minicnn::initializer::glorot();
  if (text == "lecun") return minicnn::initializer::lecun();
  const std::string cut = "truncated-normal:";
  if (text.starts_with(cut)) {
    const std::optional<double> deviation = minicnn::parse_number(std::string_view(text).substr(cut.size()));
    if (deviation && *deviation > 0 && *deviation <= 1000) return minicnn::initializer::truncated_normal(*deviation);
  }
  fail<option_error>(
      "initial values: wanted he, glorot, lecun, paper, caffe or truncated-normal:DEVIATION, above 0 and up to 1000, got \"",
      minicnn::excerpt(text), "\"");
}

using network = minicnn::network<float>;

/// What all models have in common; `o` is complete.
template <class Options>
Options options_of(const model_options& o, const minicnn::network_options& how) {
  Options made;
  made.classes = o.classes;
  made.channels = o.channels;
  made.image_size = o.image_size;
  made.init = initializer_of(o.init);
  made.network = how;
  if constexpr (requires { made.dropout; }) made.dropout = o.dropout;
  if constexpr (requires { made.dense_init; })
    if (!leaves_dense(o.init)) made.dense_init = made.init;
  if constexpr (requires { made.aux; }) made.aux = o.aux, made.transform_input = o.transform_input;
  return made;
}

template <network (*make)(const minicnn::alexnet_options&)>
network alexnet_model(const model_options& o, const minicnn::network_options& how) {
  auto made = options_of<minicnn::alexnet_options>(o, how);
  made.dense_bias = o.dense_bias;
  made.logits_bias = o.logits_bias;
  made.padded = o.padded;
  made.pooled = o.pooled;
  if (o.init == "paper") made = minicnn::paper_initialization(made);
  if (o.init == "caffe") made = minicnn::caffe_initialization(made);
  return make(made);
}

template <int depth, bool batch_norm>
network vgg_model(const model_options& o, const minicnn::network_options& how) {
  auto made = options_of<minicnn::vgg_options>(o, how);
  made.depth = depth, made.batch_norm = batch_norm;
  return minicnn::vgg(made);
}

template <int depth>
network resnet_model(const model_options& o, const minicnn::network_options& how) {
  auto made = options_of<minicnn::resnet_options>(o, how);
  made.depth = depth;
  return minicnn::resnet(made);
}

template <int depth>
network cifar_model(const model_options& o, const minicnn::network_options& how) {
  auto made = options_of<minicnn::resnet_cifar_options>(o, how);
  made.depth = depth;
  return minicnn::resnet_cifar(made);
}

template <minicnn::squeezenet_version version>
network squeezenet_model(const model_options& o, const minicnn::network_options& how) {
  auto made = options_of<minicnn::squeezenet_options>(o, how);
  made.version = version;
  return minicnn::squeezenet(made);
}

template <class Options, network (*make)(const Options&)>
network plain_model(const model_options& o, const minicnn::network_options& how) {
  return make(options_of<Options>(o, how));
}

struct known_model {
  const char* name;
  int image_size, channels;
  double dropout;
  network (*make)(const model_options&, const minicnn::network_options&);
};

const known_model models[] = {
    {"lenet5", 32, 1, 0, plain_model<minicnn::lenet5_options, minicnn::lenet5<float>>},
    {"alexnet", 227, 3, 0.5, alexnet_model<minicnn::alexnet<float>>},
    {"alexnet-2012", 227, 3, 0.5, alexnet_model<minicnn::alexnet_2012<float>>},
    {"alexnet-torchvision", 224, 3, 0.5, alexnet_model<minicnn::alexnet_torchvision<float>>},
    {"alexnet-bn", 227, 3, 0.5, alexnet_model<minicnn::alexnet_bn<float>>},
    {"alexnet-small", 128, 3, 0.5, alexnet_model<minicnn::alexnet_small<float>>},
    {"vgg11", 224, 3, 0.5, vgg_model<11, false>},
    {"vgg13", 224, 3, 0.5, vgg_model<13, false>},
    {"vgg16", 224, 3, 0.5, vgg_model<16, false>},
    {"vgg19", 224, 3, 0.5, vgg_model<19, false>},
    {"vgg11-bn", 224, 3, 0.5, vgg_model<11, true>},
    {"vgg13-bn", 224, 3, 0.5, vgg_model<13, true>},
    {"vgg16-bn", 224, 3, 0.5, vgg_model<16, true>},
    {"vgg19-bn", 224, 3, 0.5, vgg_model<19, true>},
    {"googlenet", 224, 3, 0.2, plain_model<minicnn::googlenet_options, minicnn::googlenet<float>>},
    {"inception-v3", 299, 3, 0.5, plain_model<minicnn::inception_v3_options, minicnn::inception_v3<float>>},
    {"resnet18", 224, 3, 0, resnet_model<18>},
    {"resnet34", 224, 3, 0, resnet_model<34>},
    {"resnet50", 224, 3, 0, resnet_model<50>},
    {"resnet101", 224, 3, 0, resnet_model<101>},
    {"resnet152", 224, 3, 0, resnet_model<152>},
    {"resnet20", 32, 3, 0, cifar_model<20>},
    {"resnet32", 32, 3, 0, cifar_model<32>},
    {"resnet44", 32, 3, 0, cifar_model<44>},
    {"resnet56", 32, 3, 0, cifar_model<56>},
    {"resnet110", 32, 3, 0, cifar_model<110>},
    {"spp-net", 224, 3, 0.5, plain_model<minicnn::spp_net_options, minicnn::spp_net<float>>},
    {"nin", 224, 3, 0.5, plain_model<minicnn::network_in_network_options, minicnn::network_in_network<float>>},
    {"nin-cifar", 32, 3, 0.5, plain_model<minicnn::network_in_network_options, minicnn::network_in_network_cifar<float>>},
    {"squeezenet", 224, 3, 0.5, squeezenet_model<minicnn::squeezenet_version::v1_1>},
    {"squeezenet-1.0", 224, 3, 0.5, squeezenet_model<minicnn::squeezenet_version::v1_0>},
};

const known_model& find_model(const std::string& name) {
  std::string known;
  for (const known_model& m : models) {
    if (name == m.name) return m;
    known += std::string(known.empty() ? "" : ", ") + m.name;
  }
  fail<option_error>("--model ", name, ": unknown; known are ", known);
}

}  // namespace

void check_init(const std::string& text) { (void)initializer_of(text); }

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const known_model& m : models) names.emplace_back(m.name);
  return names;
}

int default_image_size(const std::string& name) { return find_model(name).image_size; }

bool has_aux(const std::string& name) { return name == "googlenet" || name == "inception-v3"; }

model_options completed(model_options o) {
  const known_model& m = find_model(o.name);
  if (o.image_size == 0) o.image_size = m.image_size;
  if (o.channels == 0) o.channels = m.channels;
  if (o.dropout < 0) o.dropout = m.dropout;
  return o;
}

network make_model(const model_options& open, std::uint64_t seed, int threads, bool initialize,
                   minicnn::index_t parameter_limit) {
  const model_options o = completed(open);
  try {
    return find_model(o.name).make(
        o, {.seed = seed, .threads = threads, .parameter_limit = parameter_limit, .initialize = initialize});
  } catch (const minicnn::shape_error& e) {
    fail<minicnn::shape_error>("--model ", o.name, " at ", o.image_size, " pixels: ", e.what());
  }
}

nlohmann::ordered_json to_json(const model_options& o) {
  return {{"name", o.name},
          {"classes", o.classes},
          {"channels", o.channels},
          {"image_size", o.image_size},
          {"dropout", o.dropout},
          {"init", o.init},
          {"dense_bias", o.dense_bias},
          {"logits_bias", o.logits_bias},
          {"padded", o.padded},
          {"pooled", o.pooled},
          {"aux", o.aux},
          {"transform_input", o.transform_input}};
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
    o.aux = text.value("aux", true);
    o.transform_input = text.value("transform_input", false);
    return o;
  } catch (const nlohmann::json::exception& e) {
    fail("model: ", e.what());
  }
}

}  // namespace cli
