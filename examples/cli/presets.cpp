#include "presets.hpp"

#include <minicnn/core/error.hpp>

namespace cli {

const char* const preset_help =
    "article: the 2018 article to the letter; classic: the recipe of the 2012 paper on the article's network; "
    "best: batch norm, padded pools, one-cycle SGD, rising image sizes, strong augmentation; "
    "deep: the same on a small residual network; quick: that in a quarter of an hour; "
    "cifar: a small network for 32-pixel pictures that learns in ten epochs";

namespace {

/// S. Author's 2018 write-up on Dogs vs Cats: raw pixels, truncated normal 0.1, Adam 0.001, batch 20, no augmentation.
recipe article() {
  recipe r;
  r.model = {.name = "alexnet",
             .image_size = 227,
             .dropout = 0.5,
             .init = "truncated-normal:0.1",
             .dense_bias = 0.1,
             .logits_bias = 0.1};
  r.picture = {.resize = "tensorflow", .crop_fraction = 1.0, .normalize = "raw"};
  r.epochs = 10;
  r.batch_size = 20;
  r.optimizer = "adam";
  r.learning_rate = 0.001;
  r.schedule = "constant";
  r.l2 = 1e-4;
  r.augment = false;
  return r;
}

/// Section 5 of the paper: batch 128, momentum 0.9, weight decay 0.0005, rate 0.01 divided by ten when it stalls, 224 px
/// crops (227 here) of 256 px pictures and their mirror images, mean subtracted. Initial values are Caffe's: the paper's diverge
/// with two classes (alexnet.hpp).
recipe classic() {
  recipe r;
  r.model = {.name = "alexnet", .image_size = 227, .dropout = 0.5, .init = "caffe"};
  r.picture = {.resize = "crop", .crop_fraction = 227.0 / 256.0, .normalize = "mean"};
  r.epochs = 30;
  r.batch_size = 128;
  r.nesterov = false;
  r.learning_rate = 0.01;
  r.schedule = "step:0.33,0.67,0.9";
  r.weight_decay = 5e-4;
  r.crop = "shift";
  r.crop_scale = 227.0 / 256.0;
  return r;
}

/// What docs/recipes.md describes.
recipe best() {
  recipe r;
  r.model = {.name = "alexnet-bn", .image_size = 192, .dropout = 0.3, .init = "he", .padded = true, .pooled = 2};
  r.picture = {.resize = "crop", .crop_fraction = 1.0, .normalize = "imagenet"};
  r.epochs = 40;
  r.learning_rate = 0.03;
  r.schedule = "one-cycle:25,1000,0.15";
  r.weight_decay = 5e-4;
  r.clip_norm = 5;
  r.crop_scale = 0.35;
  r.jitter = 0.3;
  r.lighting = 0.1;
  r.label_smoothing = 0.03;
  r.sizes = "128:0,160:0.7";
  r.tta = "flip";
  return r;
}

/// `best`'s ingredients on a residual network, by Muon, whose first epochs take a network further: what
/// examples/weights/resnet18-small-cats-dogs.safetensors was trained by.
recipe deep() {
  recipe r = best();
  r.model = {.name = "resnet18-small", .image_size = 192, .dropout = -1, .init = "he", .zero_init = true};
  r.epochs = 54;
  r.batch_size = 128;
  r.sizes = "96:0,128:0.55,160:0.85";
  r.alternate_flip = true;
  r.optimizer = "muon";
  r.rest_rate = 0.05, r.rest_momentum = r.momentum;
  r.learning_rate = 0.02, r.momentum = 0.95;
  return r;
}

/// `deep` for a quarter of an hour: larger parts of pictures, as fewer epochs see fewer of them.
recipe quick() {
  recipe r = deep();
  r.model.image_size = 160;
  r.epochs = 14;
  r.sizes = "96:0,128:0.75";
  r.crop_scale = 0.5;
  return r;
}

/// airbench94 (Jordan, arXiv 2404.00498, 2024) with the mean of the loss in place of its sum: rate 11.5 / (1 + 1 / 0.15).
recipe cifar() {
  recipe r;
  r.model = {.name = "fast-cifar", .image_size = 32, .dropout = 0, .init = "dirac"};
  r.picture = {.resize = "stretch", .crop_fraction = 1.0, .normalize = "data"};
  r.epochs = 10;
  r.batch_size = 1024;
  r.learning_rate = 1.5;
  r.momentum = 0.85;
  r.schedule = "triangle:0.2,0.07,0.23";
  r.weight_decay = 0.00133;
  r.bias_rate = 64;
  r.label_smoothing = 0.2;
  r.crop = "none";
  r.shift = 2;
  r.alternate_flip = true;
  r.ema = 0.7737809375;  // 0.95^5
  r.ema_growth = 3;
  r.lookahead = 5;
  r.whiten = 3;
  r.tta = "flip-shift";
  return r;
}

struct named_preset {
  const char* name;
  recipe (*make)();
};
constexpr named_preset presets[] = {{"article", article}, {"classic", classic}, {"best", best},
                                    {"deep", deep},       {"quick", quick},     {"cifar", cifar}};

}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const named_preset& p : presets) out.emplace_back(p.name);
    return out;
  }();
  return names;
}

recipe preset(const std::string& name) {
  std::string wanted;
  for (const named_preset& p : presets) {
    if (name == p.name) {
      recipe r = p.make();
      r.preset = name;
      return r;
    }
    wanted += (wanted.empty() ? "" : ", ") + std::string(p.name);
  }
  minicnn::fail<minicnn::option_error>("--preset ", name, ": wanted one of ", wanted);
}

bool suits_any_pictures(const std::string& preset) { return preset == "best" || preset == "deep" || preset == "quick"; }

}  // namespace cli
