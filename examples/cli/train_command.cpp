// minicnn train

#include <minicnn/model/registry.hpp>
#include <minicnn/train/parse_schedule.hpp>
#include <minicnn/train/parse_sizes.hpp>
#include <minicnn/train/size_schedule.hpp>

#include "commands.hpp"
#include "data_source.hpp"
#include "fine_tuning.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "platform.hpp"
#include "presets.hpp"
#include "recipe_options.hpp"
#include "train_together.hpp"

namespace cli {

namespace {

/// The command line as far as options were given, quoted for a shell.
std::string command_line(const CLI::App& command) {
  std::string text = "minicnn train";
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_lnames().front();
    // Not what should happen when the run is repeated or resumed.
    if (option->count() == 0 || name == "overwrite" || name == "dry-run" || name == "quiet" || name == "no-color") continue;
    text += " --" + name;
    if (option->results() == std::vector<std::string>{events_beside}) continue;  // without a value
    if (option->get_items_expected_max() > 0)
      for (const std::string& value : option->results()) text += " " + shell_word(value);
  }
  return text;
}

}  // namespace

void add_recipe_options(CLI::App& command, recipe_overrides& o) {
  command
      .add_option("--task", o.task,
                  "classify: one class of several; multilabel: any number of labels; regress: numbers (default: classify)")
      ->transform(one_of({"classify", "multilabel", "regress"}));
  command.add_option(
      "--class-weights", o.class_weights,
      "balanced: rare classes weigh more in the loss, all classes alike; or a CSV file, class,weight; for multilabel "
      "the weight of a label that is there (default: none)");
  command.add_flag("--balance", o.balance, "classify: every class as often as the others, small ones several times an epoch");
  command
      .add_option("--shuffle", o.shuffle,
                  "full: any order; blocks: 1,024 neighbours of the tar files one after the other, 16 such blocks at a time, for "
                  "spinning disks and object stores (default: full)")
      ->transform(one_of({"full", "blocks"}));
  command.add_option(
      "--fold", o.fold,
      "I/K: the I-th of K parts is held back instead of --val-fraction, stratified, from the seed (default: none)");
  command.add_option("--preset", o.preset, preset_help)->transform(one_of(preset_names()));
  command.add_option("--model", o.model, "network (default: the preset's)")->transform(one_of(minicnn::model_names()));
  command
      .add_option(
          "--image-size", o.image_size,
          "pixels a side of evaluation, and of training without --sizes (default: the preset's; best and deep 192, quick 160)")
      ->transform(whole_from(1, largest_image_size));
  command
      .add_option("--sizes,--size-schedule", o.sizes,
                  "training sizes by fraction of the run, SIZE:FROM,SIZE:FROM, or in turn from epoch to epoch, SIZE/SIZE, for "
                  "networks that take any size (default: best 128:0,160:0.7, deep 96:0,128:0.55,160:0.85, quick 96:0,128:0.75, "
                  "else --image-size)")
      ->transform(readable_by([](const std::string& text) { (void)minicnn::parse_sizes(text); }));
  command.add_option("--padded", o.padded, "alexnet-bn: padded conv1 and pools (default: best on, else off)")
      ->transform(one_of({"on", "off"}));
  command
      .add_option("--pooled,--head-pool", o.pooled,
                  "alexnet-bn: rows and columns that maps are averaged to before the dense layers, 0: not averaged (default: "
                  "best 2, else 0)")
      ->transform(whole_from(0, 64));
  command
      .add_option("--epochs", o.epochs,
                  "passes over the training images (default: article and cifar 10, classic 30, best 40, deep 54, quick 14; with "
                  "--time-limit alone: as many as fit)")
      ->transform(whole_from(1, 100000));
  command
      .add_option("--batch-size", o.batch_size,
                  "images a step (default: article 20, classic, deep and quick 128, cifar 1024, else 64)")
      ->transform(whole_from(1, 65536));
  command.add_option("--accumulate", o.accumulate, "batches whose gradients are summed before a step (default: 1)")
      ->transform(whole_from(1, 65536));
  command
      .add_option("--learning-rate,--lr", o.learning_rate,
                  "the schedule's peak; with muon that of filters (default: article 0.001, classic 0.01, best 0.03, with "
                  "alexnet-small 0.05, deep and quick 0.02, cifar 1.5)")
      ->transform(number_from(0, 1e6));
  command
      .add_option(
          "--optimizer", o.optimizer,
          "adam, adamw, sgd, muon (momentum of filters orthogonalised, sgd for the rest) or lars (a step is as long as "
          "--trust says, of the weights' length; for large batches) (default: article adam, deep and quick muon, else sgd)")
      ->transform(one_of({"adam", "adamw", "sgd", "muon", "lars"}));
  command.add_option("--momentum", o.momentum, "of sgd, and of muon's filters (default: 0.9, cifar 0.85; muon 0.95)")
      ->transform(number_below(0, 1));
  command.add_option("--rest-rate", o.rest_rate, "muon: rate of what are no filters (default: that of the preset's sgd)")
      ->transform(number_from(0, 1e6));
  command.add_option("--trust", o.trust, "lars: length of a step over that of the weights, at rate 1 (default: 0.001)")
      ->transform(number_from(1e-9, 1e3));
  command.add_option("--bias-rate", o.bias_rate, "times the learning rate for biases of batch norms (default: cifar 64, else 1)")
      ->transform(number_from(1e-6, 1e6));
  command
      .add_option(
          "--whiten", o.whiten,
          "the first convolution's filters become ones that whiten the pictures' patches, and stay; its bias learns for so "
          "many epochs; -1: not (default: cifar 3, else -1)")
      ->transform(whole_from(-1, 100000));
  command
      .add_option("--schedule", o.schedule,
                  "constant, linear, cosine, polynomial:POWER, triangle:START,FINAL,PEAK, one-cycle, step:E,E, every:E or "
                  "plateau (default: "
                  "article constant, classic step:0.33,0.67,0.9, best one-cycle:25,1000,0.15, cifar triangle:0.2,0.07,0.23)")
      ->transform(readable_by([](const std::string& text) { (void)minicnn::parse_schedule(text); }));
  command.add_option("--warmup", o.warmup, "epochs of linear warm-up before the schedule (default: 0)")
      ->transform(number_from(0, 1e5));
  command
      .add_option("--weight-decay", o.decoupled_weight_decay,
                  "decoupled, not on biases and norms; replaces the L2 term of 0.0005 that classic and best have in the "
                  "gradient (default: 0)")
      ->transform(number_from(0, 1e3));
  command
      .add_option("--l2", o.l2,
                  "adds L2/2 times the sum of squares of dense weights to the loss (default: article 0.0001, else 0)")
      ->transform(number_from(0, 1e3));
  command
      .add_option(
          "--dropout", o.dropout,
          "rate in the dense layers (default: article and classic 0.5, best 0.3, with alexnet-small 0.2, else the network's)")
      ->transform(number_from(0, 0.999));
  command
      .add_option("--label-smoothing", o.label_smoothing, "from 0 to 0.5 (default: best, deep and quick 0.03, cifar 0.2, else 0)")
      ->transform(number_from(0, 0.5));
  command
      .add_option("--crop-scale", o.crop_scale,
                  "best, deep, quick: smallest part of a picture's area that a random crop takes; classic: side of the crop over "
                  "the picture's (default: best and deep 0.35, quick 0.5, classic 0.887)")
      ->transform(number_from(0.01, 1));
  command
      .add_option("--jitter", o.jitter,
                  "random brightness, contrast and saturation, a fraction (default: best, deep and quick 0.3, else 0)")
      ->transform(number_from(0, 1));
  command
      .add_option("--lighting,--pca-jitter", o.lighting,
                  "deviation of random light along the principal components of the pictures' colours (default: best, "
                  "deep and quick 0.1, else 0)")
      ->transform(number_from(0, 10));
  command.add_option("--erase", o.erase, "probability of erasing a random box (default: 0)")->transform(number_from(0, 1));
  command
      .add_option("--ema", o.ema,
                  "decay of an average of weights and running statistics, which is then what is validated and saved as best; "
                  "0: none (default: cifar 0.774, else 0)")
      ->transform(number_from(0, 0.999999));
  command
      .add_option("--ema-growth", o.ema_growth,
                  "the decay grows, as the part of the run that is done to this power (default: cifar 3, else 0)")
      ->transform(number_from(0, 1000));
  command
      .add_option(
          "--lookahead", o.lookahead,
          "after so many steps the average of --ema takes a value, and the weights go on from it; 0: never (default: cifar "
          "5, else 0)")
      ->transform(whole_from(0, 1000000));
  command
      .add_option("--shift", o.shift,
                  "pixels that pictures are moved by at most, edges reflected, in place of the preset's crops (default: cifar 2, "
                  "else none)")
      ->transform(whole_from(0, 4096));
  command
      .add_option("--alternate-flip", o.alternate_flip,
                  "on: mirrored or not is drawn once a picture, and then turned every epoch (default: cifar, deep and quick on, "
                  "else off)")
      ->transform(one_of({"on", "off"}));
  command
      .add_option("--patience", o.patience, "ends after so many epochs without a better validation loss; 0: never (default: 0)")
      ->transform(whole_from(0, 100000));
  command.add_option("--val-every", o.val_every, "epochs from validation to validation; the last is always one (default: 1)")
      ->transform(whole_from(1, 100000));
  command
      .add_option("--tta", o.tta,
                  "test-time augmentation that the weights file records: none, flip, flip-shift or ten-crop (default: best, deep "
                  "and quick flip, "
                  "cifar flip-shift, else none)")
      ->transform(one_of({"none", "flip", "flip-shift", "ten-crop"}));
  command
      .add_option("--precision", o.precision,
                  "fp32, or bf16: matrix products of training rounded to bfloat16, weights and sums in fp32 (default: fp32)")
      ->transform(one_of({"fp32", "bf16"}));
  command
      .add_option("--clip-norm", o.clip_norm, "largest global gradient norm, 0: any (default: best, deep and quick 5, else 0)")
      ->transform(number_from(0, 1e6));
  command
      .add_option("--init", o.init,
                  "he, glorot, lecun, dirac, orthogonal, paper, caffe or truncated-normal:DEVIATION (default: article "
                  "truncated-normal:0.1, "
                  "classic caffe, cifar dirac, else he)")
      ->transform(readable_by([](const std::string& text) { (void)minicnn::initializer_named(text); }));
  command.add_flag("--zero-init", o.zero_init,
                   "resnets: the last batch norm of each block begins with weight 0 (deep and quick: always)");
  command.add_option("--seed", o.seed, "of first weights, split, order, augmentation and dropout (default: 0)")
      ->transform(any_seed());
  command.add_option("--val-fraction", o.val_fraction, "held back for validation, stratified (default: 0.1)")
      ->transform(number_from(0, 0.9));
  command.add_option("--limit", o.limit, "use only so many images, stratified; 0: all (default: 0)")
      ->transform(whole_from(0, std::int64_t{1} << 40));
  command
      .add_option("--channels", o.channels,
                  "1: pictures are turned grey; 3: grey ones get three equal channels (default: those of --init-from, else the "
                  "data's)")
      ->transform(one_of({"1", "3"}));
  command.add_option("--init-from", o.init_from,
                     "weights to begin with: safetensors, .pth or .npz, under our names or torchvision's; a last layer for other "
                     "classes is left out (default: random ones)");
  command.add_option("--freeze", o.freeze,
                     "layers that stay as they are: beginnings of names, NAME,NAME, or body for all but the last layer; their "
                     "batch norm uses its running statistics (default: none)");
  command
      .add_option(
          "--rate,--lr-scale", o.rates,
          "NAME:FACTOR, layers that learn faster or slower; NAME as for --freeze, body or head; may be repeated, and later "
          "ones win (default: all at the learning rate)")
      ->delimiter(',')
      ->transform(readable_by([](const std::string& text) { (void)parse_group_rate(text); }));
  command.add_option("--teacher", o.teacher,
                     "weights of a network for the same classes, whose answers are learned besides the labels (default: none)");
  command.add_option("--teacher-share", o.teacher_share, "of the teacher in the loss (default: 0.5)")
      ->transform(number_from(0.001, 1));
  command.add_option("--teacher-temperature", o.teacher_temperature, "that its answers are softened by (default: 2)")
      ->transform(number_from(0.1, 1000));
  command
      .add_option("--keep-hardest", o.keep_hardest,
                  "part of each batch that is trained on: the pictures whose latest loss is largest (default: 1, all)")
      ->transform(number_from(0.01, 1));
  command.add_option("--hardest-from", o.hardest_from, "part of the run after which --keep-hardest begins (default: 0.3)")
      ->transform(number_from(0, 1));
  command.add_option("--hardest-to", o.hardest_to, "part of the run from which on batches are whole again (default: 0.9)")
      ->transform(number_from(0, 1));
  command
      .add_option("--mixup", o.mixup,
                  "pictures and labels of a batch are mixed in pairs, with weights from Beta(MIXUP, MIXUP); 0: not (default: 0)")
      ->transform(number_from(0, 100));
  command
      .add_option(
          "--cutmix", o.cutmix,
          "a box of another picture is pasted, its area from Beta(CUTMIX, CUTMIX), and labels mixed by area; 0: not; with "
          "--mixup batches have one or the other (default: 0)")
      ->transform(number_from(0, 100));
  command.add_flag("--no-augment", o.no_augment, "no random crops, mirror images, colours or erasing");
}

