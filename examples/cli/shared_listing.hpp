#pragma once
// One list of pictures for processes that train together: the first reads folders and the headers of tar files, and tells the
// others.

#include <functional>
#include <minicnn/data/dataset.hpp>
#include <minicnn/train/team.hpp>
#include <string>

namespace cli {

/// What `open` gives on the first rank, on all ranks. The others call it for pictures that lie in memory alone, which each reads
/// for itself. `path`: where this rank has the data; files lie below it as they do on the first one. What was ignored, and
/// warnings, stay with the first rank. An error of one of them becomes one of all, as with `together_as_asked`, so
/// does a tar file that is missing or of another size.
minicnn::image_dataset open_together(minicnn::team& ranks, const std::string& path,
                                     const std::function<minicnn::image_dataset()>& open);

}  // namespace cli
