#include "path_patterns.hpp"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <minicnn/data/natural_order.hpp>
#include <minicnn/files/text_lines.hpp>

#include "paths.hpp"
#include "platform.hpp"

namespace cli {

namespace {

std::vector<std::string> matches_of(const std::string& pattern) {
  std::vector<std::string> out = paths_matching(pattern);
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return minicnn::natural_less(a, b); });
  return out;
}

}  // namespace

std::vector<std::string> expand_paths(const std::vector<std::string>& paths, std::istream& input,
                                      std::vector<std::string>& problems) {
  std::vector<std::string> out;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path == "-") {
      const std::string text{std::istreambuf_iterator<char>(input), {}};
      for (const minicnn::text_line& line : minicnn::split_lines(text, "standard input", minicnn::text_encoding::any))
        if (!line.text.empty()) out.push_back(line.text);
    } else if (path.find_first_of("*?[") == path.npos || std::filesystem::exists(system_path(path), ignored)) {
      out.push_back(path);
    } else {
      const std::vector<std::string> found = matches_of(path);
      if (found.empty()) problems.push_back(path + ": matches no file or folder");
      out.insert(out.end(), found.begin(), found.end());
    }
  }
  return out;
}

}  // namespace cli
