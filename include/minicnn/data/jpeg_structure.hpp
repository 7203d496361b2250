#pragma once
/// A look at a JPEG file's segments (ITU-T T.81, annex B) before a decoder sees it: is it whole, what size is it, and does
/// every scan refer to tables that exist? Decoders fill what is missing with grey and say nothing, or read out of bounds.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "minicnn/data/exif.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What a picture's headers say. All of it is taken care of on the way to RGB; `minicnn check` tells people of it.
struct image_header {
  index_t height = 0;
  index_t width = 0;
  int orientation = 1;         ///< EXIF, 1 to 8
  int channels = 3;            ///< as stored: 1 grey, 3 colour, 4 CMYK or YCCK; alpha not counted
  int bits = 8;                ///< of a channel, or of an index into the palette
  bool palette = false;        ///< colours by number
  bool alpha = false;          ///< transparency of any kind
  index_t decoding_bytes = 6;  ///< of memory that a pixel takes while the picture is decoded, at most; 6 for 8-bit RGB
  std::size_t end = 0;         ///< bytes up to the end of the picture; what follows is no part of it
};

/// Pictures with more pixels are refused before memory is allocated for them.
inline constexpr index_t max_image_pixels = 100'000'000;

/// A scan of a few bytes makes a decoder go over the whole picture. Writers of progressive JPEGs make ten, optimisers a few
/// dozen. Refused are more than these, and more than 16 that cover more than a billion pixels together.
inline constexpr index_t max_jpeg_scans = 100, max_jpeg_scan_pixels = 1'000'000'000;

namespace detail {

inline void check_image_size(const image_header& header, std::string_view name) {
  if (header.width < 1 || header.height < 1) fail<file_error>(name, ": the picture is ", header.width, "x", header.height);
  if (header.width > max_image_pixels / header.height)
    fail<file_error>(name, ": ", header.width, "x", header.height, " pixels are more than the ", max_image_pixels,
                     " that are read");
}

class jpeg_checker {
 public:
  jpeg_checker(std::span<const unsigned char> file, std::string_view name) : file_(file), name_(name) {}

  image_header run() {
    std::size_t at = 2;
    for (;;) {
      const int marker = next_marker(at);
      if (marker == end_of_image) {
        header_.end = at;
        break;
      }
      if (marker == start_of_image || marker == 0x01 || is_restart(marker)) continue;  // markers without a segment
      const std::span<const unsigned char> body = segment(at);
      at += 2 + body.size();
      if (marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC)
        frame(marker, body);
      else if (marker == 0xC4)
        huffman_tables(body);
      else if (marker == 0xDB)
        quantisation_tables(body);
      else if (marker == 0xE1)
        application1(body);
      else if (marker == 0xDA) {
        scan(body);
        const std::size_t begin = at;
        at = skip_entropy_coded(at);
        entropy_bytes_ += at - begin;
      }
    }
    finish();
    return header_;
  }

 private:
  static constexpr int start_of_image = 0xD8, end_of_image = 0xD9;

  struct component {
    int id = 0, horizontal = 1, vertical = 1, table = 0;
    bool coded = false;
  };

  template <class... Parts>
  [[noreturn]] void damaged(const Parts&... parts) const {
    fail<file_error>(name_, ": damaged JPEG: ", parts...);
  }
  [[noreturn]] void truncated() const { fail<file_error>(name_, ": JPEG without its end (truncated file)"); }

  static bool is_restart(int marker) { return marker >= 0xD0 && marker <= 0xD7; }

  /// Moves `at` behind the next marker and returns its code. Bytes between segments are skipped, as all decoders do.
  int next_marker(std::size_t& at) const {
    for (;;) {
      const void* found = at < file_.size() ? std::memchr(file_.data() + at, 0xFF, file_.size() - at) : nullptr;
      if (found == nullptr) truncated();
      at = static_cast<std::size_t>(static_cast<const unsigned char*>(found) - file_.data());
      while (at < file_.size() && file_[at] == 0xFF) ++at;
      if (at == file_.size()) truncated();
      if (file_[at++] != 0) return file_[at - 1];
    }
  }

