#include "minicnn/formats/file_kind.hpp"

#include <doctest/doctest.h>

#include "io/temporary_folder.hpp"
#include "minicnn/formats/npz.hpp"
#include "minicnn/formats/onnx.hpp"
#include "minicnn/formats/pth_writer.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"

using namespace minicnn;

namespace {

file_kind kind_of(const std::string& bytes) {
  const temporary_folder folder;
  put_file(folder / "f", bytes);
  return kind_of_file(folder / "f");
}
file_kind kind_of_archive(const std::vector<std::string>& names) {
  const temporary_folder folder;
  zip_writer out(folder / "f");
  for (const std::string& name : names) out.add(name, {"x"});
  out.commit();
  return kind_of_file(folder / "f");
}

}  // namespace

TEST_CASE("A01 a safetensors file is one whatever the first byte of its header's length") {
  const temporary_folder folder;
  tensor<float> t({1});
  int kinds[256] = {};
  for (int pad = 0; pad < 2100; pad += 7) {
    safetensors_writer out;
    out.metadata("pad", std::string(static_cast<std::size_t>(pad), 'x'));
    out.add("w", t);
    out.write(folder / "w");
    kinds[static_cast<unsigned char>(read_file(folder / "w")[0])] += 1;
    REQUIRE(kind_of_file(folder / "w") == file_kind::safetensors);
  }
  CHECK(kinds[0x80] > 0);  // where pickles begin so
  // A length of "PK", as zip archives begin.
  for (int i = 0; i < 1000; ++i) {
    safetensors_writer one;
    one.metadata("pad", std::string(static_cast<std::size_t>(0x4B50 - 40 - i), 'x'));
    one.add("w", t);
    one.write(folder / "w");
    if (read_file(folder / "w").substr(0, 2) == "PK") break;
    REQUIRE(i < 999);
  }
  CHECK(kind_of_file(folder / "w") == file_kind::safetensors);
  // Cut, so that its reader can say how much is missing.
  const std::string whole = read_file(folder / "w");
  CHECK(kind_of(whole.substr(0, 100)) == file_kind::safetensors);
}

TEST_CASE("A01 the header of a safetensors file may have line ends, as other writers of JSON set them") {
  for (const std::string json :
       {"{\n  \"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}\n}", "{\r\n}", "{\t}"}) {
    const std::string length{static_cast<char>(json.size()), 0, 0, 0, 0, 0, 0, 0};
    CHECK(kind_of(length + json + "abcd") == file_kind::safetensors);
  }
  CHECK(kind_of(std::string("\4\0\0\0\0\0\0\0{{{{", 12)) != file_kind::safetensors);
}

TEST_CASE("G24 files of weights are told by their structure") {
  const temporary_folder folder;
  graph<float> g;
  const network<float> net(std::move(g), {dense(flatten(g.input({1, 2, 2})), 3)});
  const std::vector<named_tensor<float>> all = {{"w", net.parameter("fc1.weight")}};
  write_pth<float>(folder / "a", all);
  CHECK(kind_of_file(folder / "a") == file_kind::torch_zip);
  write_npz<float>(folder / "a", all);
  CHECK(kind_of_file(folder / "a") == file_kind::npz);
  write_onnx(folder / "a", net);
  CHECK(kind_of_file(folder / "a") == file_kind::onnx);
  std::string onnx = read_file(folder / "a");
  CHECK(kind_of(onnx + "\x01") == file_kind::unknown);
  using namespace std::literals;
  CHECK(kind_of_archive({"m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"}) == file_kind::torch_script);
  CHECK(kind_of_archive({"config.json", "model.weights.h5"}) == file_kind::keras);
  CHECK(kind_of_archive({"a.txt"}) == file_kind::zip);
  CHECK(kind_of("\x80\x02\x8A\x0Al\xFC\x9C\x46\xF9 j\xA8P\x19.\x80\x02M\xE9\x03."s) == file_kind::torch_legacy);
  CHECK(kind_of("\x80\x04}\x94."s) == file_kind::pickle);
  CHECK(kind_of("\x93NUMPY\x01\0v\0{"s) == file_kind::npy);
  CHECK(kind_of("\x89HDF\r\n\x1A\n\0\0"s) == file_kind::hdf5);
  CHECK(kind_of("GGUF\x03\0\0\0\x01"s) == file_kind::gguf);
  CHECK(kind_of("\x1C\0\0\0TFL3"s) == file_kind::tensorflow_lite);
  CHECK(kind_of("\x1F\x8B\x08\0"s) == file_kind::gzip);
  CHECK(kind_of("\xFD"
                "7zXZ\0"s) == file_kind::compressed);
  CHECK(kind_of("\xFF\xD8\xFF\xE0"s) == file_kind::picture);
  CHECK(kind_of("\x89PNG\r\n\x1A\n"s) == file_kind::picture);
  CHECK(kind_of("BM\x9A\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"s) == file_kind::picture);
  CHECK(kind_of("version https://git-lfs.github.com/spec/v1\noid sha256:1\n") == file_kind::git_lfs);
  CHECK(kind_of("\n<!DOCTYPE html><html>") == file_kind::web_page);
  CHECK(kind_of("id,label\n1,caf\xC3\xA9\n") == file_kind::text);
  CHECK(kind_of("\x7F"
                "ELF\x02"s) == file_kind::program);
  CHECK(kind_of("") == file_kind::empty);
  for (const std::string& noise : {"\xFE\xDC\xBA\x98"s, "\0\0\0\0\0\0\0\0\0"s, "\x80"s, "\x08"s, "\x08\x07\x3A\x7F"s, "{\0"s})
    CHECK(kind_of(noise) == file_kind::unknown);
  CHECK(thrown<file_error>([&] { kind_of("PK\3\4 cut"); }).find("not a zip archive that can be read") != std::string::npos);
}
