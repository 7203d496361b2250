#pragma once
/// Messages in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), as far as ONNX and
/// TensorBoard need it.

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "minicnn/core/std_gaps.hpp"
#include "minicnn/files/file.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One message: fields in the order in which they are added. A field's number comes first; field names and types are not part
/// of the format, so a reader must know the message's definition.
class protobuf_message {
 public:
  /// The format's limit: readers count bytes in 31 bits.
  static constexpr std::uint64_t max_bytes = 0x7FFFFFFF;

  /// int32, int64, bool or an enumeration: seven bits a byte, lowest first. Negative numbers take ten bytes.
  void integer(int field, std::int64_t value) {
    key(field, wire::varint);
    varint(static_cast<std::uint64_t>(value));
  }

  /// float: four bytes, lowest first.
  void real(int field, float value) {
    key(field, wire::fixed32);
    const auto bits = detail::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) text_ += static_cast<char>((bits >> shift) & 0xFFU);
  }

  /// double: eight bytes, lowest first.
  void real64(int field, double value) {
    key(field, wire::fixed64);
    const auto bits = detail::bit_cast<std::uint64_t>(value);
    for (int shift = 0; shift < 64; shift += 8) text_ += static_cast<char>((bits >> shift) & 0xFFU);
  }

  /// string or bytes, copied.
  void text(int field, std::string_view value) {
    key(field, wire::counted);
    varint(value.size());
    text_ += value;
  }

  /// string or bytes that are looked at when the message is written, and must stay where they are until then.
  void borrowed(int field, std::string_view value) {
    key(field, wire::counted);
    varint(value.size());
    close_piece();
    closed_bytes_ += value.size();
    pieces_.push_back({{}, value});
  }

  void message(int field, protobuf_message inner) {
    key(field, wire::counted);
    varint(inner.size());
    close_piece();
    inner.close_piece();
    closed_bytes_ += inner.closed_bytes_;
    for (piece& p : inner.pieces_) pieces_.push_back(std::move(p));
  }

  /// Bytes of the encoded message.
  std::uint64_t size() const { return closed_bytes_ + text_.size(); }

  /// The encoded message.
  std::string bytes() const {
    std::string out;
    for (const piece& p : pieces_) out += p.own.empty() ? p.borrowed : std::string_view(p.own);
    return out + text_;
  }

  /// Appends the encoded message to a file. Throws file_error if it is larger than the format allows or writing fails.
  void write(atomic_file& out) const {
    if (size() > max_bytes)
      fail<file_error>(out.path(), ": would have ", size(), " bytes, more than the ", max_bytes,
                       " that Protocol Buffers (and so ONNX) allow");
    for (const piece& p : pieces_) out.write(p.own.empty() ? p.borrowed : std::string_view(p.own));
    out.write(text_);
  }

 private:
  enum class wire : unsigned { varint = 0, fixed64 = 1, counted = 2, fixed32 = 5 };

  /// Encoded fields, or contents that belong to someone else.
  struct piece {
    std::string own;
    std::string_view borrowed;
  };

  void key(int field, wire type) { varint((static_cast<std::uint64_t>(field) << 3) | static_cast<std::uint64_t>(type)); }

  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_ += static_cast<char>((value & 0x7FU) | 0x80U);
    text_ += static_cast<char>(value);
  }

  void close_piece() {
    if (text_.empty()) return;
    closed_bytes_ += text_.size();
    pieces_.push_back({std::move(text_), {}});
    text_.clear();
  }

  std::vector<piece> pieces_;
  std::uint64_t closed_bytes_ = 0;  ///< of the pieces
  std::string text_;                ///< encoded fields since the last piece
};

}  // namespace minicnn::inline MINICNN_ABI
