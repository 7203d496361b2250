#pragma once
// Texts as paths and back: names in UTF-8 on Windows too.

#include <minicnn/files/path.hpp>

namespace cli {

using minicnn::detail::path_text;
using minicnn::detail::system_path;

}  // namespace cli
