#include "minicnn/train/mix.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "golden/golden.hpp"
#include "minicnn/train/classification.hpp"

using namespace minicnn;

namespace {

/// Batches of 2x4x4 pictures whose every pixel says which sample it is; sample i has class i % 3.
class numbers {
 public:
  explicit numbers(std::vector<index_t> batch_sizes) : sizes_(std::move(batch_sizes)) {}
  index_t size() const { return 0; }
  index_t batches() const { return static_cast<index_t>(sizes_.size()); }
  void start_epoch(index_t, index_t first_batch) { at_ = first_batch; }
  const batch<float>* next() {
    if (at_ == batches()) return nullptr;
    const index_t n = sizes_[static_cast<std::size_t>(at_++)];
    images_ = tensor<float>({n, 2, 4, 4});
    labels_.clear();
    for (index_t i = 0; i < n; ++i) {
      for (index_t k = 0; k < 32; ++k) images_[32 * i + k] = static_cast<float>(i);
      labels_.push_back(static_cast<std::int32_t>(i % 3));
    }
    batch_.images = images_, batch_.labels = labels_;
    return &batch_;
  }

 private:
  std::vector<index_t> sizes_;
  index_t at_ = 0;
  tensor<float> images_;
  std::vector<std::int32_t> labels_;
  batch<float> batch_;
};

struct mixed_batch {
  std::vector<float> images, soft;
  std::vector<std::int32_t> labels;
  bool operator==(const mixed_batch&) const = default;
};

std::vector<mixed_batch> all_of(const mix_options& o, index_t epoch, index_t first = 0) {
  numbers data({5, 4, 4, 2});
  auto source = mix<float>(source_of<float>(data), o);
  source->start_epoch(epoch, first);
  std::vector<mixed_batch> out;
  while (const batch<float>* b = source->next())
    out.push_back({{b->images.begin(), b->images.end()},
                   {b->soft_labels.begin(), b->soft_labels.end()},
                   {b->labels.begin(), b->labels.end()}});
  return out;
}

/// The part of picture i that is its own, by its soft labels where the partner has another class.
void check_mixture(const mixed_batch& b, bool by_pixels) {
  const auto n = static_cast<index_t>(b.labels.size());
  double share = -1;
  for (index_t i = 0; i < n; ++i) {
    const index_t partner = n - 1 - i;
    double mean = 0;
    for (index_t k = 0; k < 32; ++k) {
      const double x = static_cast<double>(b.images[static_cast<std::size_t>(32 * i + k)]);
      mean += x / 32;
      if (by_pixels) CHECK((x == static_cast<double>(i) || x == static_cast<double>(partner)));
    }
    double sum = 0;
    for (index_t c = 0; c < 3; ++c) sum += static_cast<double>(b.soft[static_cast<std::size_t>(3 * i + c)]);
    CHECK(sum == doctest::Approx(1));
    if (partner == i) continue;
    const double own = (mean - static_cast<double>(partner)) / static_cast<double>(i - partner);
    CHECK(own >= 0.5 - 1e-6);
    if (share < 0) share = own;
    CHECK(own == doctest::Approx(share).epsilon(1e-5));
    const double said = static_cast<double>(b.soft[static_cast<std::size_t>(3 * i + i % 3)]);
    CHECK(said == doctest::Approx(i % 3 == partner % 3 ? 1.0 : share).epsilon(1e-5));
  }
}

}  // namespace

TEST_CASE("mixup weights pairs of pictures and their labels alike") {
  for (const mixed_batch& b : all_of({.mixup = 1.0, .classes = 3}, 0)) check_mixture(b, false);
}

TEST_CASE("CutMix pastes a box of the partner, and labels count by area") {
  index_t cut = 0;
  for (index_t epoch = 0; epoch < 8; ++epoch)
    for (const mixed_batch& b : all_of({.cutmix = 1.0, .classes = 3}, epoch)) {
      check_mixture(b, true);
      cut += b.images.front() != b.images[5] || b.images[3] != b.images[9];
    }
  CHECK(cut > 4);
}

