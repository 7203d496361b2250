#include "minicnn/formats/transfer_named_weights.hpp"

#include <doctest/doctest.h>

#include "io/temporary_folder.hpp"
#include "minicnn/formats/npz.hpp"
#include "minicnn/formats/npz_reader.hpp"
#include "minicnn/formats/pth.hpp"
#include "minicnn/formats/pth_writer.hpp"
#include "minicnn/layers/activation.hpp"
#include "minicnn/layers/batch_norm.hpp"
#include "minicnn/layers/dense.hpp"
#include "minicnn/layers/pooling.hpp"
#include "minicnn/train/sgd.hpp"

using namespace minicnn;

namespace {

/// A body of two layers with batch norm, and a head.
network<float> with_head(index_t classes, std::uint64_t seed, index_t hidden = 7) {
  graph<float> g;
  auto x = relu(batch_norm(dense(g.input({5}), hidden, {.name = "body1"})));
  x = relu(dense(x, 6, {.name = "body2"}));
  return network<float>(std::move(g), {dense(x, classes, {.name = "head"})}, {.seed = seed, .threads = 1});
}

/// The same with an auxiliary head of its own hidden layer.
network<float> with_two_heads(index_t classes, std::uint64_t seed) {
  graph<float> g;
  auto x = relu(dense(g.input({5}), 7, {.name = "body1"}));
  auto aux = dense(relu(dense(x, 4, {.name = "aux.fc1"})), classes, {.name = "aux.fc2"});
  return network<float>(std::move(g), {dense(x, classes, {.name = "head"}), aux}, {.seed = seed, .threads = 1});
}

std::vector<float> values(const network<float>& net, const char* name) {
  const view<const float> v = net.parameter(name);
  return {v.begin(), v.end()};
}

std::vector<float> all(const network<float>& net) {
  std::vector<float> out(net.parameter_arena().begin(), net.parameter_arena().end());
  out.insert(out.end(), net.buffer_arena().begin(), net.buffer_arena().end());
  return out;
}

std::vector<named_tensor<float>> tensors(const network<float>& net) {
  std::vector<named_tensor<float>> out;
  for (const parameter_info& p : net.parameters()) out.push_back({p.name, net.parameter(p.name)});
  for (const buffer_info& b : net.buffers()) out.push_back({b.name, net.buffer(b.name)});
  return out;
}

using names = std::vector<std::string>;

/// An .npz with one array of this header and these bytes.
std::string npz_of(const temporary_folder& folder, const std::string& header, const std::string& elements) {
  const std::string path = folder / "made.npz";
  std::string bytes("\x93NUMPY\x01\x00", 8);
  detail::append_little_endian(bytes, header.size(), 2);
  zip_writer out(path);
  out.add("w.npy", {bytes + header + elements});
  out.commit();
  return path;
}

}  // namespace

TEST_CASE("a head for other classes keeps its initial values, the body comes from the file, of whatever kind") {
  const temporary_folder folder;
  auto from = with_head(3, 1);
  from.buffer("bn1.running_mean")[2] = 0.5F;
  save_weights(from, folder / "w.safetensors");
  const names counters{"bn1.num_batches_tracked"};
  write_pth<float>(folder / "w.pth", tensors(from), counters);
  write_npz<float>(folder / "w.npz", tensors(from));
  const auto check = [&](const auto& file) {
    CAPTURE(file.path());
    auto net = with_head(2, 2);
    const std::vector<float> head = values(net, "head.weight");
    const transfer_result got = transfer_named_weights(net, file, own_names(net));
    CHECK(got.skipped == names{"head.weight", "head.bias"});
    CHECK(got.loaded.size() == 8);
    CHECK(values(net, "head.weight") == head);
    for (const char* name : {"body1.weight", "bn1.weight", "body2.bias"}) CHECK(values(net, name) == values(from, name));
    CHECK(net.buffer("bn1.running_mean")[2] == 0.5F);

    auto same = with_head(3, 2);
    CHECK(transfer_named_weights(same, file, own_names(same)).skipped.empty());
    CHECK(all(same) == all(from));
    auto other_classes = with_head(3, 2);
    const std::vector<float> first = values(other_classes, "head.weight");
    CHECK(transfer_named_weights(other_classes, file, own_names(other_classes), true).skipped.size() == 2);
    CHECK(values(other_classes, "head.weight") == first);
  };
  check(safetensors_file::open(folder / "w.safetensors"));
  check(pth_file::open(folder / "w.pth"));
  check(npz_file::open(folder / "w.npz"));
}

