// ONNX models as networks of ours.

#include "minicnn/formats/onnx_import.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cmath>
#include <filesystem>
#include <map>

#include "formats/onnx_bytes.hpp"
#include "golden/golden.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/formats/npz_reader.hpp"
#include "minicnn/formats/onnx.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/mobilenet_v3.hpp"
#include "minicnn/train/loss.hpp"

using namespace minicnn;
using onnx_bytes::counted;
using onnx_bytes::node_message;
using onnx_bytes::small_model;

namespace {

const std::string models = std::string(MINICNN_TEST_GOLDEN_DIR) + "/onnx/";

/// The largest difference between two tensors of one shape.
double difference(const tensor<float>& got, const tensor<float>& wanted) {
  REQUIRE(got.dims() == wanted.dims());
  double most = 0;
  for (index_t i = 0; i < got.size(); ++i) most = (std::max)(most, std::abs(static_cast<double>(got[i] - wanted[i])));
  return most;
}

template <class T>
std::string names_of(const network<T>& net) {
  std::string names;
  for (const auto& n : net.nodes()) names += n.name + ' ';
  return names;
}

std::string refusal(const std::string& path, const onnx_import_options& o = {}) {
  return thrown([&] { (void)import_onnx<float>(path, o); });
}

}  // namespace

TEST_CASE("models that PyTorch and others write compute what PyTorch does, and again after export") {
  const auto values = npz_file::open(models + "values.npz");
  const temporary_folder folder;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(models)) {
    if (entry.path().extension() != ".onnx") continue;
    const std::string name = entry.path().stem().string();
    CAPTURE(name);
    ++count;
    const onnx_batch batch = name == "no_batch" ? onnx_batch::none : onnx_batch::first;
    const imported_onnx<float> model = import_onnx<float>(entry.path().string(), {.batch = batch});
    CHECK(model.softmax == name.starts_with("dense"));
    const auto x = values.load<float>(name + ".x"), wanted = values.load<float>(name + ".y");
    const auto result = [&](const network<float>& net) {
      shape dims = net.input_dims();  // (3, n) is an image of one row where it comes back
      dims.set(0, x.dim(0));
      tensor<float> y = net.predict(view<const float>(x).reshaped(dims));
      if (model.softmax) softmax<float>(view<const float>(y), y);
      return y;
    };
    CHECK(difference(result(model.net), wanted) < 1e-5);
    CHECK(difference(wanted, tensor<float>(wanted.dims())) > 0.1);
    write_onnx(folder / "again.onnx", model.net);
    const network<float> again = load_onnx<float>(folder / "again.onnx");
    CHECK(difference(result(again), result(model.net)) < 1e-5);
    // Reshapes that follow each other are one when they come back.
    const bool reshaped = name.starts_with("norms") || name == "parts" || name == "no_batch";
    if (!reshaped) CHECK(names_of(again) == names_of(model.net));
  }
  CHECK(count == 27);
}

TEST_CASE("layers and weights are called as in the model") {
  const network<float> raw = load_onnx<float>(models + "cnn_raw.onnx");
  CHECK(raw.parameter("first.weight").dims() == shape{8, 3, 3, 5});
  CHECK(raw.parameter("grouped.weight").dims() == shape{12, 2, 3, 3});
  CHECK(raw.buffer("after.running_var").size() == 12);
  CHECK(raw.parameter("last.bias").size() == 5);
}

TEST_CASE("activations that are spelled out become one layer") {
  for (const char* name : {"activations", "activations17"}) {
    const network<float> net = load_onnx<float>(models + name + std::string(".onnx"));
    std::vector<std::string> kinds;
    for (const auto& n : net.nodes())
      if (n.operation) kinds.emplace_back(n.operation->kind());
    CHECK(kinds == std::vector<std::string>{"relu", "leaky_relu", "elu", "sigmoid", "tanh", "softplus", "silu", "hard_swish",
                                            "gelu", "concat"});
  }
}