void add_train(CLI::App& app, action& chosen) {
  auto o = std::make_shared<train_options>();
  CLI::App* command = app.add_subcommand("train", "trains a network on a folder of pictures");
  command->add_option("--data", o->data, data_help)->required();
  command->add_option("--out", o->out, "run folder to write")->required();
  command->add_option("--labels", o->labels, labels_help);
  add_recipe_options(*command, o->overrides);
  command
      ->add_option(
          "--shards", o->overrides.shards,
          "parts of a batch, each with batch statistics of its own, that processes share out: at most as many processes as "
          "shards (default: one for each process of mpirun, else 1)")
      ->transform(whole_from(1, minicnn::team::most_ranks));
  command
      ->add_option("--wire", o->overrides.wire,
                   "gradients are sent as fp32, or as bf16 in half the bytes, each shard's rounded once (default: fp32)")
      ->transform(one_of({"fp32", "bf16"}));
  command
      ->add_option("--overlap", o->overlap,
                   "whether gradients are sent while earlier layers are still computed, with the same result; auto: where "
                   "processes are on several machines")
      ->transform(one_of({"on", "off", "auto"}))
      ->capture_default_str();
  add_thread_options(*command, o->threads, o->workers);
  command
      ->add_option("--time-limit", o->time_limit,
                   "minutes; the schedule's length is planned after 50 steps so that the run fits; 0: none")
      ->transform(number_from(0, 1e6))
      ->capture_default_str();
  command
      ->add_option("--save-every", o->save_every,
                   "minutes from save to save within an epoch; 0: epochs alone (default: 10 with several processes, else 0)")
      ->transform(number_from(0, 1e6))
      ->default_str("");
  command
      ->add_option("--stall-limit", o->stall_limit,
                   "minutes that processes wait for one of them before all are ended; ten times as long before the first step")
      ->transform(number_from(0.01, 1e6))
      ->capture_default_str();
  command->add_option("--cache", o->cache, "none, or ram: keep decoded pictures, in up to half of the memory")
      ->transform(one_of({"none", "ram"}))
      ->capture_default_str();
  auto* resume = command->add_flag("--resume", o->resume, "goes on from last.safetensors; give the same options as before");
  command->add_flag("--overwrite", o->overwrite, "replaces an existing run")->excludes(resume);
  command
      ->add_option("--tensorboard", o->tensorboard,
                   "folder for event files that TensorBoard reads: curves, figures of the validation, the report's pictures")
      ->expected(0, 1)
      ->default_str(events_beside);
  command->add_flag("--skip-bad", o->skip_bad, "leaves out pictures that cannot be read, and says which");
  command->add_flag("--quiet", o->quiet, "no summary, table and progress: only warnings, errors and results");
  command->add_flag("--no-color", o->no_color, "no colours on a terminal (so does the environment's NO_COLOR)");
  command->add_flag("--dry-run", o->dry_run, "plan, memory and time per epoch only; writes nothing");
  command->callback([o, command, &chosen] {
    refuse_inside_data(o->out, o->data);
    check_output_folder(o->out);
    if (o->tensorboard == events_beside) o->tensorboard = o->out;
    refuse_inside_data(o->tensorboard, o->data, "--tensorboard");
    adopt_model(o->overrides, o->resume ? o->out : "");
    const recipe r = make_recipe(o->overrides);
    o->command = command_line(*command);
    chosen = [o, r] { return train(*o, r); };
  });
}

}  // namespace cli
