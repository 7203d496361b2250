#include "drawing.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/parallel.hpp"

using namespace drawing;
using minicnn::index_t;
using minicnn::random_key;
namespace fs = std::filesystem;

namespace {

/// A folder of the test's own, gone when the test ends.
struct scratch_folder {
  explicit scratch_folder(const std::string& name) : path(fs::temp_directory_path() / ("minicnn_drawing_test_" + name)) {
    fs::remove_all(path);
  }
  ~scratch_folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;
  fs::path path;
};

std::string bytes_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::map<std::string, std::string> files_of(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) out[entry.path().filename().string()] = bytes_of(entry.path());
  return out;
}

template <class E, class F>
std::string message_of(const F& call) {
  try {
    call();
  } catch (const E& e) {
    return e.what();
  }
  return "nothing thrown";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// Mean colours of a grid of 32 x 32 cells, 0 to 1.
constexpr int cells = 32;
std::vector<float> thumbnail(const picture& p) {
  std::vector<float> sum(3 * cells * cells, 0.0F), count(cells * cells, 0.0F);
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) {
      const auto cell = static_cast<std::size_t>((y * cells / p.height) * cells + x * cells / p.width);
      const auto pixel = static_cast<std::size_t>(y * p.width + x);
      count[cell] += 1;
      for (std::size_t c = 0; c < 3; ++c) sum[3 * cell + c] += static_cast<float>(p.rgb[3 * pixel + c]) / 255.0F;
    }
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] /= count[i / 3];
  return sum;
}

struct samples {
  std::vector<std::vector<float>> rows;  ///< cats at even, dogs at odd places
  static float label(std::size_t row) { return row % 2 == 0 ? -1.0F : 1.0F; }
};

samples draw_thumbnails(std::uint64_t seed, index_t count) {
  samples s;
  s.rows.resize(static_cast<std::size_t>(count));
  minicnn::parallel_tasks(minicnn::default_threads(), count, [&](index_t i, int) {
    const auto n = static_cast<std::uint64_t>(i);
    s.rows[static_cast<std::size_t>(i)] =
        thumbnail(draw_picture(i % 2 == 0 ? species::cat : species::dog, random_key(seed).of(n)));
  });
  return s;
}

struct regression_result {
  double train_accuracy = 0, held_out_accuracy = 0, gradient_norm = 0;
};

/// Logistic regression with L2 on features of mean 0 and deviation 1 (divided by the root of their number, so that the
/// loss is 1/4-smooth), by Nesterov's accelerated gradient descent until the gradient vanishes. Classes are balanced and
/// features centred, so no bias is needed.
regression_result logistic_regression(samples train, samples held_out, float l2) {
  const std::size_t features = train.rows[0].size(), n = train.rows.size();
  for (std::size_t f = 0; f < features; ++f) {
    double sum = 0, squares = 0;
    for (const auto& row : train.rows) sum += double{row[f]}, squares += double{row[f]} * double{row[f]};
    const double mean = sum / static_cast<double>(n), variance = squares / static_cast<double>(n) - mean * mean;
    const double scale = 1 / std::sqrt((variance + 1e-12) * static_cast<double>(features));
    for (samples* s : {&train, &held_out})
      for (auto& row : s->rows) row[f] = static_cast<float>((double{row[f]} - mean) * scale);
  }
  const auto score = [&](const std::vector<float>& row, const std::vector<float>& w) {
    float partial[8] = {};  // eight sums at a time: a serial one would take most of the test's time
    for (std::size_t f = 0; f < features; f += 8)
      for (std::size_t k = 0; k < 8; ++k) partial[k] += row[f + k] * w[f + k];
    float total = 0;
    for (const float v : partial) total += v;
    return total;
  };
  std::vector<float> w(features, 0.0F), previous = w, ahead = w, gradient(features);
  const float step = 1 / (0.25F + l2), root = std::sqrt(l2 * step), momentum = (1 - root) / (1 + root);
  regression_result result;
  for (int iteration = 0; iteration < 2000; ++iteration) {
    for (std::size_t f = 0; f < features; ++f) gradient[f] = l2 * ahead[f];
    for (std::size_t i = 0; i < n; ++i) {
      const float y = samples::label(i), pull = -y / (1 + std::exp(y * score(train.rows[i], ahead))) / static_cast<float>(n);
      for (std::size_t f = 0; f < features; ++f) gradient[f] += pull * train.rows[i][f];
    }
    double norm = 0;
    for (const float g : gradient) norm += double{g} * double{g};
    result.gradient_norm = std::sqrt(norm);
    if (result.gradient_norm < 1e-5) break;
    previous = w;
    for (std::size_t f = 0; f < features; ++f) {
      w[f] = ahead[f] - step * gradient[f];
      ahead[f] = w[f] + momentum * (w[f] - previous[f]);
    }
  }
  const auto accuracy = [&](const samples& s) {
    std::size_t right = 0;
    for (std::size_t i = 0; i < s.rows.size(); ++i) right += score(s.rows[i], w) * samples::label(i) > 0 ? 1U : 0U;
    return static_cast<double>(right) / static_cast<double>(s.rows.size());
  };
  result.train_accuracy = accuracy(train);
  result.held_out_accuracy = accuracy(held_out);
  return result;
}

}  // namespace

