#include "ranks.hpp"

#include <fcntl.h>
#include <unistd.h>
#if defined(__linux__)
#include <sched.h>
#endif

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <minicnn/core/context.hpp>
#include <minicnn/core/printable.hpp>
#include <set>
#include <string_view>
#include <vector>

#if defined(MINICNN_WITH_MPI)
#include <minicnn/train/mpi.hpp>
#endif

#include "alike_names.hpp"
#include "commands.hpp"
#include "messages.hpp"
#include "path_json.hpp"
#include "platform.hpp"

namespace cli {

using minicnn::fail;
using minicnn::team;
using minicnn::text_of;

namespace {

#define MINICNN_TEXT_OF(name) #name
#define MINICNN_TEXT_OF_VALUE(name) MINICNN_TEXT_OF(name)
#if !defined(MINICNN_BUILD_FLAGS)
#define MINICNN_BUILD_FLAGS ""
#endif
#if defined(__clang__)
#define MINICNN_COMPILER __VERSION__
#else
#define MINICNN_COMPILER "g++ " __VERSION__
#endif
/// What decides how the compiler rounds. libm is not in it.
constexpr const char* build_name = MINICNN_TEXT_OF_VALUE(MINICNN_ABI) ", " MINICNN_COMPILER ", " MINICNN_BUILD_FLAGS;

[[maybe_unused]] int loud = STDERR_FILENO;  // standard error as it was given to us

/// A count in the environment; `otherwise` where there is none.
int variable(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr) return otherwise;
  const std::string_view all(text);
  int value = otherwise;
  std::from_chars(all.data(), all.data() + all.size(), value);
  return value;
}

/// Open MPI's, MPICH's and what else speaks PMI, and Slurm's, whose own apply to a step of several tasks alone.
int launched(const char* mpi, const char* pmi, const char* slurm, int otherwise) {
  const int of_slurm = variable("SLURM_STEP_NUM_TASKS", 1) > 1 ? variable(slurm, otherwise) : otherwise;
  return variable(mpi, variable(pmi, of_slurm));
}
[[maybe_unused]] int launched_rank() { return launched("OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID", 0); }
int launched_size() { return launched("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", 1); }

#if defined(MINICNN_WITH_MPI)
void say_loudly(const std::string& text) {
  const std::string line = "minicnn: " + minicnn::printable(text) + "\n";
  if (write(loud, line.data(), line.size()) < 0) return;  // nobody is there to be told
}
#endif

}  // namespace

/// Kernels of other instruction sets round differently, and so do those of another compiler or of -O3.
void agree_on_machine(team& ranks) {
  want_same_members(ranks, "minicnn", {{"version", minicnn::version_string}});  // first: another may compare other things
  want_same_members(ranks, "minicnn", {{"build", build_name}});
  int mine = 0;
  together(ranks, [&] { mine = static_cast<int>(minicnn::default_isa()); });
  std::vector<int> all(static_cast<std::size_t>(ranks.size()));
  ranks.gather(&mine, all.data(), sizeof mine);
  const int least = *std::min_element(all.begin(), all.end()), most = *std::max_element(all.begin(), all.end());
  if (least == most) return;
  const std::string name(minicnn::name_of(static_cast<minicnn::isa>(least)));
#if !defined(_WIN32)
  setenv("MINICNN_ISA", name.c_str(), 1);
#endif
  warn("the instruction set is " + name + ", the least that a rank has; some have " +
       std::string(minicnn::name_of(static_cast<minicnn::isa>(most))));
}

void silence_other_ranks() {
#if !defined(_WIN32)
  const int rank = launched_rank();  // one that a shell has inherited names no rank of this run
  if (rank <= 0 || rank >= launched_size()) return;
  loud = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  dup2(nowhere, STDOUT_FILENO);
  dup2(nowhere, STDERR_FILENO);
  close(nowhere);
#endif
}

#if defined(MINICNN_WITH_MPI)
std::unique_ptr<team> join_ranks(double stall_limit) {
  const int size = launched_size();
  if (size <= 1) return nullptr;
  minicnn::mpi_options o;
  o.stall_limit = 60 * stall_limit;
  o.warn_after = (std::min)(60.0, o.stall_limit / 2);
  o.tell = say_loudly;
  auto ranks = std::make_unique<minicnn::mpi_team>(o);
  const minicnn::index_t known = ranks->size();
  if (known == size) return ranks;
  ranks.reset();
  throw usage_error(text_of(size, " processes were started, but MPI knows of ", known,
                            ": this program's MPI and the launcher are not the same (with Slurm: srun --mpi=pmix, or mpirun)"));
}
#else
std::unique_ptr<team> join_ranks(double) {
  const int size = launched_size();
  if (size > 1) throw usage_error(text_of(size, " processes were started, but this program was built without MPI"));
  return nullptr;
}
#endif

