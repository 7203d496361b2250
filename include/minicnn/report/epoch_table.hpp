#pragma once
/// A training run as a table for people: a row an epoch, the best one marked.

#include <string>
#include <string_view>
#include <vector>

#include "minicnn/report/chart.hpp"
#include "minicnn/report/progress.hpp"
#include "minicnn/train/history.hpp"

namespace minicnn::inline MINICNN_ABI {

/// Header and rows for a terminal of `t.columns`: on a narrow one the less important columns are left out.
class epoch_table {
 public:
  explicit epoch_table(const terminal& t) : terminal_(t) {
    int width = 3;  // the mark
    for (int importance = 0; importance <= 4; ++importance) {
      int wanted = width;
      for (const column& c : columns)
        if (c.importance == importance) wanted += c.width;
      if (importance > 0 && wanted > t.columns) break;
      width = wanted, shown_ = importance;
    }
  }

  std::string header() const {
    std::string line;
    for (const column& c : columns)
      if (c.importance <= shown_) line += right_aligned(c.title, c.width);
    return terminal_.paint(line, "2");
  }

  /// `best`: the smallest validation loss so far.
  std::string row(const epoch_record& e, bool best) const {
    const std::string cells[] = {to_text(e.epoch),
                                 fixed(e.train_loss, 4),
                                 std::isfinite(e.train_accuracy) ? fixed(100 * e.train_accuracy, 2) + "%" : "-",
                                 std::isfinite(e.val_loss) ? fixed(e.val_loss, 4) : "-",
                                 std::isfinite(e.val_accuracy) ? fixed(100 * e.val_accuracy, 2) + "%" : "-",
                                 short_number(e.learning_rate),
                                 fixed(e.images_per_second, 1),
                                 clock_text(e.seconds)};
    std::string line;
    for (std::size_t i = 0; i < 8; ++i)
      if (columns[i].importance <= shown_) line += right_aligned(cells[i], columns[i].width);
    return best ? terminal_.paint(line + "  *", "1;32") : line;
  }

 private:
  struct column {
    std::string_view title;
    int width;
    int importance;  ///< 0: always shown
  };
  static constexpr column columns[] = {{"epoch", 5, 0},   {"train loss", 12, 1}, {"train acc", 11, 3}, {"val loss", 10, 0},
                                       {"val acc", 9, 0}, {"rate", 12, 4},       {"img/s", 9, 2},      {"time", 9, 2}};

  terminal terminal_;
  int shown_ = 0;
};

}  // namespace minicnn::inline MINICNN_ABI
