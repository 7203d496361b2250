// Checkpoints of training scripts: where their tensors are, what stands beside them, what their names begin with.
#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "io/temporary_folder.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/formats/named_weights.hpp"
#include "minicnn/formats/pth.hpp"
#include "minicnn/formats/pth_writer.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"

using namespace minicnn;

namespace {

// ---- pieces of pickles

std::string text(const std::string& value) {
  std::string out = "X";
  for (int i = 0; i < 4; ++i) out += static_cast<char>(value.size() >> (8 * i));
  return out + value;
}
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string call(const std::string& function, const std::string& arguments) { return function + "(" + arguments + "tR"; }
const std::string real("G\0\0\0\0\0\0\0\0", 9);
using members = std::vector<std::pair<std::string, std::string>>;
std::string items(const members& all) {
  std::string out = "(";
  for (const auto& [key, value] : all) out += text(key) + value;
  return out + "u";
}
std::string dictionary(const members& all) { return "}" + items(all); }
std::string ordered(const members& all) { return global("collections", "OrderedDict") + ")R" + items(all); }
/// Two floats, the first of them `first`, of the archive's storage 1, 2, 3, 4, 5, 6.
std::string tensor_at(int offset, const std::string& storage = "FloatStorage") {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              "(" + text("storage") + global("torch", storage) + text("0") + text("cpu") + "K\x06" + "tQ" + "K" +
                  static_cast<char>(offset) + "(K\x02" + "t(K\x01" + "t\x89" + global("collections", "OrderedDict") + ")R");
}
std::string object_with_state(const std::string& module, const std::string& name, const members& state) {
  return global(module, name) + ")\x81" + dictionary(state) + "b";
}

struct made_file {
  temporary_folder folder;
  std::string path = folder / "made.pth";

  explicit made_file(const std::string& pickle) {
    zip_writer out(path);
    out.add("archive/data.pkl", {"\x80\x02" + pickle + "."});
    out.add("archive/data/0", {std::string_view("\0\0\x80\x3F\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xA0\x40\0\0\xC0\x40", 24)});
    out.commit();
  }
  /// Name and initial value of each tensor, "w=2 "; the error's text without the path if there is one.
  std::string contents() const {
    try {
      const pth_file file = pth_file::open(path);
      std::string out;
      for (const pth_tensor& e : file.entries()) out += text_of(e.name, "=", file.load<float>(e.name).data()[0], " ");
      return out;
    } catch (const file_error& e) {
      return std::string(e.what()).substr(path.size() + 2);
    }
  }
};

std::string contents(const std::string& pickle) { return made_file(pickle).contents(); }

/// Objects of all kinds that scripts keep beside their tensors.
members foreign_objects() {
  const std::string bytes = call(global("_codecs", "encode"), text("\x01") + text("latin1"));
  return {{"counter", call(global("collections", "Counter"), dictionary({{"a", "K\x01"}}))},
          {"milestones", call(global("collections", "Counter"), "}(K\x1eK\x01K\x3cK\x01u")},
          {"default", call(global("collections", "defaultdict"), global("builtins", "list"))},
          {"scalar", call(global("numpy.core.multiarray", "scalar"), call(global("numpy", "dtype"), text("f8") + "\x89\x88") +
                                                                         "(K\x03" + text("<") + "NNNJ\xff\xff\xff\xff" +
                                                                         "J\xff\xff\xff\xff" + "K\x01tb" + bytes)},
          {"args", object_with_state("argparse", "Namespace", {{"lr", real}})},
          {"enum", call(global("my.module", "Color"), "K\x01")},
          {"path", call(global("pathlib", "PosixPath"), text("/") + text("data"))},
          {"size", call(global("torch", "Size"), "(K\x01K\x02t")},
          {"device", call(global("torch", "device"), text("cuda") + "K\x01")},
          {"dtype", global("torch", "float32")},
          {"set", std::string("\x8f(K\x01\x90")},
          {"long", std::string("\x8a\x09") + "123456789"},
          {"complex", call(global("builtins", "complex"), real + real)},
          {"lambda", global("__main__", "train.<locals>.<lambda>")},
          {"partial", call(call(global("functools", "partial"), global("os", "system")), text("true"))},
          {"quantized", tensor_at(0, "QInt8Storage")},
          {"old", "(i__main__\nOld\n"}};
}

}  // namespace

