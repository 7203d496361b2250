// Pictures with any number of labels each, from a table beside them, and labels that compete for nothing: a sigmoid each.
//
//   multi_label PICTURES LABELS.csv [EPOCHS]      LABELS.csv: id and a column of 0 and 1 a label, or id and names ("beach boat")
#include <minicnn/alexnet.hpp>
#include <minicnn/data/image_folder.hpp>
#include <minicnn/data/label_table.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/train/callbacks.hpp>
#include <minicnn/train/multi_label.hpp>

#include <cstdio>
#include <cstdlib>

using namespace minicnn;

namespace {

int run(const char* folder, const char* table, index_t epochs) {
  image_dataset pictures = read_pictures(folder);
  attach_targets(pictures, read_label_table(table, target_kind::labels));
  const data_split split = stratified_split(pictures, all_samples(pictures), 0.25, /*seed=*/1);
  const image_transform whole{.size = 64, .normalize = {.mean = {124, 116, 104}, .std = {58, 57, 57}}};
  loader<float> train(pictures, split.train, {.batch_size = 8, .transform = whole, .training = true});
  loader<float> validation(pictures, split.validation, {.batch_size = 32, .transform = whole});

  auto net = alexnet_small<float>({.classes = static_cast<int>(pictures.target_names.size()), .image_size = 64});
  multi_label<float> task;
  task.best_by("mAP");  // the best epoch is the one with the best mean average precision
  sgd<float> optimizer(net, {.learning_rate = 0.02, .momentum = 0.9, .weight_decay = 5e-4});
  keep_best<float> best(net);
  fit(net, optimizer, task, train, validation, {.epochs = epochs, .lr_schedule = one_cycle_schedule{}, .callbacks = {&best}});
  best.restore();

  // From which probability a label is given, chosen on pictures that the network has not learned from.
  const auto thresholds = multi_label<float>::choose_thresholds(evaluate(net, validation, task));
  const multi_label<float> chosen({.thresholds = thresholds});
  const evaluation e = evaluate(net, validation, chosen);
  for (std::size_t k = 0; k < e.per_label.size(); ++k)
    std::printf("%s: average precision %.3f, F1 %.3f from probability %.2f\n", pictures.target_names[k].c_str(),
                e.per_label[k].average_precision, e.per_label[k].f1, e.per_label[k].threshold);
  std::printf("mAP %.3f\n", e.value("mAP"));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: %s PICTURES LABELS.csv [EPOCHS]\n", argv[0]), 2;
  try {
    return run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 10);
  } catch (const error& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
