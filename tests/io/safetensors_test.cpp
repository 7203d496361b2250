#include "minicnn/io/safetensors.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "temporary_folder.hpp"

using namespace minicnn;

namespace {

/// A file with this header text (not padded) and `data_bytes` bytes of data; the length field can be overridden.
std::string file_with(const std::string& header, std::size_t data_bytes, std::uint64_t claimed = 0) {
  const std::uint64_t length = claimed != 0 ? claimed : header.size();
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>((length >> (8 * i)) & 0xFF);
  return out + header + std::string(data_bytes, '\1');
}

/// Why a file of these bytes is refused, without the path in front; empty if it is taken.
std::string refusal(const std::string& bytes) {
  const temporary_folder folder;
  const std::string path = folder / "x";
  put_file(path, bytes);
  const std::string reason = thrown<file_error>([&] { safetensors_file::open(path); });
  if (reason.empty()) return reason;
  REQUIRE(reason.substr(0, path.size() + 2) == path + ": ");
  return reason.substr(path.size() + 2);
}

std::string one_tensor(const std::string& name, const std::string& type, const std::string& dims, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + dims + ",\"data_offsets\":" + offsets + "}";
}

}  // namespace

TEST_CASE("safetensors: the bytes of a small file") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  const tensor<float> a(shape{1, 2}, {1.0F, -2.0F});
  const tensor<std::uint8_t> b(shape{3}, {7, 8, 9});
  safetensors_writer writer;
  writer.metadata("z", "1");
  writer.metadata("a", "x\"y");
  writer.add("second", b);
  writer.add("first", a);
  writer.write(path);
  const std::string header = R"({"__metadata__":{"a":"x\"y","z":"1"},"first":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                             R"("second":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";
  const std::size_t padded = (header.size() + 7) / 8 * 8;
  std::string wanted(1, static_cast<char>(padded));
  wanted += std::string(7, '\0') + header + std::string(padded - header.size(), ' ');
  wanted += std::string("\x00\x00\x80\x3F\x00\x00\x00\xC0\x07\x08\x09", 11);
  CHECK(read_file(path) == wanted);
  writer.write(path);
  CHECK(read_file(path) == wanted);
}

TEST_CASE("safetensors: every type comes back as it was") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  const tensor<double> f64(shape{2, 2}, {0.1, -1e300, std::numeric_limits<double>::infinity(), -0.0});
  const tensor<float> f32(shape{3}, {0.1F, 1e-40F, -3e38F});
  const tensor<float16> f16(shape{2}, {float16{0x3555}, float16{0x0001}});
  const tensor<bfloat16> bf16(shape{2}, {bfloat16{0x4049}, bfloat16{0xFF80}});
  const tensor<std::int64_t> i64(shape{}, {(std::numeric_limits<std::int64_t>::min)()});
  const tensor<std::int32_t> i32(shape{1, 1, 2}, {-5, 2147483647});
  const tensor<std::int16_t> i16(shape{2}, {-32768, 77});
  const tensor<std::int8_t> i8(shape{3}, {-128, 0, 127});
  const tensor<std::uint8_t> u8(shape{2}, {0, 255});
  const tensor<bool> boolean(shape{3}, {true, false, true});
  const tensor<float> empty(shape{0, 4});
  safetensors_writer writer;
  writer.add("u8", u8);
  writer.add("f64", f64);
  writer.add("empty", empty);
  writer.add("f32", f32);
  writer.add("f16", f16);
  writer.add("bf16", bf16);
  writer.add("i64", i64);
  writer.add("i32", i32);
  writer.add("i16", i16);
  writer.add("i8", i8);
  writer.add("boolean", boolean);
  writer.write(path);

  const auto file = safetensors_file::open(path);
  CHECK(file.entries().size() == 11);
  CHECK(file.metadata().empty());
  for (const tensor_entry& entry : file.entries()) CHECK(entry.begin % dtype_size(entry.type) == 0);
  const auto same = [&]<class T>(const char* name, const tensor<T>& wanted) {
    CAPTURE(name);
    REQUIRE(file.find(name) != nullptr);
    CHECK(file.find(name)->type == dtype_of<T>());
    const tensor<T> got = file.load<T>(name);
    CHECK(got.dims() == wanted.dims());
    CHECK(std::equal(got.begin(), got.end(), wanted.begin()));
  };
  same("f64", f64);
  same("f32", f32);
  same("f16", f16);
  same("bf16", bf16);
  same("i64", i64);
  same("i32", i32);
  same("i16", i16);
  same("i8", i8);
  same("u8", u8);
  same("boolean", boolean);
  same("empty", empty);
  CHECK(std::signbit(file.load<double>("f64")[3]));

  // Every type as float and double.
  CHECK(file.load<float>("f64")[0] == 0.1F);
  CHECK(file.load<float>("f64")[1] == -std::numeric_limits<float>::infinity());
  CHECK(file.load<double>("f32")[0] == static_cast<double>(0.1F));
  CHECK(file.load<double>("f16")[0] == 0.333251953125);
  CHECK(file.load<float>("bf16")[0] == 3.140625F);
  CHECK(file.load<double>("i64")[0] == -0x1p63);
  CHECK(file.load<float>("i8")[0] == -128.0F);
  CHECK(file.load<float>("boolean")[1] == 0.0F);
  CHECK(file.load<float>("boolean")[2] == 1.0F);
}

