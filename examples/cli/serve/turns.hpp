#pragma once
// Who computes next. Pictures of ordinary size never wait behind a row of huge ones: those go one after the other, in turn with
// the ordinary ones or beside them, and have together no more pixels than may be decoded at a time.

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace cli {

/// Seats at the machine, for pictures one at a time. Within their kind, ordinary or large, callers are served in the order in
/// which they came.
class turns {
 public:
  /// Pictures above this are large: what takes a few hundred milliseconds instead of a few.
  static constexpr std::int64_t ordinary_pixels = 4'000'000;

  /// `most` bounds the pixels of large pictures that are held at the same time; a larger one comes when no other is held.
  turns(int seats, std::int64_t most) : seats_(seats), most_(most), left_(most) {
    for (int i = 0; i < seats; ++i) free_.push_back(i);
  }

  /// Holds a seat as long as it lives; waits until there is one for this picture.
  class turn {
   public:
    turn(turns& all, std::int64_t pixels)
        : all_(all), large_(pixels > ordinary_pixels), pixels_(large_ ? (std::min)(pixels, all.most_) : 0) {
      std::unique_lock lock(all_.mutex_);
      std::deque<std::uint64_t>& row = large_ ? all_.large_row_ : all_.ordinary_row_;
      const std::uint64_t mine = all_.next_++;
      row.push_back(mine);
      all_.changed_.wait(lock, [&] { return row.front() == mine && all_.may_go(large_, pixels_); });
      row.pop_front();
      seat_ = all_.free_.back();
      all_.free_.pop_back();
      all_.left_ -= pixels_;
      all_.large_held_ += large_;
      all_.last_was_large_ = large_;
      all_.changed_.notify_all();
    }
    ~turn() {
      {
        const std::lock_guard lock(all_.mutex_);
        all_.free_.push_back(seat_);
        all_.left_ += pixels_;
        all_.large_held_ -= large_;
      }
      all_.changed_.notify_all();
    }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    int seat() const { return seat_; }

   private:
    turns& all_;
    bool large_;
    std::int64_t pixels_;
    int seat_ = 0;
  };

 private:
  /// Of several seats one is kept free of large pictures; a single one is taken by turns, and so is the last one while no large
  /// picture is held.
  bool may_go(bool large, std::int64_t pixels) const {
    if (free_.empty()) return false;
    if (large && pixels > left_) return false;
    if (large) return seats_ > 1 ? large_held_ < seats_ - 1 : ordinary_row_.empty() || !last_was_large_;
    return large_row_.empty() || large_held_ > 0 || free_.size() > 1 || last_was_large_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  const int seats_;
  const std::int64_t most_;
  std::int64_t left_;
  int large_held_ = 0;
  bool last_was_large_ = true;
  std::uint64_t next_ = 0;
  std::deque<std::uint64_t> ordinary_row_, large_row_;
  std::vector<int> free_;
};

}  // namespace cli
