#pragma once
// What the program asks of the system and C++ does not have: platform_posix.cpp, platform_windows.cpp.

#include <string>
#include <vector>

namespace cli {

/// The arguments in UTF-8, with '/' between folders on Windows, where '\' is the same.
std::vector<std::string> system_arguments(int argc, char** argv);

/// The existing paths that a shell's pattern (*, ?, [) stands for, in no order; ? is a character of any length. Windows' shells
/// leave it to programs, and here to know * and ? in a path's last part, where letters are the same in both cases.
std::vector<std::string> paths_matching(const std::string& pattern);

/// A word of a command line, quoted where shells want it, with nothing that a terminal obeys: for bash, or for cmd and
/// PowerShell.
std::string shell_word(const std::string& word);

/// A descriptor that holds `path`, made if it is not there, for this process alone until it is closed. Throws file_error;
/// -1: another process holds it.
int hold_file(const std::string& path);
void release_file(int descriptor);

bool process_runs(long number);
std::string host_name();
std::string system_name();  ///< and the processor's kind: "Linux x86_64"
long processors_online();
double memory_bytes();    ///< that the machine has
double peak_mebibytes();  ///< the most memory that the process has had

}  // namespace cli
