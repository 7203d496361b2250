#pragma once
// What is found out from the pictures before the first step. Processes that train together share the reading, a part each, and
// all get what one process gets, to the bit. An error of one of them becomes one of all, as with `together` of train/team.hpp.

#include <functional>
#include <minicnn/core/tensor.hpp>
#include <minicnn/data/loader.hpp>
#include <minicnn/data/statistics.hpp>
#include <minicnn/train/team.hpp>
#include <span>
#include <vector>

namespace cli {

/// The samples of `chosen` that cannot be read, in that order. `progress` as of `picture_source::check`, about this rank's part.
std::vector<minicnn::bad_file> find_bad(const minicnn::image_dataset& data, std::span<const minicnn::index_t> chosen, int threads,
                                        minicnn::team& ranks,
                                        const std::function<void(minicnn::index_t, minicnn::index_t)>& progress = {});

/// Mean, deviation and covariance of the colours of `chosen`, all of which can be read.
minicnn::channel_statistics find_colours(const minicnn::image_dataset& data, std::span<const minicnn::index_t> chosen,
                                         int threads, minicnn::team& ranks);

/// The samples `chosen`, all of which can be read, as a network is fed them: of the shape (n, channels, size, size). `how`: of
/// evaluation.
minicnn::tensor<float> read_as_fed(const minicnn::image_dataset& data, std::span<const minicnn::index_t> chosen,
                                   minicnn::loader_options how, minicnn::team& ranks);

}  // namespace cli
