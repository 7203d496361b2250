#include "minicnn/formats/pth.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "io/temporary_folder.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/formats/named_weights.hpp"
#include "minicnn/formats/pth_writer.hpp"
#include "minicnn/layers/conv2d.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/flatten.hpp"

using namespace minicnn;

namespace {

tensor<float> counted(const shape& dims, float first) {
  tensor<float> out(dims);
  for (index_t i = 0; i < out.size(); ++i) out.data()[i] = first + static_cast<float>(i);
  return out;
}

/// What opening says against a file of these bytes; empty if nothing.
std::string complaint(const std::string& path, const std::string& bytes) {
  write_file(path, bytes);
  try {
    const pth_file file = pth_file::open(path);
    for (const pth_tensor& e : file.entries()) (void)file.load<float>(e.name);
    return {};
  } catch (const file_error& e) {
    return e.what();
  }
}

/// An archive with this pickle, and a storage "0" of 6 floats.
std::string archive(const temporary_folder& folder, const std::string& pickle) {
  const std::string path = folder / "made.pth";
  zip_writer out(path);
  out.add("archive/data.pkl", {pickle});
  out.add("archive/data/0", {std::string_view("\0\0\x80\x3F\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xA0\x40\0\0\xC0\x40", 24)});
  out.commit();
  return read_file(path, 1 << 20);
}

/// {"w": tensor of storage 0 with `count` elements; shape and strides (2, 3), all below 256}.
std::string pickle_of(char count, char offset, char rows, char columns, char row_stride, char column_stride) {
  const auto number = [](char value) { return std::string("K") + value; };
  return std::string("\x80\x02}X\1\0\0\0w", 9) + "ctorch._utils\n_rebuild_tensor_v2\n((X" + std::string("\7\0\0\0storage", 11) +
         "ctorch\nFloatStorage\nX" +
         std::string(
             "\1\0\0\0"
             "0",
             5) +
         "X" + std::string("\3\0\0\0cpu", 7) + number(count) + "tQ" + number(offset) + "(" + number(rows) + number(columns) +
         "t(" + number(row_stride) + number(column_stride) + "t\x89}tRs.";
}

}  // namespace

TEST_CASE("what is written as a .pth is read again, in every stored type") {
  const temporary_folder folder;
  const auto a = counted({2, 3}, 1), b = counted({4}, -2), c = counted({1, 2, 2, 2}, 0.5F);
  const std::vector<named_tensor<float>> tensors = {{"layer.weight", a, dtype::f32}, {"b", b, dtype::f16}, {"c", c, dtype::bf16}};
  const std::vector<std::string> counters = {"bn.num_batches_tracked"};
  const std::string path = folder / "t.pth";
  write_pth<float>(path, tensors, counters);
  const pth_file file = pth_file::open(path);
  REQUIRE(file.entries().size() == 4);
  for (const auto& one : tensors) {
    const tensor<float> got = file.load<float>(one.name);
    REQUIRE(got.dims() == one.values.dims());
    for (index_t i = 0; i < got.size(); ++i) CHECK(got.data()[i] == one.values.data()[i]);
  }
  CHECK(file.load<double>("bn.num_batches_tracked").data()[0] == 0.0);
  CHECK(file.find("layer") == nullptr);
}

TEST_CASE("a file that is cut off says so, with its size") {
  const temporary_folder folder;
  const std::string whole = archive(folder, pickle_of(6, 0, 2, 3, 3, 1)), path = folder / "cut.pth";
  REQUIRE(complaint(path, whole).empty());
  for (const std::size_t size : {whole.size() / 2, whole.size() - 1, std::size_t{30}})
    CHECK(complaint(path, whole.substr(0, size)) ==
          text_of(path, ": not a zip archive that can be read: cut off, or followed by something else: its ", size,
                  " bytes do not end with the directory of such an archive"));
}

TEST_CASE("strides and offsets: a transposed view of a storage") {
  const temporary_folder folder;
  write_file((folder / "v.pth"), archive(folder, pickle_of(6, 0, 2, 3, 1, 2)));
  const tensor<float> got = pth_file::open((folder / "v.pth")).load<float>("w");
  REQUIRE(got.dims() == shape{2, 3});
  const float want[] = {1, 3, 5, 2, 4, 6};
  for (index_t i = 0; i < 6; ++i) CHECK(got.data()[i] == want[i]);
}

