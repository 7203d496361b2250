#pragma once
/// Arithmetic without denormal numbers.

#include <cstdint>

#include "minicnn/version.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Flushes denormal results and inputs to zero on this thread while it lives, then restores the caller's setting.
/// Denormal operands slow x86 arithmetic by a factor of 100; Adam's decaying moments produce them by themselves.
class flush_denormals {
 public:
  flush_denormals() {
#if defined(__x86_64__) && defined(__GNUC__)
    saved_ = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(saved_ | 0x8040U);  // FTZ | DAZ
#elif defined(__aarch64__) && defined(__GNUC__)
    std::uint64_t fpcr = 0;
    asm volatile("mrs %0, fpcr" : "=r"(fpcr));
    saved_ = fpcr;
    fpcr |= std::uint64_t{1} << 24;  // FZ
    asm volatile("msr fpcr, %0" : : "r"(fpcr));
#endif
  }
  ~flush_denormals() {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_ia32_ldmxcsr(saved_);
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("msr fpcr, %0" : : "r"(saved_));
#endif
  }
  flush_denormals(const flush_denormals&) = delete;
  flush_denormals& operator=(const flush_denormals&) = delete;

 private:
#if defined(__aarch64__)
  std::uint64_t saved_ = 0;
#else
  unsigned saved_ = 0;
#endif
};

}  // namespace minicnn::inline MINICNN_ABI
