#pragma once
/// Labels and numbers to be predicted, from a table beside the pictures.
///
///     id,beach,people,boat          id,tags                 id,age,weight
///     0001,1,0,1                    0001,beach boat         0001,34,71.5
///
/// The first column, or the one called "id", names a picture: its path, within the data set or from the root, or its file name,
/// with or without the ending.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "minicnn/data/csv.hpp"
#include "minicnn/data/dataset.hpp"
#include "minicnn/data/folder_tree.hpp"

namespace minicnn::inline MINICNN_ABI {

/// What the columns beside the id hold.
enum class target_kind {
  labels,  ///< one column a label, of 0 and 1; or one column of names, with spaces, semicolons, commas or bars (|) between
  numbers  ///< real numbers
};

/// A row of values for each id.
struct label_table {
  std::string path;
  std::vector<std::string> names;  ///< of the columns of `values`
  std::vector<std::string> ids;
  std::vector<double> values;  ///< ids x names
};

namespace detail {

/// The column `id`, checked.
inline std::vector<std::string> ids_of(const csv_table& table, std::size_t id) {
  if (table.rows.empty()) fail<file_error>(table.path, ": wanted a row for every picture, there is only the header");
  std::set<std::string> seen;
  std::vector<std::string> ids;
  for (const csv_row& row : table.rows) {
    ids.push_back(row.fields[id]);
    if (ids.back().empty()) fail<file_error>(table.path, ": line ", row.line, ": the id is empty");
    if (!seen.insert(ids.back()).second)
      fail<file_error>(table.path, ": line ", row.line, ": the id ", ids.back(), " is there twice");
  }
  return ids;
}

class label_table_reader {
 public:
  label_table_reader(csv_table table, target_kind kind) : table_(std::move(table)), kind_(kind) {
    const auto id = std::find(table_.header.begin(), table_.header.end(), "id");
    id_ = id == table_.header.end() ? 0 : static_cast<std::size_t>(id - table_.header.begin());
  }

  label_table run() {
    if (table_.header.size() < 2) fail<file_error>(table_.path, ": wanted an id and at least one column besides");
    out_.path = table_.path;
    out_.ids = ids_of(table_, id_);
    if (kind_ == target_kind::labels && table_.header.size() == 2 && !zero_or_one())
      read_names();
    else
      read_columns();
    return std::move(out_);
  }

 private:
  std::size_t other() const { return id_ == 0 ? 1 : 0; }

  /// Whether the column beside the id is one label's.
  bool zero_or_one() const {
    return std::all_of(table_.rows.begin(), table_.rows.end(),
                       [&](const csv_row& row) { return row.fields[other()] == "0" || row.fields[other()] == "1"; });
  }

  static std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> names;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = (std::min)(text.find_first_of(" \t;,|", at), text.size());
      if (end > at) names.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return names;
  }

  void read_names() {
    std::set<std::string> all;
    for (const csv_row& row : table_.rows)
      if (!trimmed(row.fields[other()]).empty())
        for (std::string& name : split(table_.name(row, other()))) all.insert(std::move(name));
    if (all.empty()) fail<file_error>(table_.path, ": no picture has a label");
    out_.names.assign(all.begin(), all.end());
    // So many labels are numbers in the wrong place, and a table of all of them would not fit into memory.
    if (all.size() > 10000)
      fail<file_error>(table_.path, ": ", static_cast<index_t>(all.size()), " different labels, wanted at most 10000");
    out_.values.assign(out_.ids.size() * all.size(), 0.0);
    for (std::size_t r = 0; r < table_.rows.size(); ++r)
      for (const std::string& name : split(table_.rows[r].fields[other()])) {
        const auto column = std::lower_bound(out_.names.begin(), out_.names.end(), name) - out_.names.begin();
        out_.values[r * all.size() + static_cast<std::size_t>(column)] = 1;
      }
  }

