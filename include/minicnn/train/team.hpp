#pragma once
/// Processes that train one network together, as the training loop sees them: mpi.hpp has those that MPI started. Every function
/// that is not const is called by all of them, in the same order.

#include <cstddef>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// An error that all ranks throw at the same place: of one of them, which the text names, or because they differ.
class team_failure : public error {
 public:
  using error::error;
};

/// Large data are counted in lines of 64 bytes, which arenas consist of.
class team {
 public:
  team() = default;
  team(const team&) = delete;
  team& operator=(const team&) = delete;
  virtual ~team() = default;

  virtual index_t rank() const = 0;  ///< of this process, from 0
  virtual index_t size() const = 0;
  /// "rank 2 (host node7)"
  virtual std::string name(index_t rank) const { return text_of("rank ", rank); }
  /// Why no thread but the first may call what follows; empty where any may, one at a time.
  virtual std::string one_thread_only() const { return {}; }

  /// Gives every rank the `bytes` of all ranks, in their order: `all` has room for `size()` times as many. For small data.
  virtual void gather(const void* mine, void* all, index_t bytes) = 0;
  /// Gives every rank the bytes that `root` has.
  virtual void broadcast(void* data, index_t bytes, index_t root) = 0;
  /// Lines [cut[r], cut[r + 1]) of `data` go to rank r, from the ranks i whose `sends[i]` is not 0. What comes from rank i is
  /// written to `pieces`, i times the length of the receiver's own range from its begin; what the others would send is left as it
  /// is.
  virtual void scatter(const void* data, std::span<const index_t> cut, std::span<const char> sends, void* pieces) = 0;
  /// Every rank has lines [cut[rank], cut[rank + 1]) of `data`, and gets the others'.
  virtual void collect(void* data, std::span<const index_t> cut) = 0;
  /// Told before the first step of a training: from now on ranks come to each other within seconds, where before one may have
  /// listed millions of files for all.
  virtual void begin_steps() {}
  /// Ends all processes at once: for errors that the others do not know of.
  [[noreturn]] virtual void end_all(const std::string& why) = 0;

  static constexpr index_t line_bytes = 64, most_ranks = 1024;
};

/// A team that is this process alone.
class team_of_one final : public team {
 public:
  index_t rank() const override { return 0; }
  index_t size() const override { return 1; }
  void gather(const void* mine, void* all, index_t bytes) override { std::memcpy(all, mine, static_cast<std::size_t>(bytes)); }
  void broadcast(void*, index_t, index_t) override {}
  void scatter(const void* data, std::span<const index_t> cut, std::span<const char> sends, void* pieces) override {
    if (sends[0] != 0) std::memcpy(pieces, data, static_cast<std::size_t>(cut[1] * line_bytes));
  }
  void collect(void*, std::span<const index_t>) override {}
  [[noreturn]] void end_all(const std::string& why) override { fail(why); }
};

/// Whether it is so on any rank.
inline bool any_rank(team& ranks, bool here) {
  const char mine = here ? 1 : 0;
  if (ranks.size() == 1) return here;
  if (ranks.size() > team::most_ranks) fail<option_error>("team: ", ranks.size(), " ranks, wanted at most ", team::most_ranks);
  char all[team::most_ranks];  // asked after every step, which allocates nothing
  ranks.gather(&mine, all, 1);
  return std::memchr(all, 1, static_cast<std::size_t>(ranks.size())) != nullptr;
}

/// Every rank's bytes, of whatever length, in order of rank.
MINICNN_COLD inline std::vector<std::string> gather_bytes(team& ranks, std::string_view mine) {
  const auto count = static_cast<std::size_t>(ranks.size());
  const auto length = static_cast<index_t>(mine.size());
  std::vector<index_t> lengths(count), cut(count + 1);
  ranks.gather(&length, lengths.data(), sizeof length);
  for (std::size_t r = 0; r < count; ++r) cut[r + 1] = cut[r] + (lengths[r] + team::line_bytes - 1) / team::line_bytes;
  std::string all(static_cast<std::size_t>(cut[count] * team::line_bytes), '\0');
  const auto place = [&](std::size_t r) { return static_cast<std::size_t>(cut[r] * team::line_bytes); };
  mine.copy(all.data() + place(static_cast<std::size_t>(ranks.rank())), mine.size());
  ranks.collect(all.data(), cut);
  std::vector<std::string> out;
  for (std::size_t r = 0; r < count; ++r) out.push_back(all.substr(place(r), static_cast<std::size_t>(lengths[r])));
  return out;
}

/// Throws on all ranks if `failure` holds something on any of them: team_failure with the text that all have, or with the name of
/// the first rank that failed and its text. A team of one throws what `failure` holds.
MINICNN_COLD inline void fail_together(team& ranks, const std::exception_ptr& failure) {
  if (!any_rank(ranks, failure != nullptr)) return;
  if (ranks.size() == 1) std::rethrow_exception(failure);
  std::string text;
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const std::bad_alloc&) {
    text = "!not enough memory";
  } catch (const std::exception& e) {
    text = std::string("!") + e.what();
  } catch (...) {
    text = "!unknown error";
  }
  const std::vector<std::string> all = gather_bytes(ranks, text);
  bool same = true;
  for (const std::string& one : all) same = same && one == text;
  if (same) throw team_failure(text.substr(1));
  for (std::size_t r = 0; r < all.size(); ++r)
    if (!all[r].empty()) throw team_failure(ranks.name(static_cast<index_t>(r)) + ": " + all[r].substr(1));
}

/// Runs `work` on every rank; an error of one becomes one of all. `work` may call `together` again, and exchange more behind that
/// where it does not throw: ranks that failed before are met there.
template <class F>
void together(team& ranks, const F& work) {
  std::exception_ptr failure;
  try {
    work();
  } catch (const team_failure&) {
    throw;  // all ranks do
  } catch (...) {
    failure = std::current_exception();
  }
  fail_together(ranks, failure);
}

/// Throws team_failure that lists ranks and values if `value` differs from rank to rank.
MINICNN_COLD inline void want_same(team& ranks, std::string_view what, const std::string& value) {
  const std::vector<std::string> all = gather_bytes(ranks, value);
  std::string text;
  bool same = true;
  for (std::size_t r = 0; r < all.size(); ++r) {
    same = same && all[r] == all[0];
    text += (r == 0 ? "" : ", ") + ranks.name(static_cast<index_t>(r)) + ": " + all[r];
  }
  if (!same) throw team_failure(std::string(what) + " is not the same on all ranks: " + text);
}

}  // namespace minicnn::inline MINICNN_ABI
