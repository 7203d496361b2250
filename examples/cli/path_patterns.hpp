#pragma once
// Paths as people give them: patterns in quotes, and a list on standard input.

#include <istream>
#include <string>
#include <vector>

namespace cli {

/// `paths` with what stands for several of them replaced, in the order given: "-" by the lines of `input` (read once; empty lines
/// are none, a byte order mark and a carriage return at the end are dropped), and a path that does not exist and has one of * ? [
/// by the files and folders that it matches as in a shell, in natural order, hidden ones left out. A pattern without a match goes
/// to `problems` as "path: reason". Lines of `input` are taken as they are. Throws file_error if it is UTF-16.
std::vector<std::string> expand_paths(const std::vector<std::string>& paths, std::istream& input,
                                      std::vector<std::string>& problems);

}  // namespace cli
