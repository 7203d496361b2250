#pragma once
// A folder of pictures made from bytes: three a file, which folder, which folder in it, which name.
#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "minicnn/data/read_dataset.hpp"

namespace fuzz {

inline void must(bool holds, const char* what);

/// Empty files below `root`, at most 60.
inline void make_tree(const std::filesystem::path& root, const std::vector<unsigned char>& b) {
  constexpr std::array<const char*, 16> folders{"",      "cat",      "dog",       "train",  "test_set", "Training",
                                                "1",     "a b",      ".cache",    "images", "__MACOSX", "run",
                                                "x.jpg", "\xC3\xA9", "e\xCC\x81", "-"};
  constexpr std::array<const char*, 24> files{
      "1.jpg",        "2.jpg", "cat.1.jpg",  "dog.1.jpg",  "cat.2.PNG",   "2.edited.jpg",     "photo.bmp",   "IMG_7.jpeg",
      "a.webp",       "b.gif", "Thumbs.db",  ".DS_Store",  "._cat.1.jpg", "results.csv",      "config.json", "curves.png",
      "at 10.11.png", "x.zip", "3.jpg.part", "fox.9.jfif", "readme",      "last.safetensors", "1.jpe",       "."};
  for (std::size_t i = 0; i + 2 < b.size() && i < 180; i += 3) {
    std::error_code ignored;
    const std::filesystem::path folder = root / folders[b[i] % folders.size()] / folders[b[i + 1] % folders.size()];
    std::filesystem::create_directories(folder, ignored);
    std::ofstream(folder / files[b[i + 2] % files.size()]) << 'x';
  }
}

/// Everything that is called a picture, of any format, outside of hidden folders.
inline minicnn::index_t called_pictures(const std::filesystem::path& folder) {
  minicnn::index_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string(), ending = minicnn::detail::ending_of(name);
    if (name.front() == '.' || name == "__MACOSX") continue;
    if (minicnn::detail::one_of(ending, minicnn::detail::picture_endings))
      ++count;
    else if (entry.is_directory())
      count += called_pictures(entry.path());
    else
      count += minicnn::detail::one_of(ending, minicnn::detail::unread_endings);
  }
  return count;
}

/// Whatever lies in a folder: refused, or every picture is a sample or counted as left out.
inline void folder_tree(const std::string& root, const std::vector<unsigned char>& b) {
  using namespace minicnn;
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root);
  make_tree(root, b);
  struct cleaner {
    const std::string& root;
    ~cleaner() { std::filesystem::remove_all(root); }
  } clean{root};
  const image_dataset data = read_dataset(root);
  must(!data.samples.empty() && !data.layout.empty(), "a data set has pictures and a layout");
  std::set<std::string> paths;
  for (const sample& s : data.samples) {
    must(s.label >= -1 && s.label < static_cast<int>(data.classes.size()), "a label is one of the classes");
    must(data.classes.empty() == (s.label < 0), "all pictures have labels, or none");
    must(paths.insert(s.path).second, "a picture is there once");
  }
  for (const index_t n : data.class_counts()) must(n > 0, "a class has pictures");
  bool run = false;
  for (const auto& e : data.ignored.names) run = run || e.reason.find("a run of minicnn") != e.reason.npos;
  if (!run) must(data.size() + data.ignored.pictures == called_pictures(root), "every picture is taken or counted");
}

}  // namespace fuzz
