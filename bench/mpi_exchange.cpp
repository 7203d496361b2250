// Seconds that the exchange of gradients takes between processes, beside MPI_Allreduce of the same size, in turn:
//
//     mpirun -np 2 mpi_exchange [MEGABYTES [SHARDS]]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <minicnn/train/mpi.hpp>
#include <minicnn/train/shard_sum.hpp>
#include <vector>

namespace {

double middle(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  using namespace minicnn;
  mpi_team ranks;
  const index_t elements = (argc > 1 ? std::atoi(argv[1]) : 233) * index_t{1000000} / 64 * 16;
  const index_t shards = argc > 2 ? std::atoi(argv[2]) : ranks.size();
  context ctx;
  ctx.threads = 1;
  shard_sum<float> sum(ranks, shards, elements, ctx);
  aligned_buffer<float> arena(elements), result(elements);
  std::vector<double> ours, theirs;
  for (int turn = 0; turn < 9; ++turn) {
    std::fill(arena.data(), arena.data() + elements, static_cast<float>(ranks.rank() + 1));
    sum.begin(shards);
    for (index_t s = 0; s < range_of_part(shards, ranks.size(), ranks.rank()).size(); ++s) sum.add(arena.data());
    MPI_Barrier(MPI_COMM_WORLD);
    double began = MPI_Wtime();
    sum.finish(arena.data());
    ours.push_back(MPI_Wtime() - began);
    MPI_Barrier(MPI_COMM_WORLD);
    began = MPI_Wtime();
    MPI_Allreduce(arena.data(), result.data(), static_cast<int>(elements), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    theirs.push_back(MPI_Wtime() - began);
  }
  if (ranks.rank() == 0)
    std::printf("%td MB, %td ranks, %td shards: exchange %.1f ms, MPI_Allreduce %.1f ms (medians of 9)\n", elements * 4 / 1000000,
                ranks.size(), shards, 1000 * middle(ours), 1000 * middle(theirs));
}
