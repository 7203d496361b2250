// Which files the commands take as weights, and what they say of others.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "data/pictures.hpp"
#include "minicnn/formats/npz.hpp"
#include "minicnn/formats/pth_writer.hpp"
#include "minicnn/formats/zip_reader.hpp"
#include "minicnn/formats/zip_writer.hpp"
#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

void put(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

/// A LeNet-5 with metadata changed as `change` does, under its file's name.
std::string changed_weights(const pictures::folder& folder,
                            const std::function<void(std::map<std::string, std::string>&)>& change, bool whole_numbers = false) {
  minicnn::model_info info;
  info.config.name = "lenet5";
  info.config.image_size = 32;
  info.classes = {"cat", "dog"};
  info.transform.size = 32;
  const minicnn::network<float> net = minicnn::make_model(info.config, {.seed = 1, .threads = 1});
  auto metadata = minicnn::to_metadata(info);
  change(metadata);
  minicnn::safetensors_writer out;
  for (const auto& [key, value] : metadata) out.metadata(key, value);
  minicnn::tensor<std::int32_t> whole({static_cast<minicnn::index_t>(info.classes.size())});
  for (const auto& p : net.parameters()) {
    const bool last = p.name == net.parameters().back().name && whole_numbers;
    if (last)
      out.add(p.name, whole);
    else
      out.add(p.name, net.parameter(p.name));
  }
  out.write(folder.path("w.safetensors"));
  return folder.path("w.safetensors");
}

std::string replaced(const std::string& text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  return text.substr(0, at) + to + text.substr(at + from.size());
}

minicnn::network<float> lenet_of_two() {
  minicnn::model_config lenet;
  lenet.name = "lenet5", lenet.image_size = 32, lenet.classes = 2;
  return minicnn::make_model(lenet, {.seed = 1, .threads = 1});
}

/// import of a file of such a network to `folder`.
program::outcome import_lenet(const pictures::folder& folder, const std::string& file) {
  return run("import --model lenet5 --image-size 32 --classes 2 --from '" + folder.path(file) + "' --out '" + folder.path("x") +
             "'");
}

}  // namespace

TEST_CASE("A01 every weights file of ours is importable and a starting point") {
  const pictures::folder folder("first_byte");
  // The length of the header begins with 0x80 for some length of a class's name.
  bool met = false;
  for (int length = 1; length <= 40 && !met; ++length) {
    std::string name(static_cast<std::size_t>(8 * length), 'c');
    const std::string file = changed_weights(folder, [&](auto& m) { m["classes"] = "[\"" + name + "\",\"dog\"]"; });
    met = pictures::read(file)[0] == 0x80;
    if (!met) continue;
    const auto r = run("import --model lenet5 --image-size 32 --from '" + file + "' --out '" + folder.path("x") + "'");
    INFO(r.err);
    CHECK(r.code == 0);
    REQUIRE(run("generate --images 12 --out '" + folder.path("data") + "'").code == 0);
    const auto t = run("train --dry-run --threads 1 --workers 0 --batch-size 4 --image-size 32 --data '" + folder.path("data") +
                       "' --out '" + folder.path("run") + "' --init-from '" + file + "'");
    INFO(t.err);
    CHECK(t.code == 0);
  }
  CHECK(met);
}

