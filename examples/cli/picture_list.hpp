#pragma once
// From paths on the command line to pictures.

#include <minicnn/data/dataset.hpp>
#include <string>
#include <vector>

namespace cli {

/// Pictures to predict, without labels, in the order given: a file is itself, whatever it is called; a folder stands for the
/// files in and below it whose endings are those of pictures, in natural order, hidden ones left out; MNIST's and CIFAR-10's
/// files, and folders of them, for all of their pictures, called FILE#0, FILE#1, .... Links to folders are not followed. What
/// cannot be found or listed, and a folder without pictures, goes to `problems` as "path: reason".
minicnn::image_dataset list_pictures(const std::vector<std::string>& paths, std::vector<std::string>& problems);

}  // namespace cli
