// What a training knows and has before its first step: pictures, what they say, the first weights.

#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/core/utf8.hpp>
#include <minicnn/kernels/product/choose_tile.hpp>
#include <minicnn/train/distillation.hpp>

#include "alike_names.hpp"
#include "commands.hpp"
#include "data_source.hpp"
#include "fine_tuning.hpp"
#include "inference.hpp"
#include "messages.hpp"
#include "paths.hpp"
#include "ranks.hpp"
#include "run_folder.hpp"
#include "shared_listing.hpp"
#include "small_image_defaults.hpp"
#include "start_passes.hpp"
#include "train_setup.hpp"
#include "training.hpp"
#include "unused_options.hpp"

namespace cli {

using minicnn::index_t;

namespace {

/// What multiplies bfloat16 on this machine: sums of one are not those of another.
const char* bf16_unit(const minicnn::context& ctx) {
  return minicnn::kernels::has_amx(ctx.instruction_set)       ? "AMX"
         : minicnn::kernels::native_bf16(ctx.instruction_set) ? "AVX512-BF16"
                                                              : "none";
}

}  // namespace

/// All ranks were told the same. What follows is shared between them, so it is asked before, and of what files have added once
/// more before the first step.
void training::agree_on_call() const {
  if (ranks_ == nullptr) return;
  fail_together(*ranks_, nullptr);
  want_same_members(*ranks_, "the recipe", to_json(recipe_));
  want_same_members(*ranks_, "the call",
                    {{"time-limit", o_.time_limit},
                     {"save-every", o_.save_every},
                     {"resume", o_.resume},
                     {"init-from", o_.overrides.init_from.has_value()},
                     {"overwrite", o_.overwrite},
                     {"skip-bad", o_.skip_bad},
                     {"dry-run", o_.dry_run}});
}

void training::agree_on_recipe() const {
  if (ranks_ == nullptr) return;
  want_same_members(*ranks_, "the recipe", to_json(recipe_));
  const bool bf16 = recipe_.precision == "bf16";
  want_same_members(*ranks_, "--precision bf16", {{"unit", bf16 ? bf16_unit(net_->ctx()) : ""}});
}

/// Which pictures there are, as the first rank sees it.
void training::read_names() {
  data_ = open_together(everyone(), o_.data, [this] {
    minicnn::image_dataset data = open_task_data(o_.data, o_.labels, recipe_.task, minicnn::data_part::train, o_.quiet);
    if (o_.resume) restore_gone(data, o_.out);
    return data;
  });
}

/// Pictures, what is known of them, and the split.
void training::open_pictures() {
  const bool classifies = recipe_.task == "classify";
  if (classifies && data_.classes.size() < 2)
    minicnn::fail(o_.data, ": wanted pictures of at least 2 classes, found ", data_.classes.size());
  for (const std::string& name : output_names(data_))
    if (minicnn::valid_utf8_prefix(name) != name.size()) minicnn::fail(o_.data, ": the class name \"", name, "\" is not UTF-8");
  if (classifies) std::erase_if(data_.samples, [](const minicnn::sample& s) { return s.label < 0; });
  for (const minicnn::sample& s : data_.samples)
    if (!o_.skip_bad) minicnn::refuse_unlisted(s);
  choose_channels(data_, o_.overrides);
  if (const std::string text = apply_small_image_defaults(recipe_, o_.overrides, data_); !text.empty())
    note("%s\n", text.c_str());
  warn_of_unused_options(recipe_, o_.overrides, data_);
  split_ = split_data(data_, recipe_.limit, recipe_.val_fraction, recipe_.seed, recipe_.fold, recipe_.folds);
  if (classifies)
    for (const std::string& text : class_warnings(data_, split_)) warn(o_.data + ": " + text);
  check_validation();
  if (split_.train.empty()) minicnn::fail(o_.data, ": no pictures to train on");
}

/// Says so where nothing is held back although it should be, or options wait for what never comes.
void training::check_validation() {
  if (!split_.validation.empty()) return;
  if (recipe_.folds > 0)
    warn(minicnn::text_of("--fold ", recipe_.fold, "/", recipe_.folds, ": of ", split_.train.size(),
                          " pictures this part has none, so nothing is validated"));
  else if (recipe_.val_fraction > 0)
    warn(minicnn::text_of("--val-fraction ", recipe_.val_fraction, ": of ", split_.train.size(),
                          " pictures this is none, so nothing is validated"));
  if (recipe_.patience > 0) warn("--patience: has no effect, as nothing is validated");
  if (o_.overrides.val_every) warn("--val-every: has no effect, as nothing is validated");
  recipe_.patience = recipe().patience, recipe_.val_every = recipe().val_every;  // so that a run goes on without them
}

/// Means of colours are those of the pictures that were there when the run began.
void training::look_at_pictures() {
  const bool recorded = o_.resume && is_saved(o_.out);
  const auto bad_of = [&](const minicnn::sample_indices& part) {
    auto bad = find_bad(data_, part, o_.threads, everyone(),
                        [this](index_t done, index_t total) { progress_.update("reading pictures", done, total, ""); });
    progress_.clear();
    return bad;
  };
  if (o_.skip_bad || (o_.resume && !recorded)) known_bad_train_ = bad_of(split_.train);
  if (o_.skip_bad) known_bad_validation_ = bad_of(split_.validation);
  picture_ = evaluation_transform(recipe_);
  if (recorded)
    picture_.normalize = read_info(minicnn::safetensors_file::open(o_.out + "/last.safetensors")).transform.normalize;
  else if (o_.overrides.init_from && recipe_.model.name == minicnn::graph_model)  // no recipe of ours knows what it was fed
    picture_.normalize = read_info(minicnn::safetensors_file::open(*o_.overrides.init_from)).transform.normalize;
  else
    normalize_by_colours(picture_, recipe_, data_, without_bad(split_.train, known_bad_train_), o_.threads, everyone());
}

/// A run that is resumed has its weights already; the file then only says that the call is the same as before.
void training::take_initial_weights() {
  if (!o_.overrides.init_from) return;
  const std::string& path = *o_.overrides.init_from;
  std::error_code problem;
  if (o_.resume && !std::filesystem::exists(system_path(path), problem)) {
    recipe_.init_from = recorded_checksum(o_.out);
    note("%s: is gone; the run goes on without it\n", minicnn::printable(path).c_str());
    return;
  }
  const std::filesystem::path folder = std::filesystem::weakly_canonical(system_path(path), problem).parent_path();
  if (o_.overwrite && folder == std::filesystem::weakly_canonical(system_path(o_.out), problem))
    throw usage_error("--init-from " + path + ": is part of the run that --overwrite replaces");
  note("%s\n", minicnn::printable(begin_with_weights(*net_, recipe_, path, data_)).c_str());
}

/// The teacher sees the student's pictures on its own scale.
void training::take_teacher() {
  if (!o_.overrides.teacher) return;
  const std::string& path = *o_.overrides.teacher;
  teacher_ = std::make_unique<loaded_model>(load_model(path, o_.threads));
  if (teacher_->info.classes != data_.classes || teacher_->info.config.channels != data_.channels)
    throw usage_error(minicnn::text_of("--teacher ", path, ": knows ", list_of(teacher_->info.classes), " in ",
                                       teacher_->info.config.channels, " channels; the pictures have ", list_of(data_.classes),
                                       " in ", data_.channels,
                                       in_code_points(data_.classes, o_.data, teacher_->info.classes, path)));
  const minicnn::channel_affine own = picture_.normalize.affine(), its = teacher_->info.transform.normalize.affine();
  minicnn::distillation_options o{.share = recipe_.teacher_share,
                                  .temperature = recipe_.teacher_temperature,
                                  .labels = {recipe_.label_smoothing, recipe_.weights}};
  for (std::size_t c = 0; c < static_cast<std::size_t>(data_.channels); ++c) {
    o.factor.push_back(static_cast<double>(its.scale[c]) / static_cast<double>(own.scale[c]));
    o.offset.push_back(static_cast<double>(its.offset[c]) - o.factor.back() * static_cast<double>(own.offset[c]));
  }
  recipe_.teacher = checksum_of(path);
  task_ = std::make_unique<minicnn::distillation<float>>(teacher_->net, std::move(o));
}

/// A run that is resumed, or begins with weights from a file, has its filters already.
void training::whiten() {
  if (recipe_.whiten < 0) return;
  if (o_.resume || o_.overrides.init_from)
    net_->freeze(first_convolution(*net_) + ".weight");
  else
    whiten_first_layer(*net_, data_, split_.train, known_bad_train_, loader_options(false), everyone());
  progress_.clear();
}

/// With --skip-bad and classes training ends where all pictures of one have gone.
std::unique_ptr<minicnn::batch_source<float>> training::source(data_loader& pictures) {
  if (!o_.skip_bad || !learned_.classifies()) return minicnn::source_of<float>(pictures);
  const bool first = &pictures == train_.get();
  guards_.push_back(std::make_unique<class_guard>(data_, pictures, first ? split_.train : split_.validation,
                                                  first ? split_.validation : split_.train, first ? "train" : "validate",
                                                  o_.resume));
  return minicnn::source_of<float>(*guards_.back());
}

}  // namespace cli