TEST_CASE("G24 what is no weights file is named, with the command that makes one of it") {
  const red_means_dog w;
  const pictures::folder folder("kinds");
  const pictures::folder results("results");  // submit writes nothing into the data
  folder.write("1.png", red_png(200));
  REQUIRE(run("export --format pth --out '" + folder.path("a.pth") + "'" + w.option()).code == 0);
  REQUIRE(run("export --format npz --out '" + folder.path("a.npz") + "'" + w.option()).code == 0);
  REQUIRE(run("export --format onnx --out '" + folder.path("a.onnx") + "'" + w.option()).code == 0);
  const minicnn::tensor<float> one({1});
  minicnn::safetensors_writer plain;
  plain.add("w", one);
  plain.write(folder.path("plain.safetensors"));
  put(folder.path("a.txt"), "hello\n");
  put(folder.path("a.h5"), "\x89HDF\r\n\x1A\n....");
  put(folder.path("empty"), "");
  const std::pair<const char*, const char*> kinds[] = {
      {"a.pth", "is a PyTorch file; `minicnn import --model MODEL --from "},
      {"a.npz", "is a NumPy archive (.npz); `minicnn import"},
      {"plain.safetensors", "is a safetensors file without minicnn's metadata; `minicnn import"},
      {"a.onnx", "is an ONNX model; `minicnn import --from "},
      {"a.txt", "is a text; wanted a safetensors, PyTorch (.pth) or NumPy (.npz) file of weights"},
      {"a.h5", "is an HDF5 file (Keras saves such)"},
      {"empty", "is an empty file"},
      {"1.png", "is a picture"}};
  for (const auto& [name, said] : kinds) {
    CAPTURE(name);
    const std::string file = folder.path(name), picture = folder.path("1.png");
    for (const std::string& command :
         {"predict '" + picture + "' --weights ", "evaluate --data '" + folder.path() + "' --weights ",
          std::string("summary --weights "), "explain '" + picture + "' --out '" + folder.path("e") + "' --weights ",
          std::string("serve --port 0 --weights "), "export --format npz --out '" + folder.path("e.npz") + "' --weights ",
          "submit --data '" + folder.path() + "' --out '" + results.path("s.csv") + "' --weights "}) {
      const auto r = run(command + "'" + file + "'", "timeout 20");
      CHECK(r.code == 1);
      CHECK(contains(r.err, file + ": " + said));
    }
    if (contains(said, "minicnn import")) continue;
    const auto r = run("import --model lenet5 --out '" + folder.path("o") + "' --from '" + file + "'");
    CHECK(r.code == 1);
    CHECK(contains(r.err, file + ": is a"));
  }
}

TEST_CASE("what a file has beside the network is left out and named") {
  const pictures::folder folder("beside");
  const minicnn::network<float> net = lenet_of_two();
  std::vector<minicnn::named_tensor<float>> all;
  std::vector<std::string> names;
  for (const std::string before : {"model.", "ema_model."})
    for (const auto& p : net.parameters()) names.push_back(before + p.name);
  for (std::size_t i = 0; i < names.size(); ++i)
    all.push_back({names[i], net.parameter(net.parameters()[i % net.parameters().size()].name)});
  minicnn::write_pth<float>(folder.path("w.pth"), all, std::vector<std::string>{"train_acc.tp", "model.bn.num_batches_tracked"});
  const auto r = import_lenet(folder, "w.pth");
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK(contains(r.err,
                 "w.pth: left out, as they belong to a loss, a metric or an average of the weights: ema_model.*, "
                 "train_acc.tp\n"));
}

TEST_CASE("of a checkpoint with weights and an average of them, what is taken is said, and how to take the other") {
  const pictures::folder folder("averaged");
  const minicnn::network<float> net = lenet_of_two();
  std::vector<minicnn::named_tensor<float>> all;
  for (const auto& p : net.parameters()) all.push_back({p.name, net.parameter(p.name)});
  minicnn::write_pth<float>(folder.path("plain.pth"), all, {});
  const auto plain = minicnn::zip_file::open(folder.path("plain.pth"));
  minicnn::zip_writer both(folder.path("both.pth"));
  for (const minicnn::zip_entry& e : plain.entries()) {
    std::string bytes = plain.read(e, e.size);
    if (e.name.ends_with("data.pkl")) {  // {"model": ..., "model_ema": ...}
      const std::string one = bytes.substr(2, bytes.size() - 3);
      bytes = std::string("\x80\x02}(X\x05\0\0\0model", 14) + one + std::string("X\x09\0\0\0model_ema", 14) + one + "u.";
    }
    both.add(e.name, {bytes});
  }
  both.commit();
  const auto r = import_lenet(folder, "both.pth");
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK(contains(r.err,
                 "both.pth: holds several state dicts; taken is \"model\", not model_ema; to take another, save it alone: "
                 "torch.save(torch.load(file)[\"model_ema\"], other)\n"));
  CHECK_FALSE(contains(import_lenet(folder, "plain.pth").err, "several"));
}

