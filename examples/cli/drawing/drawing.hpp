#pragma once
/// `minicnn generate`: drawn pictures of cats and dogs, to train on where no photographs are at hand.
///
/// Cats and dogs differ in the shapes of ears, muzzle, eyes, whiskers, limbs and tail and in nothing else: a picture's
/// place, light, pose, size, coat and colours come from random numbers that do not know the species.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "animal.hpp"
#include "minicnn/core/random.hpp"
#include "minicnn/core/shape.hpp"

namespace drawing {

/// 8-bit RGB, row by row from the top.
struct picture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
};

/// Draws one picture, 136 to 184 pixels wide and high. Equal keys give the same scene, pose and coat for both species.
picture draw_picture(species kind, minicnn::random_key key);

/// The bytes of a baseline JPEG file. `quality`: 1 to 100.
std::vector<std::uint8_t> jpeg_bytes(const picture& p, int quality);

/// Told how many of `images` are written, from one thread at a time and in rising order; returning false stops.
using generate_progress = std::function<bool(minicnn::index_t done, minicnn::index_t images)>;

/// Draws `images` pictures into `folder` (made with its parents where missing) as cat.0.jpg, dog.0.jpg, cat.1.jpg, ...:
/// half of them cats, one more where `images` is odd. Picture number i depends on `seed` and i alone, so more images or
/// other threads change nothing in the ones before. Each file is written under a temporary name and renamed.
/// Returns the number of pictures written: less than `images` only if `progress` stopped it.
///
/// Throws minicnn::option_error for images < 1, an empty name, and a `folder` that already holds a cat.N.jpg or dog.N.jpg,
/// whatever N: neither overwritten nor mixed with another seed's pictures. Other files there are left alone. Throws
/// minicnn::file_error where `folder` cannot be made or a file cannot be written. `threads`: 0 means all.
minicnn::index_t generate_images(const std::string& folder, minicnn::index_t images, std::uint64_t seed,
                                 const generate_progress& progress = {}, int threads = 0);

}  // namespace drawing
