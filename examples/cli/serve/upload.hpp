#pragma once
// The pictures that a request brings, within the limits.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "prediction_service.hpp"
#include "refusal.hpp"

namespace cli {

constexpr std::int64_t megabyte = 1 << 20, megapixel = 1'000'000;

struct upload_limits {
  int max_size = 10;             ///< MB of one picture
  int max_files = 16;            ///< in one request
  int max_pixels = 50;           ///< millions, of one picture
  int max_request_pixels = 200;  ///< millions, of all pictures of a request
};

/// The pictures in the body of a request: it is one itself, called `name`, or a form of files. They lie in `body`. Throws
/// refusal: 400 for a damaged form and for no picture, 413 beyond the limits.
std::vector<uploaded_picture> uploaded_pictures(std::string_view body, std::string_view content_type, const std::string& name,
                                                const upload_limits& limits);

}  // namespace cli
