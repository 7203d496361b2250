#include "minicnn/model/model_file.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "io/temporary_folder.hpp"

using namespace minicnn;

namespace {

model_info small_info() {
  model_info info{.config = {.name = "lenet5", .classes = 3}, .classes = {"ant", "bee", "cow"}, .transform = {.size = 32}};
  info.transform.padding = 2;
  info.transform.normalize = {.mean = {0.1F, 0.2F, 0.3F}, .std = {0.5F, 0.25F, 1}, .scale = 1.0F / 255};
  info.split_seed = ~std::uint64_t{0} - 4;
  info.val_fraction = 0.2;
  info.limit = 7;
  info.tta = "flip";
  info.temperature = 1.25;
  info.clip = 0.01;
  return info;
}

network<float> small_network(std::uint64_t seed = 5) {
  return make_model({.name = "lenet5", .classes = 3}, {.seed = seed, .threads = 1});
}

}  // namespace

TEST_CASE("a saved model loads with its weights and all that its info says") {
  const temporary_folder folder;
  const network<float> net = small_network();
  const model_info info = small_info();
  save_model(net, info, folder / "m.safetensors");
  const loaded_model<float> got = load_model(folder / "m.safetensors", 1);
  for (const parameter_info& p : net.parameters()) {
    const view<const float> a = net.parameter(p.name), b = got.net.parameter(p.name);
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
  CHECK(got.info.warnings.empty());
  CHECK(got.info.config.channels == 1);
  CHECK(got.info.config.image_size == 32);
  CHECK(got.info.classes == info.classes);
  CHECK(got.info.split_seed == info.split_seed);  // above 2^63
  model_info expected = info;
  expected.config = completed(expected.config);
  CHECK(to_metadata(got.info) == to_metadata(expected));
}

TEST_CASE("channels and an image size that are left open are the network's") {
  const temporary_folder folder;
  model_info info = small_info();
  info.config.image_size = 0;
  const network<float> net =
      make_model({.name = "lenet5", .classes = 3, .channels = 3, .image_size = 48}, {.seed = 5, .threads = 1});
  info.transform.size = 48;
  save_model(net, info, folder / "m.safetensors");
  const model_config got = load_model(folder / "m.safetensors", 1).info.config;
  CHECK(got.channels == 3);
  CHECK(got.image_size == 48);
}

TEST_CASE("task and fold are stored, and what does not fit the outputs is refused") {
  const temporary_folder folder;
  const network<float> net = small_network();
  model_info info = small_info();
  info.fold = 2, info.folds = 5;
  info.task = {.kind = "regress", .mean = {1, 2, 3}, .std = {0.5, 0.25, 4}};
  save_model(net, info, folder / "m.safetensors");
  const model_info got = load_model(folder / "m.safetensors", 1).info;
  CHECK(got.task.kind == "regress");
  CHECK(got.task.std == info.task.std);
  CHECK(got.fold == 2);
  CHECK(got.folds == 5);
  for (const char* text : {R"({"kind":"regress","thresholds":[],"mean":[1,2],"std":[1,1]})",
                           R"({"kind":"regress","thresholds":[],"mean":[1,2,3],"std":[1,0,1]})",
                           R"({"kind":"multilabel","thresholds":[0.5],"mean":[],"std":[]})",
                           R"({"kind":"multilabel","thresholds":[0.5,0.5,1],"mean":[],"std":[]})",
                           R"({"kind":"segment","thresholds":[],"mean":[],"std":[]})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(task_info_from(parse_json(text), 3), error);
  }
  // Files that say nothing classify.
  CHECK(to_metadata(small_info()).count("task") == 0);
}

TEST_CASE("what could not be loaded is not written") {
  const temporary_folder folder;
  const network<float> net = small_network();
  const auto problem = [&](auto change) {
    model_info info = small_info();
    change(info);
    return thrown([&] { save_model(net, info, folder / "m.safetensors"); });
  };
  const std::string start = (folder / "m.safetensors") + ": cannot be written: ";
  CHECK(problem([](model_info& i) { i.classes.pop_back(); }) == start + "wanted 3 names, got 2");
  CHECK(problem([](model_info& i) { i.classes[1] = ""; }) == start + "a class without a name");
  CHECK(problem([](model_info& i) { i.transform.size = 28; }) == start + "size: wanted 32, the network's image_size, got 28");
  CHECK(problem([](model_info& i) { i.temperature = 0; }) == start + "wanted a number from 1e-04 to 1e+06, got 0");
  CHECK(problem([](model_info& i) { i.tta = "five"; }) == start + "wanted none, flip, flip-shift or ten-crop, got five");
  CHECK(problem([](model_info& i) { i.config.classes = 2, i.classes.pop_back(); }) ==
        start + "classes: wanted as many as the network has outputs, got 2");
  CHECK_THROWS_AS(save_model(net, model_info{}, folder / "m.safetensors"), option_error);
  CHECK_THROWS_AS((void)safetensors_file::open(folder / "m.safetensors"), file_error);
}

TEST_CASE("what is missing or wrong in a file is named with the file and the entry") {
  const temporary_folder folder;
  const network<float> net = small_network();
  const std::string path = folder / "m.safetensors";
  const auto problem = [&](const std::string& key, const char* text) {
    auto metadata = to_metadata([] {
      model_info info = small_info();
      info.config = completed(info.config);
      return info;
    }());
    if (text == nullptr)
      metadata.erase(key);
    else
      metadata[key] = text;
    save_weights(net, path, metadata);
    return thrown([&] { (void)load_model(path, 1); });
  };
  CHECK(problem("model", nullptr) == path + ": no metadata \"model\": not a weights file of minicnn train");
  CHECK(problem("classes", "[]") == path + ": metadata \"classes\": wanted 3 names, got 0");
  CHECK(problem("classes", "7") == path + ": metadata \"classes\": json: wanted array, got integer");
  CHECK(problem("picture", "{}") == path + ": metadata \"picture\": json: no member \"size\"");
  CHECK(problem("temperature", "-1") == path + ": metadata \"temperature\": wanted a number from 1e-04 to 1e+06, got -1");
  CHECK(problem("tta", "\"five\"") == path + ": metadata \"tta\": wanted none, flip, flip-shift or ten-crop, got five");
  CHECK(problem("split", "{\"seed\":-1,\"val_fraction\":0.1,\"limit\":0}") ==
        path + ": metadata \"split\": json: wanted an integer of 0 or more, got -1");
  CHECK(problem("clip", nullptr).empty());  // version 0.1
}

TEST_CASE("a file of a newer version is read with a warning") {
  const temporary_folder folder;
  const std::string path = folder / "m.safetensors";
  model_info info = small_info();
  info.config = completed(info.config);
  auto metadata = to_metadata(info);
  metadata["version"] = "99.0.0";
  save_weights(small_network(), path, metadata);
  const auto warnings = load_model(path, 1).info.warnings;
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0] == path + ": was written by minicnn 99.0.0, this is " + version_string);
}

TEST_CASE("equal class names are told apart, others stay as they are") {
  using names = std::vector<std::string>;
  CHECK(distinct_names({"a", "b"}) == names{"a", "b"});
  CHECK(distinct_names({"a", "b", "a"}) == names{"a (0)", "b", "a (2)"});
  CHECK(distinct_names({"a", "a", "a (0)"}) == names{"a (0) (0)", "a (1)", "a (0)"});
}