TEST_CASE("safetensors: more elements than one chunk, narrowed while writing and widened while reading") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  tensor<double> values(shape{3, 7001});
  for (index_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i) / 1000 - 7;
  safetensors_writer writer;
  writer.add("f32", values, dtype::f32);
  writer.add("f16", values, dtype::f16);
  writer.add("bf16", values, dtype::bf16);
  writer.write(path);
  const auto file = safetensors_file::open(path);
  const auto f32 = file.load<double>("f32"), f16 = file.load<double>("f16"), bf16 = file.load<double>("bf16");
  int wrong = 0;
  for (index_t i = 0; i < values.size(); ++i) {
    wrong += f32[i] != static_cast<double>(static_cast<float>(values[i]));
    wrong += f16[i] != static_cast<double>(to_float(to_float16(values[i])));
    wrong += bf16[i] != static_cast<double>(to_float(to_bfloat16(values[i])));
  }
  CHECK(wrong == 0);
}

TEST_CASE("safetensors: what the writer refuses") {
  const tensor<float> t(shape{1});
  const tensor<std::int8_t> small(shape{1});
  safetensors_writer writer;
  writer.add("a", t);
  CHECK(thrown<option_error>([&] { writer.add("a", t); }) == "safetensors: tensor \"a\" added twice");
  CHECK(thrown<option_error>([&] { writer.add("b", t, dtype::i32); }) == "safetensors: tensor \"b\": cannot store F32 as I32");
  CHECK(thrown<option_error>([&] { writer.add("b", small, dtype::f32); }) == "safetensors: tensor \"b\": cannot store I8 as F32");
  CHECK(thrown<option_error>([&] { writer.add("__metadata__", t); }) == "safetensors: a tensor cannot be called __metadata__");
  CHECK(contains(thrown<file_error>([&] { writer.write("/nowhere/a"); }), "/nowhere/a: cannot write: "));
}

TEST_CASE("safetensors: wrong name, shape or type names file, tensor and both") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  const tensor<std::int32_t> ids(shape{2, 3});
  safetensors_writer writer;
  writer.add("ids", ids);
  writer.write(path);
  const auto file = safetensors_file::open(path);
  tensor<float> wrong(shape{3, 2});
  tensor<std::int64_t> wide(shape{2, 3});
  CHECK(thrown<file_error>([&] { file.read("ids", wrong); }) == path + ": tensor \"ids\": wanted shape 3x2, got 2x3");
  CHECK(thrown<file_error>([&] { file.read("ids", wide); }) == path + ": tensor \"ids\": wanted type I64, got I32");
  CHECK(thrown<file_error>([&] { file.load<float>("id"); }) == path + ": no tensor \"id\"");
  CHECK(file.find("idss") == nullptr);
}

TEST_CASE("F51 safetensors: JSON and data in any order, keys in any order, spaces") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  write_file(path, file_with(R"({ "z" : {"data_offsets":[4,6],"shape":[2],"dtype":"U8"},
    "b":{"shape":[],"dtype":"F32","data_offsets":[0,4]}, "e":{"dtype":"F64","shape":[0],"data_offsets":[4,4]},
    "__metadata__":{"k":"v"} }   )",
                             6));
  const auto file = safetensors_file::open(path);
  REQUIRE(file.entries().size() == 3);
  CHECK(file.entries()[0].name == "b");
  CHECK(file.entries()[1].name == "e");
  CHECK(file.entries()[2].name == "z");
  CHECK(file.load<std::uint8_t>("z")[1] == 1);
  CHECK(file.metadata().at("k") == "v");
  CHECK(*file.find_metadata("k") == "v");
  CHECK(file.find_metadata("q") == nullptr);
  CHECK(refusal(file_with("{}", 0)).empty());
}