TEST_CASE("G02 the known keys come first, whatever else holds a tensor") {
  const std::string w = dictionary({{"w", tensor_at(1)}});
  const std::string beside = tensor_at(0);
  for (const char* key : {"state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights",
                          "params", "state_dict_ema", "model_ema", "anything"}) {
    CAPTURE(key);
    const members plain = {{"epoch", "K\x05"}, {"arch", text("lenet")}, {key, w}, {"optimizer", dictionary({{"lr", "K\x01"}})}};
    CHECK(contents(dictionary(plain)) == "w=2 ");
    if (std::string(key) == "anything") continue;
    members more = plain;
    more.insert(more.begin(), {"best_acc1", beside});
    CHECK(contents(dictionary(more)) == "w=2 ");
    CHECK(contents(ordered({{"best_acc1", beside}, {key, ordered({{"w", tensor_at(1)}})}})) == "w=2 ");
    CHECK(contents(dictionary({{"state_dict", dictionary({{key, w}, {"step", beside}})}})) == "w=2 ");
  }
  // Trained weights before their averages.
  CHECK(contents(dictionary({{"state_dict_ema", dictionary({{"w", tensor_at(3)}})}, {"state_dict", w}})) == "w=2 ");
  CHECK(contents(dictionary({{"model_ema", dictionary({{"w", tensor_at(3)}})}, {"model", w}})) == "w=2 ");
  // A state dict alone, and one of a list.
  CHECK(contents(w) == "w=2 ");
  CHECK(contents("(" + w + "K\x05t") == "w=2 ");
  CHECK(
      contents(dictionary({{"a", w}, {"b", w}})).starts_with("has tensors under several keys: a, b; save the state dict alone"));
  CHECK(contents(dictionary({{"epoch", "K\x05"}})).starts_with("no tensors in it, and no \"state_dict\""));
}

TEST_CASE("which of several state dicts was taken is told") {
  const auto keys = [](const members& all) {
    const made_file made(dictionary(all));
    const pth_file file = pth_file::open(made.path);
    std::string text = file.key() + ":";
    for (const std::string& other : file.other_keys()) text += " " + other;
    return text;
  };
  const std::string w = dictionary({{"w", tensor_at(1)}}), inner = dictionary({{"state_dict", w}, {"decay", real}});
  CHECK(keys({{"model", w}, {"model_ema", dictionary({{"w", tensor_at(3)}})}, {"epoch", "K\x01"}}) == "model: model_ema");
  CHECK(keys({{"anything", w}, {"net", inner}, {"ema", inner}}) == "net: anything ema");
  CHECK(keys({{"model", object_with_state("a", "b", {{"state_dict", w}})}, {"averaged", w}}) == "model: averaged");
  CHECK(keys({{"model", w}}) == ":");
  const std::string more = dictionary({{"v", tensor_at(1)}, {"w", tensor_at(2)}});
  CHECK(keys({{"model", more}, {"best", dictionary({{"score", tensor_at(1)}})}, {"scaler", dictionary({{"a", real}})}}) == ":");
}

