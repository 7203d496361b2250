#include "minicnn/model/described_network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "golden/golden.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/model/model_file.hpp"

using namespace minicnn;

namespace {

/// Those on 8-bit numbers, whose quantisations differ.
node<float> all_int8_layers(node<float> x) {
  const int8::quantization p{0.03F, 7}, q{1.0F / 3, 129}, r{0.1F, 0};
  x = int8_conv2d(quantize(x, {p}),
                  {.filters = 8, .kernel = {1, 3}, .padding = {0, 1, 2, 0}, .input = p, .output = q, .mapped = true});
  const auto y = int8_conv2d(x, {.filters = 8, .groups = 8, .input = q, .output = r, .low = 3, .high = 250, .addend = q}, &x);
  const auto sum =
      int8_add(int8_scale(x, {.inputs = {q}, .output = r, .low = 1}), y, {.inputs = {r, r}, .output = p, .high = 200});
  const auto most = int8_max_pool(sum, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const auto mean = int8_avg_pool(
      y, avg_pool_options{.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false}, r, q);
  x = int8_avg_pool(int8_concat<float>({most, mean}, {.inputs = {p, q}, .output = r}), adaptive_pool_options{.output = {2, 1}}, r,
                    q);
  return dequantize(x, {q});
}

/// Every layer of the table.
network<float> all_layers() {
  graph<float> g;
  auto x = g.input({4, 15, 15}, "picture");
  x = scale(x, {.factor = {0.5, 1.0 / 3, 2, 1}, .offset = {0.1, 0, -1, 1e-7}});
  x = relu(conv2d(x, {.filters = 6, .kernel = {3, 5}, .stride = 2, .padding = padding2d::same(), .groups = 2}));
  x = lrn(batch_norm(x, {.eps = 1e-3, .momentum = 0.25, .affine = false, .name = "odd name"}), {.size = 3, .alpha = 0.4});
  const auto a = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const auto b = avg_pool(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false});
  x = add(a, conv2d(b, {.filters = 6, .kernel = 3, .padding = {0, 2, 1, 3}, .dilation = {1, 2}, .bias = false}));
  x = pad_channels(x, {.before = 1, .after = 2});
  x = silu(gelu(hard_swish(softplus(sigmoid(minicnn::tanh(elu(leaky_relu(x, 0.2), 0.6)))))));
  x = hard_sigmoid(clip(prelu(stochastic_depth(x, 0.1)), -2, 3), 0.2, 0.4);
  x = conv_transpose(x, {.filters = 6, .kernel = 3, .stride = 2, .padding = 1, .output_padding = 1, .groups = 3});
  x = pad(resize(x, {.factor = 0.5, .mode = resize_mode::bilinear}), {.padding = 1, .mode = pad_mode::reflect});
  x = mul(x, reduce_mean(x, {.axes = {2, 3}}));
  x = div(sub(x, reduce_sum(x, {.axes = {1}})), add_weight(mul_weight(x, {6, 1, 1}), {1, 1, 1}, {.parameter = "one"}));
  x = broadcast_add(x, slice(x, {.axis = 1, .begin = 2, .count = 1}));
  auto tokens = class_token(transpose(reshape(x, {6, -1}), {0, 2, 1}));
  tokens = layer_norm(dense(tokens, 5, {.last_axis = true}), {.eps = 1e-4});
  tokens = matmul(softmax_along(matmul(tokens, tokens, {.transpose_b = true})), tokens);
  const auto y = concat({flatten(adaptive_max_pool(x, {.output = {2, 1}})), flatten(adaptive_avg_pool(x, {.output = 2})),
                         flatten(all_int8_layers(b)), flatten(tokens)});
  const auto aux = dense(flatten(b), 5, {.bias = false, .name = "aux"});
  return network<float>(std::move(g), {dense(dropout(y, 0.25), 5), aux}, {.seed = 2, .threads = 1});
}

std::vector<std::string> parameters_of(const network<float>& net) {
  std::vector<std::string> out;
  for (const parameter_info& p : net.parameters()) out.push_back(p.name + " " + p.dims.text());
  for (const buffer_info& b : net.buffers()) out.push_back(b.name + " " + b.dims.text());
  return out;
}

}  // namespace