  /// The segment whose length field is at `at`, without that field.
  std::span<const unsigned char> segment(std::size_t at) const {
    if (file_.size() - at < 2) truncated();
    const std::size_t length = std::size_t{file_[at]} << 8 | file_[at + 1];
    if (length < 2) damaged("a segment of length ", length);
    if (length > file_.size() - at) truncated();
    return file_.subspan(at + 2, length - 2);
  }

  /// The place of the marker that ends the entropy-coded data at `at`.
  std::size_t skip_entropy_coded(std::size_t at) const {
    for (;;) {
      std::size_t behind = at;
      const int marker = next_marker(behind);
      if (!is_restart(marker)) return behind - 2;
      at = behind;
    }
  }

  void frame(int marker, std::span<const unsigned char> body) {
    if (components_ != 0) damaged("two frame headers");
    if (marker > 0xC2) fail<file_error>(name_, ": lossless, hierarchical and arithmetic-coded JPEG are not supported");
    progressive_ = marker == 0xC2;
    if (body.size() < 6) damaged("frame header of ", body.size(), " bytes");
    if (body[0] != 8) fail<file_error>(name_, ": JPEG with ", int{body[0]}, " bits a sample is not supported, only 8");
    header_.height = body[1] << 8 | body[2];
    header_.width = body[3] << 8 | body[4];
    check_image_size(header_, name_);
    const int count = body[5];
    if (count != 1 && count != 3 && count != 4) fail<file_error>(name_, ": JPEG with ", count, " channels is not supported");
    if (body.size() != 6 + 3 * static_cast<std::size_t>(count)) damaged("frame header of ", body.size(), " bytes");
    for (int i = 0; i < count; ++i) {
      const unsigned char* entry = body.data() + 6 + 3 * i;
      component& c = component_[static_cast<std::size_t>(i)];
      c = {entry[0], entry[1] >> 4, entry[1] & 15, entry[2], false};
      if (c.horizontal < 1 || c.horizontal > 4 || c.vertical < 1 || c.vertical > 4 || c.table > 3)
        damaged("sampling ", c.horizontal, "x", c.vertical, ", quantisation table ", c.table);
    }
    components_ = count;
    header_.channels = count;
  }

  void huffman_tables(std::span<const unsigned char> body) {
    while (!body.empty()) {
      if (body.size() < 17) damaged("Huffman table header");
      const int kind = body[0] >> 4, slot = body[0] & 15;
      if (kind > 1 || slot > 3) damaged("Huffman table ", slot, " of kind ", kind);
      // Codes of length k are counted in units of 2^-k; together they must fit into one (Kraft's inequality).
      std::size_t values = 0, used = 0;
      for (std::size_t length = 1; length <= 16; ++length) {
        values += body[length];
        used += std::size_t{body[length]} << (16 - length);
      }
      if (values == 0 || values > 256 || used > 65536) damaged("Huffman table with ", values, " codes");
      if (body.size() < 17 + values) damaged("Huffman table header");
      (kind == 0 ? dc_tables_ : ac_tables_) |= 1U << slot;
      body = body.subspan(17 + values);
    }
  }

  void quantisation_tables(std::span<const unsigned char> body) {
    while (!body.empty()) {
      const std::size_t bytes = (body[0] >> 4) == 0 ? 65 : 129;
      if ((body[0] >> 4) > 1 || (body[0] & 15) > 3 || body.size() < bytes) damaged("quantisation table");
      quantisation_ |= 1U << (body[0] & 15);
      body = body.subspan(bytes);
    }
  }

  void application1(std::span<const unsigned char> body) {
    if (seen_exif_ || body.size() < 6 || std::memcmp(body.data(), "Exif\0\0", 6) != 0) return;
    seen_exif_ = true;
    header_.orientation = exif_orientation(body.subspan(6));
  }

