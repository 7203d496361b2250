#include "picture_list.hpp"

#include <algorithm>
#include <filesystem>
#include <minicnn/data/folder_tree.hpp>
#include <minicnn/data/read_dataset.hpp>

#include "data_source.hpp"
#include "messages.hpp"
#include "paths.hpp"

namespace cli {

namespace fs = std::filesystem;

namespace {

void add_below(const minicnn::detail::folder_tree& tree, const fs::path& root, std::vector<std::string>& out) {
  for (const std::string& name : tree.pictures) out.push_back(path_text(root / system_path(tree.name) / system_path(name)));
  for (const auto& inner : tree.folders) add_below(inner, root, out);
}

/// Pictures in and below `folder`. Says what a person may have taken for one.
std::vector<std::string> pictures_below(const std::string& folder, std::vector<std::string>& problems) {
  minicnn::image_dataset data;
  data.root = folder;
  std::vector<std::string> found;
  try {
    add_below(minicnn::detail::tree_reader(system_path(folder), data.ignored, false).read(), system_path(folder), found);
  } catch (const minicnn::file_error& e) {
    problems.push_back(e.what());
    return {};
  }
  if (found.empty()) problems.push_back(folder + ": holds no pictures (JPEG, PNG or BMP)");
  data.layout = "pictures in it and below";
  data.samples.resize(found.size());
  if (data.ignored.other + data.ignored.folders > 0) say(folder + ": " + describe_layout(data));
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return minicnn::natural_less(a, b); });
  return found;
}

/// The pictures of a data set that is kept in large files: in memory, or as members of tar files.
void add_all(minicnn::image_dataset& data, const std::string& path, std::vector<std::string>& problems) {
  try {
    minicnn::image_dataset more = open_data(path, minicnn::data_part::all);
    more.classes = data.classes;  // of no interest here
    if (!data.pictures.empty() || !more.pictures.empty()) {
      data.pictures.resize(data.samples.size());
      more.pictures.resize(more.samples.size());
    }
    minicnn::detail::append(data, std::move(more));
  } catch (const minicnn::file_error& e) {
    problems.push_back(e.what());
  } catch (const minicnn::option_error& e) {  // braces
    problems.push_back(e.what());
  }
}

}  // namespace

minicnn::image_dataset list_pictures(const std::vector<std::string>& paths, std::vector<std::string>& problems) {
  minicnn::image_dataset data;
  for (const std::string& path : paths) {
    std::error_code failed;
    const fs::file_status status = fs::status(system_path(path), failed);
    if (minicnn::is_tar_path(path))
      add_all(data, path, problems);
    else if (status.type() == fs::file_type::not_found)
      problems.push_back(path + ": " + why_missing(path, "no such file or folder"));
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
