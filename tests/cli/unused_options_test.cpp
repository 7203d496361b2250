// train: what it tells of options that change nothing with the others.
#include "unused_options.hpp"

#include <doctest/doctest.h>

#include "small_set.hpp"

using program::contains;
using program::run;

TEST_CASE("options that change nothing with the others as they are: told, where they were given") {
  using lines = std::vector<std::string>;
  const auto told = [](const cli::recipe_overrides& o, int channels = 3) {
    cli::recipe r = cli::make_recipe(o);
    minicnn::image_dataset data;
    data.channels = channels;
    return cli::drop_unused_options(r, o, data);
  };
  for (const std::string name : {"article", "classic", "best", "deep", "quick", "cifar"}) {
    CAPTURE(name);
    cli::recipe_overrides o;
    o.preset = name;
    CHECK(told(o).empty());
    o.no_augment = true;
    CHECK(told(o).empty());
  }
  cli::recipe_overrides o;
  o.momentum = 0.8, o.rest_rate = 0.1, o.trust = 0.002, o.ema_growth = 2.0, o.hardest_to = 0.5;
  CHECK(told(o) == lines{"--rest-rate: has no effect with --optimizer sgd", "--trust: has no effect with --optimizer sgd",
                         "--ema-growth: has no effect without --ema", "--hardest-to: has no effect without --keep-hardest"});
  o.optimizer = "adam", o.ema = 0.9, o.keep_hardest = 0.5, o.trust.reset(), o.rest_rate.reset();
  CHECK(told(o) == lines{"--momentum: has no effect with --optimizer adam"});
  o.optimizer = "muon", o.rest_rate = 0.1;
  CHECK(told(o).empty());
  o.optimizer = "lars", o.trust = 0.002, o.rest_rate.reset();
  CHECK(told(o).empty());
  cli::recipe_overrides pictures;
  pictures.crop_scale = 0.5, pictures.jitter = 0.1, pictures.alternate_flip = "on";
  CHECK(told(pictures).empty());
  pictures.no_augment = true;
  CHECK(told(pictures) == lines{"--jitter: has no effect with --no-augment", "--crop-scale: has no effect with --no-augment",
                                "--alternate-flip: has no effect with --no-augment"});
  pictures.no_augment = false, pictures.preset = "article", pictures.crop_scale.reset();
  CHECK(told(pictures) == lines{"--jitter: has no effect with --preset article, which does not augment",
                                "--alternate-flip: has no effect with --preset article, which does not augment"});
  cli::recipe_overrides light;
  light.lighting = 0.1;
  CHECK(told(light, 1) == lines{"--lighting: has no effect, pictures are grey"});
  cli::recipe_overrides moved;
  moved.crop_scale = 0.5, moved.shift = 2;
  CHECK(told(moved) == lines{"--crop-scale: has no effect, pictures are not cropped to a part"});
  cli::recipe_overrides still;
  still.learning_rate = 0.0;
  CHECK(told(still) == lines{"--learning-rate 0: nothing is learned"});
}

TEST_CASE("options that change nothing are told once the pictures are known, and the run is that without them") {
  const program::small_set s;
  const auto plain = run(s.command("--seed 3"));
  REQUIRE(plain.code == 0);
  CHECK_FALSE(contains(plain.err, "no effect"));
  const pictures::bytes weights = s.file("last.safetensors");
  const auto told = run(s.command("--seed 3 --overwrite --hardest-to 0.5"));
  REQUIRE(told.code == 0);
  CHECK(contains(told.err, "warning: --hardest-to: has no effect without --keep-hardest\n"));
  CHECK(s.file("last.safetensors") == weights);
}

TEST_CASE("a run with options that change nothing goes on without them") {
  for (const auto& [kept, unused] : std::vector<std::pair<std::string, std::string>>{
           {"--optimizer adam", "--momentum 0"},
           {"--no-augment", "--jitter 0.3 --shift 3 --lighting 0.2"},  // whose defaults small pictures change
           {"--val-fraction 0", "--val-every 2 --patience 2"},
           {"", "--keep-hardest 0.5 --hardest-from 0.3 --hardest-to 0.3"}}) {
    CAPTURE(unused);
    const program::small_set s;
    REQUIRE(run(s.command("--seed 3 " + kept + " " + unused)).code == 0);
    const auto resumed = run(s.command("--seed 3 --resume " + kept));
    CHECK_MESSAGE(resumed.code == 0, resumed.err);
  }
}

TEST_CASE("steps that --keep-hardest never chooses, validation that never comes: told") {
  cli::recipe_overrides o;
  o.keep_hardest = 0.5, o.hardest_from = 0.4, o.hardest_to = 0.4;
  cli::recipe r = cli::make_recipe(o);
  CHECK(cli::drop_unused_options(r, o, {}) ==
        std::vector<std::string>{"--keep-hardest: has no effect, --hardest-from is --hardest-to"});
  const program::small_set s;
  const auto alone = run(s.command("--seed 3 --val-fraction 0 --val-every 2 --overlap on"));
  CHECK(contains(alone.err, "warning: --overlap: has no effect in one process\n"));
  CHECK(contains(alone.err, "warning: --val-every: has no effect, as nothing is validated\n"));
}

TEST_CASE("lr-find tells them too") {
  const program::small_set s;
  const auto found = run("lr-find --model lenet5 --image-size 32 --steps 4 --trust 0.01 --data '" + s.data() + "'");
  CHECK(contains(found.err, "warning: --trust: has no effect with --optimizer sgd\n"));
}
