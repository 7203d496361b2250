// 8-bit weights in ONNX: unsigned unless signed ones are asked for, since ONNX Runtime's products of signed ones saturate on
// x86-64 without VNNI.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "formats/onnx_reader.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/formats/onnx.hpp"
#include "minicnn/int8/quantizer.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"

using namespace minicnn;

namespace {

network<float> quantized() {
  graph<float> g;
  auto x = relu(conv2d(g.input({2, 6, 6}), {.filters = 5, .kernel = 3, .name = "conv"}));
  const network<float> net(std::move(g), {dense(flatten(x), 3, {.name = "fc"})}, {.seed = 1, .threads = 1});
  quantizer<float> q(net);
  tensor<float> images({4, 2, 6, 6});
  for (index_t i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i % 13) / 6 - 1;
  q.observe(images);
  return q.quantized();
}

}  // namespace

TEST_CASE("weights of a quantised network in ONNX: real ones are scale (byte - zero point), whichever bytes they are") {
  const network<float> net = quantized();
  for (const bool with_sign : {false, true}) {
    CAPTURE(with_sign);
    const temporary_folder folder;
    write_onnx(folder / "net.onnx", net, {.signed_weights = with_sign});
    const onnx_reader::model model = onnx_reader::read_model(read_file(folder / "net.onnx"));
    for (const std::string name : {"conv", "fc"}) {
      const onnx_reader::stored_tensor &weight = model.initializers.at(name + ".weight"),
                                       &zero = model.initializers.at(name + ".weight_zero");
      CHECK(weight.type == index_t{with_sign ? 3 : 2});  // TensorProto: INT8, UINT8
      CHECK(zero.type == weight.type);
      CHECK(std::all_of(zero.values.begin(), zero.values.end(), [&](float z) { return z == (with_sign ? 0.0F : 128.0F); }));
      const view<const float> ours = net.parameter(name + ".weight");
      REQUIRE(static_cast<index_t>(weight.values.size()) == ours.size());
      for (std::size_t i = 0; i < weight.values.size(); ++i) {
        const int byte = static_cast<int>(weight.values[i]);
        CHECK((with_sign ? (byte > 127 ? byte - 256 : byte) : byte - 128) == static_cast<int>(ours.data()[i]));
      }
    }
  }
}
