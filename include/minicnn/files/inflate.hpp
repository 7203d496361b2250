#pragma once
/// Unpacks DEFLATE data (RFC 1951) as it is read, in 96 KiB of memory whatever the size of the data.
///
/// Written here so that the headers read packed data sets wherever they are included, with nothing to link. Strict as zlib is:
/// codes that are over-subscribed or incomplete, distances that reach before the beginning and data that ends early are errors.

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

namespace detail {

/// A canonical Huffman code as a table that is indexed by the next bits of the stream.
class huffman_table {
 public:
  static constexpr int longest = 15;

  /// `lengths`: bits of each symbol's code, 0 for symbols that do not occur. False unless they make a complete code; a code of
  /// one symbol, or none, passes where `may_be_single`.
  bool build(std::span<const std::uint8_t> lengths, bool may_be_single) {
    std::array<int, longest + 1> count{};
    for (const std::uint8_t l : lengths) ++count[l];
    count[0] = 0;
    bits_ = longest;
    while (bits_ > 0 && count[static_cast<std::size_t>(bits_)] == 0) --bits_;
    int left = 1;  // codes still free, of the length looked at
    for (std::size_t l = 1; l <= longest; ++l)
      if ((left = 2 * left - count[l]) < 0) return false;
    if (left > 0 && !(may_be_single && bits_ <= 1)) return false;

    std::array<std::uint32_t, longest + 2> next{};
    for (std::size_t l = 1; l <= longest; ++l) next[l + 1] = (next[l] + static_cast<std::uint32_t>(count[l])) << 1;
    entries_.assign(std::size_t{1} << bits_, 0);
    for (std::size_t symbol = 0; symbol < lengths.size(); ++symbol) {
      const std::uint32_t length = lengths[symbol];
      if (length == 0) continue;
      std::uint32_t code = next[length]++, place = 0;  // codes are stored with their first bit lowest
      for (std::uint32_t b = 0; b < length; ++b, code >>= 1) place = (place << 1) | (code & 1U);
      for (std::size_t i = place; i < entries_.size(); i += std::size_t{1} << length)
        entries_[i] = static_cast<std::uint16_t>((symbol << 4) | length);
    }
    return true;
  }

  int bits() const { return bits_; }

  /// Symbol (upper 12 bits) and code length (lower 4; 0: no such code) for a stream that goes on with `ahead`.
  std::uint32_t look_up(std::uint64_t ahead) const { return entries_[ahead & (entries_.size() - 1)]; }

 private:
  int bits_ = 0;
  std::vector<std::uint16_t> entries_;
};

}  // namespace detail

/// A stream of DEFLATE data. `Source` has `index_t read_some(void* out, index_t count)`, which gives 0 at its end; its bytes
/// after the data can be read with `bits`. Throws file_error whose text begins with `name`.
template <class Source>
class inflater {
 public:
  inflater(Source& source, std::string name) : source_(source), name_(std::move(name)), in_(in_size), out_(out_size) {}

  /// Up to `count` unpacked bytes; 0 at the end of the data.
  index_t read_some(void* to, index_t count) {
    if (taken_ == made_) produce();
    const auto n = (std::min)(static_cast<std::size_t>(count), made_ - taken_);
    std::memcpy(to, out_.data() + taken_, n);
    taken_ += n;
    return static_cast<index_t>(n);
  }

  /// Forgets what came before: new data begin at the next byte.
  void restart() {
    state_ = state::between_blocks;
    last_ = false;
    made_ = taken_ = 0;
  }

  /// The next `n` bits of the source, at most 32, the first one lowest.
  std::uint32_t bits(int n) {
    if (!fill(n)) fail<file_error>(name_, ": the packed data end early");
    const auto value = static_cast<std::uint32_t>(hold_ & ((std::uint64_t{1} << n) - 1));
    drop(n);
    return value;
  }

  /// Goes on at the next whole byte.
  void align() { drop(held_ % 8); }

  /// Whether the source has no more bits.
  bool at_end() { return !fill(1); }

 private:
  enum class state { between_blocks, stored, coded, finished };
  static constexpr std::size_t in_size = 32768, history = 32768, out_size = 65536, longest_match = 258;

  /// Holds at least `n` bits (at most 56), unless the source ends.
  bool fill(int n) {
    while (held_ < n) {
      if (in_at_ == in_end_) {
        in_at_ = 0;
        in_end_ = static_cast<std::size_t>(source_.read_some(in_.data(), static_cast<index_t>(in_.size())));
        if (in_end_ == 0) return false;
      }
      hold_ |= std::uint64_t{in_[in_at_++]} << held_;
      held_ += 8;
    }
    return true;
  }
  void drop(int n) {
    hold_ >>= n;
    held_ -= n;
  }

  std::uint32_t symbol(const detail::huffman_table& table) {
    (void)fill(table.bits());  // at the end of the source a short code may be all that is left
    const std::uint32_t entry = table.look_up(hold_);
    const auto length = static_cast<int>(entry & 15U);
    if (length == 0) damaged("a code that does not exist");
    if (length > held_) fail<file_error>(name_, ": the packed data end early");
    drop(length);
    return entry >> 4;
  }

