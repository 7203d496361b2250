#include "picture_list.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <minicnn/data/natural_order.hpp>
#include <string_view>

#include "data_source.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

bool named_as_picture(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  constexpr std::array<std::string_view, 6> known{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp"};
  return std::find(known.begin(), known.end(), ending) != known.end();
}

/// Pictures in and below `folder`.
std::vector<std::string> pictures_below(const std::string& folder, std::vector<std::string>& problems) {
  std::vector<std::string> found;
  std::error_code failed;
  fs::recursive_directory_iterator entry(folder, failed);
  for (; !failed && entry != fs::recursive_directory_iterator(); entry.increment(failed)) {
    std::error_code ignored;
    const fs::path& path = entry->path();
    if (path.filename().string().front() == '.')
      entry.disable_recursion_pending();
    else if (named_as_picture(path) && !entry->is_directory(ignored))
      found.push_back(path.string());
  }
  if (failed) problems.push_back(folder + ": cannot be listed: " + failed.message());
  if (!failed && found.empty()) problems.push_back(folder + ": holds no pictures (JPEG, PNG or BMP)");
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return minicnn::natural_less(a, b); });
  return found;
}

/// The pictures of a data set that is kept in large files.
void add_all(minicnn::image_dataset& data, const std::string& path, std::vector<std::string>& problems) {
  try {
    minicnn::image_dataset more = open_data(path, minicnn::data_part::all);
    data.pictures.resize(data.samples.size());
    std::move(more.pictures.begin(), more.pictures.end(), std::back_inserter(data.pictures));
    std::move(more.samples.begin(), more.samples.end(), std::back_inserter(data.samples));
  } catch (const minicnn::file_error& e) {
    problems.push_back(e.what());
  }
}

}  // namespace

minicnn::image_dataset list_pictures(const std::vector<std::string>& paths, std::vector<std::string>& problems) {
  minicnn::image_dataset data;
  for (const std::string& path : paths) {
    std::error_code failed;
    const fs::file_status status = fs::status(path, failed);
    if (status.type() == fs::file_type::not_found)
      problems.push_back(path + ": no such file or folder");
    else if (failed)
      problems.push_back(path + ": " + failed.message());
    else if (minicnn::holds_picture_files(path))
      add_all(data, path, problems);
    else if (!fs::is_directory(status))
      data.samples.push_back({path, -1, 0});
    else
      for (const std::string& file : pictures_below(path, problems)) data.samples.push_back({file, -1, 0});
  }
  if (!data.pictures.empty()) data.pictures.resize(data.samples.size());
  return data;
}

}  // namespace cli
