#include "unused_options.hpp"

#include <optional>

#include "messages.hpp"

namespace cli {

namespace {

template <class V>
bool is_on(const std::optional<V>& value) {
  return value.value_or(0) > 0;
}

}  // namespace

std::vector<std::string> unused_options(const recipe& r, const recipe_overrides& o, int channels) {
  const std::string optimizer = " with --optimizer " + r.optimizer;
  const std::string plain = o.no_augment ? " with --no-augment" : " with --preset " + r.preset + ", which does not augment";
  const std::string uncropped = r.augment ? ", pictures are not cropped to a part" : plain;
  const bool adam = r.optimizer == "adam" || r.optimizer == "adamw";
  const bool some = r.keep_hardest < 1, crops = r.augment && (r.crop == "resized" || r.crop == "shift");
  struct option_use {
    const char* option;
    bool given, used;
    std::string because;
  };
  const option_use uses[] = {
      {"--momentum", o.momentum.has_value(), !adam, optimizer},
      {"--rest-rate", o.rest_rate.has_value(), r.optimizer == "muon", optimizer},
      {"--trust", o.trust.has_value(), r.optimizer == "lars", optimizer},
      {"--ema-growth", is_on(o.ema_growth), r.ema > 0, " without --ema"},
      {"--hardest-from", o.hardest_from.has_value(), some, " without --keep-hardest"},
      {"--hardest-to", o.hardest_to.has_value(), some, " without --keep-hardest"},
      {"--shift", is_on(o.shift), r.augment, plain},
      {"--erase", is_on(o.erase), r.augment, plain},
      {"--jitter", is_on(o.jitter), r.augment, plain},
      {"--lighting", is_on(o.lighting), r.augment && channels == 3, r.augment ? ", pictures are grey" : plain},
      {"--crop-scale", o.crop_scale.has_value(), crops, uncropped},
      {"--alternate-flip", o.alternate_flip == "on", r.augment && r.mirror, r.augment ? ", pictures are not mirrored" : plain},
  };
  std::vector<std::string> lines;
  for (const option_use& use : uses)
    if (use.given && !use.used) lines.push_back(use.option + (": has no effect" + use.because));
  if (o.learning_rate && !is_on(o.learning_rate)) lines.push_back("--learning-rate 0: nothing is learned");
  return lines;
}

void warn_of_unused_options(const recipe& r, const recipe_overrides& o, int channels) {
  for (const std::string& line : unused_options(r, o, channels)) warn(line);
}

}  // namespace cli
