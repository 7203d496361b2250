// ONNX's own cases of single operators (Debian: libonnx-testdata) computed by our layers.

#include "formats/onnx_operators.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>

#include "io/temporary_folder.hpp"
#include "minicnn/formats/onnx.hpp"

using namespace minicnn;
using onnx_reader::evaluator;
using onnx_reader::not_expressible;
using onnx_reader::stored_tensor;

namespace {

std::string cases_folder() {
  const char* given = std::getenv("MINICNN_ONNX_TESTDATA");
  return given != nullptr ? given : "/usr/share/libonnx-testdata/data";
}

/// Cases of known operators that no layer can compute, by reason. docs/onnx.md has the same list.
const std::map<std::string, std::set<std::string>> not_expressible_cases{
    {"a dense layer takes samples as rows: its input is not transposed",
     {"node/test_gemm_all_attributes", "node/test_gemm_transposeA"}},
    {"a sum of one value is no operation", {"node/test_sum_one_input"}},
    {"add takes values of one shape, without broadcasting",
     {"node/test_add_bcast", "pytorch-operator/test_operator_add_broadcast", "pytorch-operator/test_operator_add_size1_broadcast",
      "pytorch-operator/test_operator_add_size1_right_broadcast",
      "pytorch-operator/test_operator_add_size1_singleton_broadcast"}},
    {"dropout gives out no mask",
     {"node/test_dropout_default_mask", "node/test_dropout_default_mask_ratio", "node/test_training_dropout_default_mask",
      "node/test_training_dropout_mask", "node/test_training_dropout_zero_ratio_mask"}},
    {"dropout's random numbers are its own", {"node/test_training_dropout", "node/test_training_dropout_default"}},
    {"in training the running variance follows the unbiased variance of the batch (PyTorch), not the biased one",
     {"node/test_batchnorm_epsilon_training_mode", "node/test_batchnorm_example_training_mode"}},
    {"layers compute in floating point, not in integers",
     {"node/test_add_uint8", "node/test_edge_pad", "node/test_maxpool_2d_uint8", "node/test_reflect_pad"}},
    {"padding is with zeros",
     {"node/test_constant_pad", "pytorch-converted/test_ConstantPad2d", "pytorch-converted/test_ReflectionPad2d",
      "pytorch-converted/test_ReplicationPad2d", "pytorch-operator/test_operator_pad"}},
    {"pooling has no dilation",
     {"node/test_maxpool_2d_dilations", "pytorch-converted/test_MaxPool1d_stride_padding_dilation",
      "pytorch-converted/test_MaxPool2d_stride_padding_dilation"}},
    {"products of many matrices", {"node/test_matmul_3d", "node/test_matmul_4d"}},
    {"softmax goes over the last axis", {"node/test_softmax_axis_0", "node/test_softmax_axis_1"}},
    {"the bias of a dense layer is the same for all samples", {"node/test_gemm_default_matrix_bias"}},
    {"the places of the maxima are kept for backward, not given out",
     {"node/test_maxpool_with_argmax_2d_precomputed_pads", "node/test_maxpool_with_argmax_2d_precomputed_strides"}},
    {"three spatial axes",
     {"node/test_averagepool_3d_default", "node/test_maxpool_3d_default", "pytorch-converted/test_AvgPool3d",
      "pytorch-converted/test_AvgPool3d_stride", "pytorch-converted/test_AvgPool3d_stride1_pad0_gpu_input",
      "pytorch-converted/test_Conv3d", "pytorch-converted/test_Conv3d_dilated", "pytorch-converted/test_Conv3d_dilated_strided",
      "pytorch-converted/test_Conv3d_groups", "pytorch-converted/test_Conv3d_no_bias", "pytorch-converted/test_Conv3d_stride",
      "pytorch-converted/test_Conv3d_stride_padding", "pytorch-converted/test_MaxPool3d",
      "pytorch-converted/test_MaxPool3d_stride", "pytorch-converted/test_MaxPool3d_stride_padding"}},
    {"zeros around an image are part of convolution and pooling, not a layer", {"pytorch-converted/test_ZeroPad2d"}},
};

std::string bytes_of(const std::filesystem::path& path) { return read_file(path.string(), index_t{64} << 20); }

/// Empty if |got - wanted| <= 1e-6 + 1e-4 |wanted| everywhere; ONNX's own runner has 1e-7 + 1e-3 |wanted|.
std::string difference(const tensor<float>& got, const tensor<float>& wanted) {
  if (!(got.dims() == wanted.dims())) return text_of("shape ", got.dims(), ", wanted ", wanted.dims());
  for (index_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - wanted[i]) <= 1e-6F + 1e-4F * std::abs(wanted[i])))
      return text_of("element ", i, " is ", got[i], ", wanted ", wanted[i]);
  return "";
}

}  // namespace

