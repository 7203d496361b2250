#pragma once
/// Extents of a tensor, with 64-bit sizes that are checked for overflow.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>

#include "minicnn/core/compiled.hpp"
#include "minicnn/core/error.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Every extent, stride, offset and count in the library.
using index_t = std::int64_t;

/// Up to six extents, outermost first. Images are (n, c, h, w), convolution weights (out, in, h, w), dense weights
/// (out, in). Rank 0 is a scalar with one element.
class shape {
 public:
  static constexpr int max_rank = 6;

  shape() = default;

  /// Throws shape_error for a negative extent or more than six, length_error if the element count does not fit.
  shape(std::initializer_list<index_t> extents) : shape(extents.begin(), extents.end()) {}

  template <class It>
  shape(It first, It last) {
    for (; first != last; ++first) {
      if (rank_ == max_rank) fail<shape_error>("shape: more than ", max_rank, " dimensions");
      if (*first < 0) fail<shape_error>("shape: extent ", static_cast<index_t>(*first), " is negative");
      extents_[static_cast<std::size_t>(rank_++)] = static_cast<index_t>(*first);
    }
    check_size();
  }

  int rank() const { return rank_; }
  index_t operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }

  /// Changes one extent; throws as the constructor does.
  void set(int axis, index_t extent) {
    if (axis < 0 || axis >= rank_) fail<shape_error>("shape: axis ", axis, " of ", text());
    if (extent < 0) fail<shape_error>("shape: extent ", extent, " is negative");
    extents_[static_cast<std::size_t>(axis)] = extent;
    check_size();
  }

  const index_t* begin() const { return extents_.data(); }
  const index_t* end() const { return extents_.data() + rank_; }

  /// Number of elements.
  index_t size() const { return size_from(0); }

  /// Number of elements in the axes from `axis` on: `size_from(1)` is the size of one image of a batch.
  index_t size_from(int axis) const {
    index_t count = 1;
    for (int i = axis; i < rank_; ++i) count *= (*this)[i];
    return count;
  }

  bool operator==(const shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i)
      if ((*this)[i] != other[i]) return false;
    return true;
  }

  /// "20x3x227x227"; "scalar" for rank 0.
  MINICNN_COLD std::string text() const {
    if (rank_ == 0) return "scalar";
    std::string out;
    for (int i = 0; i < rank_; ++i) {
      if (i != 0) out += 'x';
      out += to_text((*this)[i]);
    }
    return out;
  }

 private:
  /// Bytes must be countable too, so the limit leaves room for elements of 16 bytes.
  void check_size() const {
    constexpr index_t limit = (std::numeric_limits<index_t>::max)() / 16;
    index_t count = 1;
    for (int i = 0; i < rank_; ++i) {
      const index_t extent = (*this)[i];
      if (extent == 0) return;
      if (count > limit / extent) fail<length_error>("shape: ", text(), " has more elements than can be counted");
      count *= extent;
    }
  }

  std::array<index_t, max_rank> extents_{};
  int rank_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
