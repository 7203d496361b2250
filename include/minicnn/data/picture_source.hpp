#pragma once
/// Pictures of a data set by number: from memory, from a cache, or from their files.

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/parallel.hpp"
#include "minicnn/data/dataset.hpp"
#include "minicnn/data/folder_tree.hpp"
#include "minicnn/data/image.hpp"
#include "minicnn/data/transform.hpp"

namespace minicnn::inline MINICNN_ABI {

/// A file that is in the data set but cannot be read as a picture.
struct bad_file {
  index_t index = 0;  ///< of the sample
  std::string path;
  std::string reason;
};

/// What `text`, of an error that begins with the picture's path, says about sample `index`.
inline bad_file as_bad_file(const image_dataset& data, index_t index, std::string_view text) {
  const std::string& path = data.samples[static_cast<std::size_t>(index)].path;
  const bool named = text.starts_with(path) && text.substr(path.size()).starts_with(": ");
  return {index, path, std::string(named ? text.substr(path.size() + 2) : text)};
}

/// The data set for a network of `channels` (1 or 3) input channels: pictures in memory are turned grey, or grey ones get three
/// equal channels; those in files are when they are read.
inline void convert_channels(image_dataset& data, int channels) {
  if (channels != 1 && channels != 3) fail<option_error>(data.root, ": pictures of ", channels, " channels, wanted 1 or 3");
  data.channels = channels;
  for (image_u8& p : data.pictures) set_channels(p, channels);
}

/// Reads and decodes sample `i`, which is not in memory, into `image`; its bytes pass through `buffer`. Throws file_error that
/// begins with the sample's path, and for a member of an archive says where it lies.
inline void load_sample(const image_dataset& data, index_t i, image_u8& image, std::vector<unsigned char>& buffer) {
  const sample& s = data.samples[static_cast<std::size_t>(i)];
  refuse_unlisted(s);
  if (s.member < 0) return load_image(s.path, image, buffer);
  try {
    data.archive->read(s.member, buffer, max_image_file_bytes);
    decode_image(buffer, s.path, image);
  } catch (const file_error& e) {
    fail<file_error>(s.path, ": in ", data.archive->place_of(s.member), ": ", as_bad_file(data, i, e.what()).reason);
  }
}

/// Any number of threads may ask for pictures, each with a workspace of its own. The data set must outlive it.
class picture_source {
 public:
  /// Decoded pictures are kept up to `cache_bytes` in all, first come, first kept; 0 keeps none.
  explicit picture_source(const image_dataset& data, std::int64_t cache_bytes = 0) : data_(&data), left_(cache_bytes) {
    if (cache_bytes < 0) fail<option_error>("picture cache: ", cache_bytes, " bytes");
    if (!data.pictures.empty() && data.pictures.size() != data.samples.size())
      fail<shape_error>(data.root, ": ", data.pictures.size(), " pictures for ", data.samples.size(), " samples");
    if (cache_bytes > 0 && data.pictures.empty()) {
      cache_.resize(data.samples.size());
      state_ = std::make_unique<std::atomic<char>[]>(data.samples.size());
    }
  }

  explicit picture_source(const image_dataset&&, std::int64_t = 0) = delete;  // would not outlive the statement

  /// Picture `index`; valid until the next call with this workspace. Throws file_error.
  const image_u8& get(index_t index, image_workspace& workspace) {
    const auto i = static_cast<std::size_t>(index);
    if (!data_->pictures.empty() && data_->pictures[i].height > 0) return data_->pictures[i];
    if (state_ != nullptr && state_[i].load(std::memory_order_acquire) == kept) return cache_[i];
    load_sample(*data_, index, workspace.image, workspace.file);
    if (data_->channels == 1) to_grey(workspace.image);
    if (state_ != nullptr) keep(i, workspace.image);
    return workspace.image;
  }

  /// Decodes the samples `chosen` once and returns those that cannot be, in the order of `chosen`. One thread tells `progress`
  /// before each of its pictures how many have been begun.
  std::vector<bad_file> check(std::span<const index_t> chosen, int threads,
                              const std::function<void(index_t done, index_t total)>& progress = {}) {
    const int team = resolve_threads(threads);
    std::vector<image_workspace> workspaces(static_cast<std::size_t>(team));
    std::vector<std::string> reasons(chosen.size());
    parallel_tasks(team, static_cast<index_t>(chosen.size()), [&](index_t task, int thread) {
      const auto place = static_cast<std::size_t>(task);
      if (progress && thread == 0) progress(task, static_cast<index_t>(chosen.size()));
      try {
        get(chosen[place], workspaces[static_cast<std::size_t>(thread)]);
      } catch (const file_error& e) {
        reasons[place] = e.what();
      }
    });
    std::vector<bad_file> bad;
    for (std::size_t place = 0; place < chosen.size(); ++place)
      if (!reasons[place].empty()) bad.push_back(as_bad_file(*data_, chosen[place], reasons[place]));
    return bad;
  }

 private:
  static constexpr char empty = 0, being_filled = 1, kept = 2;

  void keep(std::size_t i, const image_u8& image) {
    char expected = empty;
    if (!state_[i].compare_exchange_strong(expected, being_filled)) return;
    const auto bytes = static_cast<std::int64_t>(image.pixels.size());
    if (left_.fetch_sub(bytes) < bytes) {
      left_.fetch_add(bytes);
      state_[i].store(empty);
      return;
    }
    cache_[i] = image;
    state_[i].store(kept, std::memory_order_release);
  }

  const image_dataset* data_;
  std::atomic<std::int64_t> left_;
  std::vector<image_u8> cache_;
  std::unique_ptr<std::atomic<char>[]> state_;
};

}  // namespace minicnn::inline MINICNN_ABI
