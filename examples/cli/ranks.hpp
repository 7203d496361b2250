#pragma once
// Processes that train together: started by mpirun, or by Slurm's srun.

#include <array>
#include <bitset>
#include <functional>
#include <memory>
#include <minicnn/io/json.hpp>
#include <minicnn/train/team.hpp>
#include <string>
#include <vector>

namespace cli {

/// On all processes but the first: what is written to standard output and standard error from now on goes nowhere, so that
/// everything is told once. Which process this is comes from the launcher's variables in the environment.
void silence_other_ranks();

/// The processes that were started together with this one; null if there are none. `stall_limit`: minutes after which a process
/// that is waited for ends all of them. Throws usage_error if this program is without MPI, or MPI does not know of the others.
std::unique_ptr<minicnn::team> join_ranks(double stall_limit);

/// All use the least instruction set of theirs afterwards. Throws team_failure if they are of different versions, or built by
/// another compiler or for another level of optimisation.
void agree_on_machine(minicnn::team& ranks);

/// "on" or "off" of `asked`, which may be "auto", and is "off" on one host and where MPI does not allow it, which is told. Throws
/// team_failure where ranks were told different things, or "on" is not allowed.
std::string choose_overlap(minicnn::team& ranks, const std::string& asked, bool one_host);

/// `together` of train/team.hpp, where options may be misused: a usage_error of one rank becomes one of all.
void together_as_asked(minicnn::team& ranks, const std::function<void()>& work);

/// How many of them, this one included, run on a machine of the same name. All ranks ask at the same time.
int ranks_on_this_host(minicnn::team& ranks);

/// What a rank computes on: processors that its mask leaves it, none where they are not known.
struct rank_place {
  std::array<char, 64> host{};
  std::bitset<1024> processors;
};

/// Threads for all[me], of `available`: an equal share where ranks of its host have processors of its own in their masks.
int threads_of_rank(const std::vector<rank_place>& all, std::size_t me, int available);

/// Threads for this process: those that were `asked` for, if not 0, or as OMP_NUM_THREADS says, or its share, of which it tells
/// once, on rank 0.
int share_of_threads(minicnn::team& ranks, int asked, bool quiet);

/// Throws team_failure naming the first member that is not the same on all ranks, with ranks and values.
void want_same_members(minicnn::team& ranks, const std::string& what, const minicnn::json& members);

/// For an error that the others do not know of: says it, whichever rank this is, and ends all.
[[noreturn]] void end_all_ranks(minicnn::team& ranks, const std::string& why);

}  // namespace cli
