#include "minicnn/formats/onnx.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "formats/onnx_reader.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/formats/onnx_import.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/arithmetic.hpp"
#include "minicnn/layers/class_token.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/conv_transpose.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/dropout.hpp"
#include "minicnn/layers/flatten.hpp"
#include "minicnn/layers/layer_norm.hpp"
#include "minicnn/layers/lrn.hpp"
#include "minicnn/layers/matmul.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/layers/prelu.hpp"
#include "minicnn/layers/reduce.hpp"
#include "minicnn/layers/resample.hpp"
#include "minicnn/layers/reshape.hpp"
#include "minicnn/layers/stochastic_depth.hpp"

using namespace minicnn;

namespace {

std::string encoded(const protobuf_message& message) {
  const temporary_folder folder;
  atomic_file file(folder / "message");
  message.write(file);
  file.commit();
  std::string bytes = read_file(folder / "message");
  CHECK(bytes.size() == message.size());
  return bytes;
}

/// A string that may have zeros in it.
template <std::size_t N>
std::string bytes(const char (&text)[N]) {
  return std::string(text, N - 1);
}

onnx_reader::model exported(const network<float>& net, const onnx_options& o = {}) {
  const temporary_folder folder;
  write_onnx(folder / "net.onnx", net, o);
  return onnx_reader::read_model(read_file(folder / "net.onnx"));
}

const onnx_reader::operation& find(const onnx_reader::model& m, const std::string& type) {
  for (const onnx_reader::operation& o : m.operations)
    if (o.type == type) return o;
  FAIL("no operator " << type);
  return m.operations.front();
}

/// A layer that nobody but its owner knows.
class my_op final : public op<float> {
 public:
  std::string_view kind() const override { return "mine"; }
  attribute_list describe() const override { return {}; }
  op_plan plan(const plan_request& request) const override {
    op_plan p;
    p.output = request.inputs[0];
    return p;
  }
  void forward(const frame<float>&) const override {}
  void backward(const frame<float>&) const override {}
};

}  // namespace

TEST_CASE("protobuf: fields by hand") {
  protobuf_message m;
  m.integer(1, 150);  // the encoding guide's first example: 08 96 01
  CHECK(encoded(m) == bytes("\x08\x96\x01"));
  m.integer(2, 0);
  CHECK(encoded(m) == bytes("\x08\x96\x01\x10\x00"));

  protobuf_message negative;
  negative.integer(3, -2);  // two's complement of 64 bits in groups of seven
  CHECK(encoded(negative) == bytes("\x18\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"));

  protobuf_message text;
  text.text(2, "testing");
  CHECK(encoded(text) == bytes("\x12\x07testing"));
  text.text(3, "");
  CHECK(encoded(text) == bytes("\x12\x07testing\x1A\x00"));

  protobuf_message real;
  real.real(2, 1.5F);  // 0x3FC00000
  CHECK(encoded(real) == bytes("\x15\x00\x00\xC0\x3F"));

  protobuf_message high;
  high.integer(20, 1);  // key 20 * 8 = 160: two bytes
  CHECK(encoded(high) == bytes("\xA0\x01\x01"));
}

TEST_CASE("protobuf: messages in messages, and bytes that are only looked at") {
  protobuf_message inner, outer;
  inner.integer(1, 150);
  outer.message(3, std::move(inner));
  CHECK(encoded(outer) == bytes("\x1A\x03\x08\x96\x01"));

  const std::string weights(200, 'w');
  protobuf_message tensor, graph, model;
  tensor.integer(2, 1);
  tensor.borrowed(9, weights);
  tensor.text(8, "b");
  graph.message(5, std::move(tensor));  // 2 + (1 + 2 + 200) + 3 = 208 bytes
  graph.text(2, "g");
  model.message(7, std::move(graph));  // 1 + 2 + 208 + 3 = 214 bytes
  CHECK(encoded(model) == bytes("\x3A\xD6\x01\x2A\xD0\x01\x10\x01\x4A\xC8\x01") + weights +
                              bytes("\x42\x01"
                                    "b\x12\x01"
                                    "g"));
}

TEST_CASE("protobuf: a message above 2 GiB is refused before anything is written") {
  const temporary_folder folder;
  const char nothing = 0;
  protobuf_message m;
  m.borrowed(1, std::string_view(&nothing, 0x7FFFFFFF - 6));  // key and length take 6 bytes
  CHECK(m.size() == protobuf_message::max_bytes);
  m.integer(2, 0);
  const std::string text = thrown<file_error>([&] {
    atomic_file file(folder / "large.onnx");
    m.write(file);
  });
  CHECK(contains(text, "large.onnx: would have 2147483649 bytes, more than the 2147483647"));
  CHECK(folder.names().empty());
}

