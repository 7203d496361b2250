#pragma once
// What hostile bytes are given to, and small sound files to begin with. fuzzer.cpp gives them to clang's libFuzzer,
// replay_test.cpp mutates them by a fixed seed. A target lets nothing but minicnn::error pass silently; what must hold of
// whatever was read is checked by `must`.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../../examples/cli/serve/request_body.hpp"
#include "../../examples/cli/serve/upload_form.hpp"
#include "data/picture_files.hpp"
#include "data/pictures.hpp"
#include "fuzz/folder_tree.hpp"
#include "golden/golden.hpp"
#include "minicnn/data/cifar10.hpp"
#include "minicnn/data/csv.hpp"
#include "minicnn/data/exif.hpp"
#include "minicnn/data/idx.hpp"
#include "minicnn/data/image.hpp"
#include "minicnn/data/label_table.hpp"
#include "minicnn/data/read_dataset.hpp"
#include "minicnn/data/tar_writer.hpp"
#include "minicnn/data/transform.hpp"
#include "minicnn/files/crc32.hpp"
#include "minicnn/files/text_lines.hpp"
#include "minicnn/formats/file_kind.hpp"
#include "minicnn/formats/npz.hpp"
#include "minicnn/formats/npz_reader.hpp"
#include "minicnn/formats/onnx_import.hpp"
#include "minicnn/formats/pth.hpp"
#include "minicnn/formats/pth_writer.hpp"
#include "minicnn/graph/output_nodes.hpp"
#include "minicnn/io/json.hpp"
#include "minicnn/io/safetensors.hpp"
#include "minicnn/model/described_network.hpp"
#include "minicnn/model/training_file.hpp"

namespace fuzz {

using pictures::bytes;

/// Ends the program, which every fuzzer and sanitizer understands.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: does not hold: %s\n", what);
  std::abort();
}

/// A file in memory where there is such a place: readers take names.
inline const std::string& scratch_file() {
  static const std::string name = [] {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    const std::filesystem::path folder = memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path();
    return (folder / ("minicnn_fuzz_" + std::to_string(static_cast<long>(::getpid())))).string();
  }();
  return name;
}

inline const std::string& as_file(const bytes& content) {
  std::FILE* const file = std::fopen(scratch_file().c_str(), "wb");
  must(file != nullptr && (content.empty() || std::fwrite(content.data(), content.size(), 1, file) == 1), "scratch file written");
  std::fclose(file);
  return scratch_file();
}

inline bytes file_bytes(const std::function<void(const std::string&)>& write) {
  write(scratch_file());
  bytes out = pictures::read(scratch_file());
  std::filesystem::remove(scratch_file());
  return out;
}

inline std::string_view text(const bytes& b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }
inline bytes from_text(std::string_view t) { return {t.begin(), t.end()}; }

/// Reads every tensor as float.
template <class File>
void read_all(const bytes& content) {
  const File file = File::open(as_file(content));
  for (const auto& e : file.entries()) {
    try {
      must(file.template load<float>(e.name).size() == e.dims.size(), "a tensor has the elements of its shape");
    } catch (const minicnn::error&) {
    }
  }
}

/// A gzip file of one stored block.
inline bytes stored_gzip(const bytes& content) {
  bytes out{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1};
  const auto put = [&](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) out.push_back(static_cast<unsigned char>(value >> (8 * i)));
  };
  const auto size = static_cast<std::uint32_t>(content.size());
  put(size, 2), put(~size, 2);
  out.insert(out.end(), content.begin(), content.end());
  put(minicnn::crc32(text(content)), 4), put(size, 4);
  return out;
}

/// A JPEG with an EXIF block that says it lies on its side.
inline bytes turned_jpeg() {
  bytes out = pictures::jpeg(pictures::ramp(9, 13));
  const bytes exif{0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
                   0,    1,    1, 18, 0,   3,   0,   0,   0, 1, 0,   6,   0, 0,  0, 0, 0, 0};
  out.insert(out.begin() + 2, exif.begin(), exif.end());
  return out;
}

/// The bytes of an archive with these entries and right checksums: what is changed within an archive is hardly ever looked at.
inline bytes archive(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  return file_bytes([&](const std::string& path) {
    minicnn::zip_writer out(path);
    for (const auto& [name, content] : entries) out.add(name, {content});
    out.commit();
  });
}

