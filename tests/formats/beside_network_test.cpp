// State dicts that hold more than a network: metrics, averages of its weights, a second copy, another head.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "io/temporary_folder.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/formats/named_weights.hpp"
#include "minicnn/formats/transfer_named_weights.hpp"
#include "minicnn/io/safetensors.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"

using namespace minicnn;

namespace {

/// A convolution and a dense layer, or one more of these, and state dicts in which they stand beside other things.
struct beside_network {
  static network<float> make(bool deeper = false, index_t classes = 3) {
    graph<float> g;
    auto x = conv2d(g.input({1, 4, 4}), {.filters = 2, .kernel = 3});
    x = flatten(conv2d(x, {.filters = 3, .kernel = 2}));
    if (deeper) x = dense(x, 8, {.name = "layer5"});
    return network<float>(std::move(g), {dense(x, classes, {.name = "head"})});
  }

  temporary_folder folder;
  std::string path = folder / "n.safetensors", header, bytes;
  network<float> trained = make(), average = make();

  beside_network() {
    for (const parameter_info& p : average.parameters())
      for (float& v : average.parameter(p.name)) v = 7;
  }
  void add_tensor(const std::string& name, const char* type, const shape& dims, std::string_view data) {
    std::string sizes;
    for (const index_t extent : dims) sizes += (sizes.empty() ? "" : ",") + to_text(extent);
    header += text_of(header.empty() ? "{" : ",", "\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":[", sizes,
                      "],\"data_offsets\":[", bytes.size(), ",", bytes.size() + data.size(), "]}");
    bytes += data;
  }
  /// The tensors of `net` below `prefix`, or the head's below `head`.
  void add(const std::string& prefix, const network<float>& net, const std::string& head) {
    for (const parameter_info& p : net.parameters()) {
      const view<const float> values = net.parameter(p.name);
      add_tensor((p.name.starts_with("head.") ? head : prefix) + p.name, "F32", p.dims,
                 {reinterpret_cast<const char*>(values.data()), static_cast<std::size_t>(values.size()) * sizeof(float)});
    }
  }
  void add(const std::string& prefix, const network<float>& net) { add(prefix, net, prefix); }
  /// Ones, of 8 bytes each: whole numbers (I64) or others (F64).
  void state(const std::string& name, const shape& dims, const std::string& type = "I64") {
    const double one = 1;
    std::string data;
    for (index_t i = 0; i < dims.size(); ++i) data.append(reinterpret_cast<const char*>(&one), sizeof one);
    add_tensor(name, type.c_str(), dims, data);
  }
  safetensors_file file() const {
    std::string size;
    for (int i = 0; i < 8; ++i) size += static_cast<char>((header.size() + 1) >> (8 * i));
    write_file(path, size + header + "}" + bytes);
    return safetensors_file::open(path);
  }
  /// Loads into a fresh network and compares with `wanted`; the names that were left out.
  std::vector<std::string> left_out(const network<float>& wanted) {
    const safetensors_file from = file();
    network<float> net = make();
    load_named_weights(net, from, own_names(net));
    for (const parameter_info& p : net.parameters())
      for (index_t i = 0; i < p.dims.size(); ++i) REQUIRE(net.parameter(p.name)[i] == wanted.parameter(p.name)[i]);
    return tensors_left_out(from, own_names(net));
  }
  std::string refused() {
    const safetensors_file from = file();
    network<float> net = make();
    return thrown<file_error>([&] { load_named_weights(net, from, own_names(net)); }).substr(path.size() + 2);
  }
};

void add_metrics(beside_network& made, const std::string& before = "") {
  for (const char* name : {"tp", "fp", "tn", "fn"}) made.state(before + "train_acc." + name, shape());
  made.state(before + "val_metrics.MulticlassAUROC.confmat", {5, 2, 2});
  made.state(before + "val_metrics.F1.preds", {5});
  made.state(before + "mean_value.mean_value", shape(), "F64");
  made.state(before + "mean_value.weight", shape(), "F64");
  made.state(before + "mean_loss.mean_value", shape(), "F64");
  made.state(before + "best.max_value", shape(), "F64");
  made.state(before + "calls.count", shape());
}

}  // namespace

TEST_CASE("metrics of a training module beside the network are left out, and can be told of") {
  for (const char* prefix : {"model.", "", "module.", "net."})
    for (const char* before : {"", "model.", "net."}) {
      INFO(prefix, before);
      beside_network made;
      add_metrics(made, before);
      made.add(prefix, made.trained);
      const std::vector<std::string> left = made.left_out(made.trained);
      CHECK(left.size() == 11);
      for (const char* name : {"train_acc.tp", "val_metrics.MulticlassAUROC.confmat", "mean_value.weight", "calls.count"})
        CHECK(std::count(left.begin(), left.end(), before + std::string(name)) == 1);
    }
}

TEST_CASE("what is no metric stays an error: layers, also of whole numbers, and what shares a place with them") {
  for (const char* prefix : {"model.", ""}) {
    CAPTURE(prefix);
    beside_network deeper;
    deeper.add(prefix, beside_network::make(true));
    CHECK(deeper.refused().find("2 that the network does not have: layer5.bias, layer5.weight") != std::string::npos);
    for (const char* name : {"layer5.weight", "layer5.bias"})
      for (const shape& dims : {shape(), shape({2, 2})})
        for (const char* type : {"I64", "F64"}) {
          INFO(name, type);
          beside_network made;
          made.add(prefix, made.trained);
          made.state(prefix + std::string(name), dims, type);
          CHECK(made.refused().find(text_of("1 that the network does not have: ", name)) != std::string::npos);
        }
    beside_network beside;
    beside.add(prefix, beside.trained);
    beside.state(prefix + std::string("layer5.total"), shape());
    beside.state(prefix + std::string("layer5.weight"), {2, 2}, "F64");
    CHECK(beside.refused().find("2 that the network does not have: layer5.total, layer5.weight") != std::string::npos);
    // Learned tensors that are called as states are, and tables of whole numbers that networks keep.
    for (const auto& [name, type] : {std::pair("head.value", "F64"), std::pair("attention.score", "F64"),
                                     std::pair("embeddings.position_ids", "I64"), std::pair("queue_ptr", "I64")}) {
      CAPTURE(name);
      beside_network made;
      made.add(prefix, made.trained);
      made.state(prefix + std::string(name), {3}, type);
      CHECK(made.refused().find(text_of("1 that the network does not have: ", name)) != std::string::npos);
    }
  }
}

TEST_CASE("trained weights are taken before an average of them in one state dict") {
  for (const char* prefix : {"model.", "", "net.module."})
    for (const auto& [average, told] : {std::pair{"ema_model.", "ema_model.*"}, std::pair{"model_ema.module.", "model_ema.*"},
                                        std::pair{"ema.", "ema.*"}, std::pair{"Ema.", "Ema.*"}, std::pair{"LitEma.", "LitEma.*"},
                                        std::pair{"swa_model.module.", "swa_model.*"}, std::pair{"a.ema.ema_model.", "a.ema.*"},
                                        std::pair{"averaged_model.", "averaged_model.*"}, std::pair{"EMA.", "EMA.*"}}) {
      INFO(prefix, average);
      const std::string counter = std::string(told).substr(0, std::string(told).size() - 1) + "n_averaged";
      for (const bool average_first : {true, false}) {
        beside_network made;
        if (average_first) made.add(average, made.average);
        made.state(counter, shape());
        made.add(prefix, made.trained);
        if (!average_first) made.add(average, made.average);
        CHECK(made.left_out(made.trained) == std::vector<std::string>{told});
      }
      // A layer too many stays an error.
      beside_network deeper;
      deeper.add(prefix, beside_network::make(true));
      deeper.add(average, deeper.average);
      CHECK(deeper.refused().find("2 that the network does not have: layer5.bias, layer5.weight") != std::string::npos);
      // The average alone is what there is.
      beside_network alone;
      alone.add(average, alone.average);
      CHECK(alone.left_out(alone.average).empty());
    }
}

TEST_CASE("two copies of a network of which neither is called an average are refused by both prefixes") {
  for (const auto& [first, second] : {std::pair{"student.", "teacher."}, std::pair{"net1.", "net2."},
                                      std::pair{"encoder_k.", "encoder_q."}, std::pair{"ema.", "swa_model."}}) {
    CAPTURE(first);
    beside_network made;
    made.add(first, made.trained);
    made.add(second, made.average);
    CHECK(made.refused() == text_of("has the network twice, below \"", first, "\" and below \"", second,
                                    "\"; save the state dict of one of them alone"));
  }
  beside_network bare;
  bare.add("", bare.trained);
  bare.add("copy.", bare.average);
  CHECK(bare.refused() == "has the network twice, below \"\" and below \"copy.\"; save the state dict of one of them alone");
}

TEST_CASE("a backbone with a head of its own is a start for fine-tuning, with averages and metrics beside it") {
  const auto start = [](beside_network& made) {
    const safetensors_file file = made.file();
    network<float> net = beside_network::make(false, 5);
    auto names = own_names(net);
    const transfer_result r = transfer_named_weights(net, file, names);
    CHECK(r.loaded == std::vector<std::string>{"conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias"});
    CHECK(net.parameter("conv1.weight")[3] == made.trained.parameter("conv1.weight")[3]);
  };
  beside_network made;
  made.add("backbone.", made.trained, "");
  start(made);
  made.add("ema.backbone.", made.average, "ema.");
  add_metrics(made);
  start(made);
  // A head that the network does not have is left over, as ever.
  made.state("projector.weight", {2, 2}, "F64");
  CHECK_THROWS_AS(start(made), file_error);
}

TEST_CASE("weights that PyTorch saves in parts are refused with the call that makes them whole") {
  using parts = std::vector<std::pair<std::string, shape>>;
  for (const auto& [tensors, said] :
       {std::pair{parts{{"weight_orig", {2, 1, 3, 3}}, {"weight_mask", {2, 1, 3, 3}}},
                  "pruned, .*prune.remove(module, \"weight\")"},
        std::pair{parts{{"weight_g", {2, 1, 1, 1}}, {"weight_v", {2, 1, 3, 3}}},
                  "under weight norm, .*remove_weight_norm(module)"},
        std::pair{parts{{"weight_orig", {2, 1, 3, 3}}, {"weight_u", {2}}, {"weight_v", {9}}},
                  "under spectral norm, .*remove_spectral_norm(module)"},
        std::pair{parts{{"parametrizations.weight.original0", {2, 1, 1, 1}}, {"parametrizations.weight.original1", {2, 1, 3, 3}}},
                  "parametrized, .*remove_parametrizations(module, \"weight\")"}})
    for (const char* prefix : {"", "module."}) {
      CAPTURE(said);
      beside_network made;
      for (const parameter_info& p : made.trained.parameters())
        if (p.name != "conv1.weight") made.state(prefix + p.name, p.dims, "F64");
      for (const auto& [name, dims] : tensors) made.state(prefix + std::string("conv1.") + name, dims, "F64");
      const std::string text = made.refused(), what = said;
      CHECK(text.find("1 missing: conv1.weight; ") != text.npos);
      CHECK(text.find("; weights are " + what.substr(0, what.find(".*")) + "saved in parts: make them whole in PyTorch, by ") !=
            text.npos);
      CHECK(text.find(what.substr(what.find(".*") + 2) + " for each layer, and save again") != text.npos);
    }
}

TEST_CASE("names that only begin like such a part are not taken for one") {
  for (const char* name : {"conv1.weight_gate", "conv1.weight_unused"}) {
    beside_network made;
    for (const parameter_info& p : made.trained.parameters()) made.state(p.name, p.dims, "F64");
    made.state(name, {2, 2}, "F64");
    const std::string text = made.refused();
    CHECK(text.find(name) != text.npos);
    CHECK(text.find("saved in parts") == text.npos);
  }
}