TEST_CASE("G02 tensors are found below keys of any name, and beside a stray one") {
  const auto four = [](const std::string& prefix) {
    members all;
    for (const char* name : {"t", "u", "v", "w"}) all.push_back({prefix + name, tensor_at(1)});
    return dictionary(all);
  };
  const std::string part = object_with_state("torch.nn.modules.linear", "Linear",
                                             {{"_parameters", ordered({{"w", tensor_at(1)}})}, {"_modules", ordered({})}});
  // A best score that is a tensor, and a network under a key that is not known.
  CHECK(contents(dictionary({{"best_acc1", tensor_at(0)}, {"my_network", four("")}})) == "t=2 u=2 v=2 w=2 ");
  CHECK(contents(dictionary({{"best_acc1", tensor_at(0)}, {"best_model", part}})) == "w=2 ");
  CHECK(contents(dictionary({{"stage", dictionary({{"net_g", four("")}})}, {"epoch", "K\x01"}})) == "t=2 u=2 v=2 w=2 ");
  CHECK(contents(dictionary({{"checkpoint", dictionary({{"model", dictionary({{"state_dict", four("")}})}})}})) ==
        "t=2 u=2 v=2 w=2 ");
  CHECK(contents("(" + dictionary({{"a", "(" + four("") + "t"}}) + "K\x01t") == "t=2 u=2 v=2 w=2 ");
  // Arguments of a script that hold everything.
  CHECK(contents(object_with_state("argparse", "Namespace", {{"lr", real}, {"state_dict", four("")}})) == "t=2 u=2 v=2 w=2 ");
  CHECK(contents(dictionary({{"saved", object_with_state("types", "SimpleNamespace", {{"net", four("")}})}})) ==
        "t=2 u=2 v=2 w=2 ");
  // Not to be guessed.
  CHECK(contents(dictionary({{"stage", dictionary({{"net_g", four("")}, {"net_d", four("")}})}}))
            .starts_with("has tensors under several keys: stage.net_g, stage.net_d; save the state dict alone"));
  CHECK(contents(dictionary({{"u", tensor_at(1)}, {"v", tensor_at(2)}, {"more", four("")}})) == "u=2 v=3 ");
  // A dictionary within itself ends.
  CHECK(contents("}q\x01(" + text("self") + "h\x01u").starts_with("no tensors in it"));
}

TEST_CASE("G16 where tensors are wanted the message says what there is") {
  const std::string array = call(global("numpy.core.multiarray", "_reconstruct"), global("numpy", "ndarray"));
  CHECK(contents(dictionary({{"model", dictionary({{"conv1.weight", array}})}})) ==
        "holds NumPy arrays, no tensors (\"conv1.weight\" is one); save tensors, torch.from_numpy(array), or the arrays by "
        "numpy.savez, whose files are read");
  // Whatever it is called, wherever it is, and as NumPy 2 writes it.
  const std::string newer = call(global("numpy._core.multiarray", "_reconstruct"), global("numpy", "ndarray"));
  for (const std::string& pickle :
       {dictionary({{"W1", newer}}), dictionary({{"epoch", "K\x01"}, {"best", dictionary({{"W1", array}})}})}) {
    CHECK(contents(pickle).starts_with("holds NumPy arrays, no tensors (\"W1\" is one); save tensors"));
  }
  const made_file mixed(dictionary({{"w", tensor_at(1)}, {"b", array}}));
  CHECK(pth_file::open(mixed.path).instead_of_tensor("b") == "a NumPy array");
  CHECK(contents(dictionary({{"conv1.weight", "K\x01"}})).find("(\"conv1.weight\" is a number)") != std::string::npos);
}

TEST_CASE("G16 objects of any class beside the tensors are passed over, and not called") {
  members all = foreign_objects();
  all.emplace_back("state_dict", ordered({{"w", tensor_at(2)}}));
  CHECK(contents(dictionary(all)) == "w=3 ");
  // Lightning's callbacks and hyper-parameters within each other.
  CHECK(contents(dictionary({{"callbacks", dictionary(foreign_objects())},
                             {"hyper_parameters", object_with_state("pytorch_lightning.utilities.parsing", "AttributeDict", {})},
                             {"state_dict", ordered({{"w", tensor_at(2)}})}})) == "w=3 ");
  // Within the state dict too: what is no tensor is missing there, and said.
  members mixed = foreign_objects();
  mixed.emplace_back("w", tensor_at(2));
  const made_file file(dictionary(mixed));
  CHECK(file.contents() == "w=3 ");
  CHECK(pth_file::open(file.path).instead_of_tensor("scalar") == "an object of numpy.core.multiarray.scalar");
  CHECK(pth_file::open(file.path).instead_of_tensor("w") == "");
  // Every protocol's way to say the same.
  CHECK(contents(std::string("\x95\0\0\0\0\0\0\0\0", 9) + "}\x94(" + text("w") + tensor_at(1) + "u") == "w=2 ");
  CHECK(contents("(S'w'\n" + tensor_at(1) + "dp0\ng0\n00(g0\n1g0\n") == "w=2 ");
}