TEST_CASE("F51 safetensors: hostile files are refused") {
  const auto with = [](const std::string& tensors, std::size_t bytes) { return refusal(file_with("{" + tensors + "}", bytes)); };
  // The length field.
  CHECK(refusal(file_with("{}", 0, std::uint64_t{1} << 63)) ==
        "not a safetensors file: a header of 9223372036854775808 bytes in a file of 10");
  CHECK(refusal(file_with("{}", 0, ~std::uint64_t{0})) ==
        "not a safetensors file: a header of 18446744073709551615 bytes in a file of 10");
  CHECK(refusal(file_with("{}", 0, 3)) == "not a safetensors file: a header of 3 bytes in a file of 10");
  CHECK(refusal("") == "not a safetensors file: has 0 bytes, fewer than 8");
  CHECK(refusal(std::string(8, '\0')) == "not a safetensors file: the header is no JSON object");
  CHECK(refusal(file_with("[]", 0)) == "not a safetensors file: the header is no JSON object");
  CHECK(refusal(file_with(" {}", 0)) == "not a safetensors file: the header is no JSON object");
  // Offsets.
  CHECK(with(one_tensor("w", "F32", "[1]", "[4,0]"), 4) == "tensor \"w\": data_offsets: begin 4 after end 0");
  CHECK(with(one_tensor("w", "F32", "[1]", "[-4,0]"), 4) == "tensor \"w\": data_offsets: -4 is negative");
  CHECK(with(one_tensor("w", "F32", "[1]", "[0,4,8]"), 4) == "tensor \"w\": data_offsets: wanted 2 numbers, got 3");
  CHECK(with(one_tensor("w", "F32", "[1]", "[0,4.0]"), 4) ==
        "tensor \"w\": data_offsets: wanted integers below 2^63, got number");
  CHECK(with(one_tensor("w", "F32", "[1]", "[0,18446744073709551615]"), 4) ==
        "tensor \"w\": data_offsets: wanted integers below 2^63, got number");
  CHECK(with(one_tensor("v", "F32", "[2]", "[0,8]") + "," + one_tensor("w", "F32", "[2]", "[4,12]"), 12) ==
        "tensor \"w\": begins at byte 4 inside another tensor, which ends at 8");
  CHECK(with(one_tensor("v", "F32", "[1]", "[0,4]") + "," + one_tensor("w", "F32", "[1]", "[0,4]"), 4) ==
        "tensor \"w\": begins at byte 0 inside another tensor, which ends at 4");
  CHECK(with(one_tensor("v", "F32", "[1]", "[0,4]") + "," + one_tensor("w", "F32", "[1]", "[8,12]"), 12) ==
        "tensor \"w\": begins at byte 8 after a hole from 4");
  CHECK(with(one_tensor("w", "F32", "[1]", "[4,8]"), 8) == "tensor \"w\": begins at byte 4 after a hole from 0");
  CHECK(with(one_tensor("w", "F32", "[2]", "[0,8]"), 7) ==
        "tensor \"w\": ends at byte 8 of 7 bytes of data: is the file cut off?");
  CHECK(with(one_tensor("w", "F32", "[1]", "[0,4]"), 8) == "4 bytes after the last tensor");
  CHECK(with("", 4) == "4 bytes after the last tensor");
  // Shape and type.
  CHECK(with(one_tensor("w", "F32", "[2,3]", "[0,20]"), 20) ==
        "tensor \"w\": shape 2x3 of F32 takes 24 bytes, data_offsets hold 20");
  CHECK(with(one_tensor("w", "F4", "[1]", "[0,4]"), 4) == "tensor \"w\": unknown dtype \"F4\"");
  CHECK(with(one_tensor("w", "F32", "[-1]", "[0,4]"), 4) == "tensor \"w\": shape: -1 is negative");
  CHECK(with(one_tensor("w", "F32", "[-1,-1]", "[0,4]"), 4) == "tensor \"w\": shape: -1 is negative");
  CHECK(with(one_tensor("w", "F32", "[1,1,1,1,1,1,1]", "[0,4]"), 4) == "tensor \"w\": shape: more than 6 dimensions");
  CHECK(with(one_tensor("w", "F32", "[4294967296,4294967296]", "[0,0]"), 0) ==
        "tensor \"w\": shape: 4294967296x4294967296 has more elements than can be counted");
  CHECK(with(one_tensor("w", "F32", "[4294967296,1073741824]", "[0,0]"), 0) ==
        "tensor \"w\": shape: 4294967296x1073741824 has more elements than can be counted");
  CHECK(with(one_tensor("w", "F64", "[1099511627776]", "[0,8796093022208]"), 8) ==
        "tensor \"w\": ends at byte 8796093022208 of 8 bytes of data: is the file cut off?");
  // Structure.
  CHECK(contains(with(one_tensor("w", "F32", "[1]", "[0,4]") + "," + one_tensor("w", "F32", "[1]", "[4,8]"), 8),
                 "key \"w\" occurs twice"));
  CHECK(with(R"("w":{"dtype":"F32","shape":[1]})", 4) == "tensor \"w\": no data_offsets");
  CHECK(with(R"("w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1})", 4) == "tensor \"w\": unknown key \"x\"");
  CHECK(with(R"("w":[1])", 4) == "tensor \"w\": wanted an object, got array");
  CHECK(with(R"("w":{"dtype":7,"shape":[1],"data_offsets":[0,4]})", 4) == "tensor \"w\": dtype: wanted a string, got integer");
  CHECK(with(R"("w":{"dtype":"F32","shape":1,"data_offsets":[0,4]})", 4) == "tensor \"w\": shape: wanted an array, got integer");
  CHECK(with(R"("__metadata__":{"a":1})", 0) == "__metadata__: \"a\": wanted a string, got integer");
  CHECK(with(R"("__metadata__":"a")", 0) == "__metadata__: wanted an object, got string");
  CHECK(contains(refusal(file_with("{\"w\":" + std::string(1000000, '['), 0)), "nested deeper than 8"));
  CHECK(contains(refusal(file_with("{\"" + std::string(1000000, 'a'), 0)), "string without an end"));
  CHECK(contains(refusal(file_with("{\"\xFF\":1}", 0)), "header: byte 2: not UTF-8"));
}

