// Two questions about each picture, a network that answers both: what it shows, and a number (an age, a weight, a price). The
// convolutions are shared; each output has its own loss.
//
//   two_outputs PICTURES NUMBERS.csv [EPOCHS]      PICTURES: a folder a class, or cat.0.jpg ...; NUMBERS.csv: id and one number
#include <minicnn/data/image_folder.hpp>
#include <minicnn/data/label_table.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/layers/activation.hpp>
#include <minicnn/layers/batch_norm.hpp>
#include <minicnn/layers/conv2d.hpp>
#include <minicnn/layers/dense.hpp>
#include <minicnn/layers/flatten.hpp>
#include <minicnn/layers/pooling.hpp>
#include <minicnn/train/fit.hpp>
#include <minicnn/train/joint_task.hpp>
#include <minicnn/train/regression.hpp>

#include <cstdio>
#include <cstdlib>

using namespace minicnn;

namespace {

network<float> two_heads(int classes) {
  graph<float> g;
  auto x = g.input({3, 64, 64});
  for (const int filters : {16, 32, 64})
    x = max_pool(relu(batch_norm(conv2d(x, {.filters = filters, .kernel = 3, .padding = 1}))), {.kernel = 2, .stride = 2});
  x = flatten(adaptive_avg_pool(x, {.output = 1}));
  return network<float>(std::move(g), {dense(x, classes, {.name = "kind"}), dense(x, 1, {.name = "number"})}, {.seed = 1});
}

void run(const char* folder, const char* table, index_t epochs) {
  image_dataset pictures = read_image_folder(folder);
  attach_targets(pictures, read_label_table(table, target_kind::numbers));
  const data_split split = stratified_split(pictures, all_samples(pictures), 0.25, /*seed=*/1);
  const image_transform whole{.size = 64, .normalize = {.mean = {124, 116, 104}, .std = {58, 57, 57}}};
  loader<float> train(pictures, split.train, {.batch_size = 16, .transform = whole, .training = true});
  loader<float> validation(pictures, split.validation, {.batch_size = 32, .transform = whole});

  auto net = two_heads(static_cast<int>(pictures.classes.size()));
  const classification<float> kind;                                  // of output 0, from the batch's labels
  const regression<float> number(standardize(pictures.targets, 1));  // of output 1, from its targets
  joint_task<float> both({{&kind, 1.0}, {&number, 0.5}});            // the loss: kind's + 0.5 * number's
  sgd<float> optimizer(net, {.learning_rate = 0.02, .momentum = 0.9, .nesterov = true});
  fit(net, optimizer, both, train, validation, {.epochs = epochs, .lr_schedule = one_cycle_schedule{}});

  const evaluation e = evaluate(net, validation, both);
  std::printf("accuracy %.1f %%, %s off by %.2f on average\n", 100 * e.parts[0].accuracy, pictures.target_names[0].c_str(),
              e.parts[1].value("MAE"));
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return std::fprintf(stderr, "usage: %s PICTURES NUMBERS.csv [EPOCHS]\n", argv[0]), 2;
  run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 10);
} catch (const error& e) {
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}