TEST_CASE("G16 parameters, subclasses of tensors and whole models are read without being built") {
  const auto parameter = [](int offset) {
    return call(global("torch._utils", "_rebuild_parameter"),
                tensor_at(offset) + "\x88" + global("collections", "OrderedDict") + ")R");
  };
  CHECK(contents(dictionary({{"w", parameter(1)}})) == "w=2 ");
  CHECK(contents(dictionary({{"w", call(global("torch._utils", "_rebuild_parameter_with_state"), tensor_at(1) + "\x88}}")}})) ==
        "w=2 ");
  const std::string inner =
      "((" + text("storage") + global("torch", "FloatStorage") + text("0") + text("cpu") + "K\x06tQK\x01(K\x02t(K\x01t\x89}t";
  CHECK(contents(dictionary(
            {{"w", call(global("torch._tensor", "_rebuild_from_type_v2"),
                        global("torch._utils", "_rebuild_tensor_v2") + global("my", "Tensor") + inner + "}")}})) == "w=2 ");
  const std::string part = object_with_state("torch.nn.modules.linear", "Linear",
                                             {{"_parameters", ordered({{"weight", parameter(1)}, {"bias", "N"}})},
                                              {"_buffers", ordered({})},
                                              {"_modules", ordered({})}});
  const std::string model = object_with_state("__main__", "Net",
                                              {{"training", "\x88"},
                                               {"_parameters", ordered({})},
                                               {"_buffers", ordered({{"mean", tensor_at(3)}})},
                                               {"_modules", ordered({{"fc1", part}, {"act", "N"}, {"fc2", part}})}});
  CHECK(contents(model) == "fc1.weight=2 fc2.weight=2 mean=4 ");
  CHECK(contents(dictionary({{"epoch", "K\x01"}, {"model", model}, {"optimizer", "N"}})) == "fc1.weight=2 fc2.weight=2 mean=4 ");
}

