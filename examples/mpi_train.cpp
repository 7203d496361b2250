// Trains on a folder of pictures with several processes, on one machine or many. The weights depend on the number of shards, not
// on that of processes.
//
//     mpirun -np 4 mpi_train PICTURES WEIGHTS.safetensors
#include <algorithm>
#include <cstdio>
#include <minicnn/alexnet.hpp>
#include <minicnn/data/folder_data.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/train/callbacks.hpp>
#include <minicnn/train/mpi.hpp>
#include <optional>

int main(int argc, char** argv) {
  using namespace minicnn;
  if (argc != 3) return std::fprintf(stderr, "usage: %s PICTURES WEIGHTS.safetensors\n", argv[0]), 2;
  mpi_team ranks({.tell = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }});
  const bool first = ranks.rank() == 0;
  try {
    std::optional<folder_data> data;
    together(ranks, [&] { data.emplace(argv[1], folder_data_options{.image_size = 96}); });
    const int threads = std::max(1, static_cast<int>(default_threads() / ranks.local_size()));
    auto net = alexnet_bn<float>({.classes = data->classes(), .image_size = 96, .network = {.threads = threads}});
    sgd<float> optimizer(net, {.learning_rate = 0.02, .momentum = 0.9, .nesterov = true});
    lambda_callback rows({.on_epoch = [&](const epoch_record& e, const evaluation&) {
      if (first) std::printf("epoch %d: loss %.3f, accuracy %.1f %%\n", int(e.epoch), e.train_loss, 100 * e.val_accuracy);
    }});
    fit_options o{.epochs = 5, .lr_schedule = one_cycle_schedule{}, .shards = 4, .ranks = &ranks};
    o.callbacks = {&rows};
    fit(net, optimizer, classification<float>(), data->train, data->validation, o);
    if (first) save_weights(net, argv[2]);
  } catch (const team_failure& e) {  // of all ranks
    return (first ? std::fprintf(stderr, "%s\n", e.what()) : 0), 1;
  } catch (const error& e) {
    ranks.end_all(e.what());
  }
}