TEST_CASE("ONNX's cases of single operators") {
  const std::string root = cases_folder();
  if (!std::filesystem::is_directory(root + "/node")) {
    std::cout << "SKIPPED: no ONNX cases in " << root << " (Debian: libonnx-testdata)\n";
    return;
  }
  std::set<std::string> listed, refused;
  for (const auto& [reason, names] : not_expressible_cases)
    for (const std::string& name : names) listed.insert(name + ": " + reason);
  int passed = 0;
  for (const char* group : {"node", "pytorch-converted", "pytorch-operator"})
    for (const auto& folder : std::filesystem::directory_iterator(root + "/" + group)) {
      const std::string name = std::string(group) + "/" + folder.path().filename().string();
      CAPTURE(name);
      const std::string model_bytes = bytes_of(folder.path() / "model.onnx");
      const onnx_reader::model m = onnx_reader::read_model(model_bytes);
      if (m.operations.size() != 1 || !evaluator::knows(m.operations[0].type)) continue;
      const onnx_reader::operation& o = m.operations[0];
      const auto data = folder.path() / "test_data_set_0";
      std::map<std::string, stored_tensor> given = m.initializers;
      for (std::size_t i = 0; i < m.inputs.size(); ++i)
        given[m.inputs[i]] = onnx_reader::read_tensor(bytes_of(data / text_of("input_", static_cast<int>(i), ".pb")));
      std::vector<const stored_tensor*> inputs;
      for (const std::string& input : o.inputs) inputs.push_back(given.count(input) ? &given.at(input) : nullptr);
      try {
        const tensor<float> got = evaluator(m.opset).run(o, inputs);
        CHECK(difference(got, onnx_reader::read_tensor(bytes_of(data / "output_0.pb")).as_tensor()) == "");
        ++passed;
      } catch (const not_expressible& why) {
        refused.insert(name + ": " + why.reason);
      }
    }
  CHECK(passed == 138);
  for (const std::string& one : refused) CHECK_MESSAGE(listed.count(one) > 0, "not in the table: ", one);
  for (const std::string& one : listed) CHECK_MESSAGE(refused.count(one) > 0, "in the table, but missing or expressible: ", one);
}

// What is exported, computed by the operators as ONNX's cases define them.
TEST_CASE("an exported network computes what predict does") {
  graph<float> g;
  auto x = g.input({4, 15, 18});
  x = lrn(relu(conv2d(x, {.filters = 6, .kernel = {3, 5}, .stride = 2, .padding = padding2d::same(), .groups = 2})),
          {.size = 3, .alpha = 0.4});
  const auto a = max_pool(x, {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true});
  const auto b = avg_pool(batch_norm(x, {.eps = 0.1}),
                          {.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false});
  x = add(a, conv2d(b, {.filters = 6, .kernel = 3, .padding = {0, 2, 1, 3}, .dilation = {1, 2}, .bias = false}));
  x = concat(
      {flatten(adaptive_max_pool(pad_channels(x, {.before = 1, .after = 2}), {.output = 2})), flatten(global_avg_pool(x))});
  network<float> net(std::move(g), {dense(dropout(elu(x, 0.6)), 5)});
  random_stream numbers(random_key(4));
  for (const auto& buffer : net.buffers())
    for (float& value : net.buffer(buffer.name)) value = static_cast<float>(numbers.uniform(0.5, 2.0));
  tensor<float> input(shape{3, 4, 15, 18});
  for (float& value : input) value = static_cast<float>(numbers.uniform(-1.0, 1.0));

  const temporary_folder folder;
  write_onnx(folder / "net.onnx", net);
  const std::string bytes = read_file(folder / "net.onnx");
  const onnx_reader::model m = onnx_reader::read_model(bytes);
  REQUIRE(m.inputs == std::vector<std::string>{"input"});
  const auto stored = [](const tensor<float>& t) {
    return stored_tensor{"", stored_tensor::f32, {t.dims().begin(), t.dims().end()}, {t.begin(), t.end()}};
  };
  std::map<std::string, stored_tensor> values = m.initializers;
  values["input"] = stored(input);
  for (const onnx_reader::operation& o : m.operations) {
    CAPTURE(o.name);
    std::vector<const stored_tensor*> inputs;
    for (const std::string& one : o.inputs) inputs.push_back(&values.at(one));
    values[o.outputs.at(0)] = stored(evaluator(m.opset).run(o, inputs));
  }
  CHECK(difference(values.at(m.outputs.at(0)).as_tensor(), net.predict(input)) == "");
}
