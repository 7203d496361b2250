#pragma once
/// The epochs of a training run, and the table they are kept in (results.csv).

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "minicnn/core/error.hpp"
#include "minicnn/core/shape.hpp"

namespace minicnn::inline MINICNN_ABI {

/// One row of results.csv. Losses are means over images, accuracies lie in [0, 1]. Without validation images its figures are NaN.
struct epoch_record {
  index_t epoch = 0;  ///< from 1
  double train_loss = 0;
  double train_accuracy = 0;
  double val_loss = 0;
  double val_accuracy = 0;
  double learning_rate = 0;      ///< of the last step
  double images_per_second = 0;  ///< of training alone
  double seconds = 0;            ///< since the run began, validation and resumed parts included
};

inline constexpr std::string_view history_header =
    "epoch,train_loss,train_accuracy,val_loss,val_accuracy,learning_rate,images_per_second,seconds";

namespace detail {
inline constexpr double epoch_record::*history_columns[] = {
    &epoch_record::train_loss,    &epoch_record::train_accuracy,    &epoch_record::val_loss, &epoch_record::val_accuracy,
    &epoch_record::learning_rate, &epoch_record::images_per_second, &epoch_record::seconds};
}  // namespace detail

/// The table as text, a header line first; numbers in the C locale, exact.
inline std::string history_csv(const std::vector<epoch_record>& history) {
  std::string out = std::string(history_header) + "\n";
  for (const epoch_record& row : history) {
    out += to_text(row.epoch);
    for (const auto column : detail::history_columns) out.append(",").append(to_text(row.*column));
    out += "\n";
  }
  return out;
}

/// Reads what `history_csv` wrote (CRLF is taken too). Throws file_error naming `name`, the line and the field.
inline std::vector<epoch_record> parse_history_csv(std::string_view text, std::string_view name) {
  std::vector<epoch_record> out;
  index_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line_number += 1;
    if (line_number == 1) {
      if (line != history_header) fail<file_error>(name, ": line 1: wanted \"", history_header, "\", got \"", line, "\"");
      continue;
    }
    if (line.empty()) continue;
    epoch_record row;
    for (int field = 0; field < 8; ++field) {
      const std::size_t comma = line.find(',');
      const std::string_view cell = line.substr(0, comma);
      double value = 0;
      const auto [stop, reason] = detail::float_from_chars(cell.data(), cell.data() + cell.size(), value);
      if (reason != std::errc() || stop != cell.data() + cell.size() || (comma == std::string_view::npos) != (field == 7))
        fail<file_error>(name, ": line ", line_number, ", field ", field + 1, ": wanted 8 numbers, got \"", cell, "\"");
      if (field == 0 && !(value >= 1 && value < 1e15))
        fail<file_error>(name, ": line ", line_number, ": wanted the number of an epoch, got \"", cell, "\"");
      if (field == 0)
        row.epoch = static_cast<index_t>(value);
      else
        row.*detail::history_columns[field - 1] = value;
      line.remove_prefix(comma == std::string_view::npos ? line.size() : comma + 1);
    }
    out.push_back(row);
  }
  return out;
}

}  // namespace minicnn::inline MINICNN_ABI
