#include "recipe.hpp"

#include <algorithm>
#include <iterator>
#include <minicnn/core/number.hpp>
#include <minicnn/train/parse_schedule.hpp>
#include <minicnn/train/parse_sizes.hpp>
#include <minicnn/train/size_schedule.hpp>
#include <string_view>

#include "fine_tuning.hpp"
#include "messages.hpp"
#include "presets.hpp"

namespace cli {

using minicnn::fail;
using minicnn::option_error;

namespace {

/// What --optimizer changes besides: rates of one are no rates for the other. In `cifar` muon's are those of airbench94_muon,
/// whose last layer's weights are 256 / 9 times as long.
void choose_optimizer(recipe& r, const std::string& optimizer) {
  if (optimizer == r.optimizer) return;
  if (r.optimizer == "muon") r.momentum = r.rest_momentum;
  if (optimizer == "muon") {
    r.rest_rate = r.optimizer == "sgd" ? r.learning_rate : 0.02, r.rest_momentum = r.momentum;
    r.momentum = 0.95, r.learning_rate = 0.02;
    if (r.preset == "cifar") {
      r.epochs = 8, r.batch_size = 2000;
      r.momentum = 0.6, r.iterations = 3, r.normalize_weights = true;
      r.learning_rate = 0.24, r.rest_rate = 1.66, r.weight_decay = 0.0024;
      r.schedule = "linear";
      r.ema = r.ema_growth = 0, r.lookahead = 0;
    }
  } else {
    r.learning_rate = optimizer == "sgd" ? 0.02 : optimizer == "lars" ? 2 : 3e-4;
  }
  r.optimizer = optimizer;
}

/// "2/5": the second of five.
void parse_fold(recipe& r, const std::string& text) {
  const std::size_t slash = text.find('/');
  const auto number = [&](std::string_view part, int& value) {
    const auto read = minicnn::parse_whole_number<int>(part);
    value = read.value_or(0);
    return read.has_value();
  };
  const std::string_view all(text);
  if (slash == text.npos || !number(all.substr(0, slash), r.fold) || !number(all.substr(slash + 1), r.folds) || r.folds < 2 ||
      r.folds > 1000 || r.fold < 1 || r.fold > r.folds)
    fail<option_error>("--fold ", text, ": wanted I/K, a fold from 1 to K of 2 to 1000");
}

/// What --task leaves of the recipe; options that do not fit it are refused.
void apply_task(recipe& r, const recipe_overrides& o) {
  if (o.task) r.task = *o.task;
  if (o.class_weights) r.class_weights = *o.class_weights == "none" ? "" : *o.class_weights;
  r.balance = o.balance;
  if (o.shuffle) r.shuffle = *o.shuffle;
  if (r.balance && r.shuffle == "blocks") fail<option_error>("--balance: goes without --shuffle blocks");
  if (o.fold) parse_fold(r, *o.fold);
  if (o.fold && o.val_fraction) fail<option_error>("--fold: goes without --val-fraction");
  if (r.task == "classify") return;
  const auto refuse = [&](bool given, const char* option) {
    if (given) fail<option_error>(option, ": does not fit --task ", r.task);
  };
  refuse(o.balance, "--balance");
  refuse(o.label_smoothing.value_or(0) > 0, "--label-smoothing");
  refuse(o.teacher.has_value(), "--teacher");
  refuse(o.keep_hardest.value_or(1) < 1, "--keep-hardest");
  refuse(o.mixup.value_or(0) > 0, "--mixup");
  refuse(o.cutmix.value_or(0) > 0, "--cutmix");
  refuse(r.task == "regress" && o.class_weights.has_value(), "--class-weights");
  r.label_smoothing = 0;
}

template <class V>
void apply(V& value, const std::optional<V>& given) {
  if (given) value = *given;
}

/// Options of networks that have what they set; of others they are taken back, and said to be without effect.
void drop_foreign_options(model_config& model, const recipe_overrides& o) {
  const auto without = [&](const char* option) {
    warn(std::string(option) + ": has no effect, " + minicnn::model_title(model) + " has none");
  };
  if (!model.name.starts_with("alexnet-bn")) {
    if (model.padded) without("--padded");
    if (model.pooled > 0) without("--pooled");
    model.padded = false, model.pooled = 0;
  }
  if (model.zero_init && model.name.find("resnet") == model.name.npos) {
    without("--zero-init");
    model.zero_init = false;
  }
  model_config own = model;
  own.dropout = -1;
  if (model.dropout > 0 && o.dropout && minicnn::completed(own).dropout <= 0) {
    without("--dropout");
    model.dropout = 0;
  }
}

template <class V>
void check(const char* option, V value, V low, V high) {
  if (!(value >= low && value <= high)) fail<option_error>(option, " ", value, ": wanted ", low, " to ", high);
}

}  // namespace

void check_shards(const recipe& r) {
  if (r.shards == 1) return;
  if (r.accumulate > 1)
    fail<option_error>("--accumulate ", r.accumulate, " and --shards ", r.shards, ": --batch-size ", r.batch_size * r.accumulate,
                       " --shards ", r.shards * r.accumulate, " does the same");
  if (2 * r.shards > r.batch_size)
    fail<option_error>("--shards ", r.shards, ": wanted at most ", r.batch_size / 2, ", two pictures of --batch-size ",
                       r.batch_size, " each");
}

recipe make_recipe(const recipe_overrides& o) {
  recipe r = preset(o.preset);
  if (o.model && *o.model != r.model.name) {
    r.model.name = *o.model, r.model.graph = o.graph;
    const int own = minicnn::default_image_size(r.model);
    const bool any_size = suits_any_pictures(o.preset) && r.model.name != minicnn::graph_model;
    r.model.image_size = any_size ? (std::min)(own, r.model.image_size) : own;
    if (!o.model->starts_with("alexnet")) r.model.dropout = -1;  // the model's own
    if (r.model.name.find("resnet") == r.model.name.npos) r.model.zero_init = false;
  }
  if (!r.model.name.starts_with("alexnet-bn")) r.model.padded = false, r.model.pooled = 0;
  if (r.model.name == "alexnet-small" && o.preset == "best") r.learning_rate = 0.05, r.model.dropout = 0.2;
  // Several sizes want a network that takes any; a size that is asked for is also that of training.
  if (o.image_size || (o.model && r.model.name != "alexnet-bn" && r.model.name != "alexnet-small")) r.sizes.clear();
  apply(r.sizes, o.sizes);
  const std::vector<minicnn::size_step> sizes = minicnn::parse_sizes(r.sizes);
  for (const minicnn::size_step& s : sizes)
    if (o.sizes) check("--sizes", static_cast<int>(largest_size(s)), 1, largest_image_size);
  if (o.sizes && !sizes.empty()) r.model.image_size = static_cast<int>(largest_size(sizes.back()));
  apply(r.model.image_size, o.image_size);
  if (o.padded) r.model.padded = *o.padded == "on";
  apply(r.model.pooled, o.pooled);
  apply(r.model.transform_input, o.transform_input);
  apply(r.model.dropout, o.dropout);
  apply(r.model.init, o.init);
  if (o.zero_init) r.model.zero_init = true;
  if (o.optimizer) choose_optimizer(r, *o.optimizer);
  apply(r.epochs, o.epochs);
  apply(r.batch_size, o.batch_size);
  apply(r.accumulate, o.accumulate);
  apply(r.shards, o.shards);
  apply(r.wire, o.wire);
  apply(r.learning_rate, o.learning_rate);
  apply(r.momentum, o.momentum);
  if (r.momentum == 0) r.nesterov = false;  // the presets' own, which looks ahead along it
  apply(r.rest_rate, o.rest_rate);
  apply(r.trust, o.trust);
  apply(r.bias_rate, o.bias_rate);
  apply(r.schedule, o.schedule);
  apply(r.warmup, o.warmup);
  apply(r.decoupled_weight_decay, o.decoupled_weight_decay);
  if (o.decoupled_weight_decay) r.weight_decay = 0;
  apply(r.l2, o.l2);
  apply(r.label_smoothing, o.label_smoothing);
  apply(r.clip_norm, o.clip_norm);
  apply(r.val_fraction, o.val_fraction);
  apply(r.seed, o.seed);
  apply(r.limit, o.limit);
  apply(r.crop_scale, o.crop_scale);
  apply(r.jitter, o.jitter);
  apply(r.lighting, o.lighting);
  apply(r.erase, o.erase);
  apply(r.ema, o.ema);
  apply(r.ema_growth, o.ema_growth);
  apply(r.lookahead, o.lookahead);
  apply(r.whiten, o.whiten);
  apply(r.teacher_share, o.teacher_share);
  apply(r.teacher_temperature, o.teacher_temperature);
  if (!o.teacher && (o.teacher_share || o.teacher_temperature))
    fail<option_error>("--teacher-share and --teacher-temperature: go with --teacher");
  apply(r.keep_hardest, o.keep_hardest);
  apply(r.hardest_from, o.hardest_from);
  apply(r.hardest_to, o.hardest_to);
  if (r.hardest_from > r.hardest_to)
    fail<option_error>("--hardest-from ", r.hardest_from, ": wanted at most --hardest-to, ", r.hardest_to);
  apply(r.mixup, o.mixup);
  apply(r.cutmix, o.cutmix);
  apply(r.shift, o.shift);
  if (o.shift) r.crop = "none";
  if (o.alternate_flip) r.alternate_flip = *o.alternate_flip == "on";
  apply(r.patience, o.patience);
  apply(r.val_every, o.val_every);
  apply(r.precision, o.precision);
  apply(r.tta, o.tta);
  apply(r.freeze, o.freeze);
  r.rates = o.rates;
  if (o.no_augment) r.augment = false;
  apply_task(r, o);
  if (r.tta == "ten-crop" && r.picture.resize == "crop" && r.picture.crop_fraction >= 1) r.picture.crop_fraction = 0.875;

  check("--image-size", r.model.image_size, 1, largest_image_size);  // a weights file may name one too
  check("--pooled", r.model.pooled, 0, 64);                          // a weights file may
  check_shards(r);
  drop_foreign_options(r.model, o);
  (void)minicnn::initializer_named(r.model.init);
  for (const std::string& text : r.rates) (void)parse_group_rate(text);
  r.model = minicnn::completed(r.model);
  (void)minicnn::parse_schedule(r.schedule);
  constexpr std::string_view optimizers[] = {"adam", "adamw", "sgd", "muon", "lars"};
  if (std::find(std::begin(optimizers), std::end(optimizers), r.optimizer) == std::end(optimizers))
    fail<option_error>("--optimizer ", r.optimizer, ": wanted adam, adamw, sgd, muon or lars");
  if (r.optimizer == "lars" && r.decoupled_weight_decay > 0)
    fail<option_error>("--weight-decay: does not fit --optimizer lars, whose decay is the preset's in the gradient");
  if (r.ema <= 0 && !o.lookahead) r.lookahead = 0;  // the preset's, whose average is not wanted
  if (r.lookahead > 0 && r.ema <= 0)
    fail<option_error>("--lookahead ", r.lookahead, ": goes with --ema, the decay of its average");
  return r;
}

minicnn::json to_json(const picture_options& p) {
  return {{"resize", p.resize}, {"crop_fraction", p.crop_fraction}, {"normalize", p.normalize}, {"padding", p.padding}};
}

minicnn::json to_json(const recipe& r) {
  minicnn::json text{{"preset", r.preset},
                     {"model", to_json(r.model)},
                     {"picture", to_json(r.picture)},
                     {"epochs", r.epochs},
                     {"batch_size", r.batch_size},
                     {"accumulate", r.accumulate},
                     {"optimizer", r.optimizer},
                     {"momentum", r.momentum},
                     {"nesterov", r.nesterov},
                     {"learning_rate", r.learning_rate},
                     {"schedule", r.schedule},
                     {"warmup", r.warmup},
                     {"weight_decay", r.weight_decay},
                     {"decoupled_weight_decay", r.decoupled_weight_decay},
                     {"l2", r.l2},
                     {"label_smoothing", r.label_smoothing},
                     {"clip_norm", r.clip_norm},
                     {"augment", r.augment},
                     {"crop", r.crop},
                     {"crop_scale", r.crop_scale},
                     {"crop_padding", r.crop_padding},
                     {"mirror", r.mirror},
                     {"jitter", r.jitter},
                     {"lighting", r.lighting},
                     {"erase", r.erase},
                     {"sizes", r.sizes},
                     {"ema", r.ema},
                     {"patience", r.patience},
                     {"val_every", r.val_every},
                     {"precision", r.precision},
                     {"tta", r.tta},
                     {"seed", r.seed},
                     {"val_fraction", r.val_fraction},
                     {"limit", r.limit}};
  // Where they are used alone: runs of versions without them can be resumed.
  if (r.task != "classify") text["task"] = r.task;
  if (!r.weights.empty()) text["class_weights"] = r.weights;
  if (r.balance) text["balance"] = true;
  if (r.shuffle != "full") text["shuffle"] = r.shuffle;
  if (r.shards > 1) text["shards"] = r.shards;
  if (r.wire != "fp32") text["wire"] = r.wire;
  if (r.folds > 0) text["fold"] = minicnn::text_of(r.fold, "/", r.folds);
  if (!r.init_from.empty()) text["init_from"] = r.init_from;
  if (!r.freeze.empty()) text["freeze"] = r.freeze;
  if (!r.rates.empty()) text["rates"] = r.rates;
  if (r.optimizer == "lars") text["trust"] = r.trust;
  if (r.optimizer == "muon") {
    text["rest_rate"] = r.rest_rate, text["rest_momentum"] = r.rest_momentum;
    text["iterations"] = r.iterations, text["normalize_weights"] = r.normalize_weights;
  }
  if (r.bias_rate < 1 || r.bias_rate > 1) text["bias_rate"] = r.bias_rate;
  if (r.shift > 0) text["shift"] = r.shift;
  if (r.alternate_flip) text["alternate_flip"] = true;
  if (r.ema_growth > 0) text["ema_growth"] = r.ema_growth;
  if (r.lookahead > 0) text["lookahead"] = r.lookahead;
  if (!r.teacher.empty())
    text["teacher"] = r.teacher, text["teacher_share"] = r.teacher_share, text["teacher_temperature"] = r.teacher_temperature;
  if (r.keep_hardest < 1)
    text["keep_hardest"] = r.keep_hardest, text["hardest_from"] = r.hardest_from, text["hardest_to"] = r.hardest_to;
  if (r.mixup > 0) text["mixup"] = r.mixup;
  if (r.cutmix > 0) text["cutmix"] = r.cutmix;
  if (r.whiten >= 0) text["whiten"] = r.whiten;
  return text;
}

}  // namespace cli
