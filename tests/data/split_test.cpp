#include "minicnn/data/split.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace minicnn;

namespace {

image_dataset set_of(std::vector<index_t> counts) {
  image_dataset data;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    data.classes.push_back(std::string(1, static_cast<char>('a' + c)));
    for (index_t i = 0; i < counts[c]; ++i) {
      const std::string name = data.classes.back() + "." + std::to_string(i);
      data.samples.push_back({"/data/" + name, static_cast<int>(c), sample_id(name)});
    }
  }
  return data;
}

std::vector<index_t> per_class(const image_dataset& data, const sample_indices& part) {
  std::vector<index_t> counts(data.classes.size());
  for (const index_t i : part) ++counts[static_cast<std::size_t>(data.samples[static_cast<std::size_t>(i)].label)];
  return counts;
}

std::set<std::string> paths(const image_dataset& data, const sample_indices& part) {
  std::set<std::string> out;
  for (const index_t i : part) out.insert(data.samples[static_cast<std::size_t>(i)].path);
  return out;
}

using counts = std::vector<index_t>;

}  // namespace

TEST_CASE("a split takes the fraction of every class, shares nothing and loses nothing") {
  const image_dataset data = set_of({100, 50, 7, 2, 1});
  const data_split split = stratified_split(data, all_samples(data), 0.1, 3);
  CHECK(per_class(data, split.validation) == counts{10, 5, 1, 1, 0});
  CHECK(per_class(data, split.train) == counts{90, 45, 6, 1, 1});
  sample_indices both = split.train;
  both.insert(both.end(), split.validation.begin(), split.validation.end());
  CHECK(std::is_sorted(split.train.begin(), split.train.end()));
  CHECK(std::is_sorted(split.validation.begin(), split.validation.end()));
  std::sort(both.begin(), both.end());
  CHECK(both == all_samples(data));
  CHECK(stratified_split(data, all_samples(data), 0, 3).validation.empty());
  CHECK(per_class(data, stratified_split(data, all_samples(data), 0.999, 3).train) == counts{1, 1, 1, 1, 1});
}

TEST_CASE("the same seed gives the same split whatever the order and place of the files, another seed another") {
  const image_dataset data = set_of({200, 200});
  const data_split split = stratified_split(data, all_samples(data), 0.2, 7);
  image_dataset moved = data;
  std::reverse(moved.samples.begin(), moved.samples.end());
  const data_split again = stratified_split(moved, all_samples(moved), 0.2, 7);
  CHECK(paths(moved, again.validation) == paths(data, split.validation));
  CHECK(stratified_split(data, all_samples(data), 0.2, 8).validation != split.validation);

  // One more file changes the rest of its class by no more than what rounding moves.
  image_dataset more = data;
  more.samples.push_back({"/data/a.new", 0, sample_id("a.new")});
  const std::set<std::string> before = paths(data, split.validation);
  std::size_t kept = 0;
  for (const std::string& path : paths(more, stratified_split(more, all_samples(more), 0.2, 7).validation))
    kept += before.count(path);
  CHECK(kept >= 79);
}

TEST_CASE("a split is not the first files of a class") {
  const image_dataset data = set_of({1000});
  const data_split split = stratified_split(data, all_samples(data), 0.1, 1);
  double mean = 0;
  for (const index_t i : split.validation) mean += static_cast<double>(i) / 100;
  CHECK(mean > 400);
  CHECK(mean < 600);
}

TEST_CASE("limits keep the classes' shares") {
  const image_dataset data = set_of({8000, 8000});
  CHECK(per_class(data, stratified_subset(data, all_samples(data), 2000, 1)) == counts{1000, 1000});
  CHECK(per_class(data, stratified_subset(data, all_samples(data), 3, 1)) == counts{2, 1});
  CHECK(stratified_subset(data, all_samples(data), 16000, 1) == all_samples(data));
  CHECK(stratified_subset(data, all_samples(data), 99999, 1) == all_samples(data));
  const image_dataset uneven = set_of({10, 20, 70});
  CHECK(per_class(uneven, stratified_subset(uneven, all_samples(uneven), 10, 5)) == counts{1, 2, 7});
  CHECK(per_class(uneven, stratified_subset(uneven, all_samples(uneven), 9, 5)) == counts{1, 2, 6});  // 0.9, 1.8, 6.3
}

TEST_CASE("parts of parts") {
  const image_dataset data = set_of({50, 50});
  const sample_indices limited = stratified_subset(data, all_samples(data), 40, 2);
  const data_split split = stratified_split(data, limited, 0.25, 2);
  CHECK(per_class(data, split.validation) == counts{5, 5});
  for (const index_t i : split.validation) CHECK(std::binary_search(limited.begin(), limited.end(), i));
}

TEST_CASE("unlabelled pictures are a group of their own") {
  image_dataset data = set_of({10});
  for (int i = 0; i < 10; ++i) data.samples.push_back({"/data/" + std::to_string(i), -1, sample_id(std::to_string(i))});
  const data_split split = stratified_split(data, all_samples(data), 0.2, 1);
  CHECK(split.validation.size() == 4);
}

TEST_CASE("values outside their range are errors") {
  const image_dataset data = set_of({5});
  CHECK_THROWS_AS(stratified_split(data, all_samples(data), 1.0, 1), option_error);
  CHECK_THROWS_AS(stratified_split(data, all_samples(data), -0.1, 1), option_error);
  CHECK_THROWS_AS(stratified_split(data, sample_indices{5}, 0.1, 1), option_error);
  CHECK_THROWS_AS(stratified_subset(data, all_samples(data), 0, 1), option_error);
  image_dataset wrong = data;
  wrong.samples[2].label = 1;
  CHECK_THROWS_WITH_AS(stratified_split(wrong, all_samples(wrong), 0.1, 1), "/data/a.2: label 1 of 1 classes", option_error);
}

TEST_CASE("folds: every sample is validated once, each fold has its share of every class, whatever the order of the samples") {
  const image_dataset data = set_of({50, 23, 7, 2});
  std::set<std::string> validated;
  std::size_t all = 0;
  for (int fold = 0; fold < 5; ++fold) {
    const data_split s = stratified_fold(data, all_samples(data), fold, 5, 3);
    CHECK(s.train.size() + s.validation.size() == data.samples.size());
    const counts held = per_class(data, s.validation);
    CHECK(held[0] == 10);
    CHECK((held[1] == 4 || held[1] == 5));
    CHECK((held[2] == 1 || held[2] == 2));
    CHECK(std::abs(static_cast<int>(s.validation.size()) - 16) <= 1);
    validated.merge(paths(data, s.validation));
    all += s.validation.size();
    CHECK(stratified_fold(data, all_samples(data), fold, 5, 3).validation == s.validation);
    CHECK(stratified_fold(data, all_samples(data), fold, 5, 4).validation != s.validation);
  }
  CHECK(validated.size() == data.samples.size());
  CHECK(all == data.samples.size());
  CHECK_THROWS_AS(stratified_fold(data, all_samples(data), 5, 5, 0), option_error);
  CHECK_THROWS_AS(stratified_fold(data, all_samples(data), 0, 1, 0), option_error);
}
