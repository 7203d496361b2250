#pragma once
/// Memory for a decoder written in C: counted against a limit, zeroed, and given back whatever way the decoder is left.

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI::detail {

/// While an object lives, `allocate` and its kin on this thread take memory from it. Blocks still held at the end are freed.
class decoder_memory {
 public:
  /// At most `limit` bytes at a time; beyond that `allocate` returns null, as for any other lack of memory.
  explicit decoder_memory(std::size_t limit) : left_(limit), outer_(current_) { current_ = this; }
  ~decoder_memory() {
    while (first_ != nullptr) release(first_ + 1);
    current_ = outer_;
  }
  decoder_memory(const decoder_memory&) = delete;
  decoder_memory& operator=(const decoder_memory&) = delete;

  /// Zeroed, because a damaged picture may leave parts unwritten, and equal files must give equal pixels.
  static void* allocate(std::size_t bytes) {
    decoder_memory& memory = *current_;
    if (bytes > memory.left_) {
      memory.limit_met_ = true;
      return nullptr;
    }
    auto* b = static_cast<block*>(std::calloc(1, sizeof(block) + bytes));
    if (b == nullptr) {
      memory.exhausted_ = true;
      return nullptr;
    }
    memory.left_ -= bytes;
    b->bytes = bytes;
    b->next = memory.first_;
    if (b->next != nullptr) b->next->previous = b;
    memory.first_ = b;
    return b + 1;
  }

  /// Whether the machine had no memory, which says nothing about the picture.
  bool exhausted() const { return exhausted_; }
  /// Whether more was asked for than the limit allows, which no well-formed picture does.
  bool limit_met() const { return limit_met_; }

  static void* reallocate(void* old, std::size_t bytes) {
    if (old == nullptr) return allocate(bytes);
    void* fresh = allocate(bytes);
    if (fresh == nullptr) return nullptr;
    const std::size_t old_bytes = (static_cast<block*>(old) - 1)->bytes;
    std::memcpy(fresh, old, old_bytes < bytes ? old_bytes : bytes);
    release(old);
    return fresh;
  }

  static void release(void* place) {
    if (place == nullptr) return;
    decoder_memory& memory = *current_;
    block* b = static_cast<block*>(place) - 1;
    (b->previous != nullptr ? b->previous->next : memory.first_) = b->next;
    if (b->next != nullptr) b->next->previous = b->previous;
    memory.left_ += b->bytes;
    std::free(b);
  }

 private:
  struct alignas(std::max_align_t) block {
    block* next;
    block* previous;
    std::size_t bytes;
  };

  static inline thread_local decoder_memory* current_ = nullptr;

  std::size_t left_;
  bool exhausted_ = false, limit_met_ = false;
  block* first_ = nullptr;
  decoder_memory* outer_;
};

}  // namespace minicnn::inline MINICNN_ABI::detail