  void read_columns() {
    std::set<std::string_view> seen;
    for (std::size_t c = 0; c < table_.header.size(); ++c) {
      if (c == id_) continue;
      const std::string& name = table_.header[c];
      if (name.empty() || valid_utf8_prefix(name) != name.size() || !seen.insert(name).second)
        fail<file_error>(table_.path, ": column ", static_cast<index_t>(c + 1), " is called \"", name,
                         "\": wanted names in UTF-8, each once");
      out_.names.push_back(name);
    }
    for (const csv_row& row : table_.rows)
      for (std::size_t c = 0; c < row.fields.size(); ++c)
        if (c != id_) out_.values.push_back(number(row, c));
  }

  double number(const csv_row& row, std::size_t column) const {
    const std::string& text = row.fields[column];
    const std::optional<double> value = parse_number(trimmed(text));
    if (!value || (kind_ == target_kind::labels && *value != 0 && *value != 1))
      fail<file_error>(table_.path, ": line ", row.line, ": ", table_.header[column], ": wanted ",
                       kind_ == target_kind::labels ? "0 or 1" : "a number", ", got \"", text, "\"");
    if (std::abs(*value) > 1.8e19)
      fail<file_error>(table_.path, ": line ", row.line, ": ", table_.header[column],
                       ": wanted a number of at most 1.8e19, whose square a float can hold, got \"", text, "\"");
    return *value;
  }

