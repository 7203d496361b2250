#include "unused_options.hpp"

#include <optional>

#include "messages.hpp"
#include "small_image_defaults.hpp"

namespace cli {

namespace {

template <class V>
bool is_on(const std::optional<V>& value) {
  return value.value_or(0) > 0;
}

template <auto Member>
void take(recipe& to, const recipe& from) {
  to.*Member = from.*Member;
}

void take_momentum(recipe& to, const recipe& from) { to.momentum = from.momentum, to.nesterov = from.nesterov; }

void take_shift(recipe& to, const recipe& from) { to.shift = from.shift, to.crop = from.crop; }

/// The recipe without any of the options below, and without those of networks, of which make_recipe() has warned.
recipe without_options(recipe_overrides o, const minicnn::image_dataset& data) {
  o.padded = {}, o.pooled = {}, o.dropout = {}, o.zero_init = false;
  o.momentum = o.rest_rate = o.trust = o.ema_growth = o.hardest_from = o.hardest_to = {};
  o.shift = {}, o.erase = o.jitter = o.lighting = o.crop_scale = {}, o.alternate_flip = {};
  recipe r = make_recipe(o);
  (void)apply_small_image_defaults(r, o, data);
  return r;
}

}  // namespace

std::vector<std::string> drop_unused_options(recipe& r, const recipe_overrides& o, const minicnn::image_dataset& data) {
  const std::string optimizer = " with --optimizer " + r.optimizer;
  const std::string plain = o.no_augment ? " with --no-augment" : " with --preset " + r.preset + ", which does not augment";
  const std::string uncropped = r.augment ? ", pictures are not cropped to a part" : plain;
  const bool adam = r.optimizer == "adam" || r.optimizer == "adamw";
  const bool some = r.keep_hardest < 1, crops = r.augment && (r.crop == "resized" || r.crop == "shift");
  struct option_use {
    const char* option;
    bool given, used;
    std::string because;
    void (*take_back)(recipe& to, const recipe& from);
  };
  const option_use uses[] = {
      {"--momentum", o.momentum.has_value(), !adam, optimizer, take_momentum},
      {"--rest-rate", o.rest_rate.has_value(), r.optimizer == "muon", optimizer, take<&recipe::rest_rate>},
      {"--trust", o.trust.has_value(), r.optimizer == "lars", optimizer, take<&recipe::trust>},
      {"--ema-growth", is_on(o.ema_growth), r.ema > 0, " without --ema", take<&recipe::ema_growth>},
      {"--hardest-from", o.hardest_from.has_value(), some, " without --keep-hardest", take<&recipe::hardest_from>},
      {"--hardest-to", o.hardest_to.has_value(), some, " without --keep-hardest", take<&recipe::hardest_to>},
      {"--shift", is_on(o.shift), r.augment, plain, take_shift},
      {"--erase", is_on(o.erase), r.augment, plain, take<&recipe::erase>},
      {"--jitter", is_on(o.jitter), r.augment, plain, take<&recipe::jitter>},
      {"--lighting", is_on(o.lighting), r.augment && data.channels == 3, r.augment ? ", pictures are grey" : plain,
       take<&recipe::lighting>},
      {"--crop-scale", o.crop_scale.has_value(), crops, uncropped, take<&recipe::crop_scale>},
      {"--alternate-flip", o.alternate_flip == "on", r.augment && r.mirror, r.augment ? ", pictures are not mirrored" : plain,
       take<&recipe::alternate_flip>},
  };
  const recipe without = without_options(o, data);
  std::vector<std::string> lines;
  for (const option_use& use : uses)
    if (use.given && !use.used) {
      lines.push_back(use.option + (": has no effect" + use.because));
      use.take_back(r, without);
    }
  if (some && (o.hardest_from || o.hardest_to) && !(r.hardest_from < r.hardest_to)) {
    lines.push_back("--keep-hardest: has no effect, --hardest-from is --hardest-to");
    r.keep_hardest = 1, r.hardest_from = without.hardest_from, r.hardest_to = without.hardest_to;
  }
  if (o.learning_rate && !is_on(o.learning_rate)) lines.push_back("--learning-rate 0: nothing is learned");
  return lines;
}

void warn_of_unused_options(recipe& r, const recipe_overrides& o, const minicnn::image_dataset& data) {
  for (const std::string& line : drop_unused_options(r, o, data)) warn(line);
}

}  // namespace cli