TEST_CASE("ONNX: what a model says of itself") {
  graph<float> g;
  auto x = g.input({3, 8, 6});
  x = relu(conv2d(x, {.filters = 4, .kernel = 3, .stride = 2, .padding = 1}));
  const auto aux = dense(flatten(x), 2, {.name = "aux"});
  x = dropout(dense(flatten(x), 2, {.name = "logits"}));
  const network<float> net(std::move(g), {x, aux});

  const onnx_reader::model m = exported(net, {.metadata = {{"classes", "cat, dog"}}});
  CHECK(m.ir_version == 8);
  CHECK(m.opset == 17);
  CHECK(m.inputs == std::vector<std::string>{"input"});
  CHECK(m.outputs == std::vector<std::string>{"logits"});  // dropout is gone, and the auxiliary head
  CHECK(m.operations.size() == 4);
  CHECK(m.metadata.at("classes") == "cat, dog");
  CHECK(m.initializers.size() == 4);
  CHECK(m.initializers.at("conv1.weight").dims == std::vector<index_t>{4, 3, 3, 3});
  const view<const float> weight = net.parameter("logits.weight");
  CHECK(m.initializers.at("logits.weight").values == std::vector<float>(weight.begin(), weight.end()));
  const onnx_reader::operation& conv = find(m, "Conv");
  CHECK(conv.inputs == std::vector<std::string>{"input", "conv1.weight", "conv1.bias"});
  CHECK(conv.lists.at("strides") == std::vector<index_t>{2, 2});
  CHECK(conv.lists.at("pads") == std::vector<index_t>{1, 1, 1, 1});

  const onnx_reader::model p = exported(net, {.probabilities = true, .temperature = 4.0});
  CHECK(p.outputs == std::vector<std::string>{"probabilities"});
  CHECK(find(p, "Softmax").integers.at("axis") == 1);
  CHECK(p.initializers.at(find(p, "Mul").inputs.at(1)).values == std::vector<float>{0.25F});
  CHECK(contains(thrown<option_error>([&] { (void)exported(net, {.temperature = 0.0}); }), "temperature must be above 0, got 0"));
}

TEST_CASE("ONNX: alpha is divided by the window there, not here") {
  graph<float> g;
  auto x = g.input({8, 2, 2});
  x = lrn(x, lrn_options::tensorflow(2, 1.0, 0.3, 0.75));
  const onnx_reader::model m = exported(network<float>(std::move(g), {x}));
  const onnx_reader::operation& o = find(m, "LRN");
  CHECK(o.integers.at("size") == 5);  // 2 * radius + 1
  CHECK(o.reals.at("alpha") == doctest::Approx(1.5));
  CHECK(o.reals.at("beta") == doctest::Approx(0.75));
  CHECK(o.reals.at("bias") == doctest::Approx(1.0));
}

TEST_CASE("ONNX: windows that stick out are padded, bins become windows") {
  const auto pool_of = [](index_t size, auto make) {
    graph<float> g;
    auto x = make(g.input({1, size, size}));
    return find(exported(network<float>(std::move(g), {x})), "MaxPool");
  };
  // 6 cells, windows of 3 at 0, 2 and 4: the last one lacks a cell.
  const auto ceil = pool_of(6, [](auto x) { return max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true}); });
  CHECK(ceil.lists.at("pads") == std::vector<index_t>{0, 0, 1, 1});
  CHECK(ceil.integers.count("ceil_mode") == 0);
  // 13 cells in 6 bins: 0-3, 2-5, ... 10-13; in 3: 0-5, 4-9, 8-13. The pyramid of SPP-net at 224 pixels.
  const auto six = pool_of(13, [](auto x) { return adaptive_max_pool(x, {.output = 6}); });
  CHECK(six.lists.at("kernel_shape") == std::vector<index_t>{3, 3});
  CHECK(six.lists.at("strides") == std::vector<index_t>{2, 2});
  const auto three = pool_of(13, [](auto x) { return adaptive_max_pool(x, {.output = 3}); });
  CHECK(three.lists.at("kernel_shape") == std::vector<index_t>{5, 5});
  CHECK(three.lists.at("strides") == std::vector<index_t>{4, 4});
}

