#pragma once
/// Aligned memory, and the layout of many buffers in one block.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Alignment of every block: one cache line, one AVX-512 vector.
inline constexpr index_t alignment = 64;

/// `count` elements of `T`, not initialised, aligned to 64 bytes. Movable, not copyable; empty after being moved from.
template <class T>
class aligned_buffer {
 public:
  aligned_buffer() = default;

  /// Throws length_error if that much memory cannot be had.
  explicit aligned_buffer(index_t count) : count_(count) {
    if (count < 0 || count > (std::numeric_limits<index_t>::max)() / static_cast<index_t>(sizeof(T)))
      fail<length_error>("memory: cannot count ", count, " elements");
    if (count == 0) return;
    const auto bytes = static_cast<std::size_t>(count) * sizeof(T);
    void* block = ::operator new (bytes, std::align_val_t{static_cast<std::size_t>(alignment)}, std::nothrow);
    if (block == nullptr) fail<length_error>("memory: cannot allocate ", static_cast<index_t>(bytes >> 20), " MiB");
    data_.reset(static_cast<T*>(block));
    ask_for_huge_pages(block, bytes);
  }

  aligned_buffer(aligned_buffer&& other) noexcept : data_(std::move(other.data_)), count_(std::exchange(other.count_, 0)) {}
  aligned_buffer& operator=(aligned_buffer&& other) noexcept {
    aligned_buffer taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(count_, taken.count_);
    return *this;
  }
  ~aligned_buffer() = default;

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  index_t size() const { return count_; }

 private:
  struct release {
    void operator()(T* block) const { ::operator delete (block, std::align_val_t{static_cast<std::size_t>(alignment)}); }
  };

  /// Where huge pages are given on request ("madvise", the default of many systems), large blocks request them: a pass over
  /// hundreds of megabytes then takes 10 to 45 % less, because prefetching does not stop every 4 KiB. Only advice.
  static void ask_for_huge_pages([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    constexpr std::size_t large = std::size_t{4} << 20, page = 4096;
    if (bytes < large) return;
    const std::size_t skipped = (page - reinterpret_cast<std::uintptr_t>(block) % page) % page;
    ::madvise(static_cast<std::byte*>(block) + skipped, (bytes - skipped) / page * page, MADV_HUGEPAGE);
#endif
  }

  std::unique_ptr<T[], release> data_;
  index_t count_ = 0;
};

/// Hands out consecutive offsets (in elements), each block rounded up to a multiple of 64 bytes.
template <class T>
class arena_layout {
 public:
  index_t add(index_t count) {
    constexpr index_t unit = alignment / static_cast<index_t>(sizeof(T));
    const index_t offset = size_;
    size_ += (count + unit - 1) / unit * unit;
    return offset;
  }
  index_t size() const { return size_; }

 private:
  index_t size_ = 0;
};

/// A bump allocator over memory that it does not own: how an op divides its scratch block.
class scratch {
 public:
  scratch() = default;
  scratch(std::byte* block, index_t bytes) : block_(block), bytes_(bytes) {}

  /// `count` elements aligned to 64 bytes. Throws if the plan asked for less than is taken (a fault of the op).
  template <class U>
  U* take(index_t count) {
    const index_t want = bytes_for<U>(count);
    if (used_ + want > bytes_) fail("scratch: planned ", bytes_, " bytes, wanted ", used_ + want);
    std::byte* place = block_ + used_;
    used_ += want;
    return reinterpret_cast<U*>(place);
  }

  /// What `take<U>(count)` will use: sum these in `plan`.
  template <class U>
  static index_t bytes_for(index_t count) {
    return (count * static_cast<index_t>(sizeof(U)) + alignment - 1) / alignment * alignment;
  }

 private:
  std::byte* block_ = nullptr;
  index_t bytes_ = 0;
  index_t used_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