  /// Makes more bytes available, unless the data end. The last 32 KiB before them stay, for matches to refer to.
  void produce() {
    if (made_ > history) {
      std::memmove(out_.data(), out_.data() + made_ - history, history);
      made_ = taken_ = history;
    }
    while (made_ == taken_ && state_ != state::finished) {
      if (state_ == state::between_blocks) begin_block();
      if (state_ == state::stored) copy_stored();
      if (state_ == state::coded) decode();
    }
  }

  void begin_block() {
    if (last_) {
      state_ = state::finished;
      return;
    }
    last_ = bits(1) != 0;
    switch (bits(2)) {
      case 0: {
        align();
        stored_ = bits(16);
        if ((bits(16) ^ 0xFFFFU) != stored_) damaged("a stored block whose two lengths disagree");
        state_ = state::stored;
        break;
      }
      case 1:
        fixed_codes();
        break;
      case 2:
        dynamic_codes();
        break;
      default:
        damaged("a block of unknown kind");
    }
  }

  void copy_stored() {
    while (stored_ > 0 && made_ < out_size) {
      out_[made_++] = static_cast<unsigned char>(bits(8));
      --stored_;
    }
    if (stored_ == 0) state_ = state::between_blocks;
  }

  void fixed_codes() {
    std::array<std::uint8_t, 288> lengths{};
    for (std::size_t s = 0; s < lengths.size(); ++s) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    literals_.build(lengths, false);
    std::array<std::uint8_t, 32> fives{};
    fives.fill(5);
    distances_.build(fives, false);
    state_ = state::coded;
  }

  void dynamic_codes() {
    static constexpr std::array<std::uint8_t, 19> order{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const std::size_t literals = bits(5) + 257, distances = bits(5) + 1, codes = bits(4) + 4;
    if (literals > 286 || distances > 30) damaged("more symbols than there are");
    std::array<std::uint8_t, 19> code_lengths{};
    for (std::size_t i = 0; i < codes; ++i) code_lengths[order[i]] = static_cast<std::uint8_t>(bits(3));
    if (!distances_.build(code_lengths, false)) damaged("an impossible code of code lengths");
    std::array<std::uint8_t, 286 + 30> lengths{};
    for (std::size_t i = 0; i < literals + distances;) {
      const std::uint32_t s = symbol(distances_);
      if (s < 16) {
        lengths[i++] = static_cast<std::uint8_t>(s);
        continue;
      }
      if (s == 16 && i == 0) damaged("a repeated code length before the first");
      const std::uint8_t value = s == 16 ? lengths[i - 1] : std::uint8_t{0};
      const std::size_t repeats = s == 16 ? 3 + bits(2) : s == 17 ? 3 + bits(3) : 11 + bits(7);
      if (i + repeats > literals + distances) damaged("more code lengths than symbols");
      for (std::size_t r = 0; r < repeats; ++r) lengths[i++] = value;
    }
    if (lengths[256] == 0) damaged("a block without an end");
    const std::span<const std::uint8_t> all(lengths);
    if (!literals_.build(all.first(literals), true)) damaged("an impossible code of literals");
    if (!distances_.build(all.subspan(literals, distances), true)) damaged("an impossible code of distances");
    state_ = state::coded;
  }

  void decode() {
    static constexpr std::array<std::uint16_t, 29> base{3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                                        31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static constexpr std::array<std::uint8_t, 29> extra{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                        2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static constexpr std::array<std::uint16_t, 30> far_base{1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                                            33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                                            1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    while (made_ + longest_match <= out_size) {
      const std::uint32_t s = symbol(literals_);
      if (s < 256) {
        out_[made_++] = static_cast<unsigned char>(s);
        continue;
      }
      if (s == 256) {
        state_ = state::between_blocks;
        return;
      }
      if (s - 257 >= base.size()) damaged("a length that does not exist");
      std::size_t length = base[s - 257] + std::size_t{bits(extra[s - 257])};
      const std::uint32_t d = symbol(distances_);
      if (d >= far_base.size()) damaged("a distance that does not exist");
      const std::size_t distance = far_base[d] + std::size_t{bits(d < 4 ? 0 : static_cast<int>(d) / 2 - 1)};
      if (distance > made_) damaged("a distance that reaches before the beginning");
      for (; length > 0; --length, ++made_) out_[made_] = out_[made_ - distance];  // may overlap: a run of copies
    }
  }

  [[noreturn]] void damaged(const char* what) const { fail<file_error>(name_, ": the packed data are damaged: ", what); }

  Source& source_;
  std::string name_;
  std::vector<unsigned char> in_, out_;
  std::size_t in_at_ = 0, in_end_ = 0, made_ = 0, taken_ = 0;
  std::uint64_t hold_ = 0;
  int held_ = 0;
  state state_ = state::between_blocks;
  bool last_ = false;
  std::uint32_t stored_ = 0;
  detail::huffman_table literals_, distances_;
};

}  // namespace minicnn::inline MINICNN_ABI
