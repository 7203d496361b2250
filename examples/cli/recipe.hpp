#pragma once
// What decides a training run's result: a preset, and the options that override it.

#include <cstdint>
#include <minicnn/io/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "weights.hpp"

namespace cli {

/// How pictures become numbers. Part of the weights file: later commands do exactly the same.
struct picture_options {
  std::string resize = "crop";  ///< crop: short side, then the middle; stretch: both sides; tensorflow: as TF 1's resize_images
  double crop_fraction = 1.0;   ///< crop alone: the middle is taken from a short side of size / crop_fraction
  /// imagenet: mean and deviation of ImageNet; data: those of the training pictures; mean: 0 to 255 less the data's mean; raw: 0
  /// to 255.
  std::string normalize = "imagenet";
  int padding = 0;  ///< black pixels on every side before anything else
};

struct recipe {
  std::string preset = "best";
  std::string task = "classify";  ///< or multilabel, regress
  std::string class_weights;      ///< balanced, or the path of a table; empty: none
  std::vector<double> weights;    ///< what that says; known when the data are
  bool balance = false;           ///< every class as often as the others
  std::string shuffle = "full";   ///< or blocks: of neighbours in storage
  int fold = 0, folds = 0;        ///< the validation part is fold `fold` (from 1) of `folds`; 0: a fraction
  model_config model;
  picture_options picture;
  int epochs = 20;
  int batch_size = 64;
  int accumulate = 1;
  int shards = 1;                 ///< parts of a batch, which one process computes in turn, or several at once
  std::string wire = "fp32";      ///< or bf16: how gradients of shards are exchanged
  std::string optimizer = "sgd";  ///< sgd (momentum), muon, lars, adam, adamw
  double momentum = 0.9;          ///< of sgd; of muon's filters
  bool nesterov = true;
  double rest_rate = 0.02, rest_momentum = 0.9;  ///< muon: of what are no filters
  int iterations = 5;                            ///< muon: of Newton-Schulz
  bool normalize_weights = false;                ///< muon: filters keep their length
  double trust = 0.001;                          ///< lars: a step's length over the weights', at rate 1
  double bias_rate = 1;                          ///< times the rate for biases of batch norms
  double learning_rate = 0.05;
  std::string schedule = "one-cycle";
  double warmup = 0;                  ///< epochs of linear warm-up
  double weight_decay = 0;            ///< an L2 term in the gradient of all weights, as the 2012 paper and PyTorch's SGD have it
  double decoupled_weight_decay = 0;  ///< on all weights: --weight-decay
  double l2 = 0;                      ///< an L2 term for dense weights alone
  double label_smoothing = 0;
  double clip_norm = 0;
  bool augment = true;
  /// Of augmentation: resized (random area), shift (random place in a larger picture), padded, or none, where `shift` alone
  /// moves.
  std::string crop = "resized";
  int shift = 0;                ///< pixels that pictures are moved by at most, edges reflected
  bool alternate_flip = false;  ///< mirrored in every second epoch
  double keep_hardest = 1, hardest_from = 0.3,
         hardest_to = 0.9;         ///< part of batches that is trained on; below 1 between the others
  double mixup = 0, cutmix = 0;    ///< of Beta distributions that pictures are mixed by; 0: they are not
  double crop_scale = 0.5;         ///< resized: smallest area; shift: size of the crop over that of the picture
  int crop_padding = 0;            ///< padded: black pixels more on every side, for crops from anywhere in that
  bool mirror = true;              ///< of augmentation: mirrored every second time
  double jitter = 0;               ///< brightness, contrast and saturation, as a fraction
  double lighting = 0;             ///< deviation along the principal components of the training pictures' colours
  double erase = 0;                ///< probability of random erasing
  std::string sizes;               ///< image sizes of training by fraction of the run ("128:0,160:0.6"); empty: the model's
  double ema = 0;                  ///< decay of the average of weights that is evaluated and saved; 0: none
  double ema_growth = 0;           ///< power of the run's progress that the decay is multiplied by
  int lookahead = 0;               ///< steps after which the weights go on from their average; 0: they never do
  int whiten = -1;                 ///< epochs that the bias of a whitened first layer learns; below 0: it is not whitened
  int patience = 0;                ///< epochs without a better validation loss before training ends; 0: any number
  int val_every = 1;               ///< epochs from validation to validation
  std::string precision = "fp32";  ///< or bf16: matrix products of training on operands rounded to bfloat16
  std::string tta = "none";        ///< of later commands, and of the temperature that is fitted for them
  std::uint64_t seed = 0;
  double val_fraction = 0.1;
  std::int64_t limit = 0;  ///< images used, 0: all
  /// Of a run that begins with weights from a file: that file's checksum. Its path does not decide the result.
  std::string init_from;
  std::string teacher;  ///< checksum of the weights file that is learned from besides the labels; empty: none
  double teacher_share = 0.5, teacher_temperature = 2;
  std::string freeze;              ///< layers that stay as they are: beginnings of names with commas between, or "body"
  std::vector<std::string> rates;  ///< NAME:FACTOR, of layers that learn faster or slower than the others
};

/// Options given on the command line; what is absent is the preset's.
struct recipe_overrides {
  std::string preset = "best";
  std::optional<std::string> task, class_weights, fold;
  bool balance = false;
  std::optional<std::string> shuffle;
  std::optional<std::string> precision, model, optimizer, schedule, init, sizes, tta, padded, freeze;
  std::optional<std::string> init_from;  ///< path of a weights file
  std::vector<std::string> rates;
  std::optional<int> channels;
  std::optional<bool> transform_input;  ///< of the file's network; no option of its own
  minicnn::json graph = {};             ///< the same: the layers of a network that the registry does not have
  std::optional<int> epochs, batch_size, accumulate, shards, image_size, patience, val_every, pooled;
  std::optional<double> learning_rate, warmup, decoupled_weight_decay, l2, dropout, label_smoothing, clip_norm, val_fraction;
  std::optional<double> crop_scale, jitter, lighting, erase, ema, ema_growth, momentum, rest_rate, bias_rate, mixup, cutmix;
  std::optional<double> trust, keep_hardest, hardest_from, hardest_to;
  std::optional<int> shift, lookahead, whiten;
  std::optional<std::uint64_t> seed;
  std::optional<std::int64_t> limit;
  std::optional<std::string> alternate_flip, wire;
  std::optional<std::string> teacher;  ///< path of a weights file
  std::optional<double> teacher_share, teacher_temperature;
  bool no_augment = false, zero_init = false;
};

/// Throws option_error for an unknown preset or an option outside its range.
recipe make_recipe(const recipe_overrides& o);

/// Throws option_error unless batches have two pictures for each shard, and gradients are not accumulated besides.
void check_shards(const recipe& r);

minicnn::json to_json(const recipe& r);
minicnn::json to_json(const picture_options& p);

}  // namespace cli