std::string choose_overlap(team& ranks, const std::string& asked, bool one_host) {
  want_same_members(ranks, "the call", {{"overlap", asked}});  // it cuts what is exchanged
  if (asked == "off" || (asked == "auto" && one_host)) return "off";
  try {
    together(ranks, [&] {
      if (const std::string why = ranks.one_thread_only(); !why.empty()) fail("--overlap ", asked, ": ", why);
    });
  } catch (const minicnn::team_failure& e) {
    if (asked == "on") throw;
    warn(text_of(e.what(), "; it is off"));
    return "off";
  }
  return "on";
}

void together_as_asked(team& ranks, const std::function<void()>& work) {
  bool misused = false;
  try {
    together(ranks, [&] {
      try {
        work();
      } catch (const usage_error&) {
        misused = true;
        throw;
      }
    });
  } catch (const minicnn::team_failure& e) {
    if (any_rank(ranks, misused)) throw usage_error(e.what());
    throw;
  }
}

int ranks_on_this_host(team& ranks) {
  const std::string mine = host_name();
  const std::vector<std::string> all = gather_bytes(ranks, mine);
  return static_cast<int>(std::count(all.begin(), all.end(), mine));
}

int threads_of_rank(const std::vector<rank_place>& all, std::size_t me, int available) {
  const rank_place& mine = all[me];
  int sharing = 0;
  for (const rank_place& p : all) {
    const bool known = p.processors.any() && mine.processors.any();
    sharing += p.host == mine.host && (!known || (p.processors & mine.processors).any());
  }
  return (std::max)(1, available / sharing);
}

#if defined(__linux__)
int share_of_threads(team& ranks, int asked, bool quiet) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  sched_getaffinity(0, sizeof mask, &mask);  // fails where there are more processors than it has room for
  rank_place mine;
  for (std::size_t i = 0; i < mine.processors.size(); ++i) mine.processors[i] = CPU_ISSET(i, &mask) != 0;
  host_name().copy(mine.host.data(), mine.host.size() - 1);
  std::vector<rank_place> all(static_cast<std::size_t>(ranks.size()));
  ranks.gather(&mine, all.data(), sizeof mine);
  if (asked != 0) return asked;
  std::set<std::array<char, 64>> hosts;
  int here = 0;
  for (const rank_place& p : all) hosts.insert(p.host), here += p.host == mine.host;
  const int available = minicnn::resolve_threads(0);
  const bool given = std::getenv("OMP_NUM_THREADS") != nullptr;
  const int threads = given ? available : threads_of_rank(all, static_cast<std::size_t>(ranks.rank()), available);
  if (!quiet)
    std::fprintf(stderr, "%d ranks on %zu host%s; rank 0 has %d threads\n", static_cast<int>(ranks.size()), hosts.size(),
                 hosts.size() == 1 ? "" : "s", threads);
  const long processors = processors_online();
  if (!given && mine.processors.count() == 1 && processors > here)
    warn(text_of("ranks are bound to 1 of ", static_cast<int>(processors),
                 " processors: mpirun --bind-to none lets them use all"));
  return threads;
}
#else
int share_of_threads(team&, int asked, bool) { return minicnn::resolve_threads(asked); }
#endif

namespace {

/// The texts of a JSON array; nothing for what is none.
std::vector<std::string> texts_in(const std::string& text) {
  std::vector<std::string> names;
  try {
    const minicnn::json list = minicnn::parse_json(text);
    for (const minicnn::json& name : list.as_array()) names.push_back(name.as_string());
  } catch (const minicnn::error&) {
    return {};
  }
  return names;
}

}  // namespace

void want_same_members(team& ranks, const std::string& what, const minicnn::json& members) {
  std::string mine;
  for (const auto& [name, value] : flat_members(members)) mine += name + '\0' + value + '\0';
  struct holders {
    std::string names;
    std::size_t count = 0;
  };
  std::map<std::string, std::map<std::string, holders>> ranks_by_value;  // of each member
  const std::vector<std::string> all = gather_bytes(ranks, mine);
  for (std::size_t r = 0; r < all.size(); ++r) {
    std::string_view rest = all[r];
    const auto word = [&] {
      const std::size_t end = rest.find('\0');
      const std::string_view text = rest.substr(0, end);
      rest.remove_prefix(end + 1);
      return text;
    };
    while (!rest.empty()) {
      const std::string name(word()), value(word());
      holders& h = ranks_by_value[name][value];
      h.names += (h.count++ == 0 ? "" : ", ") + ranks.name(static_cast<minicnn::index_t>(r));
    }
  }
  for (const auto& [name, values] : ranks_by_value) {
    std::size_t said = 0;
    std::string text = what + ": " + name + " is not the same on all ranks";
    for (const auto& [value, h] : values) {
      said += h.count;
      text += "; " + h.names + ": " + minicnn::excerpt(value);
    }
    if (values.size() == 2)  // lists of names that look the same
      text += in_code_points(texts_in(values.begin()->first), values.begin()->second.names, texts_in(values.rbegin()->first),
                             values.rbegin()->second.names);
    if (values.size() > 1 || said != all.size()) throw minicnn::team_failure(text);
  }
}

void end_all_ranks(team& ranks, const std::string& why) {
  ranks.end_all(why);
  std::abort();  // not reached; g++ does not see it of a virtual function
}

}  // namespace cli