TEST_CASE("layer normalisation and attention that are spelled out become layers under the model's names") {
  for (const char* name : {"attention11", "attention13", "attention17", "attention_fixed"}) {
    CAPTURE(name);
    const network<float> net = load_onnx<float>(models + name + std::string(".onnx"));
    const std::string layer = "encoder.layers.encoder_layer_0.";
    CHECK(net.parameter(layer + "ln_1.weight").dims() == shape{12});
    CHECK(net.parameter(layer + "mlp.0.weight").dims() == shape{16, 12});
    CHECK(net.parameter(layer + "self_attention.out_proj.bias").dims() == shape{12});
    std::map<std::string, int> kinds;
    for (const auto& n : net.nodes())
      if (n.operation) ++kinds[std::string(n.operation->kind())];
    CHECK(kinds["class_token"] == 1);
    CHECK(kinds["layer_norm"] == 3);
    CHECK(kinds["matmul"] == 2);
    CHECK(kinds["softmax"] == 1);
    CHECK(kinds["dense"] == 5);
    CHECK(kinds["sub"] + kinds["div"] + kinds["reduce_mean"] == 0);
  }
  // Channels of images are normalised and multiplied where they are.
  const network<float> net = load_onnx<float>(models + "norms13.onnx");
  CHECK(net.parameter("channels.weight").dims() == shape{4});
  CHECK(net.parameter("up.weight").dims() == shape{8, 4, 1, 1});
}

