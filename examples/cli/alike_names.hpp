#pragma once
// Names that people take for the same one.

#include <string>
#include <vector>

namespace cli {

/// `name` as it is remembered: small letters without accents, in one way of writing them (macOS writes letters and accents
/// apart), one underscore for spaces and hyphens, none at the ends.
std::string remembered(const std::string& name);

/// Warns of classes that are called alike, which are most often one class twice: "Cat" and "cat", "cat" and "cat ".
void warn_of_alike_names(const std::string& root, const std::vector<std::string>& names);

}  // namespace cli