TEST_CASE("what is mixed depends on seed, epoch and batch alone, so an epoch can be resumed") {
  const mix_options both{.mixup = 0.4, .cutmix = 1.0, .classes = 3, .seed = 5};
  const auto whole = all_of(both, 3);
  REQUIRE(whole.size() == 4);
  const auto rest = all_of(both, 3, 2);
  REQUIRE(rest.size() == 2);
  CHECK(rest[0] == whole[2]);
  CHECK(rest[1] == whole[3]);
  CHECK(all_of(both, 4)[0] != whole[0]);
}

TEST_CASE("Beta(a, a) has mean 1/2 and variance 1 / (8 a + 4)") {
  for (const double a : {0.2, 1.0, 3.0}) {
    random_stream random(random_key(9));
    double sum = 0, squares = 0;
    constexpr int count = 20000;
    for (int i = 0; i < count; ++i) {
      const double x = symmetric_beta(a, random);
      REQUIRE(x >= 0);
      REQUIRE(x <= 1);
      sum += x / count, squares += (x - 0.5) * (x - 0.5) / count;
    }
    CHECK(sum == doctest::Approx(0.5).epsilon(0.02));
    CHECK(squares == doctest::Approx(1 / (8 * a + 4)).epsilon(0.04));
  }
}

TEST_CASE("options and batches that do not fit are refused") {
  numbers data({4});
  CHECK_THROWS_AS(mix<float>(source_of<float>(data), {.classes = 3}), option_error);
  CHECK_THROWS_AS(mix<float>(source_of<float>(data), {.mixup = -1, .classes = 3}), option_error);
  CHECK_THROWS_AS(mix<float>(source_of<float>(data), {.mixup = 1}), option_error);
  auto source = mix<float>(source_of<float>(data), {.mixup = 1, .classes = 2});
  source->start_epoch(0, 0);
  CHECK_THROWS_WITH_AS(source->next(), "mix: a label of 2, wanted 0 to 1", option_error);
}

TEST_CASE("cross-entropy with soft labels is PyTorch's, and with hard ones that of labels") {
  const golden::safetensors_file file = golden::open("recipes");
  const tensor<double> z = golden::filled<double>({5, 4}, golden::input, 8.0);
  tensor<double> soft = golden::filled<double>({5, 4}, golden::target, 4.0), gradient({5, 4});
  softmax<double>(soft, soft);
  for (const char* smoothing : {"0.0", "0.2"}) {
    const std::string name = std::string("soft_labels_") + smoothing;
    const softmax_cross_entropy<double> loss({.label_smoothing = std::stod(smoothing)});
    const double value = loss.value(z, view<const double>(soft), gradient);
    CHECK(value == doctest::Approx(file.load<double>(name + ".loss")[0]).epsilon(1e-12));
    CHECK(golden::relative_difference(view<const double>(gradient), file, name + ".gradient") < 1e-12);
  }
  const std::vector<std::int32_t> labels{0, 3, 1, 1, 2};
  tensor<double> hard({5, 4}), other({5, 4});
  for (index_t i = 0; i < 5; ++i) hard(i, labels[static_cast<std::size_t>(i)]) = 1;
  const softmax_cross_entropy<double> weighted({.label_smoothing = 0.1, .class_weights = {1, 2, 0.5, 3}});
  CHECK(weighted.value(z, view<const double>(hard), gradient) == doctest::Approx(weighted.value(z, labels, other)));
  for (index_t i = 0; i < 20; ++i) CHECK(gradient[i] == doctest::Approx(other[i]).scale(1));
  CHECK_THROWS_AS(weighted.value(z, view<const double>(soft.data(), {4, 5})), shape_error);

  batch<double> b;
  b.images = z, b.labels = labels, b.soft_labels = hard;
  const classification<double> task({.class_weights = {1, 2, 0.5, 3}});
  CHECK(task.weight(b) == doctest::Approx(1 + 3 + 2 + 2 + 0.5));
  CHECK(task.loss(z, b, {}, 1.0) == doctest::Approx(task.evaluation_loss(z, b)));
}