/// The pictures of tests/golden: progressive, CMYK, palettes, interlaced and more.
inline std::vector<bytes> stored_pictures() {
  std::vector<bytes> out;
  const auto folder = std::filesystem::path(MINICNN_TEST_GOLDEN_DIR) / "images";
  for (const char* name :
       {"gray.jpg", "progressive.jpg", "cmyk_red.jpg", "ycck_gray.jpg", "rgba.png", "palette.png", "rgb16.png", "interlaced.png"})
    out.push_back(pictures::read((folder / name).string()));
  return out;
}

/// 20 pictures of 4 x 4 as gzip packs them: a block with codes of its own.
inline bytes packed_idx() {
  static constexpr std::string_view hex =
      "1f8b08000000000002034590010ec5200843a17f497780ddffacdf96b2992082e50956ddbfaa7a8e5db206baa11d4d9d1450ce11e1b875"
      "38f7547212166549e7d4920cc328edf0eaed3875f49308b4030486391d8d98062c062b7153e8649cfd3a4028d8b7acd60cc8d0ec2de84c"
      "ac0103c87790c494e53724e4a08ffd016b9dd62950010000";
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<unsigned char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return out;
}

/// Small ONNX models of tests/golden, with weights of several types.
inline std::vector<bytes> stored_models() {
  std::vector<bytes> out;
  const auto folder = std::filesystem::path(MINICNN_TEST_GOLDEN_DIR) / "onnx";
  for (const char* name : {"channels_last", "dense", "activations", "weights_f16", "weights_f64", "no_batch", "norms13",
                           "norms17", "attention11", "cnn7", "parts"})
    out.push_back(pictures::read((folder / (std::string(name) + ".onnx")).string()));
  return out;
}

/// What a network is said to be is that network again.
inline void describe_again(const minicnn::network<float>& net) {
  const minicnn::json text = minicnn::describe_network(net);
  const auto again = minicnn::make_described_network<float>(minicnn::parse_json(minicnn::write_json(text)));
  must(minicnn::describe_network(again) == text, "a description describes one network");
  must(again.parameters().size() == net.parameters().size(), "with the same parameters");
}

/// A network with most layers on 8-bit numbers.
inline bytes quantized_description() {
  using namespace minicnn;
  graph<float> g;
  const int8::quantization q{0.05F, 128};
  const auto x =
      int8_conv2d(quantize(g.input({3, 9, 9}), {q}), {.filters = 8, .kernel = 3, .padding = 1, .input = q, .output = q});
  const auto y = int8_conv2d(
      x, {.filters = 8, .kernel = {3, 1}, .padding = {1, 0}, .groups = 8, .input = q, .output = q, .mapped = true, .addend = q},
      &x);
  auto z = int8_concat<float>(
      {int8_max_pool(y, {.kernel = 3, .stride = 2, .padding = 1}),
       int8_avg_pool(int8_add(x, y, {.inputs = {q, q}, .output = q}), avg_pool_options{.kernel = 2, .ceil_mode = true}, q, q)},
      {.inputs = {q, q}, .output = q});
  z = int8_scale(z, {.inputs = {q}, .output = q, .low = 128});
  const network<float> net(std::move(g), {int8_conv2d(z, {.filters = 3, .kernel = 5, .input = q, .real = true})});
  return from_text(write_json(describe_network(net)));
}

/// A network on 8-bit numbers computes something for pictures of its size, if that is soon done.
inline void predict_quantized(const minicnn::network<float>& net) {
  using namespace minicnn;
  index_t most = 0;
  for (const op_plan& p : net.plans(net.input_dims()))
    most = (std::max)({most, p.output.size(), p.multiply_adds, p.forward_scratch_bytes});
  if (is_quantized(net) && most < 1000000) (void)net.predict(tensor<float>(net.input_dims(), 0.5F));
}