TEST_CASE("samples are never mixed") {
  const temporary_folder folder;
  const std::string path = folder / "m.onnx";
  const auto refused = [&](const std::string& nodes, const std::string& more = "") {
    write_file(path, small_model(nodes, more));
    return refusal(path);
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const auto perm = onnx_bytes::integers("perm", {1, 0, 2, 3});
  CHECK(has(refused(node_message("Transpose", {"x"}, {"y"}, "swap", {perm})), "another first axis than the batch"));
  CHECK(has(refused(node_message("Transpose", {"x"}, {"t"}, "swap", {perm}) +
                    node_message("Softmax", {"t"}, {"s"}, "soft", {onnx_bytes::integers("axis", {1}, false)}) +
                    node_message("Relu", {"s"}, {"y"})),
            "axis 1 is that of the batch"));
  CHECK(has(refused(node_message("Transpose", {"x"}, {"t"}, "swap", {perm}) + node_message("Add", {"t", "x"}, {"y"}, "sum")),
            "samples stay apart"));
  CHECK(has(refused(node_message("Transpose", {"x"}, {"t"}, "swap", {perm}) + node_message("MaxPool", {"t"}, {"y"}, "pool")),
            "wanted the batch as the first axis"));
  // (n, 3, 8, 8) as (n 3, 64): rows of each sample, which belong together.
  CHECK(refused(node_message("Reshape", {"x", "s"}, {"y"}), counted(5, onnx_bytes::integer_tensor("s", {-1, 64}))) == "");
  CHECK(load_onnx<float>(path).output_dims() == shape{1, 3, 64});
  CHECK(has(refused(node_message("Reshape", {"x", "s"}, {"y"}), counted(5, onnx_bytes::integer_tensor("s", {8, -1}))),
            "is not where the batch is"));
  // A token that is the same for every sample is no number to compute with.
  const std::string repeated = node_message("Shape", {"x"}, {"all"}) + node_message("Slice", {"all", "zero", "one"}, {"n"}) +
                               node_message("Expand", {"one_float", "n"}, {"rows"});
  const std::string numbers =
      counted(5, onnx_bytes::integer_tensor("zero", {0})) + counted(5, onnx_bytes::integer_tensor("one", {1})) +
      counted(5, onnx_bytes::tensor_header("one_float", {1}) + counted(4, std::string("\0\0\x80\x3F", 4)));
  CHECK(has(refused(repeated + node_message("Mul", {"x", "rows"}, {"y"}), numbers), "is repeated for each sample"));
}

TEST_CASE("a softmax along another axis than the features is a layer") {
  const temporary_folder folder;
  write_file(folder / "m.onnx",
             small_model(node_message("Softmax", {"x"}, {"y"}, "soft", {onnx_bytes::integers("axis", {2}, false)})));
  const imported_onnx<float> model = import_onnx<float>(folder / "m.onnx");
  CHECK(!model.softmax);
  const tensor<float> y = model.net.predict(tensor<float>(shape{1, 3, 8, 8}));
  CHECK(y[0] == doctest::Approx(0.125));
}

TEST_CASE("double networks keep double weights") {
  const network<double> net = load_onnx<double>(models + "weights_f64.onnx");
  CHECK(net.parameter("conv.weight").size() == 72);
}

TEST_CASE("another image size") {
  CHECK(load_onnx<float>(models + "residual.onnx", {.height = 12, .width = 20}).input_dims() == shape{1, 3, 12, 20});
  // The dense layer has weights for one size.
  CHECK(refusal(models + "cnn13.onnx", {.height = 64, .width = 64}).find("Gemm: its weight is for 108 features") !=
        std::string::npos);
}

TEST_CASE("our own networks come back with their names") {
  graph<float> g;
  auto x = g.input({4, 15, 18}, "picture");
  x = lrn(relu(conv2d(x, {.filters = 6, .kernel = {3, 5}, .stride = 2, .padding = padding2d::same(), .groups = 2})),
          {.size = 3, .alpha = 0.4});
  const auto a = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const auto b = avg_pool(batch_norm(x, {.eps = 0.1}), {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  x = add(a, conv2d(b, {.filters = 6, .kernel = 3, .padding = {0, 2, 1, 3}, .dilation = {1, 2}, .bias = false}));
  x = silu(gelu(hard_swish(pad_channels(x, {.before = 1, .after = 2}))));
  x = scale(x, {.factor = std::vector<double>(9, 0.5), .offset = std::vector<double>(9, 0.25)});
  x = scale(x, {.factor = {2.0}, .offset = {0.5}});
  network<float> net(std::move(g), {dense(flatten(elu(adaptive_max_pool(x, {.output = 1}), 0.6)), 5)});
  tensor<float> input = golden::filled<float>({3, 4, 15, 18}, golden::input, 2.0);
  const temporary_folder folder;
  write_onnx(folder / "net.onnx", net, {.probabilities = true, .temperature = 2.5, .metadata = {{"who", "we"}}});
  const imported_onnx<float> back = import_onnx<float>(folder / "net.onnx");
  CHECK(difference(back.net.predict(input), net.predict(input)) < 1e-5);
  CHECK(names_of(back.net) == names_of(net));
  CHECK(back.softmax);
  CHECK(back.temperature == doctest::Approx(2.5));
  CHECK(back.metadata.at("who") == "we");
}

TEST_CASE("all that cannot be expressed is told at once, by operator, attribute and node") {
  const std::string nodes =
      node_message("NonZero", {"x"}, {"up"}, "bigger") +
      node_message("MaxPool", {"x"}, {"pooled"}, "pool",
                   {onnx_bytes::integers("kernel_shape", {2, 2}), onnx_bytes::integers("dilations", {2, 2})}) +
      node_message("NonZero", {"pooled"}, {"up2"}, "bigger2") + node_message("Custom", {"up"}, {"own"}, "mine", {}, "my.domain") +
      node_message("Add", {"up2", "own"}, {"y"}, "sum");
  const temporary_folder folder;
  write_file(folder / "m.onnx", small_model(nodes));
  CHECK(refusal(folder / "m.onnx") ==
        (folder / "m.onnx") +
            ": cannot be imported: NonZero: no layer for this operator (bigger, bigger2); MaxPool: "
            "attribute dilations is 2x2; pooling here has none (pool); Custom: no layer for an operator of "
            "the domain my.domain (mine)");
}

TEST_CASE("models that are no models, and hostile ones, are errors at once") {
  const temporary_folder folder;
  const std::string path = folder / "m.onnx";
  const auto error_of = [&](const std::string& nodes, const std::string& more = "") {
    write_file(path, small_model(nodes, more));
    return refusal(path);
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(error_of(node_message("Add", {"x", "y"}, {"y"}, "self")), "its input y is made by nothing before it"));
  CHECK(has(
      error_of(node_message("Relu", {"b"}, {"a"}) + node_message("Relu", {"a"}, {"b"}) + node_message("Add", {"x", "b"}, {"y"})),
      "is made by nothing before it"));
  CHECK(has(error_of(node_message("Relu", {"x"}, {"y"}) + node_message("Tanh", {"x"}, {"y"})), "two operators make y"));
  CHECK(has(error_of(node_message("Relu", {"x"}, {"z"})), "its output depends on no input"));
  CHECK(has(error_of(""), "has no operators"));
  // Weights that claim to be larger than any file, or negative, and do not say anything.
  const auto weighted = [&](const std::vector<index_t>& dims) {
    return error_of(node_message("Conv", {"x", "w"}, {"y"}), counted(5, onnx_bytes::tensor_header("w", dims)));
  };
  CHECK(has(weighted({1 << 20, 3, 1 << 10, 1 << 10}), "more than 1099511627776 values"));
  CHECK(has(weighted({-4, 3, 1, 1}), "an extent of -4"));
  CHECK(has(weighted({4, 3, 1, 1}), "wanted 12 values"));
  CHECK(has(weighted({1 << 20, 3, 1, 1}), "parameters, wanted at most"));
  // A few bytes that would fill the memory.
  const std::string shape_of = counted(5, onnx_bytes::integer_tensor("s", {1 << 15, 1 << 15}));
  CHECK(has(error_of(node_message("ConstantOfShape", {"s"}, {"c"}) + node_message("Add", {"x", "c"}, {"y"}), shape_of),
            "are not computed"));
  CHECK(has(error_of(node_message("ConstantOfShape", {"s"}, {"c"}) + node_message("Add", {"x", "c"}, {"y"}),
                     counted(5, onnx_bytes::integer_tensor("s", {-1}))),
            "an extent of -1"));
  std::string many;
  for (int i = 0; i < 20000; ++i) many += node_message("Relu", {"x"}, {"y"});
  CHECK(has(error_of(many), "has more than 16384 nodes"));
  // Doubling channels, which no counter may pass.
  std::string doubled;
  for (int i = 0; i < 80; ++i) {
    const std::string from = i == 0 ? "x" : "d" + to_text(i - 1), to = i == 79 ? "y" : "d" + to_text(i);
    doubled += node_message("Concat", {from, from}, {to}, "", {onnx_bytes::integers("axis", {1}, false)});
  }
  CHECK(has(error_of(doubled), "its result would have a shape of"));
  const std::string graphs =
      node_message("If", {"x"}, {"y"}, "branch", {counted(1, "then_branch") + counted(6, std::string(100, '\x0A'))});
  CHECK(has(error_of(graphs), "If: no layer for this operator (branch)"));
  CHECK(has(refusal(folder / "missing.onnx"), "missing.onnx"));
}

TEST_CASE("a model that ends early is an error wherever it ends") {
  const temporary_folder folder;
  for (const char* name : {"cnn13", "channels_last"}) {
    const std::string whole = read_file(models + name + ".onnx");
    const std::size_t step = name[0] == 'c' && name[1] == 'n' ? 97 : 1;
    for (std::size_t size = 0; size + 40 < whole.size(); size += step) {
      write_file(folder / "cut.onnx", whole.substr(0, size));
      CHECK(refusal(folder / "cut.onnx").starts_with(folder / "cut.onnx"));
    }
  }
}

TEST_CASE("a network of some MB that ends at any thousandth byte is an error") {
  const temporary_folder folder;
  write_onnx(folder / "whole.onnx", mobilenet_v3<float>({.classes = 2, .image_size = 32}));
  const std::string whole = read_file(folder / "whole.onnx"), path = folder / "cut.onnx";
  CHECK(whole.size() > 5'000'000);
  int refused = 0, steps = 0;
  for (std::size_t size = 0; size < whole.size(); size += 1000, ++steps) {
    write_file(path, whole.substr(0, size));
    if (refusal(path).starts_with(path)) ++refused;
  }
  CHECK(refused == steps);
}

TEST_CASE("weights beside a model stay in its folder") {
  const temporary_folder folder;
  std::filesystem::create_directory(folder / "inner");
  const std::string path = folder / "inner/m.onnx";
  write_file(folder / "secret.bin", std::string(48, 'x'));
  const auto with = [&](const std::string& location, const std::string& offset = "0") {
    const std::string place = counted(13, counted(1, "location") + counted(2, location)) +
                              counted(13, counted(1, "offset") + counted(2, offset)) + std::string("\x70\x01", 2);
    write_file(path, small_model(node_message("Conv", {"x", "w"}, {"y"}, "conv"),
                                 counted(5, onnx_bytes::tensor_header("w", {4, 3, 1, 1}) + place)));
    return refusal(path);
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(with("../secret.bin"), "leads out of the model's folder"));
  CHECK(has(with(folder / "secret.bin"), "is no file in the model's folder"));
  CHECK(has(with("a/../../secret.bin"), "leads out of the model's folder"));
  CHECK(has(with(""), "is no file in the model's folder"));
  std::filesystem::create_symlink(folder / "secret.bin", folder / "inner/link.bin");
  CHECK(has(with("link.bin"), "leads out of the model's folder"));
  REQUIRE(::mkfifo((folder / "inner/pipe").c_str(), 0600) == 0);
  CHECK(has(with("pipe"), "is not a regular file"));
  CHECK(has(with("none.bin"), "none.bin"));
  write_file(folder / "inner/w.bin", std::string(48, '\0'));
  CHECK(with("w.bin") == "");
  CHECK(has(with("w.bin", "1"), "wanted 48 bytes from 1"));
  CHECK(has(with("w.bin", "-1"), "offset is \"-1\""));
  CHECK(has(with("w.bin", "99999999999999999999"), "offset is"));
}
