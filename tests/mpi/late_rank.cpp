// Rank 1 comes two seconds late, four stall limits: `late_rank [stepping]`, by two ranks. Before the first step that is waited
// for.
#include <chrono>
#include <cstdio>
#include <thread>

#include "minicnn/train/mpi.hpp"

int main(int argc, char**) {
  minicnn::mpi_team ranks({.warn_after = 0.2, .stall_limit = 0.5, .tell = [](const std::string& text) {
                             std::fprintf(stderr, "%s\n", text.c_str());
                           }});
  if (argc > 1) ranks.begin_steps();
  if (ranks.rank() == 1) std::this_thread::sleep_for(std::chrono::seconds(2));
  if (!any_rank(ranks, false) && ranks.rank() == 0) std::puts("all are here");
}