TEST_CASE("whatever else differs is named with both shapes, and the network stays as it was") {
  const temporary_folder folder;
  save_weights(with_head(3, 1, 8), folder / "w.safetensors");
  auto net = with_head(2, 2);
  const std::vector<float> before = all(net);
  const auto file = safetensors_file::open(folder / "w.safetensors");
  CHECK_THROWS_WITH_AS(transfer_named_weights(net, file, own_names(net)), doctest::Contains("body1.weight (wanted 7x5, got 8x5)"),
                       file_error);
  CHECK(all(net) == before);
  save_weights(with_two_heads(3, 1), folder / "two.safetensors");
  CHECK_THROWS_WITH_AS(transfer_named_weights(net, safetensors_file::open(folder / "two.safetensors"), own_names(net)),
                       doctest::Contains("aux.fc1.weight"), file_error);
  CHECK(all(net) == before);
}

TEST_CASE("auxiliary heads come from the file if it has them, else they begin anew") {
  const temporary_folder folder;
  auto from = with_two_heads(3, 1);
  save_weights(from, folder / "w.safetensors");
  auto net = with_two_heads(2, 2);
  CHECK(transfer_named_weights(net, safetensors_file::open(folder / "w.safetensors"), own_names(net)).skipped ==
        names{"aux.fc2.weight", "aux.fc2.bias", "head.weight", "head.bias"});
  CHECK(values(net, "aux.fc1.weight") == values(from, "aux.fc1.weight"));
  std::vector<named_tensor<float>> main = tensors(from);
  std::erase_if(main, [](const auto& t) { return t.name.starts_with("aux"); });
  write_npz<float>(folder / "main.npz", main);
  auto without = with_two_heads(3, 2);
  CHECK(transfer_named_weights(without, npz_file::open(folder / "main.npz"), own_names(without)).skipped ==
        names{"aux.fc1.weight", "aux.fc1.bias", "aux.fc2.weight", "aux.fc2.bias"});
  CHECK(values(without, "head.weight") == values(from, "head.weight"));
}

TEST_CASE("the names of heads are what freezing, rules and skipping take") {
  const temporary_folder folder;
  auto net = with_head(3, 1);
  save_weights(net, folder / "w.safetensors");
  const names head = head_names(net);
  CHECK(transfer_weights(net, folder / "w.safetensors", {.skip = head}).skipped == names{"head.weight", "head.bias"});
  net.freeze("");
  net.unfreeze(head.front());
  for (const parameter_info& p : net.parameters()) CHECK(p.trainable == selects(head.front(), p.name));
  sgd<float> opt(net, {.learning_rate = 1, .rules = {{.name = head.front(), .learning_rate_scale = 2}}});
  for (std::size_t i = 0; i < net.parameters().size(); ++i)
    CHECK((opt.settings()[i].learning_rate_scale > 1) == net.parameters()[i].trainable);
  // "body1" is not the beginning of "body10" here either.
  graph<float> g;
  auto x = dense(dense(g.input({4}), 4, {.name = "a1"}), 4, {.name = "a10"});
  network<float> two(std::move(g), {x});
  save_weights(two, folder / "two.safetensors");
  CHECK(transfer_weights(two, folder / "two.safetensors", {.skip = {"a1"}}).skipped == names{"a1.weight", "a1.bias"});
}

TEST_CASE("the head is the last layer with parameters; a frozen body leaves only it to train") {
  auto net = with_head(3, 1);
  CHECK(head_names(net) == names{"head"});
  CHECK(head_names(with_two_heads(2, 1)) == names{"head", "aux.fc2"});
  graph<float> g;
  auto x = relu(dense(relu(dense(g.input({4}), 3, {.name = "a"})), 2, {.name = "b"}));
  CHECK(head_names(network<float>(std::move(g), {x})) == names{"b"});  // logits that are rectified, as SqueezeNet's
  freeze_body(net);
  for (const parameter_info& p : net.parameters()) CHECK(p.trainable == p.name.starts_with("head"));
}

