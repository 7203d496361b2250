#pragma once
// Who computes next. Pictures of ordinary size never wait behind a row of huge ones: those go one after the other, in turn with
// the ordinary ones or beside them, and have together no more pixels than may be decoded at a time. Nor do they wait behind a
// row of those that are to be explained, which takes several times as long: one of these at a time, in turn with the others.

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace cli {

/// Seats at the machine, for pictures one at a time. Within their kind, ordinary, explained or large, callers are served in the
/// order in which they came.
class turns {
 public:
  /// Pictures above this are large: what takes a few hundred milliseconds instead of a few.
  static constexpr std::int64_t ordinary_pixels = 4'000'000;

  enum kind { ordinary, explained, large };

  /// `most` bounds the pixels of large pictures that are held at the same time; a larger one comes when no other is held.
  turns(int seats, std::int64_t most) : seats_(seats), most_(most), left_(most) {
    for (int i = 0; i < seats; ++i) free_.push_back(i);
  }

  /// Holds a seat as long as it lives; waits until there is one for this picture.
  class turn {
   public:
    turn(turns& all, std::int64_t pixels, bool explain = false)
        : all_(all),
          kind_(pixels > ordinary_pixels ? large
                : explain                ? explained
                                         : ordinary),
          pixels_(kind_ == large ? (std::min)(pixels, all.most_) : 0) {
      std::unique_lock lock(all_.mutex_);
      std::deque<std::uint64_t>& row = all_.rows_[kind_];
      const std::uint64_t mine = all_.next_++;
      row.push_back(mine);
      all_.changed_.wait(lock, [&] { return row.front() == mine && all_.may_go(kind_, pixels_); });
      row.pop_front();
      seat_ = all_.free_.back();
      all_.free_.pop_back();
      all_.left_ -= pixels_;
      all_.held_[kind_] += 1;
      all_.last_was_large_ = kind_ == large;
      if (kind_ != large) all_.last_was_explained_ = kind_ == explained;
      all_.changed_.notify_all();
    }
    ~turn() {
      {
        const std::lock_guard lock(all_.mutex_);
        all_.free_.push_back(seat_);
        all_.left_ += pixels_;
        all_.held_[kind_] -= 1;
      }
      all_.changed_.notify_all();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    int seat() const { return seat_; }

   private:
    turns& all_;
    kind kind_;
    std::int64_t pixels_;
    int seat_ = 0;
  };

 private:
  /// Of several seats one is kept free of large pictures; a single one is taken by turns, and so is the last one while no large
  /// picture is held.
  bool may_go(kind k, std::int64_t pixels) const {
    if (free_.empty()) return false;
    if (k == large)
      return pixels <= left_ &&
             (seats_ > 1 ? held_[large] < seats_ - 1 : (rows_[ordinary].empty() && rows_[explained].empty()) || !last_was_large_);
    if (!(rows_[large].empty() || held_[large] > 0 || free_.size() > 1 || last_was_large_)) return false;
    if (k == explained) return held_[explained] == 0 && (rows_[ordinary].empty() || !last_was_explained_);
    return rows_[explained].empty() || held_[explained] > 0 || free_.size() > 1 || last_was_explained_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const int seats_;
  const std::int64_t most_;
  std::int64_t left_;
  std::array<int, 3> held_{};  ///< seats, of each kind
  bool last_was_large_ = true, last_was_explained_ = true;
  std::uint64_t next_ = 0;
  std::array<std::deque<std::uint64_t>, 3> rows_;
  std::vector<int> free_;
};

}  // namespace cli
