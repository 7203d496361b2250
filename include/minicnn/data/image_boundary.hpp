#pragma once
/// Between the headers and the one compiled unit that holds the picture decoder: a C interface of plain types.
///
/// The rest of the library carries build flags in its names (version.hpp), so that differently built units never mix. The
/// decoder is compiled once, for instance into an installed `minicnn::image`, and serves programs with any flags: nothing but
/// these types passes between the two, and only the version is in their names.

#include <cstddef>
#include <cstdint>

#include "minicnn/version.hpp"

#define MINICNN_VERSIONED_JOIN_(name, v, w) name##_##v##_##w
#define MINICNN_VERSIONED_JOIN(name, v, w) MINICNN_VERSIONED_JOIN_(name, v, w)
#define MINICNN_VERSIONED(name) MINICNN_VERSIONED_JOIN(name, MINICNN_VERSION_MAJOR, MINICNN_VERSION_MINOR)

extern "C" {

/// What to decode, and where the caller wants to have it. The three functions are called with `caller` as their first argument.
struct MINICNN_VERSIONED(minicnn_image_request) {
  const char* name;  ///< for error texts; the path of the file to read when `bytes` is null
  std::size_t name_length;
  const unsigned char* bytes;  ///< a whole file in memory, or null
  std::size_t byte_count;
  void* caller;
  unsigned char* (*file_memory)(void* caller, std::size_t count);                         ///< room for a file's bytes
  unsigned char* (*pixel_memory)(void* caller, std::int64_t height, std::int64_t width);  ///< room for height * width * 3
  void (*failed)(void* caller, const char* text, std::size_t length);                     ///< why there are no pixels
};

/// Fills the pixels and returns 1. Or says why not and returns 0: it is not a picture that can be read; -1: something else is
/// missing. -2, with nothing said: there is not enough memory.
int MINICNN_VERSIONED(minicnn_decode_image)(const MINICNN_VERSIONED(minicnn_image_request) * request);

}  // extern "C"