  csv_table table_;
  target_kind kind_;
  std::size_t id_ = 0;
  label_table out_;
};

/// The part of `path` below the folder `root`, which may end in slashes.
inline std::string_view name_within(std::string_view path, std::string_view root) {
  while (root.ends_with('/')) root.remove_suffix(1);
  if (!path.starts_with(root)) return path;
  path.remove_prefix(root.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

/// What an id may call a picture below `root`: its path or its name, with the ending and without.
inline std::array<std::string_view, 4> ways_to_call(std::string_view path, std::string_view root) {
  const std::string_view name = name_within(path, root), file = name.substr(name.find_last_of('/') + 1);
  return {name, name.substr(0, name.find_last_of('.')), file, file.substr(0, file.find_last_of('.'))};
}

/// An id that is a path to a picture ("./1.jpg", "/photos/1.jpg") as its path below `root`, others as they are.
inline std::string plain_id(const std::string& id, const std::filesystem::path& root) {
  std::filesystem::path path = system_path(id);
  if (!path.is_absolute() && id.find("./") == id.npos && id.find("//") == id.npos) return id;
  path = path.lexically_normal();
  if (path.is_absolute()) {
    std::error_code failed;
    std::filesystem::path inner = path.lexically_relative(root);
    if (inner.empty() || *inner.begin() == "..") {  // by a link, or not at all
      const std::filesystem::path folder = weakly_canonical(path.parent_path(), failed);
      if (!failed) inner = folder.lexically_relative(weakly_canonical(root, failed));
      if (failed || inner.empty()) return id;
      inner /= path.filename();
    }
    path = inner.lexically_normal();
  }
  return path_text(path);
}

}  // namespace detail

/// The table as labels or numbers. Label names from a column of names are in byte order, others in that of the columns. Throws
/// file_error with the line for whatever is not as it should be.
inline label_table read_label_table(csv_table table, target_kind kind) {
  return detail::label_table_reader(std::move(table), kind).run();
}
inline label_table read_label_table(const std::string& path, target_kind kind) { return read_label_table(read_csv(path), kind); }

/// Gives every picture of `data` its row of the table. Pictures without one are left out, with a warning in `data.warnings`, ids
/// without a picture are warned of. Throws file_error if an id names two pictures, two ids are one path, an id would name a
/// picture without a row but for its capital letters, none of them names a picture, or a folder that may hold some could not be
/// listed.
inline void attach_targets(image_dataset& data, const label_table& table) {
  std::map<std::string, std::size_t, std::less<>> rows;
  std::error_code none;  // a data set in memory has no folder
  const std::filesystem::path root = absolute(detail::system_path(data.root), none).lexically_normal();
  for (std::size_t r = 0; r < table.ids.size(); ++r)
    if (const auto [at, is_new] = rows.emplace(detail::plain_id(table.ids[r], root), r); !is_new)
      fail<file_error>(table.path, ": the ids ", table.ids[at->second], " and ", table.ids[r], " name one picture");
  std::vector<index_t> owner(table.ids.size(), -1);
  std::vector<sample> kept;
  std::vector<image_u8> pictures;
  std::map<std::string, std::string_view> left_out;  // names of pictures by what ids in small letters would call them
  const std::string first_name =
      data.samples.empty() ? "" : std::string(detail::name_within(data.samples.front().path, data.root));
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    sample& s = data.samples[i];
    const auto ways = detail::ways_to_call(s.path, data.root);
    auto found = rows.end();
    for (const std::string_view way : ways)
      if (found == rows.end()) found = rows.find(way);
    for (const std::string_view way : ways)
      if (found == rows.end()) left_out.emplace(detail::lower_case(std::string(way)), ways[0]);
    if (found == rows.end()) {
      refuse_unlisted(s);
      data.ignored.add(&ignored_files::unlabelled, s.path, "no row in " + table.path);
      continue;
    }
    index_t& other = owner[found->second];
    if (other >= 0)
      fail<file_error>(table.path, ": the id ", found->first, " names two pictures, ", kept[static_cast<std::size_t>(other)].path,
                       " and ", s.path);
    other = static_cast<index_t>(kept.size());
    s.target = static_cast<index_t>(found->second);
    kept.push_back(std::move(s));
    if (!data.pictures.empty()) pictures.push_back(std::move(data.pictures[i]));
  }
  for (const auto& [id, r] : rows)
    if (const auto like = left_out.find(detail::lower_case(id)); owner[r] < 0 && like != left_out.end())
      fail<file_error>(table.path, ": the id ", table.ids[r], " names no picture in ", data.root, "; did you mean ", like->second,
                       "?");
  if (kept.empty())
    fail<file_error>(table.path, ": none of its ", static_cast<index_t>(table.ids.size()), " ids",
                     table.ids.empty() ? "" : " (" + table.ids.front() + ", ...)", " is the name of a picture in ", data.root,
                     " (", first_name, ", ...)");
  const auto without = static_cast<index_t>(data.samples.size() - kept.size());
  if (without > 0) data.warnings.push_back(text_of(without, " pictures have no row in ", table.path, " and are left out"));
  data.ignored.pictures += without;
  const auto missing = std::count(owner.begin(), owner.end(), -1);
  if (missing > 0)
    data.warnings.push_back(
        text_of(static_cast<index_t>(missing), " ids of ", table.path, " name no picture, the first of them ",
                table.ids[static_cast<std::size_t>(std::find(owner.begin(), owner.end(), -1) - owner.begin())]));
  data.samples = std::move(kept);
  data.pictures = std::move(pictures);
  data.target_names = table.names;
  data.targets = table.values;
}

/// Gives every picture of `data` the class that a table with the columns "id" and "label" says, as `attach_targets` finds its
/// row. Throws file_error with the line for an id or a label that is empty, and for an id that is there twice.
inline void attach_classes(image_dataset& data, const csv_table& table) {
  const std::size_t label = table.column("label"), id = table.column("id");
  std::vector<std::string> names;
  for (const csv_row& row : table.rows) names.push_back(table.name(row, label));
  attach_targets(data, {table.path, {}, detail::ids_of(table, id), {}});
  std::set<std::string> classes;
  for (const sample& s : data.samples) classes.insert(names[static_cast<std::size_t>(s.target)]);
  data.classes.assign(classes.begin(), classes.end());
  for (sample& s : data.samples) {
    const auto name = std::lower_bound(data.classes.begin(), data.classes.end(), names[static_cast<std::size_t>(s.target)]);
    s.label = static_cast<int>(name - data.classes.begin());
    s.target = -1;
  }
}

}  // namespace minicnn::inline MINICNN_ABI
