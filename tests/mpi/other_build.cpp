// The program as one of another build or on another machine: MINICNN_TEST_OTHER="unit=AMX" has it tell the others that its
// "unit", where it is asked for one, is "AMX", and with "level=FUNNELED" MPI grants it no more than that.
#include <cstdlib>
#include <minicnn/train/team.hpp>
#include <string>
#include <vector>

namespace minicnn::inline MINICNN_ABI {

/// Of texts that consist of names and values, each with a 0 behind it.
inline std::vector<std::string> gather_other(team& ranks, std::string mine) {
  const std::string other = std::getenv("MINICNN_TEST_OTHER");
  const std::string name = other.substr(0, other.find('=')) + '\0', value = other.substr(other.find('=') + 1) + '\0';
  const std::size_t at = ('\0' + mine).find('\0' + name);
  if (at != std::string::npos) {
    const std::size_t begin = at + name.size(), end = mine.find('\0', begin) + 1;
    if (end - begin > 1) mine.replace(begin, end - begin, value);
  }
  return gather_bytes(ranks, mine);
}

}  // namespace minicnn::inline MINICNN_ABI

#define gather_bytes gather_other
#include "ranks.cpp"

extern "C" int MPI_Init_thread(int* count, char*** words, int level, int* granted) {
  const bool lower = std::getenv("MINICNN_TEST_OTHER") == std::string("level=FUNNELED");
  return PMPI_Init_thread(count, words, lower ? MPI_THREAD_FUNNELED : level, granted);
}