TEST_CASE("F51 safetensors: cut at every byte, and with every byte changed") {
  const temporary_folder folder;
  const std::string path = folder / "a", cut = folder / "cut";
  const tensor<float> w(shape{2, 2}, {1, 2, 3, 4});
  const tensor<std::int8_t> b(shape{3}, {5, 6, 7});
  safetensors_writer writer;
  writer.metadata("format", "pt");
  writer.add("w", w);
  writer.add("b", b);
  writer.write(path);
  const std::string bytes = read_file(path);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    put_file(cut, bytes.substr(0, size));
    CAPTURE(size);
    CHECK(contains(thrown<file_error>([&] { safetensors_file::open(cut); }), cut + ": "));
  }
  put_file(cut, bytes + std::string(4, '\0'));
  CHECK(thrown<file_error>([&] { safetensors_file::open(cut); }) == cut + ": 4 bytes after the last tensor");

  // A changed byte is either refused with a file_error or leaves a file whose tensors can be read; nothing else may happen.
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size() - 19; ++i)
    for (const char value : {'\0', '\x7F', '\xFF', '9', '"', '}'}) {
      std::string changed = bytes;
      changed[i] = value;
      put_file(cut, changed);
      try {
        const auto file = safetensors_file::open(cut);
        for (const tensor_entry& entry : file.entries()) CHECK(file.load<double>(entry.name).dims() == entry.dims);
      } catch (const file_error&) {
        ++refused;
      }
    }
  CHECK(refused > 500);
}

TEST_CASE("safetensors: a file that shrinks after it was opened is an error, not a crash") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  tensor<float> w(shape{1000});
  safetensors_writer writer;
  writer.add("w", w);
  writer.write(path);
  const auto file = safetensors_file::open(path);
  REQUIRE(::truncate(path.c_str(), 100) == 0);
  CHECK(contains(thrown<file_error>([&] { file.read("w", w); }), path + ": ends at byte 100, wanted "));
}

TEST_CASE("safetensors: a failed write leaves the previous file") {
  const temporary_folder folder;
  const std::string path = folder / "a";
  const tensor<float> w(shape{2}, {1, 2});
  safetensors_writer writer;
  writer.add("w", w);
  writer.write(path);
  const std::string before = read_file(path);
  writer.metadata("bad", "\xFF");
  CHECK(thrown([&] { writer.write(path); }) == "json: string is not UTF-8 at byte 0");
  CHECK(read_file(path) == before);
  CHECK(folder.names() == std::vector<std::string>{"a"});
}
