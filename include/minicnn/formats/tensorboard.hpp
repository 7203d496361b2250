#pragma once
/// TensorBoard's event files: curves and pictures of a training, for `tensorboard --logdir`.
///
///     tensorboard_writer board("run");
///     board.scalars(step, {{"loss/train", 0.7}, {"loss/validation", 0.8}});
///     board.flush();
///
/// The framing is TFRecord's (https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details), the messages are
/// tensorflow/core/util/event.proto and summary.proto.

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/files/descriptor.hpp"
#include "minicnn/formats/protobuf_writer.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// CRC-32C (Castagnoli), reflected, as iSCSI has it: of "123456789" it is 0xE3069283.
inline std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      t[i] = i;
      for (int bit = 0; bit < 8; ++bit) t[i] = (t[i] >> 1) ^ ((t[i] & 1U) != 0 ? 0x82F63B78U : 0U);
    }
    return t;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : bytes) crc = table[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ (crc >> 8);
  return ~crc;
}

/// TFRecord stores checksums turned and moved, so that those of data that hold checksums stay good.
inline std::uint32_t masked_crc32c(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

}  // namespace detail

/// Appends to a file of its own, whole records at a time, which TensorBoard reads while it grows: no temporary name and no
/// rename. A record that a killed process leaves unfinished is passed over by readers.
class tensorboard_writer {
 public:
  /// Begins the file events.out.tfevents.TIME.PROCESS.minicnn in `folder`, which is made. `resumed_at`: TensorBoard forgets what
  /// older files in the folder say from this step on; -1: it does not. Throws file_error.
  explicit tensorboard_writer(const std::string& folder, std::int64_t resumed_at = -1) {
    std::error_code failed;
    std::filesystem::create_directory(detail::system_path(folder), failed);
    if (failed) fail<file_error>(folder, ": cannot make: ", failed.message());
    namespace posix = detail::posix;
    const auto seconds = static_cast<std::int64_t>(now());
    for (int i = 0; i < 100 && !file_.open(); ++i) {
      path_ = text_of(folder, "/events.out.tfevents.", seconds + i, ".", posix::process_id(), ending);
      file_ = detail::descriptor(posix::open(path_, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | posix::no_inherit, 0666));
      if (!file_.open() && errno != EEXIST) break;
    }
    if (!file_.open()) detail::fail_system(path_, "write", errno);
    protobuf_message version = event(0);
    version.text(3, "brain.Event:2");
    record(version);
    if (resumed_at >= 0) {
      protobuf_message session, start = event(resumed_at);
      session.integer(1, 1);  // START
      start.message(7, std::move(session));
      record(start);
    }
    flush();
  }

  const std::string& path() const { return path_; }
  static constexpr std::string_view ending = ".minicnn";  ///< of the files' names

  /// Values at a step, each under its name; a part of a name up to '/' is a group of charts. Kept until `flush`.
  void scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values) {
    protobuf_message summary;
    for (const auto& [name, number] : values) {
      protobuf_message value;
      value.text(1, name);
      value.real(2, static_cast<float>(number));
      summary.message(1, std::move(value));
    }
    add(step, std::move(summary));
  }

  /// A picture of `width` x `height` pixels and `channels` (1 or 3) channels, as the bytes of a PNG or JPEG file. Kept until
  /// `flush`.
  void image(std::int64_t step, std::string_view name, index_t height, index_t width, int channels, std::string_view file) {
    protobuf_message picture, value, summary;
    picture.integer(1, height);
    picture.integer(2, width);
    picture.integer(3, channels);
    picture.text(4, file);
    value.text(1, name);
    value.message(4, std::move(picture));
    summary.message(1, std::move(value));
    add(step, std::move(summary));
  }

  /// Hands everything so far to the system. Throws file_error.
  void flush() {
    std::string_view rest = kept_;
    while (!rest.empty()) {
      const std::ptrdiff_t done = detail::posix::write(file_.number(), rest.data(), rest.size());
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) detail::fail_system(path_, "write", errno);
      rest.remove_prefix(static_cast<std::size_t>(done));
    }
    kept_.clear();
  }

 private:
  static double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

  static protobuf_message event(std::int64_t step) {
    protobuf_message out;
    out.real64(1, now());
    out.integer(2, step);
    return out;
  }

  void add(std::int64_t step, protobuf_message summary) {
    protobuf_message out = event(step);
    out.message(5, std::move(summary));
    record(out);
    constexpr std::size_t most_kept = 1 << 20;
    if (kept_.size() > most_kept) flush();
  }

  /// Length, its checksum, the message, its checksum.
  void record(const protobuf_message& message) {
    const std::string bytes = message.bytes();
    const std::string length = little_endian(bytes.size(), 8);
    kept_ += length + little_endian(detail::masked_crc32c(length), 4);
    kept_ += bytes;
    kept_ += little_endian(detail::masked_crc32c(bytes), 4);
  }

  static std::string little_endian(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
    return out;
  }

  std::string path_, kept_;
  detail::descriptor file_;
};

}  // namespace minicnn::inline MINICNN_ABI
