#include "train_together.hpp"

#include <memory>
#include <minicnn/train/team.hpp>
#include <new>

#include "commands.hpp"
#include "fine_tuning.hpp"
#include "messages.hpp"
#include "ranks.hpp"
#include "run_folder.hpp"

namespace cli {

namespace {

using minicnn::index_t;

/// Shards are a part of the recipe: given, those of the run that is resumed, or one for each process.
recipe with_shards(const train_options& o, recipe r, index_t ranks) {
  const minicnn::json recorded = o.resume ? recorded_recipe(o.out) : minicnn::json::object{};
  if (!o.overrides.shards) r.shards = o.resume ? static_cast<int>(recorded.value_or("shards", 1.0)) : static_cast<int>(ranks);
  if (!o.overrides.wire) r.wire = recorded.value_or("wire", "fp32");
  if (r.shards < ranks)
    minicnn::fail<minicnn::option_error>("--shards ", r.shards, o.overrides.shards ? "" : " of the run",
                                         ": wanted at most so many processes, got ", ranks);
  check_shards(r);
  if (r.wire != "fp32" && r.shards == 1)
    minicnn::fail<minicnn::option_error>("--wire ", r.wire, ": wanted at least 2 --shards or processes, got 1");
  return r;
}

int train_together(minicnn::team& ranks, train_options o, recipe r) {
  try {
    std::unique_ptr<training> run;
    agree_on_machine(ranks);
    want_same_members(ranks, "the run folder", {{"last.safetensors to resume", o.resume && is_saved(o.out)}});
    o.ranks_here = ranks_on_this_host(ranks);
    o.overlap = choose_overlap(ranks, o.overlap, o.ranks_here == ranks.size());
    o.threads = share_of_threads(ranks, o.threads, o.quiet);
    o.command = minicnn::text_of("mpirun -np ", ranks.size(), " ", o.command);
    try {
      together_as_asked(ranks, [&] {
        r = with_shards(o, std::move(r), ranks.size());
        if (r.keep_hardest < 1)  // each process sees the losses of its own pictures alone
          minicnn::fail<minicnn::option_error>("--keep-hardest ", r.keep_hardest, ": wanted one process, got ", ranks.size());
        run = std::make_unique<training>(o, std::move(r), &ranks);
      });
    } catch (const usage_error& e) {  // of all ranks, where one that is thrown later is of its own
      say(e.what());
      return exit_usage;
    }
    return run->run();
  } catch (const minicnn::team_failure& e) {  // all ranks are here
    say(e.what());
    return exit_failed;
  } catch (const std::bad_alloc&) {
    end_all_ranks(ranks, "not enough memory");
  } catch (const std::exception& e) {
    end_all_ranks(ranks, e.what());
  }
}

}  // namespace

int train(const train_options& o, const recipe& r) {
  const std::unique_ptr<minicnn::team> ranks = join_ranks(o.stall_limit);
  if (ranks != nullptr) return train_together(*ranks, o, r);
  if (o.overlap == "on") warn("--overlap: has no effect in one process");
  return training(o, with_shards(o, r, 1)).run();
}

}  // namespace cli