TEST_CASE("A22 arrays of whole numbers are no weights, and what they may be is said") {
  const pictures::folder folder("whole");
  const auto write = [&](const std::vector<std::string>& names) {
    minicnn::zip_writer out(folder.path("u.npz"));
    for (const std::string& name : names) {
      std::string head = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }";
      head.resize(117, ' ');
      const std::string bytes = std::string("\x93NUMPY\1\0\x76\0", 10) + head + "\n" + "abcdef";
      out.add(name + ".npy", {std::string_view(bytes)});
    }
    out.commit();
  };
  write({"train_images", "train_labels"});
  const auto r =
      run("import --model lenet5 --image-size 32 --from '" + folder.path("u.npz") + "' --out '" + folder.path("o") + "'");
  CHECK(r.code == 1);
  CHECK_MESSAGE(
      contains(r.err, "u.npz: holds whole numbers alone (train_images: U8 2x3, ...): pictures and labels are no weights"), r.err);
  const auto file = changed_weights(
      folder, [](auto&) {}, true);
  const auto one = run("import --model lenet5 --image-size 32 --from '" + file + "' --out '" + folder.path("o") + "'");
  CHECK(one.code == 1);
  CHECK_MESSAGE(contains(one.err, "floating-point"), one.err);
}

TEST_CASE("G03 names that occur twice are told apart by their number, G15 in files of every editor") {
  const red_means_dog w;
  const pictures::folder folder("names");
  folder.write("1.png", red_png(200));
  const auto import = [&](const std::string& names) {
    put(folder.path("names.txt"), names);
    return run("import --model alexnet-bn --from '" + w.path() + "' --out '" + folder.path("n.safetensors") +
               "' --class-names '" + folder.path("names.txt") + "'");
  };
  const auto predicted = [&] {
    const auto r = run("predict --json '" + folder.path("1.png") + "' --weights '" + folder.path("n.safetensors") + "'");
    REQUIRE(r.code == 0);
    return r.json();
  };
  REQUIRE(import("crane\ncrane\n").code == 0);
  CHECK(predicted()["probabilities"].size() == 2);
  CHECK(predicted()["class"] == "crane (1)");
  CHECK(predicted()["probabilities"].contains("crane (0)"));
  for (const char* text : {"\xEF\xBB\xBF"
                           "cat\r\ndog\r\n",
                           "cat\ndog", "cat\r\ndog",
                           "\xEF\xBB\xBF"
                           "cat\ndog\n\n"}) {
    REQUIRE(import(text).code == 0);
    CHECK(predicted()["probabilities"].contains("cat"));
    CHECK(predicted()["class"] == "dog");
  }
  const std::string path = folder.path("names.txt");
  CHECK(contains(import("cat\n\ndog\n").err, path + ": line 2: a class without a name"));
  CHECK(contains(import("cat\ncaf\xE9\n").err, path + ": line 2: is not UTF-8"));
  CHECK(contains(import(std::string("\xFF\xFE"
                                    "c\0a\0t\0\n\0",
                                    10))
                     .err,
                 path + ": is UTF-16 text, wanted UTF-8"));
  CHECK(contains(import("cat\n").err, path + ": 1 names for 2 classes"));
}

