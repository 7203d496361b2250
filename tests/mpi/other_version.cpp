// What the handshake of ranks compares, as another version of the program has it.
#include <minicnn/version.hpp>

namespace minicnn::inline MINICNN_ABI {
inline constexpr const char* other_version = "0.0.9";
}
#define version_string other_version
#include "ranks.cpp"