TEST_CASE("a description, written and read, is the same network") {
  const network<float> net = all_layers();
  const json text = describe_network(net);
  network<float> again = make_described_network<float>(parse_json(write_json(text)), {}, {.seed = 2, .threads = 1});
  CHECK(parameters_of(again) == parameters_of(net));
  CHECK(describe_network(again) == text);
  CHECK(again.output_count() == 2);
  std::copy(net.parameter_arena().begin(), net.parameter_arena().end(), again.parameter_arena().begin());
  const auto x = golden::filled<float>({2, 4, 15, 15}, golden::input, 2.0);
  const tensor<float> wanted = net.predict(x), got = again.predict(x);
  CHECK(std::equal(wanted.begin(), wanted.end(), got.begin(), got.end()));
  std::set<std::string> kinds;
  for (const auto& n : net.nodes())
    if (n.operation) kinds.emplace(n.operation->kind());
  for (const auto& row : detail::layer_table<float>)
    CHECK_MESSAGE(kinds.count(std::string(row.kind)) == 1, row.kind, " is not tested");
}

TEST_CASE("every network of the registry can be described") {
  for (const std::string& name : model_names()) {
    if (name.starts_with("vgg") || name == "alexnet" || name == "alexnet-2012" || name == "spp-net") continue;  // hundreds of MB
    if (name == "alexnet-torchvision" || name == "vit-b16") continue;
    CAPTURE(name);
    const network<float> net = make_model({.name = name, .classes = 5}, {.threads = 1, .initialize = false});
    const json text = describe_network(net);
    const network<float> again = make_described_network<float>(text, {.classes = 7}, {.threads = 1, .initialize = false});
    CHECK(again.nodes().size() == net.nodes().size());
    for (int output = 0; output < net.output_count(); ++output) CHECK(again.output_dims(output)[1] == 7);
  }
}

TEST_CASE("other channels, sizes and classes") {
  graph<float> g;
  auto x = relu(conv2d(g.input({3, 20, 20}), {.filters = 4, .kernel = 3}));
  const network<float> net(std::move(g), {flatten(global_avg_pool(conv2d(x, {.filters = 6, .kernel = 1, .name = "head"})))});
  const json text = describe_network(net);
  const network<float> other = make_described_network<float>(text, {.channels = 1, .image_size = 32, .classes = 9});
  CHECK(other.input_dims() == shape{1, 1, 32, 32});
  CHECK(other.output_dims() == shape{1, 9});
  CHECK(other.parameter("head.weight").dims() == shape{9, 4, 1, 1});
}

TEST_CASE("a weights file carries a network that the registry does not have") {
  const temporary_folder folder;
  graph<float> g;
  const auto x = relu(conv2d(g.input({3, 20, 20}), {.filters = 4, .kernel = 3}));
  const network<float> net(std::move(g), {dense(flatten(global_avg_pool(x)), 2)}, {.seed = 5});
  model_info info{.config = {.name = "graph", .classes = 2}, .classes = {"a", "b"}, .transform = {.size = 20}};
  info.config.graph = describe_network(net);
  save_model(net, info, folder / "m.safetensors");
  const loaded_model<float> back = load_model(folder / "m.safetensors");
  CHECK(back.info.config.image_size == 20);
  CHECK(back.info.config.channels == 3);
  CHECK(back.info.warnings.empty());
  const auto images = golden::filled<float>({2, 3, 20, 20}, golden::input, 2.0);
  const tensor<float> wanted = net.predict(images), got = back.net.predict(images);
  CHECK(std::equal(wanted.begin(), wanted.end(), got.begin(), got.end()));
  CHECK(to_json(model_config{}).find("graph") == nullptr);  // files of other networks are as they were
}

