// Fine-tuning: a network that has learned five kinds of clothes learns the other five from few pictures, beside one that begins
// with random weights and has the same pictures and the same number of steps. Whether it pays has to be tried: here it does not,
// docs/fine-tuning.md has a case where it does.
//
//   transfer_learning [FOLDER [PICTURES [EPOCHS]]]     FOLDER: Fashion-MNIST (Debian: dataset-fashion-mnist)

#include <minicnn/data/loader.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/data/split.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/lenet5.hpp>
#include <minicnn/model/transfer.hpp>
#include <minicnn/train/fit.hpp>
#include <minicnn/train/sgd.hpp>

#include <cstdio>
#include <cstdlib>

using namespace minicnn;

namespace {

/// The pictures of classes `first` to `first + 4`, numbered from 0.
image_dataset five_classes(const char* folder, data_part part, int first) {
  const image_dataset all = read_dataset(folder, {.part = part});
  image_dataset data;
  data.root = all.root;
  data.channels = all.channels;
  data.classes.assign(all.classes.begin() + first, all.classes.begin() + first + 5);
  for (std::size_t i = 0; i < all.samples.size(); ++i) {
    const int label = all.samples[i].label - first;
    if (label < 0 || label >= 5) continue;
    data.samples.push_back(all.samples[i]);
    data.samples.back().label = label;
    data.pictures.push_back(all.pictures[i]);
  }
  return data;
}

const image_transform transform{.padding = 2, .size = 32, .normalize = {.mean = {73, 73, 73}, .std = {90, 90, 90}}};

void train(network<float>& net, const image_dataset& data, const sample_indices& chosen, index_t epochs, const sgd_options& how) {
  loader<float> pictures(data, chosen, {.batch_size = 20, .transform = transform, .training = true});
  sgd<float> optimizer(net, how);
  fit(net, optimizer, classification<float>(), pictures, {.epochs = epochs, .lr_schedule = one_cycle_schedule{}});
}

double accuracy(const network<float>& net, const image_dataset& data) {
  loader<float> pictures(data, all_samples(data), {.batch_size = 100, .transform = transform});
  return 100 * evaluate(net, pictures, classification<float>()).accuracy;
}

int run(const char* folder, index_t few, index_t epochs) {
  // A network that knows T-shirts, trousers, pullovers, dresses and coats.
  const char* weights = "five-clothes.safetensors";
  {
    const image_dataset data = five_classes(folder, data_part::train, 0);
    auto net = lenet5<float>({.classes = 5});
    train(net, data, all_samples(data), 3, {.learning_rate = 0.02, .momentum = 0.9});
    std::printf("first five classes: %.2f %% of the test pictures\n", accuracy(net, five_classes(folder, data_part::test, 0)));
    save_weights(net, weights);
  }

  // Sandals, shirts, sneakers, bags and ankle boots, from a few pictures.
  const image_dataset data = five_classes(folder, data_part::train, 5), test = five_classes(folder, data_part::test, 5);
  const sample_indices chosen = stratified_subset(data, all_samples(data), few, /*seed=*/0);
  const sgd_options how{.learning_rate = 0.02, .momentum = 0.9};

  auto scratch = lenet5<float>({.classes = 5});
  train(scratch, data, chosen, epochs, how);
  std::printf("other five from %d pictures, from scratch: %.2f %%\n", static_cast<int>(few), accuracy(scratch, test));

  // Everything but the last layer comes from the file. First the new layer alone is trained, the rest is frozen.
  auto net = lenet5<float>({.classes = 5});
  const std::vector<std::string> head = head_names(net);
  const transfer_result got = transfer_weights(net, weights, {.skip = head});
  std::printf("%d tensors loaded; new:", static_cast<int>(got.loaded.size()));
  for (const std::string& name : got.skipped) std::printf(" %s", name.c_str());
  net.freeze("");
  net.unfreeze(head.front());
  train(net, data, chosen, epochs / 2, how);
  std::printf("\nthe last layer alone: %.2f %%\n", accuracy(net, test));

  // Then all layers, those from the file at a third of the rate.
  net.unfreeze("");
  sgd_options gently = how;
  gently.rules = {{.name = "", .learning_rate_scale = 1.0 / 3}, {.name = head.front(), .learning_rate_scale = 1.0}};
  train(net, data, chosen, epochs - epochs / 2, gently);
  std::printf("fine-tuned: %.2f %%\n", accuracy(net, test));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist", argc > 2 ? std::atoi(argv[2]) : 100,
               argc > 3 ? std::atoi(argv[3]) : 40);
  } catch (const error& e) {
    std::fprintf(stderr, "transfer_learning: %s\n", e.what());
    return 1;
  }
}