TEST_CASE("G03 distinct names stay what they are, and never meet one that exists") {
  using names = std::vector<std::string>;
  CHECK(minicnn::distinct_names({"a", "b"}) == names{"a", "b"});
  CHECK(minicnn::distinct_names({"a", "b", "a"}) == names{"a (0)", "b", "a (2)"});
  CHECK(minicnn::distinct_names({"a", "a", "a (0)"}) == names{"a (0) (0)", "a (1)", "a (0)"});
  // ImageNet's 1,000 names, of which crane and maillot are there twice.
  names many;
  for (int k = 0; k < 1000; ++k) many.push_back(minicnn::text_of("class ", k));
  many[517] = many[134] = "crane", many[639] = many[638] = "maillot";
  names distinct = minicnn::distinct_names(many);
  CHECK(distinct[134] == "crane (134)");
  std::sort(distinct.begin(), distinct.end());
  CHECK(std::unique(distinct.begin(), distinct.end()) == distinct.end());
}

TEST_CASE("G15 a file of class names without names is an error, not the default") {
  const pictures::folder folder("no_names");
  const std::string w = changed_weights(folder, [](auto&) {});
  for (const char* text : {"", "\n\n", "\xEF\xBB\xBF", " \n\t\n", "cat\n  \n"}) {
    CAPTURE(text);
    put(folder.path("names.txt"), text);
    const auto made = run("import --model lenet5 --image-size 32 --from '" + w + "' --class-names '" + folder.path("names.txt") +
                          "' --out '" + folder.path("new") + "'");
    CHECK(made.code == 1);
    CHECK(contains(made.err, "names.txt: "));
  }
}

TEST_CASE("A22 metadata is checked before memory is asked for") {
  const pictures::folder folder("metadata");
#if defined(__SANITIZE_ADDRESS__)
  const std::string limit = "env ASAN_OPTIONS=max_allocation_size_mb=2000";  // it reserves more than any limit at its start
#else
  const std::string limit = "ulimit -v 2000000;";
#endif
  const auto said = [&](const std::function<void(std::map<std::string, std::string>&)>& change, int code, bool whole = false) {
    const auto r = run("summary --weights '" + changed_weights(folder, change, whole) + "'", limit);
    CHECK(r.code == code);
    return r.err;
  };
  const auto changed = [](const char* key, const char* from, const char* to) {
    return [=](std::map<std::string, std::string>& m) { m[key] = replaced(m[key], from, to); };
  };
  CHECK(said([](auto&) {}, 0) == "");
  CHECK(contains(said([](auto&) {}, 1, true), "wanted floating-point numbers, got I32"));
  CHECK(contains(said([](auto& m) { m["version"] = "99.0.0"; }, 0), "warning: "));
  CHECK(contains(said([](auto& m) { m["version"] = "0.99.0"; }, 0), "was written by minicnn 0.99.0, this is "));
  CHECK(said([](auto& m) { m["version"] = "0.0.1"; }, 0) == "");
  CHECK(contains(said([](auto& m) { m["version"] = "new"; }, 0), "is no version"));
  CHECK(said([](auto& m) { m["classes"] = "[\"cat\",\"cat\"]"; }, 0) == "");
  CHECK(contains(said([](auto& m) { m["classes"] = "[\"cat\",\"\"]"; }, 1), "a class without a name"));
  CHECK(contains(said(changed("model", "\"image_size\":32", "\"image_size\":0"), 1),
                 "metadata \"model\": image_size: wanted 1 to 16384, got 0"));
  CHECK(contains(said(changed("model", "\"image_size\":32", "\"image_size\":8192"), 1), "size: wanted 8192"));
  CHECK(contains(said(
                     [&](auto& m) {
                       m["model"] = replaced(m["model"], "\"image_size\":32", "\"image_size\":8192");
                       m["picture"] = replaced(m["picture"], "\"size\":32", "\"size\":8192");
                       m["picture"] = replaced(m["picture"], "\"resize_to\":0", "\"resize_to\":8192");
                     },
                     1),
                 "network: would have "));
  CHECK(contains(said(changed("model", "\"classes\":2", "\"classes\":2000000000"), 1), "classes: wanted 1 to 1048576"));
  CHECK(contains(said(changed("model", "\"dropout\":", "\"dropout\":5,\"old\":"), 1), "dropout: wanted 0 to below 1, got 5"));
  CHECK(contains(said(changed("picture", "\"scale\":", "\"scale\":0,\"old\":"), 1), "scale: wanted a number above 0, got 0"));
  CHECK(contains(said(changed("picture", "\"scale\":", "\"scale\":1e300,\"old\":"), 1), "scale: wanted a number above 0"));
  CHECK(contains(said(changed("split", "\"limit\":0", "\"limit\":-3"), 1), "limit: wanted 0 or more, got -3"));
  CHECK(contains(said([](auto& m) { m["temperature"] = "0"; }, 1), "wanted a number from 1e-04 to "));
}

