// A training run in a few lines, with early stopping, the best weights kept and written, and an observer of one's own.
//
//     callbacks PICTURES WEIGHTS.safetensors
#include <cstdio>
#include <minicnn/alexnet.hpp>
#include <minicnn/data/folder_data.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/train/callbacks.hpp>

namespace {

/// Prints a row an epoch.
class printer final : public minicnn::training_callback {
 public:
  void on_epoch(const minicnn::epoch_record& e, const minicnn::evaluation&) override {
    std::printf("epoch %d: loss %.3f, validation loss %.3f, accuracy %.1f %%\n", static_cast<int>(e.epoch), e.train_loss,
                e.val_loss, 100 * e.val_accuracy);
  }
};

}  // namespace

int main(int argc, char** argv) {
  using namespace minicnn;
  if (argc != 3) return std::fprintf(stderr, "usage: %s PICTURES WEIGHTS.safetensors\n", argv[0]), 2;
  try {
    folder_data data(argv[1], {.image_size = 96});
    auto net = alexnet_bn<float>({.classes = data.classes(), .image_size = 96});
    printer rows;
    keep_best<float> best(net);
    early_stopping enough({.patience = 4, .metric = [](const epoch_record& e, const evaluation&) { return -e.val_accuracy; }});
    checkpoint files([&](const epoch_record&) { save_weights(net, argv[2]); });
    fit(net, data, {.epochs = 20, .callbacks = {&rows, &best, &enough, &files}});
    best.restore();  // net now holds what the file holds
    std::printf("best: epoch %d\n", static_cast<int>(best.epoch()));
  } catch (const error& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