TEST_CASE("ONNX: arithmetic, with inputs and with a trained operand, and bounds") {
  graph<float> g;
  const auto x = g.input({2, 3, 3});
  const auto gate = hard_sigmoid(global_avg_pool(x), 0.25, 0.75);
  auto y = stochastic_depth(div(sub(mul(x, gate), gate), relu6(x)), 0.5);
  y = mul_weight(y, {2, 1, 1}, {.parameter = "layer_scale", .name = "block"});
  const network<float> net(std::move(g), {broadcast_add(y, gate)});
  const onnx_reader::model m = exported(net);
  CHECK(find(m, "HardSigmoid").reals.at("alpha") == 0.25F);
  CHECK(find(m, "HardSigmoid").reals.at("beta") == 0.75F);
  CHECK(find(m, "Clip").inputs == std::vector<std::string>{"input", "clip1.min", "clip1.max"});
  CHECK(m.initializers.at("clip1.max").values == std::vector<float>{6});
  CHECK(find(m, "Mul").inputs == std::vector<std::string>{"input", "hard_sigmoid1"});
  CHECK(find(m, "Sub").inputs == std::vector<std::string>{"mul1", "hard_sigmoid1"});
  CHECK(find(m, "Div").inputs == std::vector<std::string>{"sub1", "clip1"});
  CHECK(find(m, "Add").inputs == std::vector<std::string>{"block", "hard_sigmoid1"});
  const auto block = std::find_if(m.operations.begin(), m.operations.end(), [](const auto& o) { return o.name == "block"; });
  REQUIRE(block != m.operations.end());
  CHECK(block->type == "Mul");
  CHECK(block->inputs == std::vector<std::string>{"div1", "block.layer_scale"});  // stochastic depth is gone
  CHECK(m.initializers.at("block.layer_scale").dims == std::vector<index_t>{2, 1, 1});
}

TEST_CASE("ONNX: shapes, normalisations and products") {
  graph<float> g;
  const auto x = g.input({4, 6, 2});
  auto tokens = class_token(transpose(reshape(x, {4, -1}), {0, 2, 1}));  // (n, 13, 4)
  tokens = layer_norm(dense(tokens, 8, {.last_axis = true}), {.axis = -1, .eps = 0.5});
  tokens = layer_norm(layer_norm(tokens, {.affine = false}), {.axis = 1, .eps = 0.25});
  const auto shares = softmax_along(matmul(tokens, tokens, {.transpose_b = true}));
  const auto mixed = softmax_along(matmul(shares, tokens), {.axis = 1});
  const auto total = reduce_sum(mixed, {.axes = {2}, .keep = false});
  const network<float> net(std::move(g), {total});
  const onnx_reader::model m = exported(net);
  CHECK(find(m, "Transpose").lists.at("perm") == std::vector<index_t>{0, 2, 1});
  CHECK(m.initializers.at("reshape1.shape").values == std::vector<float>{0, 4, 12});
  CHECK(m.initializers.at("token1.class_token").dims == std::vector<index_t>{1, 1, 4});
  CHECK(m.initializers.at("fc1.weight").dims == std::vector<index_t>{4, 8});
  CHECK(m.initializers.at("fc1.weight").values[1] == net.parameter("fc1.weight")[4]);
  CHECK(find(m, "MatMul").inputs == std::vector<std::string>{"token1", "fc1.weight"});
  const onnx_reader::operation& norm = find(m, "LayerNormalization");
  CHECK(norm.inputs == std::vector<std::string>{"fc1", "ln1.weight", "ln1.bias"});
  CHECK(norm.reals.at("epsilon") == 0.5F);
  CHECK(norm.integers.at("axis") == -1);
  CHECK(m.initializers.at("ln2.ones").values == std::vector<float>(8, 1.0F));
  CHECK(find(m, "ReduceMean").lists.at("axes") == std::vector<index_t>{1});
  CHECK(m.initializers.at("ln3.epsilon").values == std::vector<float>{0.25F});
  CHECK(m.initializers.at("ln3.weight").dims == std::vector<index_t>{13, 1});
  CHECK(find(m, "ReduceSum").inputs == std::vector<std::string>{"softmax2", "sum1.axes"});
  CHECK(m.initializers.at("sum1.axes").values == std::vector<float>{2});
  const auto named = [&](const std::string& name) {
    return *std::find_if(m.operations.begin(), m.operations.end(), [&](const auto& o) { return o.name == name; });
  };
  CHECK(named("matmul1.transposed").type == "Transpose");
  CHECK(named("softmax1").integers.at("axis") == 2);
  CHECK(named("softmax2").integers.at("axis") == 1);
  CHECK(named("token1").inputs == std::vector<std::string>{"token1.token", "transpose1"});
  CHECK(named("token1.token").inputs == std::vector<std::string>{"token1.class_token", "token1.extents"});
}

