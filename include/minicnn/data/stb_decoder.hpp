#pragma once
/// stb_image.h as a private part of the unit that includes this: two decoders, no files, no asserts, memory that is
/// counted. Everything sits in an unnamed namespace, and the user's stb macros are set aside, so that the same unit may
/// hold the user's own copy of stb, with other settings, before or after.

// What stb_image.h includes must be known before it is read inside a namespace.
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "minicnn/core/error.hpp"
#include "minicnn/data/decoder_memory.hpp"

// Warnings about stb's code are not the user's business.
#if defined(__GNUC__)
#pragma GCC system_header
#endif

#include "minicnn/data/stb_macros_save.inc"

#define STB_IMAGE_IMPLEMENTATION
#define STBIDEF extern "C++"  // undoes stb's extern "C", under which equal names are one function in any namespace
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS (1 << 20)
#define STBI_ASSERT(x) ((x) ? (void)0 : fail("stb_image.h: ", #x, " does not hold"))
#define STBI_MALLOC(size) decoder_memory::allocate(size)
#define STBI_REALLOC(block, size) decoder_memory::reallocate(block, size)
#define STBI_FREE(block) decoder_memory::release(block)

namespace minicnn::inline MINICNN_ABI::detail {
namespace {
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#elif __has_include(<stb_image.h>)
#include <stb_image.h>
#else
#error "minicnn: the picture decoder needs stb_image.h (Debian, Ubuntu: libstb-dev; or https://github.com/nothings/stb)"
#endif
}  // namespace
}  // namespace minicnn::inline MINICNN_ABI::detail

#include "minicnn/data/stb_macros_restore.inc"