/// A picture of any size, resized, cropped, padded and changed as the first bytes say: numbers must come out.
inline void transform(const bytes& b) {
  using namespace minicnn;
  if (b.size() < 14) return;
  image_u8 image{1 + b[0], 1 + b[1], b[2] % 2 == 0 ? 3 : 1, {}};
  image.pixels.resize(static_cast<std::size_t>(image.height * image.width * image.channels));
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = b[i % b.size()];
  image_transform t;
  t.size = 1 + b[3];
  t.resize_to = b[4] % 3 == 0 ? 0 : t.size + b[5] % 64;
  t.padding = b[6] % 4;
  t.fit = b[7] % 2 == 0 ? fit_mode::stretch : fit_mode::crop;
  t.filter = b[7] % 4 < 2 ? interpolation::antialiased : interpolation::tensorflow1;
  t.position = static_cast<window_position>(b[8] % 5);
  t.mirrored = b[8] >= 128;
  t.augment.crop = static_cast<crop_mode>(b[9] % 3);
  t.augment.flip = b[10] / 255.0;
  t.augment.erase = b[11] / 255.0;
  check(t);
  std::vector<float> out(static_cast<std::size_t>(image.channels * t.size * t.size));
  image_workspace workspace;
  apply(image, t, random_key(b[12]), b[13] % 2 == 0, out.data(), workspace);
  for (const float value : out) must(std::isfinite(value), "a transformed picture has numbers");
}

/// A Content-Type, a line end and the body of a form.
inline void read_form(const bytes& b) {
  const std::string_view all = text(b), type = all.substr(0, all.find('\n'));
  const std::string_view body = all.substr((std::min)(type.size() + 1, all.size()));
  const std::optional<std::string> boundary = cli::form_boundary(type);
  if (!boundary) return;
  std::size_t held = 0;
  const cli::form_reader form(body, *boundary);
  for (const cli::form_part& part : form.parts()) {
    must(part.content.data() >= body.data() && part.content.data() + part.content.size() <= body.data() + body.size(),
         "a part lies in its form");
    must(part.content.find("\n--" + *boundary + "\r\n") == part.content.npos, "a part ends at its boundary");
    held += part.content.size();
  }
  must(held <= body.size(), "parts do not overlap");
}

/// A whole request. What is made of it does not depend on the pieces in which it comes.
inline void read_request(const bytes& b) {
  constexpr std::uint64_t most = 1000;
  const auto read = [&](std::size_t piece) -> std::string {
    try {
      const std::size_t end = cli::head_bytes(text(b));
      if (end == 0) return "no head";
      const cli::request_head head = cli::parse_head(text(b).substr(0, end));
      must(!head.path.empty() && !head.method.empty(), "a request has a method and a path");
      cli::request_body body(head, most, {413, "too large", ""});
      for (std::size_t i = end; i < b.size(); i += piece) body.take(text(b).substr(i, piece));
      must(body.size() <= most, "a body is bounded");
      return (body.complete() ? "whole " : "cut ") + body.bytes();
    } catch (const cli::refusal& r) {
      must(r.status >= 400 && r.status < 600 && !r.reason.empty(), "a refusal has a status and a reason");
      return r.reason;
    }
  };
  const std::string at_once = read(b.size() + 1);
  must(read(1) == at_once && read(7) == at_once, "pieces make no difference");
}

/// Members lie within the file, whatever its headers say, and a data set's pictures are bytes of it.
inline void read_tar(const bytes& b) {
  const std::string& path = as_file(b);
  minicnn::tar_reader tar(path);
  minicnn::index_t end = 0;
  while (const minicnn::tar_member* m = tar.next()) {
    must(m->header >= end && m->offset > m->header && m->size >= 0, "members come one after the other");
    end = m->offset + m->size;
    must(end <= static_cast<minicnn::index_t>(b.size()), "a member lies in its file");
    must(m->kind != minicnn::tar_kind::file || !m->name.empty(), "a file has a name");
    must(("/" + m->name + "/").find("/../") == std::string::npos, "a name leads nowhere else");
    if (m->size < 100) must(static_cast<minicnn::index_t>(tar.contents(100).size()) == m->size, "its bytes are there");
  }
  const minicnn::image_dataset data = minicnn::read_tar_dataset(path);
  bytes picture;
  for (const minicnn::sample& s : data.samples) {
    must(s.label < static_cast<int>(data.classes.size()), "a label is one of the classes");
    data.archive->read(s.member, picture, 1 << 20);
  }
}