TEST_CASE("ONNX: images in other sizes") {
  graph<float> g;
  auto x = g.input({4, 6, 5});
  x = conv_transpose(
      x, {.filters = 6, .kernel = {2, 3}, .stride = 2, .padding = {0, 1, 0, 0}, .output_padding = {1, 0}, .groups = 2});
  x = pad(prelu(x), {.padding = {1, 2, 3, 4}, .mode = pad_mode::reflect});
  x = resize(x, {.size = {8, 9}, .mode = resize_mode::bilinear, .corners = resize_corners::aligned});
  const network<float> net(std::move(g), {slice(x, {.axis = 3, .begin = -3, .count = 2, .step = 2})});
  const onnx_reader::model m = exported(net);
  const onnx_reader::operation& up = find(m, "ConvTranspose");
  CHECK(m.initializers.at("up1.weight").dims == std::vector<index_t>{4, 3, 2, 3});
  CHECK(up.lists.at("pads") == std::vector<index_t>{0, 0, 1, 0});
  CHECK(up.lists.at("output_padding") == std::vector<index_t>{1, 0});
  CHECK(up.integers.at("group") == 2);
  CHECK(m.initializers.at("prelu1.weight").dims == std::vector<index_t>{6, 1, 1});
  CHECK(find(m, "Pad").text("mode") == "reflect");
  CHECK(m.initializers.at("pad1.pads").values == std::vector<float>{0, 0, 1, 3, 0, 0, 2, 4});
  CHECK(find(m, "Resize").text("mode") == "linear");
  CHECK(find(m, "Resize").text("coordinate_transformation_mode") == "align_corners");
  CHECK(m.initializers.at("slice1.starts").values == std::vector<float>{6});
  CHECK(m.initializers.at("slice1.ends").values == std::vector<float>{9});
  CHECK(m.initializers.at("slice1.steps").values == std::vector<float>{2});
}

TEST_CASE("ONNX: what cannot be expressed is refused by name") {
  const temporary_folder folder;
  const auto refusal = [&](auto make) {
    graph<float> g;
    auto x = make(g.input({8, 2, 2}));
    const network<float> net(std::move(g), {x});
    return thrown([&] { write_onnx(folder / "net.onnx", net); });
  };
  CHECK(contains(refusal([](auto x) { return lrn(x, {.size = 4}); }),
                 "ONNX: node norm1 (lrn): a window of an even number of channels, 4"));
  CHECK(contains(refusal([](auto x) { return x.owner->add(std::make_shared<my_op>(), {x}, "", "mine"); }),
                 "ONNX: node mine1 (mine): ONNX export knows no operators"));
  CHECK(folder.names().empty());
}

TEST_CASE("ONNX: models for images of any size") {
  graph<float> g;
  auto x = conv2d(g.input({3, 9, 9}), {.filters = 4, .kernel = 3, .stride = 2, .padding = 1, .name = "conv"});
  x = avg_pool(max_pool(x, {.kernel = 3, .stride = 2, .padding = 1}), {.kernel = 2, .stride = 2});
  x = dense(flatten(global_avg_pool(layer_norm(x, {.axis = 1}))), 2);  // of 1 x 1 for an image of 9 x 9
  const network<float> net(std::move(g), {x});
  const temporary_folder folder;
  write_onnx(folder / "free.onnx", net, {.free_size = true});
  CHECK(contains(thrown<error>([&] { load_onnx<float>(folder / "free.onnx"); }), "its size is open"));
  for (const index_t height : {9, 26, 57}) {
    const network<float> again = load_onnx<float>(folder / "free.onnx", {.height = height, .width = 40});
    tensor<float> images({2, 3, height, 40});
    for (index_t i = 0; i < images.size(); ++i) images[i] = std::sin(static_cast<float>(i));
    const tensor<float> wanted = net.predict(images), got = again.predict(images);
    for (index_t i = 0; i < wanted.size(); ++i) CHECK(std::abs(got[i] - wanted[i]) < 1e-6F);
  }
}

TEST_CASE("ONNX: where height and width cannot be left free, the node is named") {
  const auto refusal = [](const auto& layers) {
    graph<float> g;
    const network<float> net(std::move(g), {layers(g.input({3, 9, 9}))});
    const temporary_folder folder;
    const std::string text = thrown<shape_error>([&] { write_onnx(folder / "free.onnx", net, {.free_size = true}); });
    CHECK(folder.names().empty());
    CHECK(contains(text, "ONNX: height and width cannot be left free: "));
    return text;
  };
  using node = node<float>;
  CHECK(contains(refusal([](node x) { return dense(flatten(x), 2, {.name = "fc"}); }), "fc"));
  // One row more is where the last window begins to stick out.
  const auto same = [](node x) { return conv2d(x, {.filters = 2, .kernel = 3, .stride = 2, .padding = padding2d::same()}); };
  CHECK(contains(refusal(same), "node conv1 (conv2d) becomes other operators for images of 10 x 10 than for 9 x 9"));
  const auto ceil = [](node x) { return max_pool(x, {.kernel = 3, .stride = 2, .ceil_mode = true, .name = "pool"}); };
  CHECK(contains(refusal(ceil), "node pool (max_pool)"));
  CHECK(contains(refusal([](node x) { return adaptive_avg_pool(x, {.output = {2, 1}, .name = "bins"}); }), "node bins"));
  CHECK(contains(refusal([](node x) { return resize(x, {.size = {5, 5}, .name = "small"}); }), "node small"));
}
