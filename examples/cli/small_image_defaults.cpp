#include "small_image_defaults.hpp"

#include <algorithm>
#include <minicnn/data/picture_source.hpp>

#include "presets.hpp"

namespace cli {

using minicnn::index_t;
using minicnn::text_of;

index_t small_side(const minicnn::image_dataset& data) {
  if (data.samples.empty()) return 0;
  try {
    minicnn::image_workspace workspace;
    const minicnn::image_u8& first = minicnn::picture_source(data).get(0, workspace);
    return (std::max)(first.height, first.width);
  } catch (const minicnn::file_error&) {
    return 0;  // which is found out about later
  }
}

std::string apply_small_image_defaults(recipe& r, const recipe_overrides& o, const minicnn::image_dataset& data) {
  constexpr index_t largest_small_side = 64;
  const index_t side = small_side(data);
  if (!suits_any_pictures(r.preset) || side == 0 || side > largest_small_side) return "";
  if (!o.sizes) r.sizes.clear();
  if (!o.image_size && !o.sizes) {
    const int own = minicnn::default_image_size(r.model);
    r.model.image_size = own <= largest_small_side ? own : (std::min)(own, 128);
  }
  const index_t missing = r.model.image_size - side;
  if (missing > 0 && missing % 2 == 0 && missing <= side / 4) r.picture.padding = static_cast<int>(missing / 2);
  r.picture.resize = "stretch";
  r.picture.normalize = "data";
  if (!o.shift) r.crop = "padded";
  r.crop_padding = static_cast<int>(side + 2 * r.picture.padding) / 8;
  if (!o.jitter) r.jitter = 0;
  if (!o.lighting) r.lighting = 0;
  const bool characters = !data.classes.empty() && std::all_of(data.classes.begin(), data.classes.end(),
                                                               [](const std::string& name) { return name.size() == 1; });
  if (characters) r.mirror = r.alternate_flip = false;
  if (characters && !o.tta) r.tta = "none";
  std::string text = text_of("small pictures: ", side, " pixels ");
  text += r.picture.padding > 0 ? text_of("in a black border of ", r.picture.padding)
                                : std::string(missing == 0 ? "as they are" : "resized");
  return text + text_of(", so ", r.model.image_size, " x ", r.model.image_size,
                        "; normalised by the data's mean and deviation; moved by up to ", o.shift ? r.shift : r.crop_padding,
                        " pixels", r.mirror ? " and mirrored" : ", not mirrored", " in training");
}

}  // namespace cli