TEST_CASE("a network is told by its name in the registry or the title of its description") {
  graph<float> g;
  const network<float> net(std::move(g), {relu(conv2d(g.input({3, 8, 8}), {.filters = 4, .kernel = 3}))});
  CHECK(model_title({.name = "lenet5"}) == "lenet5");
  model_config c = described_config(net, "of\nours");
  CHECK(model_title(c) == printable("of\nours"));
  CHECK(model_title(model_config_from(to_json(c))) == printable("of\nours"));
  c.graph.set("title", 5);
  CHECK(model_title(c) == "network without a name");
  CHECK(model_title(described_config(net)) == "network without a name");
  for (const char* blank : {"", " \t"}) {
    c.graph.set("title", blank);
    CHECK(model_title(c) == "network without a name");
  }
}

TEST_CASE("descriptions that are damaged are errors that name the node") {
  graph<float> g;
  const auto x = relu(conv2d(g.input({3, 8, 8}), {.filters = 4, .kernel = 3}));
  const network<float> net(std::move(g), {dense(flatten(x), 2)});
  const json sound = describe_network(net);
  const auto with = [&](std::size_t node, const char* key, json value, bool attribute = false) {
    json text = sound;
    json::array nodes = text.at("nodes").as_array();
    json& place = nodes[node];
    (attribute ? place["attributes"] : place)[key] = std::move(value);
    text.set("nodes", std::move(nodes));
    return thrown([&] { (void)make_described_network<float>(text, {}, {.parameter_limit = 1000}); });
  };
  CHECK(with(0, "kind", "conv2d") == "");
  CHECK(with(0, "kind", "conv9") == "node conv1: \"conv9\" is no layer of this version");
  CHECK(contains(with(1, "inputs", json::array{"fc1"}), "node relu1: its input \"fc1\" is no node before it"));
  CHECK(contains(with(1, "inputs", json::array{}), "relu: wanted 1 inputs, got 0"));
  CHECK(contains(with(1, "name", "conv1"), "node conv1: "));
  CHECK(contains(with(0, "filters", 1 << 30, true), "parameters, wanted at most 1000"));
  CHECK(contains(with(0, "filters", std::int64_t{1} << 60, true), "node conv1: a number of"));
  CHECK(contains(with(0, "strides", json::array{1}, true), "strides: wanted 2 numbers, got 1"));
  CHECK(contains(with(0, "strides", json::array{0, 0}, true), "stride must be at least 1"));
  CHECK(contains(with(3, "units", "two", true), "node fc1: json: wanted integer, got string"));
  CHECK(contains(thrown([&] { (void)make_described_network<float>(json()); }), "json: no member"));
}

TEST_CASE("8-bit values that are read on another scale than they are made on are refused with both") {
  graph<float> g;
  const auto x = all_int8_layers(g.input({3, 8, 8}));
  const network<float> net(std::move(g), {dense(flatten(x), 2)});
  const json sound = describe_network(net);
  int changed = 0;
  const std::size_t count = sound.at("nodes").as_array().size();
  for (std::size_t i = 0; i < count; ++i)
    for (const char* key : {"input_scale", "input_zero", "addend_scale", "input0_scale", "input1_scale", "input1_zero"}) {
      json text = sound;
      json::array nodes = text.at("nodes").as_array();
      json& node = nodes[i];
      const json* old = node.at("attributes").find(key);
      if (old == nullptr || (std::string_view(key) == "addend_scale" && node.at("inputs").as_array().size() < 2)) continue;
      const bool scale = std::string_view(key).ends_with("scale");
      node["attributes"][key] = scale ? json(0.75) : json(99);
      const std::string name = node.at("name").as_string();
      text.set("nodes", std::move(nodes));
      CAPTURE(name);
      CAPTURE(key);
      const std::string said = thrown([&] { (void)make_described_network<float>(text); });
      INFO(said);
      CHECK(contains(said, "node " + name + ": reads the bytes of "));
      CHECK(contains(said, std::string(key) + " = " + (scale ? "0.75" : "99") + ", they are made with output_"));
      changed += 1;
    }
  CHECK(changed >= 10);
}
