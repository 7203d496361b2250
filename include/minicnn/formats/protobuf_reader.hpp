#pragma once
/// Messages in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), read where they lie.

#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "minicnn/core/error.hpp"

namespace minicnn::inline MINICNN_ABI {

/// The fields of one message, in their order. Nothing is copied: bytes and inner messages are parts of what was given, which must
/// outlive them. Lengths are checked before anything is looked at, and the reader never calls itself, so that neither a length
/// nor a depth that a file claims costs more than the file has bytes.
///
///     for (protobuf_reader r(bytes); r.next();)
///       if (r.field() == 3) name = r.bytes();
///
/// Every function throws error saying what is wrong: the message ends within a field, a number of more than ten bytes, a field of
/// another type than the one asked for.
class protobuf_reader {
 public:
  explicit protobuf_reader(std::string_view message) : rest_(message) {}

  /// Goes to the next field; false at the end of the message.
  bool next() {
    if (rest_.empty()) return false;
    const std::uint64_t key = varint(rest_);
    const std::uint64_t number = key >> 3;
    if (number == 0 || number > 0x1FFFFFFF) fail("a field has the number ", number);
    field_ = static_cast<int>(number);
    type_ = static_cast<wire>(key & 7U);
    switch (type_) {
      case wire::varint:
        value_ = varint(rest_);
        return true;
      case wire::fixed64:
        bytes_ = take(8);
        return true;
      case wire::counted:
        bytes_ = take(varint(rest_));
        return true;
      case wire::fixed32:
        bytes_ = take(4);
        return true;
    }
    fail("field ", field_, " has the unknown type ", key & 7U);
  }

  /// The number of the field at hand.
  int field() const { return field_; }

  /// int32, int64, uint64, bool or an enumeration.
  std::int64_t integer() const {
    want(wire::varint, "an integer");
    return static_cast<std::int64_t>(value_);
  }

  /// float.
  float real() const {
    want(wire::fixed32, "a float");
    return fixed<float, std::uint32_t>(bytes_);
  }

  /// string, bytes or a message.
  std::string_view bytes() const {
    want(wire::counted, "bytes");
    return bytes_;
  }

  /// Repeated numbers, one of them or all in one field, are appended. Integers take eight bytes each where the file needs one.
  void append(std::vector<std::int64_t>& out) const {
    if (type_ == wire::varint) return out.push_back(integer());
    for (std::string_view rest = bytes(); !rest.empty();) out.push_back(static_cast<std::int64_t>(varint(rest)));
  }
  void append(std::vector<float>& out) const { append_fixed<float, std::uint32_t>(wire::fixed32, out); }
  void append(std::vector<double>& out) const { append_fixed<double, std::uint64_t>(wire::fixed64, out); }

 private:
  enum class wire : unsigned { varint = 0, fixed64 = 1, counted = 2, fixed32 = 5 };

  static std::uint64_t varint(std::string_view& rest) {
    std::uint64_t value = 0;
    std::size_t used = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (used == rest.size()) fail("ends within a number");
      const auto byte = static_cast<unsigned char>(rest[used++]);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte >= 0x80) continue;
      rest.remove_prefix(used);
      return value;
    }
    fail("has a number of more than ten bytes");
  }

  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) fail("field ", field_, " claims ", count, " bytes, there are ", rest_.size());
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(count));
    rest_.remove_prefix(static_cast<std::size_t>(count));
    return taken;
  }

  void want(wire type, const char* name) const {
    if (type_ != type) fail("field ", field_, ": wanted ", name, ", got wire type ", static_cast<unsigned>(type_));
  }

  template <class V, class Bits>
  static V fixed(std::string_view bytes) {
    Bits bits = 0;
    for (std::size_t i = 0; i < sizeof(Bits); ++i) bits |= static_cast<Bits>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return std::bit_cast<V>(bits);
  }

  template <class V, class Bits>
  void append_fixed(wire single, std::vector<V>& out) const {
    if (type_ == single) return out.push_back(fixed<V, Bits>(bytes_));
    const std::string_view all = bytes();
    if (all.size() % sizeof(V) != 0) fail("field ", field_, ": ", all.size(), " bytes are no whole number of values");
    for (std::size_t at = 0; at < all.size(); at += sizeof(V)) out.push_back(fixed<V, Bits>(all.substr(at, sizeof(V))));
  }

  std::string_view rest_;
  int field_ = 0;
  wire type_ = wire::varint;
  std::uint64_t value_ = 0;
  std::string_view bytes_;
};

}  // namespace minicnn::inline MINICNN_ABI