TEST_CASE("files have Kaggle's names, half are cats, and an odd number has one more cat") {
  const scratch_folder folder("names");
  CHECK(generate_images((folder.path / "a" / "b").string(), 7, 3) == 7);
  std::string names;
  for (const auto& [name, bytes] : files_of(folder.path / "a" / "b")) names += name + " ";
  CHECK(names == "cat.0.jpg cat.1.jpg cat.2.jpg cat.3.jpg dog.0.jpg dog.1.jpg dog.2.jpg ");
}

TEST_CASE("a picture depends on the seed and its number, not on threads or how many are drawn") {
  const scratch_folder one("one"), two("two"), more("more"), other("other");
  generate_images(one.path.string(), 6, 11, {}, 1);
  generate_images(two.path.string(), 6, 11, {}, 2);
  generate_images(more.path.string(), 9, 11, {}, 2);
  generate_images(other.path.string(), 6, 12, {}, 2);
  const auto expected = files_of(one.path);
  CHECK(expected.size() == 6);
  CHECK(expected == files_of(two.path));
  auto longer = files_of(more.path);
  for (const char* extra : {"cat.3.jpg", "cat.4.jpg", "dog.3.jpg"}) CHECK(longer.erase(extra) == 1);
  CHECK(expected == longer);
  for (const auto& [name, bytes] : files_of(other.path)) CHECK(expected.at(name) != bytes);
}

TEST_CASE("every file is a baseline JPEG of the picture's size") {
  for (std::uint64_t i = 0; i < 12; ++i) {
    const picture p = draw_picture(i % 2 == 0 ? species::cat : species::dog, random_key(5).of(i));
    CHECK(p.width >= 136);
    CHECK(p.width <= 184);
    CHECK(p.height >= 136);
    CHECK(p.height <= 184);
    REQUIRE(p.rgb.size() == static_cast<std::size_t>(3 * p.width * p.height));
    const std::vector<std::uint8_t> jpeg = jpeg_bytes(p, 90);
    REQUIRE(jpeg.size() > 500);
    CHECK(jpeg[0] == 0xFF);
    CHECK(jpeg[1] == 0xD8);
    CHECK(jpeg[jpeg.size() - 2] == 0xFF);
    CHECK(jpeg[jpeg.size() - 1] == 0xD9);
    // Walk the segments to the frame header: marker, length, precision, height, width, components.
    std::size_t at = 2;
    while (at + 9 < jpeg.size() && jpeg[at + 1] != 0xC0) at += 2 + (std::size_t{jpeg[at + 2]} << 8 | jpeg[at + 3]);
    REQUIRE(at + 9 < jpeg.size());
    CHECK(int{jpeg[at + 4]} == 8);
    CHECK((int{jpeg[at + 5]} << 8 | jpeg[at + 6]) == p.height);
    CHECK((int{jpeg[at + 7]} << 8 | jpeg[at + 8]) == p.width);
    CHECK(int{jpeg[at + 9]} == 3);
  }
}

TEST_CASE("sizes and shapes of pictures vary, and no two pictures are alike") {
  std::map<std::vector<std::uint8_t>, int> seen;
  int wide = 0, high = 0;
  for (std::uint64_t i = 0; i < 30; ++i) {
    const picture p = draw_picture(species::cat, random_key(8).of(i));
    wide += p.width > p.height ? 1 : 0;
    high += p.width < p.height ? 1 : 0;
    CHECK(++seen[p.rgb] == 1);
  }
  CHECK(wide > 3);
  CHECK(high > 3);
}