TEST_CASE("what reaches outside its storage, or is more than data, is refused by name") {
  const temporary_folder folder;
  const std::string path = folder / "x.pth";
  CHECK(complaint(path, archive(folder, pickle_of(6, 0, 2, 3, 3, 1))).empty());
  CHECK(complaint(path, archive(folder, pickle_of(6, 1, 2, 3, 3, 1))).find("reaches outside its storage of 6") !=
        std::string::npos);
  CHECK(complaint(path, archive(folder, pickle_of(6, 0, 3, 3, 3, 1))).find("reaches outside") != std::string::npos);
  // Strides of 0: within the storage, but a few bytes of file would ask for any amount of memory.
  CHECK(complaint(path, archive(folder, pickle_of(6, 0, 2, 3, 0, 1))).empty());
  CHECK(complaint(path, archive(folder, pickle_of(6, 0, 100, 3, 0, 1))).find("has more elements than its storage of 6") !=
        std::string::npos);
  CHECK(complaint(path, archive(folder, pickle_of(7, 0, 2, 3, 3, 1))).find("a storage of 7 elements") != std::string::npos);
  // os.system("true"), as an attack would have it
  const std::string attack = std::string("\x80\x02") + "cos\nsystem\nX" + std::string("\4\0\0\0true", 8) + "\x85R.";
  CHECK(complaint(path, archive(folder, attack)).find("holds an object of os.system, no dictionary of tensors") !=
        std::string::npos);
  CHECK(complaint(path, archive(folder, "\x80\x02N.")).find("holds nothing, no dictionary of tensors") != std::string::npos);
  CHECK(complaint(path, archive(folder, std::string("\x80\x02}X\xFF\xFF\xFF\x7F", 8))).find("ends at byte 8") !=
        std::string::npos);
  CHECK(complaint(path, "no archive at all").find("does not begin as a zip archive") != std::string::npos);
  CHECK(complaint(path, "").find(path) != std::string::npos);
}

TEST_CASE("a damaged file is an error or reads; it never does anything else") {
  const temporary_folder folder;
  const std::string good = archive(folder, pickle_of(6, 0, 2, 3, 3, 1)), path = folder / "m.pth";
  random_stream s{random_key(11)};
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string bad = good;
    if (i % 3 == 0)
      bad.resize(static_cast<std::size_t>(s.below(static_cast<index_t>(bad.size()))));
    else
      for (index_t k = 0; k <= s.below(3); ++k)
        bad[static_cast<std::size_t>(s.below(static_cast<index_t>(bad.size())))] = static_cast<char>(s.below(256));
    refused += complaint(path, bad).empty() ? 0 : 1;
  }
  CHECK(refused > 1000);
}

TEST_CASE("tensors that do not fit are named all at once, with both shapes, and the network stays as it was") {
  const temporary_folder folder;
  graph<float> g;
  auto x = conv2d(g.input({1, 4, 4}), {.filters = 2, .kernel = 3});
  network<float> net(std::move(g), {dense(flatten(x), 3)});
  const float before = net.parameter("conv1.weight").data()[0];
  const auto weight = counted({2, 1, 3, 3}, 0), bias = counted({2}, 0), wrong = counted({3, 9}, 0), extra = counted({1}, 0);
  const std::string path = folder / "n.pth";
  write_pth<float>(path, std::vector<named_tensor<float>>{
                             {"conv1.weight", weight}, {"conv1.bias", bias}, {"fc1.weight", wrong}, {"fc9.bias", extra}});
  const pth_file file = pth_file::open(path);
  std::string text;
  try {
    load_named_weights(net, file, own_names(net));
  } catch (const file_error& e) {
    text = e.what();
  }
  CHECK(
      text ==
      path +
          ": tensors do not fit the network: 1 missing: fc1.bias; 1 of another shape or type: fc1.weight (wanted 3x8, got 3x9); "
          "1 that the network does not have: fc9.bias");
  CHECK(net.parameter("conv1.weight").data()[0] == before);
}
