#pragma once
// From --data to pictures: what training and all later commands must do alike.

#include <cstdint>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/data/split.hpp>
#include <string>
#include <vector>

namespace cli {

/// Images that are evaluated at once. Training's own validation and `evaluate` use the same number: a sum over other batches
/// is rounded otherwise, and `evaluate --split val` repeats a run's figures exactly.
inline constexpr int evaluation_batch_size = 64;

/// Help for --data.
inline constexpr const char* data_help =
    "cat.12.jpg, dog.7.jpg in one folder; a folder a class; MNIST's or CIFAR-10's binary files; train/ with trainLabels.csv; tar "
    "files of such folders or of WebDataset's samples: one, a folder of them, or 'train-{000..146}.tar' in quotes";

/// Reads the data set at `path`, whatever its layout; says on standard error, in one line, which it is and what is left out, and
/// prints its warnings. `quiet`: the warnings only. Throws file_error.
minicnn::image_dataset open_data(const std::string& path, minicnn::data_part part = minicnn::data_part::train,
                                 bool quiet = false);

/// Adds a warning for labels of a table that are what programs write for a value that is not there: "nan", "NA", "null", "None".
void note_missing_values(minicnn::image_dataset& data, const minicnn::csv_table& table);

/// "a folder a class: cat, dog; 20 pictures; left out: 1 hidden, 2 of other kinds (notes.txt, Thumbs.db)".
std::string describe_layout(const minicnn::image_dataset& data);

/// The split of a run: first `limit` images (0: all), then `val_fraction` of them for validation (0: none), both stratified and
/// from `seed`; or with `folds`, fold number `fold` (from 1) of so many for validation. Equal arguments give equal parts.
minicnn::data_split split_data(const minicnn::image_dataset& data, std::int64_t limit, double val_fraction, std::uint64_t seed,
                               int fold = 0, int folds = 0);

/// Options of a loader that passes over `transform`'s view of each picture once, in order.
minicnn::loader_options evaluation_loader(const minicnn::image_transform& transform, int batch_size, int workers);

/// Numbers the labels of `data` as `classes` (of a weights file) does. Throws minicnn::error naming both lists unless every
/// class of `data` is one of them, and if the pictures have no labels.
void match_classes(minicnn::image_dataset& data, const std::vector<std::string>& classes);

/// "a, b, c"; long lists are cut.
std::string list_of(const std::vector<std::string>& names);

}  // namespace cli
