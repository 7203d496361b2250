#include "train_setup.hpp"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/pca.hpp>
#include <minicnn/report/chart.hpp>
#include <minicnn/train/adam.hpp>
#include <minicnn/train/lars.hpp>
#include <minicnn/train/muon.hpp>
#include <minicnn/train/sgd.hpp>

#include "commands.hpp"
#include "fine_tuning.hpp"
#include "run_data.hpp"
#include "small_image_defaults.hpp"
#include "start_passes.hpp"

namespace cli {

using minicnn::index_t;

minicnn::image_transform evaluation_transform(const recipe& r) {
  minicnn::image_transform t;
  t.padding = r.picture.padding;
  t.size = r.model.image_size;
  t.fit = r.picture.resize == "crop" ? minicnn::fit_mode::crop : minicnn::fit_mode::stretch;
  if (r.picture.resize == "tensorflow") t.filter = minicnn::interpolation::tensorflow1;
  t.resize_to = static_cast<index_t>(static_cast<double>(t.size) / r.picture.crop_fraction + 0.5);
  if (r.picture.normalize == "imagenet") t.normalize = {{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, 1.0F / 255};
  return t;
}

void normalize_by_colours(minicnn::image_transform& t, const recipe& r, const minicnn::image_dataset& data,
                          std::span<const index_t> readable, int threads, minicnn::team& ranks) {
  if (r.picture.normalize != "mean" && r.picture.normalize != "data") return;
  const minicnn::channel_statistics statistics = find_colours(data, readable, threads, ranks);
  if (r.picture.normalize == "data") t.normalize = statistics.normalize();
  for (std::size_t c = 0; c < 3; ++c) t.normalize.mean[c] = static_cast<float>(statistics.mean[c]);
}

minicnn::image_transform training_transform(const recipe& r, minicnn::image_transform t, const minicnn::image_dataset& data,
                                            const minicnn::data_split& split, int threads, minicnn::team& ranks) {
  if (!r.augment) return t;
  t.augment.flip = r.mirror ? 0.5 : 0.0;
  t.augment.alternate_flip = r.alternate_flip;
  t.augment.shift = r.shift;
  t.augment.erase = r.erase;
  if (r.lighting > 0 && data.channels == 3) {
    // Colours of two thousand pictures are those of all.
    const std::size_t stride = (std::max)(split.train.size() / 2000, std::size_t{1});
    minicnn::sample_indices some;
    for (std::size_t i = 0; i < split.train.size(); i += stride) some.push_back(split.train[i]);
    some = without_bad(some, find_bad(data, some, threads, ranks));
    if (!some.empty()) t.augment.lighting = minicnn::principal_colours(find_colours(data, some, threads, ranks), r.lighting);
  }
  t.augment.brightness = t.augment.contrast = t.augment.saturation = r.jitter;
  if (r.crop == "none") return t;
  if (r.crop == "resized") {
    t.augment.crop = minicnn::crop_mode::random_resized;
    t.augment.crop_area = {r.crop_scale, 1.0};
  } else if (r.crop == "padded") {
    const index_t side = small_side(data) + 2 * t.padding;
    t.augment.crop = minicnn::crop_mode::random;
    t.padding += r.crop_padding;
    t.resize_to = t.size * (side + 2 * r.crop_padding) / side;
  } else {
    t.augment.crop = minicnn::crop_mode::random;
    t.resize_to = static_cast<index_t>(static_cast<double>(t.size) / r.crop_scale + 0.5);
  }
  return t;
}

std::unique_ptr<minicnn::optimizer<float>> make_optimizer(const recipe& r, minicnn::network<float>& net) {
  std::vector<minicnn::parameter_rule> rules;
  if (r.l2 > 0) rules.push_back({.kind = "dense", .weight_decay = r.l2});
  if (r.bias_rate < 1 || r.bias_rate > 1) {  // decayed as fast as filters are, whatever the rate
    const auto& nodes = net.nodes();
    if (std::none_of(nodes.begin(), nodes.end(),
                     [](const auto& n) { return n.operation && n.operation->kind() == "batch_norm"; }))
      throw usage_error("--bias-rate " + minicnn::to_text(r.bias_rate) +
                        ", given or of the preset: " + minicnn::model_title(r.model) + " has no batch norm; 1 goes with it");
    rules.push_back({.kind = "batch_norm",
                     .suffix = ".bias",
                     .learning_rate_scale = r.bias_rate,
                     .weight_decay = r.weight_decay / r.bias_rate,
                     .all = true});
  }
  std::unique_ptr<minicnn::optimizer<float>> made;
  if (r.optimizer == "muon")
    made = std::make_unique<minicnn::muon<float>>(net, minicnn::muon_options{.learning_rate = r.learning_rate,
                                                                             .momentum = r.momentum,
                                                                             .iterations = r.iterations,
                                                                             .normalize_weights = r.normalize_weights,
                                                                             .rest_learning_rate = r.rest_rate,
                                                                             .rest_momentum = r.rest_momentum,
                                                                             .weight_decay = r.weight_decay,
                                                                             .decoupled_weight_decay = r.decoupled_weight_decay,
                                                                             .rules = std::move(rules)});
  else if (r.optimizer == "lars")
    made = std::make_unique<minicnn::lars<float>>(
        net, minicnn::lars_options{r.learning_rate, r.momentum, r.nesterov, r.trust, r.weight_decay, std::move(rules)});
  else if (r.optimizer == "sgd")
    made =
        std::make_unique<minicnn::sgd<float>>(net, minicnn::sgd_options{r.learning_rate, r.momentum, r.nesterov, r.weight_decay,
                                                                        r.decoupled_weight_decay, std::move(rules)});
  else
    made = std::make_unique<minicnn::adam<float>>(net, minicnn::adam_options{.learning_rate = r.learning_rate,
                                                                             .weight_decay = r.weight_decay,
                                                                             .decoupled_weight_decay = r.decoupled_weight_decay,
                                                                             .rules = std::move(rules)});
  set_group_rates(*made, net, r);
  return made;
}

const std::string& first_convolution(const minicnn::network<float>& net) {
  for (const auto& n : net.nodes())
    if (n.operation != nullptr && n.operation->kind() == "conv2d") return n.name;
  throw usage_error("--whiten: the network has no convolution");
}

void whiten_first_layer(minicnn::network<float>& net, const minicnn::image_dataset& data, const minicnn::sample_indices& training,
                        const std::vector<minicnn::bad_file>& bad, const minicnn::loader_options& how, minicnn::team& ranks) {
  const std::string& name = first_convolution(net);
  const minicnn::shape filters = net.parameter(name + ".weight").dims();
  index_t step = 1;
  for (const auto& n : net.nodes())
    if (n.name == name)
      for (const auto& [key, value] : n.operation->describe())
        if (key == "strides") step = std::get<std::vector<index_t>>(value)[0];
  const index_t side = how.transform.size, places = (side / step) * (side / step), values = filters.size_from(1);
  // As many pictures as half a minute is enough for, up to five thousand.
  const index_t most = (std::clamp)(index_t{30'000'000'000} / (places * values * values + 1), index_t{64}, index_t{5000});
  const std::size_t stride = (std::max)(training.size() / static_cast<std::size_t>(most), std::size_t{1});
  minicnn::sample_indices some;
  for (std::size_t i = 0; i < training.size() && some.size() < static_cast<std::size_t>(most); i += stride)
    some.push_back(training[i]);
  const minicnn::tensor<float> images = read_as_fed(data, without_bad(std::move(some), bad), how, ranks);
  try {
    minicnn::whiten<float>(net, name, images, 5e-4, step);
  } catch (const minicnn::shape_error& e) {
    throw usage_error(minicnn::text_of("--whiten: ", name, ": ", e.what()));
  }
}

std::vector<std::pair<std::string, std::string>> count_rows(const minicnn::image_dataset& data,
                                                            const minicnn::data_split& split) {
  std::vector<std::pair<std::string, std::string>> rows{
      {"images", minicnn::text_of(split.train.size(), " training, ", split.validation.size(), " validation")}};
  if (!data.target_names.empty()) return rows;
  std::vector<index_t> train(data.classes.size()), validation(data.classes.size());
  const auto count = [&](const minicnn::sample_indices& part, std::vector<index_t>& counts) {
    for (const index_t i : part) ++counts[static_cast<std::size_t>(data.samples[static_cast<std::size_t>(i)].label)];
  };
  count(split.train, train);
  count(split.validation, validation);
  constexpr std::size_t most = 24;
  for (std::size_t c = 0; c < data.classes.size() && c < most; ++c)
    rows.emplace_back(data.classes[c], minicnn::text_of(train[c], " training, ", validation[c], " validation"));
  if (data.classes.size() > most) rows.emplace_back("more classes", minicnn::to_text(data.classes.size() - most));
  return rows;
}

namespace {

/// How many pictures have each label, or range of each number, of the training part.
void print_targets(const minicnn::image_dataset& data, const minicnn::data_split& split) {
  std::fprintf(stderr, "images: %zu + %zu; %zu outputs, of the training images:\n", split.train.size(), split.validation.size(),
               data.target_names.size());
  for (std::size_t k = 0; k < data.target_names.size(); ++k) {
    double sum = 0, low = INFINITY, high = -INFINITY;
    for (const index_t i : split.train) {
      const double v = data.targets_of(i)[k];
      sum += v, low = (std::min)(low, v), high = (std::max)(high, v);
    }
    std::fprintf(stderr, "  %s: mean %s, from %s to %s\n", minicnn::printable(data.target_names[k]).c_str(),
                 minicnn::short_number(sum / static_cast<double>(split.train.size())).c_str(), minicnn::short_number(low).c_str(),
                 minicnn::short_number(high).c_str());
  }
}

}  // namespace

void print_counts(const minicnn::image_dataset& data, const minicnn::data_split& split) {
  if (!data.target_names.empty()) return print_targets(data, split);
  std::vector<index_t> train(data.classes.size()), validation(data.classes.size());
  const auto count = [&](const minicnn::sample_indices& chosen, std::vector<index_t>& into) {
    for (const index_t i : chosen) into[static_cast<std::size_t>(data.samples[static_cast<std::size_t>(i)].label)] += 1;
  };
  count(split.train, train);
  count(split.validation, validation);
  std::fprintf(stderr, "images per class (training + validation):\n");
  for (std::size_t c = 0; c < data.classes.size(); ++c)
    std::fprintf(stderr, "  %s: %" PRId64 " + %" PRId64 "\n", minicnn::printable(data.classes[c]).c_str(), train[c],
                 validation[c]);
}

}  // namespace cli