TEST_CASE("a file that says graph and describes none: file and entry are named, by what reads and what begins with it") {
  const pictures::folder folder("no_graph");
  const std::string weights = changed_weights(folder, [](std::map<std::string, std::string>& m) {
    m["model"] = replaced(m["model"], "\"name\":\"lenet5\"", "\"name\":\"graph\"");
  });
  REQUIRE(run("generate --images 8 --out '" + folder.path("data") + "'").code == 0);
  const std::string train = "train --data '" + folder.path("data") + "' --out '" + folder.path("run") + "' --init-from ";
  for (const std::string& command :
       {std::string("summary --weights "), "predict '" + folder.path("data") + "' --weights ", train}) {
    const auto r = run(command + "'" + weights + "'");
    INFO(r.err);
    CHECK(r.code == 1);
    CHECK(contains(r.err, weights + ": metadata \"model\": "));
  }
}

TEST_CASE("F11 a run's folder in the place of weights: the file in it is named") {
  const red_means_dog weights;
  const pictures::folder folder("run_as_weights");
  std::filesystem::create_directories(folder.path("run"));
  std::filesystem::copy_file(weights.path(), folder.path("run/best.safetensors"));
  folder.write("cat.1.png", red_png(3));
  const std::string place = "'" + folder.path("run") + "'", picture = " '" + folder.path("cat.1.png") + "'";
  for (const std::string& command :
       {"predict --weights " + place + picture, "summary --weights " + place, "explain --out o --weights " + place + picture,
        "export --format npz --out o --weights " + place, "import --model alexnet-bn --out o --from " + place,
        "train --out o --data '" + folder.path() + "' --init-from " + place}) {
    CAPTURE(command);
    const auto r = run(command);
    INFO(r.err);
    CHECK(r.code != 0);
    CHECK(contains(r.err, folder.path("run") + ": is the folder of a run, wanted a file; its weights are " +
                              folder.path("run/best.safetensors")));
  }
}

TEST_CASE("F11 weights that are not finite are exported with a warning, as whatever they are exported") {
  const pictures::folder folder("nan_weights");
  minicnn::model_info info;
  info.config.name = "lenet5", info.config.image_size = 32, info.classes = {"cat", "dog"}, info.transform.size = 32;
  minicnn::network<float> net = minicnn::make_model(info.config, {.seed = 1, .threads = 1});
  net.parameter("c3.weight")[7] = std::numeric_limits<float>::quiet_NaN();
  minicnn::save_weights(net, folder.path("w.safetensors"), minicnn::to_metadata(info));
  for (const char* format : {"onnx", "npz", "pth", "safetensors"}) {
    CAPTURE(format);
    const auto r =
        run("export --weights '" + folder.path("w.safetensors") + "' --format " + format + " --out '" + folder.path("out") + "'");
    CHECK(r.code == 0);
    CHECK(contains(r.err, "w.safetensors: has values that are not finite"));
    CHECK(contains(r.err, "c3.weight"));
  }
}