TEST_CASE("A12 a pickle is bounded in objects, references and depth") {
  const std::size_t million = 1'000'000;
  const auto many = [](std::size_t count, const std::string& one) {
    std::string out;
    out.reserve(count * one.size());
    for (std::size_t i = 0; i < count; ++i) out += one;
    return out;
  };
  CHECK(contents(many(10 * million, "N")) == "pickle: has more than 8388608 references to objects");
  CHECK(contents(many(10 * million, "(")) == "pickle: has more than 8388608 references to objects");
  CHECK(contents(many(2 * million, "]")) == "pickle: has more than 1048576 objects");
  CHECK(contents(many(2 * million, "}")) == "pickle: has more than 1048576 objects");
  CHECK(contents("N" + many(2 * million, "\x85")) == "pickle: has more than 1048576 objects");
  CHECK(contents("N" + many(2 * million, "\x94")) == "pickle: remembers more than 1048576 objects");
  // A dictionary that is copied again and again.
  CHECK(contents("}(" + many(100'000, "NN") + "uq\x01" + many(1000, global("collections", "Counter") + "(h\x01tR"))
            .find("pickle: has more than") == 0);
  // A million numbers beside the tensors are a history of losses.
  CHECK(contents("}(" + text("losses") + "](" + many(million, real) + "e" + text("w") + tensor_at(1) + "u") == "w=2 ");
  // Modules that hold each other.
  const std::string cycle = global("__main__", "Net") + ")\x81q\x05}(" + text("_parameters") + "}" + text("_modules") + "}(" +
                            text("a") + "h\x05" + text("b") + "h\x05uub";
  CHECK(contents(cycle) == "modules within modules, too many to be read");
  // Hundreds of thousands of objects that share one large dictionary: looked at once, not for each of them.
  const std::string shared = "}q\x01(" + many(200'000, "NN") + "u0](";
  const std::string objects = many(200'000, global("m", "C") + ")\x81h\x01" + "b");
  CHECK(contents(shared + objects + "e").starts_with("no tensors in it"));
  CHECK(contents(shared + "}(" + text("_parameters") + "h\x01" + text("_modules") + "}(" + text("a") + "h\x01" + "uu" + "e")
            .starts_with("no tensors in it"));
  // Names that grow without end.
  const std::string part = object_with_state("m", "C", {{"_parameters", dictionary({{"w", tensor_at(1)}})}, {"_modules", "}"}});
  const std::string outer =
      object_with_state("m", "C", {{"_parameters", "}"}, {"_modules", "}(" + text(std::string(5000, 'x')) + part + "u"}});
  CHECK(contents(outer) == "modules within modules, too many to be read");
}

TEST_CASE("G10 prefixes of wrappers are taken off where all names then fit") {
  const temporary_folder folder;
  const auto make = [] {
    graph<float> g;
    auto x = conv2d(g.input({1, 4, 4}), {.filters = 2, .kernel = 3});
    return network<float>(std::move(g), {dense(flatten(x), 3)});
  };
  network<float> net = make();
  const std::string path = folder / "n.pth";
  const auto file_of = [&](const std::string& prefix, const std::vector<std::string>& beside = {}) {
    tensor<float> extra({1});
    std::vector<named_tensor<float>> all;
    std::vector<std::string> names;
    for (const parameter_info& p : net.parameters()) names.push_back(prefix + p.name);
    for (std::size_t i = 0; i < names.size(); ++i) all.push_back({names[i], net.parameter(net.parameters()[i].name)});
    for (const std::string& name : beside) all.push_back({name, view<const float>(extra)});
    write_pth<float>(path, all, std::vector<std::string>{prefix + "bn.num_batches_tracked"});
    return pth_file::open(path);
  };
  for (const char* prefix : {"", "module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder.", "_orig_mod.module.",
                             "module._orig_mod.", "model.module.net.", "my.own.wrapper.", "conv1."}) {
    CAPTURE(prefix);
    network<float> other = make();
    for (const parameter_info& p : other.parameters())
      for (float& v : other.parameter(p.name)) v = 0;
    load_named_weights(other, file_of(prefix), own_names(other));
    for (const parameter_info& p : net.parameters())
      for (index_t i = 0; i < p.dims.size(); ++i) REQUIRE(other.parameter(p.name)[i] == net.parameter(p.name)[i]);
  }
  // In the middle of names, where parts of a network were wrapped; NumPy's files have other separators.
  const auto renamed = [&](const std::string& before, const std::string& inner, const std::vector<std::string>& beside) {
    tensor<float> extra({1});
    std::vector<named_tensor<float>> all;
    std::vector<std::string> names;
    for (const parameter_info& p : net.parameters()) {
      const std::size_t dot = p.name.find('.') + 1;
      names.push_back(before + p.name.substr(0, dot) + inner + p.name.substr(dot));
    }
    for (std::size_t i = 0; i < names.size(); ++i) all.push_back({names[i], net.parameter(net.parameters()[i].name)});
    for (const std::string& name : beside) all.push_back({name, view<const float>(extra)});
    write_pth<float>(path, all);
    return pth_file::open(path);
  };
  for (const auto& [before, inner] : {std::pair{"", "_orig_mod."}, std::pair{"module.", "_fsdp_wrapped_module."},
                                      std::pair{"model.", "_checkpoint_wrapped_module._orig_mod."}, std::pair{"", "module."},
                                      std::pair{"model/", ""}, std::pair{"net:", ""}}) {
    INFO(before, inner);
    network<float> other = make();
    CHECK_NOTHROW(load_named_weights(other, renamed(before, inner, {}), own_names(other)));
    CHECK(other.parameter("conv1.weight")[3] == net.parameter("conv1.weight")[3]);
  }
  // Counters that a profiler and layers leave.
  CHECK_NOTHROW(
      load_named_weights(net, renamed("", "", {"total_ops", "conv1.total_params", "conv1._extra_state"}), own_names(net)));
  network<float> averaged = make();
  CHECK_NOTHROW(load_named_weights(averaged, file_of("module.", {"n_averaged"}), own_names(averaged)));
  // What does not have it is left over, and is all that the message names.
  CHECK(thrown<file_error>([&] { load_named_weights(net, file_of("model.", {"spare.weight"}), own_names(net)); }) ==
        path + ": tensors do not fit the network: 1 that the network does not have: spare.weight");
}

TEST_CASE("G10 a tensor that is there both wrapped and bare is named by both names") {
  const temporary_folder folder;
  const std::string path = folder / "n.pth";
  graph<float> g;
  network<float> net(std::move(g), {dense(flatten(g.input({1, 2, 2})), 3)});
  for (const std::string prefix : {"module.", "_orig_mod.", "module._orig_mod."}) {
    CAPTURE(prefix);
    std::vector<std::string> names;
    for (const std::string& before : {std::string(), prefix})
      for (const parameter_info& p : net.parameters()) names.push_back(before + p.name);
    std::vector<named_tensor<float>> all;
    for (std::size_t i = 0; i < names.size(); ++i) all.push_back({names[i], net.parameter(net.parameters()[i % 2].name)});
    write_pth<float>(path, all);
    const std::string text = thrown<file_error>([&] { load_named_weights(net, pth_file::open(path), own_names(net)); });
    CAPTURE(text);
    CHECK(text.find("2 that the network does not have: ") != text.npos);
    CHECK((text.find(prefix + "fc1.bias (beside fc1.bias)") != text.npos ||
           text.find("fc1.bias (beside " + prefix + "fc1.bias)") != text.npos));
  }
}

TEST_CASE("A22 weights that are no numbers, or whole ones, are refused by name") {
  const temporary_folder folder;
  graph<float> g;
  network<float> net(std::move(g), {dense(flatten(g.input({1, 2, 2})), 3)});
  const std::string path = folder / "n.pth";
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    tensor<float> weight({3, 4}), bias({3});
    bias.data()[1] = bad;
    write_pth<float>(path, std::vector<named_tensor<float>>{{"fc1.weight", weight}, {"fc1.bias", bias}});
    CHECK(thrown<file_error>([&] { load_named_weights(net, pth_file::open(path), own_names(net)); }) ==
          path + ": tensor \"fc1.bias\" has values that are not finite");
  }
}

TEST_CASE("F11 tensors of a loss are left out, and can be told of") {
  const temporary_folder folder;
  const std::string path = folder / "n.pth";
  const auto make = [](const char* name) {
    graph<float> g;
    return network<float>(std::move(g), {dense(flatten(g.input({1, 4, 4})), 3, {.name = name})});
  };
  using list = std::vector<named_tensor<float>>;
  network<float> net = make("fc1");
  tensor<float> extra({3});
  for (const char* loss :
       {"criterion.weight", "loss.pos_weight", "loss_fn.weight", "module.criterion.ce.weight", "class_weights"}) {
    CAPTURE(loss);
    write_pth<float>(path, list{{"fc1.weight", net.parameter("fc1.weight")},
                                {"fc1.bias", net.parameter("fc1.bias")},
                                {loss, view<const float>(extra)}});
    const pth_file file = pth_file::open(path);
    load_named_weights(net, file, own_names(net));
    CHECK(tensors_left_out(file, own_names(net)) == std::vector<std::string>{loss});
  }
  write_pth<float>(path, list{{"fc1.weight", net.parameter("fc1.weight")},
                              {"fc1.bias", net.parameter("fc1.bias")},
                              {"glossy.weight", view<const float>(extra)}});
  CHECK_THROWS(load_named_weights(net, pth_file::open(path), own_names(net)));
  // A layer that is called so is one.
  network<float> named = make("loss");
  write_pth<float>(path, list{{"loss.weight", named.parameter("loss.weight")}, {"loss.bias", named.parameter("loss.bias")}});
  load_named_weights(named, pth_file::open(path), own_names(named));
  CHECK(tensors_left_out(pth_file::open(path), own_names(named)).empty());
}
