// CIFAR-10's binary files, packed or not.

#include "fuzz/target.hpp"
#include "minicnn/data/cifar10.hpp"

MINICNN_FUZZ_TARGET(cifar10) {
  const fuzz::memory_file file(input);
  minicnn::image_dataset data;
  data.classes = minicnn::cifar10_classes();
  minicnn::read_cifar10_file(file.path(), data);
  fuzz::require(data.pictures.size() == data.samples.size());
}
