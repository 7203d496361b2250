// summary and bench: what a network is and how fast.
#include <minicnn/graph/summary.hpp>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::run;

TEST_CASE("F12 published parameter counts and multiply-adds") {
  const auto j = run("summary --model alexnet --classes 1000 --json").json();
  CHECK(j["parameters"] == 62378344);
  CHECK(j["parameters_without_aux"] == 62378344);
  CHECK(j["macs"] == 1135256096);
  CHECK(run("summary --model alexnet --json").json()["macs"] == 1131168288);
  const auto& layers = j["layers"];
  CHECK(layers.size() > 15);
  CHECK(layers.front()["kind"] == "input");
  CHECK(layers.front()["output"] == nlohmann::json({3, 227, 227}));
  std::int64_t sum = 0;
  for (const auto& layer : layers) {
    CHECK(layer["name"].is_string());
    CHECK(layer["kind"].is_string());
    std::int64_t elements = 1;
    for (const auto& side : layer["output"]) elements *= side.get<std::int64_t>();
    CHECK(layer["bytes"] == 4 * elements);
    CHECK(layer["macs"].is_number_integer());
    sum += layer["parameters"].get<std::int64_t>();
    if (layer["name"] == "conv1") {
      CHECK(layer["output"] == nlohmann::json({96, 55, 55}));
      CHECK(layer["parameters"] == 34944);
    }
  }
  CHECK(sum == 62378344);
}

TEST_CASE("text: a table with the totals; two classes unless said otherwise") {
  const auto r = run("summary --model alexnet", "LC_ALL=de_DE.UTF-8");
  CHECK(r.code == 0);
  CHECK(r.err.empty());
  CHECK(contains(r.out, "58,289,538"));
  CHECK(contains(r.out, "conv1"));
  CHECK(contains(r.out, "2 classes"));
}

TEST_CASE("--weights: the network that a file describes") {
  const red_means_dog w;
  const auto j = run("summary --json" + w.option()).json();
  CHECK(j["model"] == "alexnet-bn");
  CHECK(j["layers"].front()["output"] == nlohmann::json({3, 63, 63}));
  CHECK(j["layers"].back()["output"] == nlohmann::json({2}));
  CHECK(run("summary --json --weights /nowhere.safetensors").code == 1);
}

TEST_CASE("bench: a step's figures") {
  for (const std::string mode : {"train", "infer"}) {
    CAPTURE(mode);
    const auto r = run("bench --model alexnet-bn --image-size 63 --batch-size 2 --steps 2 --threads 1 --json --mode " + mode);
    CHECK(r.code == 0);
    const auto j = r.json();
    CHECK(j["model"] == "alexnet-bn");
    CHECK(j["mode"] == mode);
    CHECK(j["batch_size"] == 2);
    CHECK(j["threads"] == 1);
    CHECK(j["precision"] == "fp32");
    CHECK(j["isa"].is_string());
    CHECK(j["peak_rss_mib"].get<double>() > 10);
    CHECK(j["ms_per_step"].get<double>() > 0);
    CHECK(j["images_per_second"].get<double>() == doctest::Approx(2000 / j["ms_per_step"].get<double>()));
  }
  const auto text = run("bench --model alexnet-bn --image-size 63 --batch-size 1 --steps 1 --mode infer");
  CHECK(contains(text.out, "images/s"));
}

TEST_CASE("on a narrow terminal the table leaves out memory, then kinds, then multiply-adds") {
  minicnn::network_summary s;
  s.layers.push_back({"conv1", "conv2d", {1, 96, 55, 55}, 34944, 105415200, 1161600, false});
  s.parameters = 34944, s.multiply_adds = 105415200, s.weight_bytes = 139776;
  struct width {
    int columns;
    bool memory, kind, multiply_adds;
  };
  // 5 + 6 + 8 + 10 + 13 + 9 columns and five gaps of 2 are 61.
  for (const width w : {width{0, true, true, true}, width{61, true, true, true}, width{60, false, true, true},
                        width{50, false, true, true}, width{49, false, false, true}, width{42, false, false, true},
                        width{41, false, false, false}, width{27, false, false, false}}) {
    CAPTURE(w.columns);
    const std::string table = minicnn::summary_table(s, w.columns);
    CHECK(contains(table, "136.5 KiB") == w.memory);
    CHECK(contains(table, "1.1 MiB") == w.memory);
    CHECK(contains(table, "conv2d") == w.kind);
    CHECK(contains(table, "105,415,200") == w.multiply_adds);
    CHECK(contains(table, "96x55x55"));
    std::size_t longest = 0;
    for (std::size_t begin = 0, end; (end = table.find('\n', begin)) != table.npos; begin = end + 1)
      longest = (std::max)(longest, end - begin);
    if (w.columns > 0) CHECK(longest <= static_cast<std::size_t>(w.columns));
  }
}
