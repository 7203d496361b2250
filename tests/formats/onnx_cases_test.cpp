// ONNX's own cases (Debian: libonnx-testdata) imported as models: their first input is the network's, the others are constants.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <set>

#include "formats/onnx_bytes.hpp"
#include "formats/onnx_reader.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/formats/onnx_import.hpp"
#include "minicnn/train/loss.hpp"

using namespace minicnn;

namespace {

std::string cases_folder() {
  const char* given = std::getenv("MINICNN_ONNX_TESTDATA");
  return given != nullptr ? given : "/usr/share/libonnx-testdata/data";
}

std::string bytes_of(const std::filesystem::path& path) { return read_file(path.string(), index_t{64} << 20); }

/// Whether every operator is one that becomes a layer, or is computed where its inputs are constants.
bool knows(const onnx_reader::model& m) {
  bool layer = false;
  for (const onnx_reader::operation& o : m.operations) {
    const bool ending = o.type == "Softmax" || o.type == "LogSoftmax";
    const bool becomes = detail::find_import_rule<float>(o.type) != nullptr || ending;
    if (!becomes && detail::find_fold_rule(o.type) == nullptr) return false;
    layer = layer || becomes;
  }
  return layer;
}

/// What an error says, without the file's name and the nodes at its end, and with # for numbers.
std::string reason_of(const std::string& text, const std::string& path) {
  std::string reason = text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
  if (const std::string begin = "cannot be imported: "; reason.starts_with(begin)) {
    reason = reason.substr(begin.size());
    if (const auto nodes = reason.rfind(" ("); reason.ends_with(')') && nodes != reason.npos) reason.resize(nodes);
  }
  std::string out;
  for (const char c : reason) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || out.empty() || out.back() != '#') out += digit ? '#' : c;
  }
  return out;
}

/// What the network says, followed by the softmax that import leaves out.
tensor<float> result_of(const imported_onnx<float>& model, const onnx_reader::stored_tensor& input, bool logarithm) {
  shape dims = model.net.input_dims();
  const index_t one = dims.size();
  if (static_cast<index_t>(input.values.size()) % one != 0) fail("an input of ", input.values.size(), " values");
  dims.set(0, static_cast<index_t>(input.values.size()) / one);
  tensor<float> x(dims);
  std::copy(input.values.begin(), input.values.end(), x.begin());
  tensor<float> y = model.net.predict(x);
  if (!model.softmax) return y;
  tensor<float> rows(view<const float>(y).reshaped({y.dim(0), y.dims().size_from(1)}));
  softmax<float>(view<const float>(rows), rows);
  if (logarithm)
    for (float& v : rows) v = std::log(v);
  return rows;
}

/// "" or how the values differ: |got - wanted| <= 1e-6 + 1e-4 |wanted|; ONNX's own runner has 1e-7 + 1e-3 |wanted|. What is
/// wanted as 16-bit numbers is rounded to them.
std::string difference(const tensor<float>& got, const onnx_reader::stored_tensor& wanted) {
  if (got.size() != static_cast<index_t>(wanted.values.size()))
    return text_of(got.size(), " values, wanted ", wanted.values.size());
  using onnx_reader::stored_tensor;
  const bool half = wanted.type == stored_tensor::f16,
             brain = wanted.type == stored_tensor::bf16 || wanted.type == stored_tensor::u16;
  for (index_t i = 0; i < got.size(); ++i) {
    const float w = wanted.values[static_cast<std::size_t>(i)];
    const float g = half ? to_float(to_float16(got[i])) : got[i];
    const float most = brain ? std::abs(w) / 64 : 1e-6F + 1e-4F * std::abs(w);
    const bool equal = g == w || (std::isnan(g) && std::isnan(w)) || std::abs(g - w) <= most;
    if (!equal) return text_of("element ", i, " is ", g, ", wanted ", w);
  }
  return "";
}

}  // namespace

TEST_CASE("ONNX's cases imported as models") {
  const std::string root = cases_folder();
  if (!std::filesystem::is_directory(root + "/node")) {
    std::cout << "SKIPPED: no ONNX cases in " << root << " (Debian: libonnx-testdata)\n";
    return;
  }
  const temporary_folder scratch;
  const std::string path = scratch / "m.onnx";
  int computed = 0, whole = 0, others = 0;
  std::map<std::string, std::set<std::string>> refused;
  for (const char* group : {"node", "pytorch-converted", "pytorch-operator", "simple"})
    for (const auto& folder : std::filesystem::directory_iterator(root + "/" + group)) {
      const std::string name = std::string(group) + "/" + folder.path().filename().string();
      CAPTURE(name);
      std::string bytes = bytes_of(folder.path() / "model.onnx");
      const onnx_reader::model m = onnx_reader::read_model(bytes);
      const auto data = folder.path() / "test_data_set_0";
      if (!knows(m) || m.inputs.empty() || !std::filesystem::exists(data / "input_0.pb")) {
        ++others;
        continue;
      }
      // Messages that come twice are one: a second graph adds to the first.
      for (std::size_t i = 1; i < m.inputs.size(); ++i) {
        const auto value = data / text_of("input_", static_cast<int>(i), ".pb");
        bytes += onnx_bytes::counted(7, onnx_bytes::counted(5, bytes_of(value) + onnx_bytes::counted(8, m.inputs[i])));
      }
      write_file(path, bytes);
      const auto compute = [&](onnx_batch batch) {
        const imported_onnx<float> model = import_onnx<float>(path, {.layout = onnx_layout::nchw, .batch = batch});
        const std::string input = bytes_of(data / "input_0.pb"), output = bytes_of(data / "output_0.pb");
        const bool logarithm = m.operations.back().type == "LogSoftmax";
        CHECK(difference(result_of(model, onnx_reader::read_tensor(input), logarithm), onnx_reader::read_tensor(output)) == "");
      };
      try {
        compute(onnx_batch::first);
        ++computed;
      } catch (const error& e) {
        try {
          compute(onnx_batch::none);  // all of the input is one sample
          ++whole;
        } catch (const error&) {
          refused[reason_of(e.what(), path)].insert(name);
        }
      }
    }
  std::cout << computed << " cases computed by batches, " << whole << " more as one sample, " << others
            << " of operators that become no layer; refused:\n";
  std::size_t count = 0;
  for (const auto& [reason, names] : refused) {
    count += names.size();
    std::cout << "  " << names.size() << ' ' << reason << ':';
    for (const std::string& one : names) std::cout << ' ' << one;
    std::cout << '\n';
  }
  CHECK(computed == 259);
  CHECK(whole == 48);
  CHECK(count == 121);
}
