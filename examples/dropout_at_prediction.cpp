// What dropout left on at prediction does to log loss: the mistake in the 2018 article's graph, measured.
//
//   dropout_at_prediction WEIGHTS FOLDER
//
// WEIGHTS comes from `minicnn train`, as it is (alexnet-bn at 128 pixels) or with `--preset article`; FOLDER has labelled
// pictures.

#include <minicnn/alexnet.hpp>
#include <minicnn/data/image_folder.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/train/fit.hpp>

#include <cstdio>

using namespace minicnn;

namespace {

/// Mean loss and accuracy with dropout at work: forward in training mode, batch norm frozen to its running statistics.
evaluation with_dropout(network<float>& net, loader<float>& data) {
  session<float> run(net);
  const softmax_cross_entropy<float> loss;
  evaluation e;
  e.loss = e.accuracy = 0;
  data.start_epoch(0);
  while (const batch<float>* b = data.next()) {
    const view<const float> logits = run.forward(b->images);
    e.loss += loss.value(logits, b->labels) * static_cast<double>(logits.dim(0));
    for (index_t i = 0; i < logits.dim(0); ++i)
      e.accuracy += (logits(i, 1) > logits(i, 0)) == (b->labels[static_cast<std::size_t>(i)] == 1);
    e.images += logits.dim(0);
  }
  e.loss /= static_cast<double>(e.images);
  e.accuracy /= static_cast<double>(e.images);
  return e;
}

int run(const std::string& path, const std::string& folder) {
  const safetensors_file weights = safetensors_file::open(path);
  const bool article = weights.find("bn1.weight") == nullptr;
  const normalization imagenet{{0.485F, 0.456F, 0.406F}, {0.229F, 0.224F, 0.225F}, 1.0F / 255};
  const image_transform raw{.size = 227, .fit = fit_mode::stretch, .filter = interpolation::tensorflow1};
  const image_transform cropped{.size = 128, .fit = fit_mode::crop, .normalize = imagenet};
  const image_dataset pictures = read_image_folder(folder);
  loader<float> data(pictures, all_samples(pictures), {.batch_size = 64, .transform = article ? raw : cropped});
  std::printf("dropout  log loss off  log loss on  accuracy off  accuracy on\n");
  for (const double rate : {0.2, 0.5}) {
    auto net = article ? alexnet<float>({.dropout = rate}) : alexnet_bn<float>({.image_size = 128, .dropout = rate});
    load_weights(net, weights);
    for (int i = 1; !article && i <= 5; ++i) net.freeze(text_of("bn", i));
    const evaluation off = evaluate(net, data, classification<float>()), on = with_dropout(net, data);
    std::printf("%7.1f  %12.4f  %11.4f  %11.2f%%  %10.2f%%\n", rate, off.loss, on.loss, 100 * off.accuracy, 100 * on.accuracy);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: dropout_at_prediction WEIGHTS FOLDER\n");
    return 2;
  }
  try {
    return run(argv[1], argv[2]);
  } catch (const error& e) {
    std::fprintf(stderr, "dropout_at_prediction: %s\n", e.what());
    return 1;
  }
}
