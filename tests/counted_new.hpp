#pragma once
// Counts what a whole program asks of `operator new`, on all threads. It replaces the operators, so one file of a program
// includes it.
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(_WIN32)
#include <malloc.h>
#endif

namespace counted_new {
inline std::atomic<long> allocations{0};
inline std::atomic<std::size_t> largest{0};  // bytes

inline void* allocate(std::size_t bytes, std::size_t align) noexcept {
  allocations += 1;
  for (std::size_t seen = largest; seen < bytes && !largest.compare_exchange_weak(seen, bytes);) {
  }
#if defined(_WIN32)
  return _aligned_malloc(bytes, align);
#else
  return std::aligned_alloc(align, (bytes + align - 1) / align * align);
#endif
}
inline void release(void* p) noexcept {
#if defined(_WIN32)
  _aligned_free(p);
#else
  std::free(p);
#endif
}
inline void* allocate_or_throw(std::size_t bytes, std::size_t align) {
  void* block = allocate(bytes, align);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
inline constexpr std::size_t plain = alignof(std::max_align_t);
}  // namespace counted_new

// Not inlined: g++ would see free() given what it takes for the address of a plain operator new. All forms, since the address
// sanitizer wants each new's own delete.
#define MINICNN_TEST_NEW [[gnu::noinline]] void*
#define MINICNN_TEST_DELETE [[gnu::noinline]] void
MINICNN_TEST_NEW operator new(std::size_t n) { return counted_new::allocate_or_throw(n, counted_new::plain); }
MINICNN_TEST_NEW operator new[](std::size_t n) { return counted_new::allocate_or_throw(n, counted_new::plain); }
MINICNN_TEST_NEW operator new(std::size_t n, std::align_val_t a) { return counted_new::allocate_or_throw(n, std::size_t(a)); }
MINICNN_TEST_NEW operator new[](std::size_t n, std::align_val_t a) { return counted_new::allocate_or_throw(n, std::size_t(a)); }
MINICNN_TEST_NEW operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return counted_new::allocate(n, counted_new::plain);
}
MINICNN_TEST_NEW operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return counted_new::allocate(n, counted_new::plain);
}
MINICNN_TEST_NEW operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return counted_new::allocate(n, std::size_t(a));
}
MINICNN_TEST_NEW operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return counted_new::allocate(n, std::size_t(a));
}
MINICNN_TEST_DELETE operator delete(void* p) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete[](void* p) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete(void* p, std::size_t) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete[](void* p, std::size_t) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete(void* p, std::align_val_t) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete[](void* p, std::align_val_t) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete(void* p, std::size_t, std::align_val_t) noexcept { counted_new::release(p); }
MINICNN_TEST_DELETE operator delete[](void* p, std::size_t, std::align_val_t) noexcept { counted_new::release(p); }
#undef MINICNN_TEST_NEW
#undef MINICNN_TEST_DELETE
