#include "run_report.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <minicnn/analysis/grad_cam.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/report/filters.hpp>

#include "picture_encoding.hpp"
#include "platform.hpp"

namespace cli {

using minicnn::index_t;

namespace {

constexpr std::size_t most_mistakes = 12, most_augmented = 8;
constexpr index_t thumbnail = 144;
constexpr int quality = 82;

/// The last two parts of a path: "cat/12.jpg".
std::string short_path(const std::string& path) {
  const std::size_t last = path.rfind('/');
  const std::size_t before = last == path.npos || last == 0 ? path.npos : path.rfind('/', last - 1);
  return minicnn::printable(before == path.npos ? path : path.substr(before + 1));
}

}  // namespace

run_report::run_report(const minicnn::image_dataset& data, minicnn::sample_indices training, minicnn::sample_indices validation,
                       const minicnn::image_transform& evaluation_picture, const minicnn::image_transform& training_picture,
                       std::uint64_t seed, minicnn::task_info learned)
    : data_(data),
      training_(std::move(training)),
      validation_(std::move(validation)),
      evaluation_picture_(evaluation_picture),
      training_picture_(training_picture),
      seed_(seed),
      learned_(std::move(learned)) {
  draw_augmented();
}

void run_report::best(const minicnn::epoch_record& row, const minicnn::evaluation& e, minicnn::network<float>& net) {
  remember(row.epoch, e);
  // The first one tells what they cost; training then plans its memory anew, which counts as much again.
  if (gallery_epoch_ == 0 || gallery_seconds_ + 2 * last_gallery_ <= row.seconds / 30) make_gallery(row.epoch, e, net);
}

void run_report::make_gallery(index_t epoch, const minicnn::evaluation& e, minicnn::network<float>& net) {
  const auto start = std::chrono::steady_clock::now();
  remember(epoch, e);
  choose_mistakes(e);
  try {
    draw_mistakes(net);
  } catch (const minicnn::file_error&) {
    mistakes_.clear();  // a picture that is gone must not end the training
  }
  try {
    filters_ = png_uri(minicnn::filter_picture(net));
    filters_note_ = minicnn::text_of("Epoch ", epoch, ". Grey is zero; each filter is scaled to its own largest weight.");
  } catch (const minicnn::option_error&) {
    filters_.clear();  // a network without convolutions
  }
  gallery_epoch_ = epoch;
  last_gallery_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  gallery_seconds_ += 2 * last_gallery_;
}

/// Keeps logits and labels, thinned out where there are more than a page rewritten every epoch can digest.
void run_report::remember(index_t epoch, const minicnn::evaluation& e) {
  if (evaluated_epoch_ == epoch) return;
  evaluated_epoch_ = epoch;
  if (!learned_.classifies()) return remember_targets(e);
  logits_.clear();
  labels_.clear();
  const std::size_t classes = data_.classes.size();
  const std::size_t every = e.outputs.size() / 1000000 + 1;
  for (std::size_t i = 0; i < e.labels.size(); i += every) {
    labels_.push_back(e.labels[i]);
    logits_.insert(logits_.end(), e.outputs.begin() + static_cast<std::ptrdiff_t>(i * classes),
                   e.outputs.begin() + static_cast<std::ptrdiff_t>((i + 1) * classes));
  }
}

void run_report::remember_targets(const minicnn::evaluation& e) {
  per_label_ = e.per_label;
  figures_.clear();
  for (const minicnn::metric& m : e.metrics)
    if (m.name == "mAP" || m.name == "macro F1" || m.name == "micro F1" || m.name == "R2" || m.name == "MAE")
      figures_.push_back(m);
  targets_.clear();
  for (std::size_t k = 0; k < e.per_target.size(); ++k) {
    minicnn::target_plot plot{data_.target_names[k], {}, {}, e.per_target[k]};
    for (index_t i = 0; i < e.images; ++i) {
      const auto at = static_cast<std::size_t>(i * e.columns) + k;
      plot.truth.push_back(e.targets[at]);
      plot.predicted.push_back(learned_.mean[k] + learned_.std[k] * e.outputs[at]);
    }
    targets_.push_back(std::move(plot));
  }
}

std::string run_report::figures_text() const {
  std::string text;
  for (const minicnn::metric& m : figures_)
    text += ", " + m.name + " " + (std::isfinite(m.value) ? minicnn::fixed(m.value, 4) : "-");
  return text;
}

/// The surest of the wrong answers, or where there are none the least sure of the right ones.
void run_report::choose_mistakes(const minicnn::evaluation& e) {
  choices_.clear();
  if (!learned_.classifies()) return;
  const std::size_t classes = data_.classes.size();
  std::vector<std::pair<double, choice>> wrong, right;  // what sorts first is shown first
  for (std::size_t i = 0; i < e.labels.size() && i < validation_.size(); ++i) {
    const double* row = e.outputs.data() + i * classes;
    const auto named = static_cast<std::size_t>(std::max_element(row, row + classes) - row);
    double sum = 0;
    for (std::size_t k = 0; k < classes; ++k) sum += std::exp(row[k] - row[named]);
    const auto truth = static_cast<std::size_t>(e.labels[i]);
    if (!std::isfinite(sum)) continue;
    const choice c{validation_[i], static_cast<index_t>(truth), static_cast<index_t>(named), 1 / sum};
    if (named == truth)
      right.emplace_back(c.probability, c);
    else
      wrong.emplace_back(row[truth] - row[named], c);
  }
  any_wrong_ = !wrong.empty();
  auto& shown = any_wrong_ ? wrong : right;
  std::stable_sort(shown.begin(), shown.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < shown.size() && i < most_mistakes; ++i) choices_.push_back(shown[i].second);
}

void run_report::draw_mistakes(minicnn::network<float>& net) {
  mistakes_.clear();
  if (choices_.empty()) return;
  minicnn::picture_source source(data_);
  minicnn::image_workspace workspace;
  const auto n = static_cast<index_t>(choices_.size());
  const index_t size = evaluation_picture_.size;
  minicnn::tensor<float> input({n, data_.channels, size, size});
  std::vector<minicnn::rgb_picture> pictures;
  std::vector<index_t> named;
  for (index_t i = 0; i < n; ++i) {
    const choice& c = choices_[static_cast<std::size_t>(i)];
    const minicnn::image_u8& image = source.get(c.sample, workspace);
    minicnn::image_workspace own;
    apply(image, evaluation_picture_, minicnn::random_key(), false, input.data() + i * input.dims().size_from(1), own);
    pictures.push_back(seen_part(image, evaluation_picture_, thumbnail, own));
    named.push_back(c.named);
  }
  minicnn::tensor<float> maps;
  try {
    minicnn::grad_cam<float> explain(net);
    maps = explain(input, named);
  } catch (const minicnn::option_error&) {
    // A network without feature maps has no Grad-CAM; the pictures are shown alone.
  }
  for (index_t i = 0; i < n; ++i) {
    const choice& c = choices_[static_cast<std::size_t>(i)];
    const auto place = static_cast<std::size_t>(i);
    minicnn::report_picture p;
    p.source = jpeg_uri(pictures[place], quality);
    if (maps.size() > 0) p.overlay = jpeg_uri(overlay(pictures[place], minicnn::view<const float>(maps).at(i)), quality);
    p.title =
        minicnn::text_of(data_.classes[static_cast<std::size_t>(c.named)], " ", minicnn::fixed(100 * c.probability, 1), " %");
    p.caption = minicnn::text_of(any_wrong_ ? "is " : "rightly ", data_.classes[static_cast<std::size_t>(c.truth)], " (",
                                 short_path(data_.samples[static_cast<std::size_t>(c.sample)].path), ")");
    mistakes_.push_back(std::move(p));
  }
}

/// A few training pictures as the first two epochs see them.
void run_report::draw_augmented() {
  minicnn::picture_source source(data_);
  minicnn::image_workspace workspace, own;
  const index_t size = training_picture_.size;
  minicnn::tensor<float> input({data_.channels, size, size});
  const std::size_t count = (std::min)(most_augmented, training_.size());
  for (std::size_t k = 0; k < count; ++k) {
    const index_t index = training_[k * training_.size() / count];
    try {
      const minicnn::image_u8& image = source.get(index, workspace);
      for (std::uint64_t epoch = 0; epoch < 2; ++epoch) {
        // The loader's own key for this picture in this epoch.
        const minicnn::random_key key = minicnn::random_key(seed_).of(epoch).of(2).of(static_cast<std::uint64_t>(index));
        apply(image, training_picture_, key, true, input.data(), own);
        minicnn::rgb_picture picture = as_picture(input, training_picture_);
        // Larger inputs are shown smaller.
        if (size > thumbnail) {
          const minicnn::image_u8 whole{size, size, 3, {picture.begin(), picture.end()}};
          const minicnn::tensor<float> small = minicnn::resize(whole, thumbnail, thumbnail);
          picture = minicnn::to_bytes<float>(small, {1, 1, 1}, {0, 0, 0});
        }
        const minicnn::sample& s = data_.samples[static_cast<std::size_t>(index)];
        augmented_.push_back({jpeg_uri(picture, quality), "", short_path(s.path), ""});
      }
    } catch (const minicnn::file_error&) {
      // Training itself says which pictures cannot be read.
    }
  }
}

void run_report::fill(minicnn::training_report& r) const {
  if (evaluated_epoch_ == r.best_epoch) {
    r.logits = logits_, r.labels = labels_;
    r.figures = figures_, r.per_label = per_label_, r.targets = targets_;
  }
  r.mistakes = mistakes_;
  r.mistakes_title = minicnn::text_of(any_wrong_ ? "Worst mistakes" : "No mistakes; the least sure answers",
                                      " (validation, epoch ", gallery_epoch_, ")");
  r.augmented = augmented_;
  r.filters = filters_;
  r.filters_note = filters_note_;
}

std::vector<std::pair<std::string, std::string>> describe_machine(const minicnn::network<float>& net) {
  std::vector<std::pair<std::string, std::string>> rows;
  try {
    const std::string text = minicnn::read_file("/proc/cpuinfo");
    const std::size_t at = text.find("model name"), colon = text.find(": ", at);
    if (at != text.npos && colon != text.npos)
      rows.emplace_back("processor", text.substr(colon + 2, text.find('\n', colon) - colon - 2));
  } catch (const minicnn::file_error&) {
    // Not a Linux system; the rest is said all the same.
  }
  rows.emplace_back("processors, threads used", minicnn::text_of(processors_online(), ", ", net.threads()));
  rows.emplace_back("instruction set", std::string(minicnn::name_of(net.ctx().instruction_set)));
  rows.emplace_back("memory", minicnn::fixed(memory_bytes() / 1073741824.0, 1) + " GiB");
  rows.emplace_back("system", system_name());
  rows.emplace_back("minicnn", minicnn::version_string);
  return rows;
}

}  // namespace cli
