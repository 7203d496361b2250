// Every network lowers its loss on 64 real pictures, cats and dogs in equal parts, to below 0.1 within 200 steps. The pictures
// are those of Kaggle's "Dogs vs. Cats" in train/ of the folder that MINICNN_DOGS_VS_CATS names. MINICNN_NIGHTLY_MODEL chooses
// one network.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>

#include "minicnn/alexnet.hpp"
#include "minicnn/data/image_folder.hpp"
#include "minicnn/data/loader.hpp"
#include "minicnn/data/split.hpp"
#include "minicnn/googlenet.hpp"
#include "minicnn/inception_v3.hpp"
#include "minicnn/lenet5.hpp"
#include "minicnn/mobilenet_v2.hpp"
#include "minicnn/mobilenet_v3.hpp"
#include "minicnn/network_in_network.hpp"
#include "minicnn/resnet.hpp"
#include "minicnn/spp_net.hpp"
#include "minicnn/squeezenet.hpp"
#include "minicnn/train/adam.hpp"
#include "minicnn/train/loss.hpp"
#include "minicnn/vgg.hpp"
#include "minicnn/vision_transformer.hpp"

using namespace minicnn;

namespace {

struct candidate {
  std::string name;
  int image_size;  ///< small, so that 200 steps take minutes at most
  double learning_rate;
  std::function<network<float>(int image_size)> make;
};

/// As published but for the two classes and the size of the pictures; initial values from seed 0.
std::vector<candidate> candidates() {
  std::vector<candidate> all{
      {"lenet5", 32, 1e-3, [](int size) { return lenet5({.classes = 2, .channels = 3, .image_size = size}); }},
      {"alexnet", 67, 3e-4, [](int size) { return alexnet({.image_size = size}); }},
      {"alexnet-bn", 67, 3e-4, [](int size) { return alexnet_bn({.image_size = size}); }},
      {"alexnet-small", 64, 1e-3, [](int size) { return alexnet_small({.image_size = size}); }},
      {"googlenet", 64, 1e-3, [](int size) { return googlenet({.image_size = size}); }},
      {"inception-v3", 75, 1e-3, [](int size) { return inception_v3({.image_size = size}); }},
      {"spp-net", 64, 3e-4, [](int size) { return spp_net({.image_size = size}); }},
      {"nin", 67, 1e-4, [](int size) { return network_in_network({.image_size = size}); }},
      {"nin-cifar", 32, 3e-4, [](int size) { return network_in_network_cifar({.image_size = size}); }},
      {"squeezenet", 64, 3e-4, [](int size) { return squeezenet({.image_size = size}); }},
      {"squeezenet-1.0", 64, 3e-4,
       [](int size) { return squeezenet({.version = squeezenet_version::v1_0, .image_size = size}); }},
      {"mobilenet-v2", 64, 1e-3, [](int size) { return mobilenet_v2({.image_size = size}); }},
      {"mobilenet-v3-small", 64, 1e-3, [](int size) { return mobilenet_v3({.image_size = size}); }},
      {"vit-tiny", 32, 3e-4,
       [](int size) {
         return vision_transformer(
             {.patch = 4, .width = 192, .layers = 6, .heads = 3, .hidden = 768, .classes = 2, .image_size = size});
       }},
  };
  for (const int depth : {20, 32, 44, 56, 110})
    all.push_back({text_of("resnet", depth), 32, 1e-3,
                   [=](int size) { return resnet_cifar({.depth = depth, .classes = 2, .image_size = size}); }});
  for (const int depth : {18, 34, 50, 101, 152})
    all.push_back({text_of("resnet", depth), 64, 1e-3, [=](int size) { return resnet({.depth = depth, .image_size = size}); }});
  for (const int depth : {11, 13, 16, 19})
    for (const bool bn : {false, true})
      all.push_back({text_of("vgg", depth, bn ? "-bn" : ""), 32, bn ? 3e-4 : 1e-4,
                     [=](int size) { return vgg({.depth = depth, .image_size = size, .batch_norm = bn}); }});
  return all;
}

struct outcome {
  int steps = 0;  ///< until the loss was below 0.1; 200 if it never was
  double first = 0, last = 0, seconds = 0;
};

/// Adam on the 64 pictures as one batch, with auxiliary losses and dropout, until the first output's loss is below 0.1.
outcome learn(const candidate& c, const image_dataset& pictures, const sample_indices& chosen) {
  const image_transform transform{.size = c.image_size, .fit = fit_mode::crop, .normalize = {{124, 116, 104}, {58, 57, 57}}};
  loader<float> data(pictures, chosen, {.batch_size = 64, .transform = transform});
  data.start_epoch(0, 0);
  const batch<float>* all = data.next();
  network<float> net = c.make(c.image_size);
  session run(net);
  const softmax_cross_entropy<float> loss;
  adam<float> optimizer(net, {.learning_rate = c.learning_rate});
  outcome out;
  const auto start = std::chrono::steady_clock::now();
  while (out.steps < 200) {
    run.forward(all->images);
    for (int i = net.output_count(); i-- > 0;) {
      const double weight = net.loss_weights()[static_cast<std::size_t>(i)];
      out.last = loss(run, all->labels, i, weight);
    }
    if (out.steps == 0) out.first = out.last;
    if (out.last < 0.1) break;
    run.backward();
    optimizer.step();
    ++out.steps;
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return out;
}

}  // namespace

TEST_CASE("every network learns 64 real pictures within 200 steps") {
  const char* folder = std::getenv("MINICNN_DOGS_VS_CATS");
  if (folder == nullptr) {
    MESSAGE("MINICNN_DOGS_VS_CATS is not set: no network is trained");
    return;
  }
  const char* only = std::getenv("MINICNN_NIGHTLY_MODEL");
  const image_dataset pictures = read_image_folder(std::string(folder) + "/train");
  const sample_indices chosen = stratified_subset(pictures, all_samples(pictures), 64, 0);
  REQUIRE(chosen.size() == 64);
  for (const candidate& c : candidates()) {
    if (only != nullptr && c.name != only) continue;
    CAPTURE(c.name);
    const outcome o = learn(c, pictures, chosen);
    MESSAGE(c.name << " at " << c.image_size << " pixels: " << o.steps << " steps, loss " << o.first << " to " << o.last << ", "
                   << o.seconds << " s");
    CHECK(o.first > 0.5);
    CHECK(o.last < 0.1);
  }
}