TEST_CASE("with one key, a cat and a dog share everything but their shape") {
  for (std::uint64_t i = 0; i < 12; ++i) {
    const picture cat = draw_picture(species::cat, random_key(21).of(i)), dog = draw_picture(species::dog, random_key(21).of(i));
    REQUIRE(cat.width == dog.width);
    REQUIRE(cat.height == dog.height);
    int equal = 0;
    for (std::size_t k = 0; k < cat.rgb.size(); ++k) equal += cat.rgb[k] == dog.rgb[k] ? 1 : 0;
    const double share = static_cast<double>(equal) / static_cast<double>(cat.rgb.size());
    CHECK(share > 0.3);   // the place, light and noise
    CHECK(share < 0.99);  // the animal
  }
}

TEST_CASE("fewer than one picture is refused") {
  const scratch_folder folder("none");
  for (const index_t images : {index_t{0}, index_t{-3}}) {
    const std::string text = message_of<minicnn::option_error>([&] { generate_images(folder.path.string(), images, 1); });
    CHECK(contains(text, "images"));
    CHECK(contains(text, std::to_string(images)));
  }
  CHECK_FALSE(fs::exists(folder.path));
  CHECK(contains(message_of<minicnn::option_error>([] { generate_images("", 2, 1); }), "folder"));
}

TEST_CASE("a folder that holds pictures is refused and left as it is; other files do not matter") {
  const scratch_folder folder("held");
  fs::create_directories(folder.path);
  std::ofstream(folder.path / "notes.txt") << "mine";
  std::ofstream(folder.path / "cat.picture.jpg") << "mine, too";
  CHECK(generate_images(folder.path.string(), 2, 1) == 2);
  fs::remove(folder.path / "cat.0.jpg");
  fs::rename(folder.path / "dog.0.jpg", folder.path / "dog.977.jpg");
  const auto before = files_of(folder.path);

  const std::string text = message_of<minicnn::option_error>([&] { generate_images(folder.path.string(), 2, 1); });
  CHECK(contains(text, folder.path.string()));
  CHECK(contains(text, "dog.977.jpg"));
  CHECK(files_of(folder.path) == before);
  CHECK(before.at("notes.txt") == "mine");
}

TEST_CASE("a file in the folder's place and a file that cannot be written are named") {
  const scratch_folder folder("blocked");
  fs::create_directories(folder.path);
  std::ofstream(folder.path / "taken") << "a file";
  CHECK(contains(message_of<minicnn::file_error>([&] { generate_images((folder.path / "taken").string(), 2, 1); }), "taken"));
  CHECK(contains(message_of<minicnn::file_error>([&] { generate_images((folder.path / "taken" / "in").string(), 2, 1); }),
                 "taken"));

  fs::create_directories(folder.path / "out" /
                         minicnn::text_of("dog.0.jpg.tmp-", std::int64_t{::getpid()}, "-0"));  // the temporary name
  CHECK(contains(message_of<minicnn::file_error>([&] { generate_images((folder.path / "out").string(), 2, 1, {}, 1); }),
                 "dog.0.jpg.tmp-"));
}

TEST_CASE("progress counts up to the end and can stop the work") {
  const scratch_folder all("progress"), some("stopped");
  std::vector<index_t> told;
  generate_images(all.path.string(), 9, 2, [&](index_t done, index_t images) {
    CHECK(images == 9);
    told.push_back(done);
    return true;
  });
  CHECK(told == std::vector<index_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});

  const index_t written = generate_images(
      some.path.string(), 40, 2, [](index_t done, index_t) { return done < 3; }, 1);
  CHECK(written == 3);
  CHECK(files_of(some.path).size() == 3);
}

TEST_CASE("raw pixels do not give the species away: logistic regression stays near chance") {
  samples train = draw_thumbnails(101, 1000), held_out = draw_thumbnails(202, 500);
  for (const float l2 : {1e-2F, 1e-3F}) {
    CAPTURE(l2);
    const regression_result r = logistic_regression(train, held_out, l2);
    MESSAGE("L2 " << l2 << ": " << 100 * r.train_accuracy << " % of training, " << 100 * r.held_out_accuracy
                  << " % of held-out drawings");
    CHECK(r.gradient_norm < 1e-5);
    CHECK(r.held_out_accuracy < 0.65);
  }
  // The regression itself works: it finds a tint that the eye can hardly see.
  for (samples* s : {&train, &held_out})
    for (std::size_t i = 0; i < s->rows.size(); ++i)
      for (std::size_t f = 0; f < s->rows[i].size(); f += 3) {
        s->rows[i][f] += 0.03F * samples::label(i);
        s->rows[i][f + 1] -= 0.03F * samples::label(i);
      }
  CHECK(logistic_regression(train, held_out, 1e-3F).held_out_accuracy > 0.75);
}
