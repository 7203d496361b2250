#define NOMINMAX
#define WIN32_LEAN_AND_MEAN
#include <fcntl.h>
#include <io.h>
#include <share.h>
#include <sys/stat.h>
// Before the others that need it.
#include <windows.h>

#include <psapi.h>
#include <shellapi.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/files/descriptor.hpp>
#include <string_view>

#include "paths.hpp"
#include "platform.hpp"
#include "standard_descriptors.hpp"

namespace cli {

namespace {

/// Whether `name` fits a pattern of *, ? and other characters, by the system's rule for letters of both cases.
bool fits(std::wstring_view pattern, std::wstring_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == L'*') return fits(pattern.substr(1), name) || (!name.empty() && fits(pattern, name.substr(1)));
  if (name.empty()) return false;
  if (pattern[0] == L'?') return fits(pattern.substr(1), name.substr(name.size() > 1 && IS_HIGH_SURROGATE(name[0]) ? 2 : 1));
  return CompareStringOrdinal(&pattern[0], 1, &name[0], 1, TRUE) == CSTR_EQUAL && fits(pattern.substr(1), name.substr(1));
}

}  // namespace

/// The console shows UTF-8 and understands colours; what goes to a file or pipe has the bytes that it has on other systems.
void open_standard_descriptors() {
  SetConsoleOutputCP(CP_UTF8);
  for (const DWORD stream : {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE}) {
    DWORD mode = 0;
    const HANDLE handle = GetStdHandle(stream);
    if (GetConsoleMode(handle, &mode)) SetConsoleMode(handle, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING);
  }
  for (const int number : {0, 1, 2}) _setmode(number, _O_BINARY);
}

std::vector<std::string> system_arguments(int argc, char** argv) {
  int count = 0;
  wchar_t** const words = CommandLineToArgvW(GetCommandLineW(), &count);
  if (words == nullptr) return {argv, argv + argc};
  std::vector<std::string> out;
  for (int i = 0; i < count; ++i) out.push_back(path_text(words[i]));
  LocalFree(words);
  return out;
}

std::vector<std::string> paths_matching(const std::string& pattern) {
  const std::size_t slash = pattern.find_last_of('/');
  const std::string folder = slash == pattern.npos ? "" : pattern.substr(0, slash + 1);
  const std::wstring last = system_path(pattern.substr(folder.size())).native();
  std::vector<std::string> out;
  std::error_code failed;
  for (std::filesystem::directory_iterator entry(system_path(folder.empty() ? "." : folder), failed), end;
       !failed && entry != end; entry.increment(failed))
    if (const auto name = entry->path().filename(); fits(last, name.native())) out.push_back(folder + path_text(name));
  return out;
}

std::string shell_word(const std::string& word) {
  if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+") == word.npos &&
      !word.empty())
    return word;  // no comma: PowerShell makes two words there
  std::string out;
  for (const char c : minicnn::printable(word)) out += c == '"' ? std::string("\\\"") : std::string(1, c);
  return '"' + out + '"';
}

int hold_file(const std::string& path) {
  int number = -1;
  const int problem =
      _wsopen_s(&number, system_path(path).c_str(), _O_CREAT | _O_RDWR | _O_NOINHERIT, _SH_DENYRW, _S_IREAD | _S_IWRITE);
  if (problem == 0) return number;
  if (GetLastError() == ERROR_SHARING_VIOLATION) return -1;
  minicnn::detail::fail_system(path, "write", problem);
}

void release_file(int descriptor) { _close(descriptor); }

bool process_runs(long number) {
  const HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(number));
  if (process == nullptr) return GetLastError() != ERROR_INVALID_PARAMETER;
  DWORD code = 0;
  const bool runs = !GetExitCodeProcess(process, &code) || code == STILL_ACTIVE;
  CloseHandle(process);
  return runs;
}

std::string host_name() {
  wchar_t name[256] = L"";
  DWORD size = 256;
  return GetComputerNameExW(ComputerNameDnsHostname, name, &size) ? path_text(name) : "";
}

std::string system_name() { return "Windows x86_64"; }

long processors_online() { return static_cast<long>(GetActiveProcessorCount(ALL_PROCESSOR_GROUPS)); }

double memory_bytes() {
  MEMORYSTATUSEX status{};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<double>(status.ullTotalPhys) : 0;
}

double peak_mebibytes() {
  PROCESS_MEMORY_COUNTERS counters{};
  return K32GetProcessMemoryInfo(GetCurrentProcess(), &counters, sizeof counters)
             ? static_cast<double>(counters.PeakWorkingSetSize) / 1048576
             : 0;
}

}  // namespace cli
