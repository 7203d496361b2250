#pragma once
/// Data sets of many files as a few large ones: tar files of bounded size, and pictures as they are.

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "minicnn/core/random.hpp"
#include "minicnn/data/folder_tree.hpp"
#include "minicnn/data/image.hpp"
#include "minicnn/data/label_table.hpp"
#include "minicnn/data/tar_writer.hpp"

namespace minicnn::inline MINICNN_ABI {

struct pack_options {
  index_t shard_bytes = index_t{1} << 30;  ///< most bytes of a file; a picture that is larger has one for itself
  bool shuffle = false;                    ///< pictures in an order drawn from `seed`; else in that of the data set
  std::uint64_t seed = 0;
  bool cls = false;  ///< a .cls member beside each picture even where names say the class
  /// Called before each picture: how many are packed, how many there are.
  std::function<void(index_t done, index_t total)> progress = {};
};

namespace detail {

class packer {
 public:
  packer(const image_dataset& data, std::string folder, pack_options o)
      : data_(data), folder_(std::move(folder)), o_(std::move(o)) {
    while (folder_.size() > 1 && folder_.ends_with('/')) folder_.pop_back();
    if (!data.pictures.empty())
      fail<option_error>(data.root,
                         ": its pictures lie in a few large files already; what packs are pictures in files of their own");
    if (data.samples.empty()) fail<option_error>(data.root, ": no pictures to pack");
    if (o_.shard_bytes < 10240) fail<option_error>("pack: files of ", o_.shard_bytes, " bytes, wanted at least 10240");
    std::error_code failed;
    if (std::filesystem::exists(system_path(folder_), failed) &&
        !(std::filesystem::is_directory(system_path(folder_), failed) && std::filesystem::is_empty(system_path(folder_), failed)))
      fail<file_error>(folder_, ": is there already, and not an empty folder");
    cls_ = o_.cls || !names_say_classes();
  }

  std::vector<std::string> run() {
    const temporary made(folder_ + text_of(".tmp-", posix::process_id()));
    sample_indices order = all_samples(data_);
    if (o_.shuffle) random_stream(random_key(o_.seed)).shuffle(order);
    std::vector<unsigned char> bytes;
    for (const index_t i : order) {
      if (o_.progress) o_.progress(done_++, data_.size());
      pack(data_.samples[static_cast<std::size_t>(i)], bytes, made.path);
    }
    shard_->commit();
    if (cls_ && !data_.classes.empty()) write_file(made.path + "/classes.txt", class_list());
    if (posix::rename(made.path, folder_) != 0) fail_system(folder_, "make", errno);
    std::vector<std::string> files;
    for (index_t i = 0; i < shards_; ++i) files.push_back(folder_ + "/" + shard_name(i));
    return files;
  }

 private:
  /// A folder that goes with its owner unless it got another name.
  struct temporary {
    explicit temporary(std::string name) : path(std::move(name)) {
      std::error_code failed;
      std::filesystem::create_directories(system_path(path), failed);
      if (failed) fail<file_error>(path, ": cannot be made: ", why_missing(path, failed.message()));
    }
    temporary(const temporary&) = delete;
    temporary& operator=(const temporary&) = delete;
    ~temporary() {
      std::error_code ignored;
      std::filesystem::remove_all(system_path(path), ignored);
    }
    std::string path;
  };

  static std::string shard_name(index_t number) {
    char text[40];
    std::snprintf(text, sizeof text, "shard-%06lld.tar", static_cast<long long>(number));
    return text;
  }

  std::string_view name_of(const sample& s) const { return name_within(s.path, data_.root); }

  /// Whether each picture's class is its first folder, or what its name begins with.
  bool names_say_classes() const {
    for (const sample& s : data_.samples) {
      if (s.label < 0) continue;
      const std::string_view name = name_of(s);
      const std::size_t slash = name.find('/');
      if ((slash == name.npos ? label_in(name) : name.substr(0, slash)) != data_.classes[static_cast<std::size_t>(s.label)])
        return false;
    }
    return true;
  }

  std::string class_list() const {
    std::string text;
    for (const std::string& name : data_.classes) {
      if (name.empty() || trimmed(name) != name || name.find_first_of("\r\n") != name.npos)
        fail<option_error>(data_.root, ": a class called \"", name, "\" cannot stand in classes.txt");
      text += name + "\n";
    }
    return text;
  }

  void pack(const sample& s, std::vector<unsigned char>& bytes, const std::string& folder) {
    const std::string file = s.member >= 0 ? std::string() : read_file(s.path, max_image_file_bytes);
    bytes.assign(file.begin(), file.end());
    if (s.member >= 0) data_.archive->read(s.member, bytes, max_image_file_bytes);
    const std::string name(name_of(s)), key = name.substr(0, name.find_last_of('.'));
    const bool labelled = cls_ && s.label >= 0;
    if (labelled && !keys_.insert(sample_id(key)).second)
      fail<option_error>(s.path, ": another picture is called ", key,
                         " too, with another ending; one .cls member would be both's");
    const std::string label = labelled ? text_of(s.label) : "";
    const auto size = static_cast<index_t>(bytes.size());
    const index_t more = tar_writer::bytes_of(name, size) + (labelled ? tar_writer::bytes_of(key + ".cls", 16) : 0);
    if (shard_ != nullptr && tar_writer::closed_size(shard_->size() + more) > o_.shard_bytes) {
      shard_->commit();
      shard_.reset();
    }
    if (shard_ == nullptr) shard_ = std::make_unique<tar_writer>(folder + "/" + shard_name(shards_++));
    shard_->add(name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    if (labelled) shard_->add(key + ".cls", label);
  }

  const image_dataset& data_;
  std::string folder_;
  pack_options o_;
  bool cls_ = false;
  index_t done_ = 0, shards_ = 0;
  std::unique_ptr<tar_writer> shard_;
  std::set<std::uint64_t> keys_;
};

}  // namespace detail

/// Writes the pictures of `data`, byte by byte as they are, to shard-000000.tar, shard-000001.tar, ... in `folder`, which must
/// not exist or be empty, and appears whole or not at all. `read_dataset(folder)` gives the same set: names, order, ids, labels.
/// Where names do not say the classes, each picture has its class's number in a .cls member beside it, and the names of classes
/// stand in classes.txt. Equal data and options give equal bytes. Returns the files. Throws option_error for pictures in memory
/// and options outside their range, file_error for what cannot be read or written.
inline std::vector<std::string> pack_pictures(const image_dataset& data, const std::string& folder, pack_options o = {}) {
  return detail::packer(data, folder, std::move(o)).run();
}

}  // namespace minicnn::inline MINICNN_ABI
