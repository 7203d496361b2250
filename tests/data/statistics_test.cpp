#include "minicnn/data/statistics.hpp"

#include <doctest/doctest.h>

#include "pictures.hpp"

using namespace minicnn;

TEST_CASE("F48 2^25 ones, 1e8 times 0 and 255 in turn") {
  channel_accumulator ones;
  const image_u8 one{1 << 10, 1 << 12, 1, std::vector<unsigned char>(std::size_t{1} << 22, 1)};
  for (int i = 0; i < 8; ++i) ones.add(one);
  CHECK(ones.result().pixels == std::uint64_t{1} << 25);
  CHECK(ones.result().mean[0] == 1.0);
  CHECK(ones.result().deviation[0] == 0.0);

  channel_accumulator alternating;
  image_u8 image{1000, 1000, 1, std::vector<unsigned char>(1000000)};
  for (std::size_t i = 0; i < image.pixels.size(); i += 2) image.pixels[i] = 255;
  for (int i = 0; i < 100; ++i) alternating.add(image);
  CHECK(alternating.result().pixels == 100000000);
  CHECK(alternating.result().mean[1] == 127.5);
  CHECK(alternating.result().deviation[2] == 127.5);
}

TEST_CASE("mean, deviation and covariance of two pixels") {
  channel_accumulator sum;
  sum.add({1, 2, 3, {10, 100, 0, 30, 60, 255}});
  const channel_statistics s = sum.result();
  CHECK(s.mean[0] == 20);
  CHECK(s.mean[1] == 80);
  CHECK(s.mean[2] == 127.5);
  CHECK(s.deviation[0] == 10);
  CHECK(s.deviation[1] == 20);
  CHECK(s.deviation[2] == 127.5);
  CHECK(s.covariance[0][1] == -200);
  CHECK(s.covariance[1][0] == -200);
  CHECK(s.covariance[0][2] == 1275);
  CHECK(s.covariance[1][2] == -2550);
  CHECK(s.normalize().mean[1] == 80);
  CHECK(s.normalize().std[2] == 127.5F);
  CHECK(s.normalize().scale == 1);
}

TEST_CASE("a channel that never changes is not divided by 0") {
  channel_accumulator sum;
  sum.add(pictures::plain(2, 2, 7, 7, 7));
  CHECK(sum.result().normalize().std[0] == 1);
  CHECK_THROWS_AS(channel_accumulator().result(), error);
}

TEST_CASE("over a data set: the same for every number of threads, and an unreadable picture is named") {
  const pictures::folder folder("statistics");
  image_dataset data;
  channel_accumulator expected;
  for (int i = 0; i < 9; ++i) {
    const image_u8 image = pictures::ramp(5 + i, 20 - i);
    data.samples.push_back({folder.write(std::to_string(i) + ".png", pictures::png(image)), -1, 0});
    expected.add(image);
  }
  for (const int threads : {1, 2, 8}) {
    const channel_statistics got = colour_statistics(data, all_samples(data), threads);
    CHECK(got.pixels == expected.result().pixels);
    CHECK(got.mean == expected.result().mean);
    CHECK(got.covariance == expected.result().covariance);
  }
  folder.write("4.png", "broken");
  CHECK_THROWS_WITH_AS(colour_statistics(data, all_samples(data), 2),
                       (folder.path("4.png") + ": not a JPEG, PNG or BMP picture").c_str(), file_error);
  CHECK(colour_statistics(data, sample_indices{0}, 1).pixels == 100);

  image_dataset in_memory;
  in_memory.samples.resize(2);
  in_memory.pictures = {{1, 1, 1, {4}}, {1, 1, 1, {8}}};
  CHECK(colour_statistics(in_memory, all_samples(in_memory), 2).mean[0] == 6);
}