struct target {
  std::function<void(const bytes&)> run;
  std::vector<bytes> seeds;
};

inline const std::map<std::string, target>& targets() {
  static const std::string tree_folder = scratch_file() + "_tree";
  using namespace minicnn;
  static const auto numbers = [] {
    tensor<float> t({2, 3});
    for (index_t i = 0; i < t.size(); ++i) t.data()[i] = static_cast<float>(i);
    return t;
  }();
  static const std::vector<named_tensor<float>> two = {{"a.weight", view<const float>(numbers)},
                                                       {"b", view<const float>(numbers)}};
  static const std::string storage(48, '\x3F');
  static const auto pickle = [] {
    detail::tensor_pickle p;
    p.tensor("conv1.weight", "FloatStorage", 0, {2, 1, 2, 2});
    p.tensor("conv1.bias", "HalfStorage", 0, {2});
    return from_text(p.finish());
  }();
  std::vector<bytes> images = stored_pictures();
  images.insert(images.end(), {pictures::jpeg(pictures::ramp(9, 13)), turned_jpeg(), pictures::png(pictures::ramp(5, 7)),
                               pictures::bmp(pictures::ramp(4, 6)), pictures::png(image_u8{2, 3, 1, {1, 2, 3, 4, 5, 6}})});
  static const std::map<std::string, target> all = {
      {"image",
       {[](const bytes& b) {
          const image_u8 image = decode_image(b, "fuzz");
          must(image.height > 0 && image.width > 0, "a picture has pixels");
          must(static_cast<index_t>(image.pixels.size()) == image.height * image.width * image.channels,
               "a picture has the pixels of its size");
        },
        images}},
      {"folder",
       {[](const bytes& b) { folder_tree(tree_folder, b); },
        {{1, 0, 0, 1, 0, 1, 2, 0, 0, 2, 13, 1, 0, 0, 10},                        // a folder a class
         {0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0, 19, 0, 0, 6, 8, 0, 0},                // labels in names
         {0, 0, 0, 0, 0, 1, 0, 0, 5, 0, 0, 6, 0, 0, 18, 10, 0, 12, 1, 0, 8}}}},  // numbers
      {"exif",
       {[](const bytes& b) {
          const int orientation = exif_orientation(b);
          must(orientation >= 1 && orientation <= 8, "an orientation is one of eight");
          image_u8 image = pictures::ramp(3, 2);
          apply_orientation(image, orientation);
          must(image.pixels.size() == 18, "turning keeps all pixels");
        },
        {{'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0},
         {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 18, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0}}}},
      {"safetensors",
       {[](const bytes& b) { read_all<safetensors_file>(b); },
        {file_bytes([](const std::string& path) {
           safetensors_writer out;
           out.add("a.weight", numbers);
           out.add("b", numbers, dtype::f16);
           out.write(path);
         }),
         from_text(std::string("\x02\0\0\0\0\0\0\0{}", 10))}}},
      {"pth", {[](const bytes& b) { read_all<pth_file>(b); }, {file_bytes([](const std::string& path) {
                 write_pth<float>(path, two);
               })}}},
      {"pickle",
       {[](const bytes& b) {
          read_all<pth_file>(archive({{"a/data.pkl", text(b)}, {"a/data/0", storage}}));
        },
        {pickle,
         from_text(std::string("\x80\x04\x95\x20\0\0\0\0\0\0\0", 11) +
                   "}\x94(\x8C\x0Astate_dict\x94"
                   "ctorch.nn\nNet\n)\x81}(S'_parameters'\n}\x94S'_modules'\n}ubX\1" +
                   std::string("\0\0\0eK\x03u.", 8)),
         from_text("}(S'args'\ncargparse\nNamespace\n)\x81}(S'lr'\nF0.1\nubS'seen'\nccollections\nCounter\n(}tRS'model'\nctorch."
                   "nn\nNet\n)"
                   "\x81}(S'_parameters'\n}S'_modules'\n}ubu.")}}},
      {"npy",
       {[](const bytes& b) {
          read_all<npz_file>(archive({{"w.npy", text(b)}}));
        },
        {from_text(detail::npy_header("<f4", {2, 3}) + storage.substr(0, 24)),
         from_text(detail::npy_header("|u1", {7}) + storage.substr(0, 7))}}},
      {"transform",
       {transform,
        {{31, 47, 0, 27, 1, 5, 2, 2, 3, 2, 64, 64, 7, 0, 85, 170},
         bytes(14, 0),
         {254, 0, 1, 224, 1, 9, 2, 1, 132, 1, 255, 255, 9, 2, 1, 255}}}},
      {"form",
       {read_form,
        {from_text("multipart/form-data; boundary=edge\nfirst\r\n--edge\r\nContent-Disposition: form-data; name=\"a\"; "
                   "filename=\"1.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nbytes\r\n--edge\r\nContent-Disposition: form-data; "
                   "filename*=UTF-8''%C3%A9; name=b\r\n\r\n\r\n--edge--\r\nlast"),
         from_text("multipart/form-data; boundary=\"a b\"\n--a b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n"
                   "Content-Disposition: file; filename=x\n\n1\n--i--\n\n--a b--")}}},
      {"request",
       {read_request,
        {from_text("POST /predict?top=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"),
         from_text("POST http://localhost/predict HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5;a=b\r\nhello\r\n0A\r\n0123456789\r\n0\r\nX: y\r\n\r\n"),
         from_text("GET / HTTP/1.0\r\nHost: [::1]:80\r\nOrigin: http://[::1]\r\n\r\n")}}},
      {"npz", {[](const bytes& b) { read_all<npz_file>(b); }, {file_bytes([](const std::string& path) {
                 write_npz<float>(path, two);
               })}}},
      {"idx",
       {[](const bytes& b) {
          const std::string& path = as_file(b);
          try {
            for (const image_u8& image : read_idx_pictures(path))
              must(static_cast<index_t>(image.pixels.size()) == image.height * image.width,
                   "a picture has the pixels of its size");
          } catch (const error&) {
          }
          for (const std::uint8_t label : read_idx_labels(path, 10)) must(label < 10, "a label is one of the classes");
        },
        {picture_files::idx_pictures(2, 5, 4), picture_files::idx_labels({0, 9, 3}), packed_idx(),
         stored_gzip(picture_files::idx_pictures(2, 5, 4)), stored_gzip(picture_files::idx_labels({1, 2}))}}},
      {"cifar",
       {[](const bytes& b) {
          image_dataset data;
          data.classes = cifar10_classes();
          read_cifar10_file(as_file(b), data);
          for (const sample& s : data.samples) must(s.label >= 0 && s.label < 10, "a label is one of the classes");
        },
        {picture_files::cifar10_records({1, 9}), stored_gzip(picture_files::cifar10_records({4}))}}},
      {"json",
       {[](const bytes& b) {
          const std::string once = write_json(parse_json(text(b)));
          must(write_json(parse_json(once)) == once, "what is written reads as the same");
        },
        {from_text(R"({"a":[1,-2.5e3,true,null],"b":{"c":"\u00e9\ud83d\ude00 \n"}})"), from_text("[[[]],0.1,\"x\"]")}}},
      {"model",
       {[](const bytes& b) {
          const auto file = safetensors_file::open(as_file(b));
          const model_info info = read_model_info(file);
          must(to_metadata(info).at("version") == version_string, "what is read can be written");
          const json position = read_training_entry(file, "position");
          try {
            const training_state state = detail::training_state_from(position);
            must(state.epoch >= 0 && state.step >= 0, "counts are never below 0");
          } catch (const file_error&) {
            must(false, "a member that is wrong is no file_error yet");
          }
        },
        {file_bytes([](const std::string& path) {
          safetensors_writer out;
          model_info info{.config = completed({.name = "lenet5"}), .classes = {"a", "b"}, .transform = {.size = 32}};
          for (const auto& [key, value] : to_metadata(info)) out.metadata(key, value);
          training_state state;
          state.history.push_back({1, 0.5, 0.75, 0.5, 0.75, 0.1, 0, 0});
          state.best_confusion = {{1, 0}, {0, 1}};
          out.metadata("position", write_json(detail::to_json(state)));
          out.write(path);
        })}}},
      {"onnx",
       {[](const bytes& b) {
          const std::string& path = as_file(b);
          try {
            describe_again(load_onnx<float>(path, {.network = {.threads = 1}}));
          } catch (const error&) {  // all of the input as one sample
            describe_again(load_onnx<float>(path, {.batch = onnx_batch::none, .network = {.threads = 1}}));
          }
        },
        stored_models()}},
      {"graph",
       {[](const bytes& b) {
          const auto net = make_described_network<float>(parse_json(text(b)), {}, {.threads = 1, .parameter_limit = 10000});
          describe_again(net);
          predict_quantized(net);
        },
        {from_text(R"({"input":{"name":"x","dims":[2,9,9]},"nodes":[{"name":"c","kind":"conv2d","inputs":["x"],"attributes":)"
                   R"({"filters":4,"kernel_shape":[3,3],"strides":[1,1],"dilations":[1,1],"group":2,"bias":true,)"
                   R"("auto_pad":"SAME_UPPER"}},{"name":"p","kind":"max_pool","inputs":["c"],"attributes":{"kernel_shape":[2,2],)"
                   R"("strides":[2,2],"ceil_mode":false,"pads":[0,0,0,0]}},{"name":"f","kind":"flatten","inputs":["p"],)"
                   R"("attributes":{}},{"name":"d","kind":"dense","inputs":["f"],"attributes":{"units":3,"bias":true}}],)"
                   R"("outputs":["d"],"features":3})"),
         quantized_description()}}},
      {"lines",
       {[](const bytes& b) {
          index_t number = 0;
          for (const text_line& line : split_lines(text(b), "fuzz")) {
            must(line.number == ++number, "lines are numbered from 1");
            must(line.text.find_first_of(std::string_view("\r\n\0", 3)) == line.text.npos, "a line holds no line end");
            must(valid_utf8_prefix(line.text) == line.text.size(), "a line is UTF-8");
          }
        },
        {from_text("\xEF\xBB\xBF"
                   "cat\r\ndog\r\n"),
         from_text("caf\xC3\xA9\n\nb")}}},
      {"kind",
       {[](const bytes& b) { must(!description(kind_of_file(as_file(b))).empty(), "a file has a kind"); },
        {from_text("\x08\x07\x12\x01x\x3A\x02\x0A\x00"), from_text("BM\x36"), from_text("<html>"), from_text("\x80\x04}."),
         file_bytes([](const std::string& path) { write_npz<float>(path, two); })}}},
      {"csv",
       {[](const bytes& b) {
          const csv_table table = parse_csv(text(b), "fuzz");
          for (const csv_row& row : table.rows)
            must(row.fields.size() == table.header.size(), "a row has a field for each column");
        },
        {from_text("id,label\n1,cat\n2,\"a \"\"dog\"\"\"\n"), from_text("\xEF\xBB\xBFid,label\r\n1,frog\r\n")}}},
      {"tar",
       {read_tar,
        {file_bytes([](const std::string& path) {
           tar_writer out(path);
           out.add("cat/1.jpg", "a"), out.add("dog/2.jpg", std::string(600, 'b'));
           out.add(std::string(180, 'd') + "/" + std::string(120, 'n') + ".png", "c");
           out.commit();
         }),
         file_bytes([](const std::string& path) {
           tar_writer out(path);
           out.add("1.jpg", "a"), out.add("1.cls", "1"), out.add("2.cls", "0"), out.add("2.jpg", "b"), out.add("3.txt", "c");
           out.commit();
         })}}},
      {"label_table",
       {[](const bytes& b) {
          for (const target_kind kind : {target_kind::labels, target_kind::numbers}) try {
              const label_table table = read_label_table(parse_csv(text(b), "fuzz"), kind);
              must(table.values.size() == table.ids.size() * table.names.size() && !table.names.empty(), "a row for each id");
              for (const double v : table.values)
                must(kind == target_kind::labels ? v * v <= v && v <= v * v : std::isfinite(v), "values of their kind");
            } catch (const error&) {
            }
        },
        {from_text("id,a,b\n1,0,1\n2,1,1\n"), from_text("id,tags\n1,a b;c\n2,\n"), from_text("name,age\nx,1.5e3\ny,-2\n")}}}};
  return all;
}

/// One input.
inline void run(const target& t, const bytes& input) {
  try {
    t.run(input);
  } catch (const minicnn::error&) {
  }
}

}  // namespace fuzz
