#include <fcntl.h>
#include <glob.h>
#include <locale.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <minicnn/core/printable.hpp>
#include <minicnn/files/descriptor.hpp>

#include "platform.hpp"

namespace cli {

std::vector<std::string> system_arguments(int argc, char** argv) { return {argv, argv + argc}; }

std::vector<std::string> paths_matching(const std::string& pattern) {
  // Names are UTF-8 whatever the user's locale. Where the system has none that says so, ? is a byte.
  const locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", locale_t{});
  const locale_t before = uselocale(utf8);
  glob_t found{};
  std::vector<std::string> out;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
  globfree(&found);
  uselocale(before);
  if (utf8 != locale_t{}) freelocale(utf8);
  return out;
}

std::string shell_word(const std::string& word) {
  if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+") == word.npos &&
      !word.empty())
    return word;
  const bool plain = minicnn::printable(word) == word;
  std::string out = plain ? "'" : "$'";
  for (const char c : word) {
    char octal[8];
    std::snprintf(octal, sizeof octal, "\\%03o", static_cast<unsigned>(static_cast<unsigned char>(c)));
    if (plain)
      out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    else
      out += (c >= 0x20 && c < 0x7F && c != '\'' && c != '\\') ? std::string(1, c) : std::string(octal);
  }
  return out + "'";
}

int hold_file(const std::string& path) {
  minicnn::detail::descriptor file(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666));
  if (!file.open()) minicnn::detail::fail_system(path, "write", errno);
  return flock(file.number(), LOCK_EX | LOCK_NB) != 0 ? -1 : file.release();
}

void release_file(int descriptor) { close(descriptor); }

bool process_runs(long number) { return kill(static_cast<pid_t>(number), 0) == 0 || errno != ESRCH; }

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

std::string system_name() {
  utsname system{};
  return uname(&system) == 0
             ? minicnn::text_of(static_cast<const char*>(system.sysname), " ", static_cast<const char*>(system.machine))
             : "";
}

long processors_online() { return sysconf(_SC_NPROCESSORS_ONLN); }

double memory_bytes() { return static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)); }

double peak_mebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace cli
