#pragma once
// The page that serve shows.

#include <cstdint>
#include <string>

#include "weights.hpp"

namespace cli {

/// One self-contained page: photos are dropped, chosen or pasted, go to POST /predict one by one, and come back with class,
/// probabilities and Grad-CAM. Photos of more than `max_bytes` are not sent.
std::string serve_page(const model_info& info, std::int64_t max_bytes);

}  // namespace cli