TEST_CASE("npz: NumPy's types and orders; what is no plain array is refused by name") {
  const temporary_folder folder;
  const auto header = [](const char* type, const char* order, const char* dims) {
    return text_of("{'descr': '", type, "', 'fortran_order': ", order, ", 'shape': ", dims, ", }\n");
  };
  const std::string six("\1\0\2\0\3\0\4\0\5\0\6\0", 12);  // 1 to 6 as int16
  const auto read = [&](const std::string& head, const std::string& bytes) {
    const tensor<float> t = npz_file::open(npz_of(folder, head, bytes)).load<float>("w");
    return text_of(t.dims(), ":") + [&] {
      std::string text;
      for (const float v : t) text += " " + to_text(v);
      return text;
    }();
  };
  CHECK(read(header("<i2", "False", "(2, 3)"), six) == "2x3: 1 2 3 4 5 6");
  CHECK(read(header("<i2", "True", "(2, 3)"), six) == "2x3: 1 3 5 2 4 6");  // numpy.arange(1, 7).reshape(3, 2).T
  CHECK(read(header("<i2", "True", "(1, 2, 3)"), six) == "1x2x3: 1 3 5 2 4 6");
  CHECK(read(header("<i2", "False", "(6,)"), six) == "6: 1 2 3 4 5 6");
  CHECK(read(header("|u1", "False", "()"), "\7") == "scalar: 7");
  const auto complaint = [&](const std::string& head, const std::string& bytes) -> std::string {
    try {
      (void)npz_file::open(npz_of(folder, head, bytes));
      return "";
    } catch (const file_error& e) {
      return e.what();
    }
  };
  CHECK(doctest::String(complaint(header("|O", "False", "(1,)"), "x").c_str()) == doctest::Contains("'|O', which is not read"));
  CHECK(doctest::String(complaint(header(">f4", "False", "(1,)"), "abcd").c_str()) ==
        doctest::Contains("'>f4', which is not read"));
  CHECK(doctest::String(complaint(header("<f4", "False", "(2,)"), "abcd").c_str()) ==
        doctest::Contains("shape 2 of F32, but 4 bytes"));
  CHECK(doctest::String(complaint(header("<f4", "False", "(4611686018427387904,)"), "abcd").c_str()) ==
        doctest::Contains("more elements than can be counted"));
  CHECK(doctest::String(complaint(header("<f4", "False", "(-1,)"), "abcd").c_str()) == doctest::Contains("no shape"));
  CHECK(doctest::String(complaint("{'descr': '<f4', 'shape': (1,), }", "abcd").c_str()) == doctest::Contains("no fortran_order"));
  CHECK(doctest::String(complaint("", "").c_str()) == doctest::Contains("does not begin as a .npy file does"));
  // What is no tensor stands beside those that are, and is named in their place.
  const auto entry_of = [](std::string head) {
    head.insert(0, std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(head.size()) + '\0');
    return head;
  };
  {
    zip_writer out(folder / "mixed.npz");
    out.add("names.npy", {entry_of(header("<U3", "False", "(1,)")), "twelve bytes"});
    out.add("made.npy", {entry_of(header("|O", "False", "()")), "pickle"});
    out.add("w.npy", {entry_of(header("<i2", "False", "(2, 3)")), six});
    out.commit();
  }
  const npz_file mixed = npz_file::open(folder / "mixed.npz");
  REQUIRE(mixed.entries().size() == 1);
  CHECK(mixed.load<float>("w").data()[5] == 6);
  CHECK(mixed.instead_of_tensor("names") == "an array of type '<U3'");
  CHECK(mixed.instead_of_tensor("made") == "an array of type '|O'");
  CHECK(mixed.instead_of_tensor("w").empty());
  // Whatever byte is damaged: an error, or it reads.
  const std::string path = npz_of(folder, header("<i2", "False", "(2, 3)"), six);
  const std::string good = read_file(path, 1 << 16);
  int refused = 0;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x55);
    write_file(path, bad);
    try {
      const npz_file file = npz_file::open(path);
      for (const npz_tensor& t : file.entries()) (void)file.load<float>(t.name);
    } catch (const file_error&) {
      ++refused;
    }
  }
  CHECK(refused > static_cast<int>(good.size()) / 2);
}
