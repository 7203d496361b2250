#pragma once
// Names that people take for the same one.

#include <string>
#include <vector>

namespace cli {

/// `name` as it is remembered: small letters without accents, in one way of writing them (macOS writes letters and accents
/// apart), one underscore for spaces and hyphens, none at the ends, nothing for characters that are not seen.
std::string remembered(const std::string& name);

/// Warns of classes that are called alike, which are most often one class twice: "Cat" and "cat", "cat" and "cat ",
/// also where the blank is one of Unicode's or a character that takes no room.
void warn_of_alike_names(const std::string& root, const std::vector<std::string>& names);

/// The names of `from` that are not in `in`.
std::vector<std::string> missing_names(const std::vector<std::string>& from, const std::vector<std::string>& in);

/// In brackets, which of the names that are in `some` alone is in `others` alone with its accents written in the other way (an e
/// with an accent is one code point or two), both as escaped code points with the places that the lists are from; or nothing.
std::string composition_difference(const std::vector<std::string>& some, const std::string& where,
                                   const std::vector<std::string>& others, const std::string& where_others);

/// The same, or all names that are in one list alone where some are not plain ASCII and so may look like others: for every
/// message that two lists of names differ.
std::string in_code_points(const std::vector<std::string>& some, const std::string& where, const std::vector<std::string>& others,
                           const std::string& where_others);

}  // namespace cli