  void scan(std::span<const unsigned char> body) {
    if (components_ == 0) damaged("picture data before the frame header");
    scans_ += 1;
    if (scans_ > max_jpeg_scans || (scans_ > 16 && scans_ > max_jpeg_scan_pixels / (header_.width * header_.height)))
      damaged("more than ", scans_ - 1, " scans of ", header_.width, "x", header_.height, " pixels");
    const std::size_t count = body.empty() ? 0 : body[0];
    if (count < 1 || count > static_cast<std::size_t>(components_) || body.size() != 4 + 2 * count)
      damaged("scan header of ", body.size(), " bytes");
    const int first = body[1 + 2 * count], last = body[2 + 2 * count], high = body[3 + 2 * count] >> 4;
    const bool wants_dc = !progressive_ || (first == 0 && high == 0), wants_ac = !progressive_ || last != 0;
    for (std::size_t i = 0; i < count; ++i) {
      const int id = body[1 + 2 * i], dc = body[2 + 2 * i] >> 4, ac = body[2 + 2 * i] & 15;
      component* found = nullptr;
      for (component& c : component_)
        if (found == nullptr && &c < component_.data() + components_ && c.id == id) found = &c;
      if (found == nullptr) damaged("a scan of channel ", id, ", which the frame does not have");
      if (dc > 3 || ac > 3 || (wants_dc && !(dc_tables_ >> dc & 1U)) || (wants_ac && !(ac_tables_ >> ac & 1U)))
        damaged("a scan with a Huffman table that is not there");
      if (!(quantisation_ >> found->table & 1U)) damaged("quantisation table ", found->table, " is not there");
      if (first == 0) found->coded = true;
    }
  }

  void finish() {
    if (components_ == 0) damaged("no frame header");
    int horizontal = 1, vertical = 1;
    for (int i = 0; i < components_; ++i) {
      horizontal = (std::max)(horizontal, component_[static_cast<std::size_t>(i)].horizontal);
      vertical = (std::max)(vertical, component_[static_cast<std::size_t>(i)].vertical);
    }
    // Every 8x8 block takes at least one bit (two in a sequential scan): a header that promises more than the file can
    // hold would cost memory and time for a grey picture.
    index_t blocks = 0;
    for (int i = 0; i < components_; ++i) {
      const component& c = component_[static_cast<std::size_t>(i)];
      if (!c.coded) damaged("channel ", i + 1, " of ", components_, " has no data");
      if (horizontal % c.horizontal != 0 || vertical % c.vertical != 0)
        fail<file_error>(name_, ": JPEG with fractional chroma sampling is not supported");
      blocks += (header_.width * c.horizontal / (8 * horizontal)) * (header_.height * c.vertical / (8 * vertical));
    }
    index_t samples = 0;  // of `horizontal * vertical` pixels
    for (const component& c : std::span(component_).first(static_cast<std::size_t>(components_)))
      samples += c.horizontal * c.vertical;
    // Samples, the coefficients of progressive pictures as 16-bit numbers, and the RGB result.
    const index_t area = horizontal * vertical;
    header_.decoding_bytes = (std::max)(index_t{6}, ((progressive_ ? 3 : 1) * samples + area - 1) / area + 3);
    if (static_cast<index_t>(entropy_bytes_) < blocks * (progressive_ ? 1 : 2) / 8)
      damaged("too short for ", header_.width, "x", header_.height, " pixels");
  }

  std::span<const unsigned char> file_;
  std::string_view name_;
  image_header header_;
  std::array<component, 4> component_{};
  int components_ = 0;
  bool progressive_ = false, seen_exif_ = false;
  unsigned dc_tables_ = 0, ac_tables_ = 0, quantisation_ = 0;
  std::size_t entropy_bytes_ = 0;
  index_t scans_ = 0;
};

}  // namespace detail

/// Size and orientation of the JPEG file `file`, which must start with FF D8. Throws file_error, with `name` in front, if it
/// ends before its end-of-image marker (bytes behind that are allowed: cameras append previews), is of a kind that stb
/// does not decode, or contradicts itself.
inline image_header check_jpeg(std::span<const unsigned char> file, std::string_view name) {
  return detail::jpeg_checker(file, name).run();
}

}  // namespace minicnn::inline MINICNN_ABI
