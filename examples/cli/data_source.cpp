#include "data_source.hpp"

#include <algorithm>
#include <array>
#include <minicnn/data/folder_layout.hpp>
#include <minicnn/data/read_dataset.hpp>
#include <minicnn/report/progress.hpp>
#include <numeric>

#include "alike_names.hpp"
#include "messages.hpp"

namespace cli {

using minicnn::fail;
using minicnn::index_t;

std::string describe_layout(const minicnn::image_dataset& data) {
  const minicnn::ignored_files& left = data.ignored;
  std::string text = data.layout;
  if (!data.classes.empty()) text += ": " + list_of(data.classes);
  text += minicnn::text_of("; ", data.size(), data.size() == 1 ? " picture" : " pictures");
  if (left.total() == 0) return text;
  std::string counts;
  const auto count = [&](index_t n, const char* of) {
    if (n > 0) counts += minicnn::text_of(counts.empty() ? "" : ", ", n, of);
  };
  count(left.hidden, " hidden");
  count(left.other, " of other kinds");
  count(left.folders, left.folders == 1 ? " folder" : " folders");
  count(left.unlabelled, " without a label");
  std::string names;
  constexpr std::size_t most = 3;
  for (std::size_t i = 0; i < left.names.size() && i < most; ++i) {
    const std::string& path = left.names[i].path;
    names += (i == 0 ? "" : ", ") + (path.starts_with(data.root + "/") ? path.substr(data.root.size() + 1) : path);
  }
  if (left.total() > static_cast<index_t>(most)) names += ", ...";
  return text + "; left out: " + counts + (names.empty() ? "" : " (" + names + ")");
}

/// Classes of a few pictures beside others of many are often none: IMG.1234.jpg among cat.1.jpg and dog.1.jpg.
void note_small_classes(minicnn::image_dataset& data) {
  std::vector<index_t> counts = data.class_counts(), sorted = counts;
  std::sort(sorted.begin(), sorted.end());
  const index_t all = std::accumulate(sorted.begin(), sorted.end(), index_t{0});
  index_t below = 0, usual = 0;  // the class that the picture in the middle is of
  for (const index_t n : sorted)
    if (2 * (below += n) >= all) {
      usual = n;
      break;
    }
  std::vector<std::string> small;
  for (std::size_t c = 0; c < counts.size(); ++c)
    if ((counts[c] == 1 && usual >= 5) || (counts[c] > 0 && counts[c] <= 5 && usual >= 100))
      small.push_back(minicnn::text_of(data.classes[c], " (", counts[c], ")"));
  if (!small.empty())
    data.warnings.push_back(minicnn::text_of("classes of very few pictures beside others of ", usual, ": ", list_of(small),
                                             "; what is no class is to be moved elsewhere or renamed"));
}

/// cat/, dog/ and test/: pictures to test on would be a class called "test".
void note_parts(minicnn::image_dataset& data) {
  if (data.layout != "a folder a class") return;
  std::vector<std::string> parts;
  for (const std::string& name : data.classes)
    if (minicnn::detail::layout_judge::called_for_testing(name) || name == "train" || name == "training") parts.push_back(name);
  if (!parts.empty() && parts.size() < data.classes.size())
    data.warnings.push_back("taken for a class as the folders beside: " + list_of(parts) +
                            "; a part to train or test on is to be moved elsewhere");
}

void note_missing_values(minicnn::image_dataset& data, const minicnn::csv_table& table) {
  constexpr std::array<std::string_view, 8> marks{"nan", "na", "n/a", "#n/a", "<na>", "null", "none", "nil"};
  const std::vector<std::string>& names = data.target_names.empty() ? data.classes : data.target_names;
  const auto is_missing = [&](std::string_view text) {
    return minicnn::detail::one_of(minicnn::detail::lower_case(std::string(text)), marks) &&
           std::find(names.begin(), names.end(), text) != names.end();
  };
  const bool one_label = data.target_names.empty();
  const auto named = static_cast<std::size_t>(std::find(table.header.begin(), table.header.end(), "id") - table.header.begin());
  const std::size_t id = named == table.header.size() ? 0 : named;
  std::string first;
  index_t count = 0;
  for (const minicnn::csv_row& row : table.rows) {
    const auto field = std::find_if(row.fields.begin(), row.fields.end(), [&](const std::string& text) {
      const auto column = static_cast<std::size_t>(&text - row.fields.data());
      return (one_label ? table.header[column] == "label" : column != id) && is_missing(minicnn::trimmed(text));
    });
    if (field != row.fields.end() && ++count == 1) first = minicnn::text_of("line ", row.line, ": the label \"", *field);
  }
  if (count > 0)
    data.warnings.push_back(minicnn::text_of(
        table.path, ": ", first, "\" is what programs write for a missing value, and is taken for a label as others are, in ",
        count, count == 1 ? " row" : " rows", "; remove these rows, or rename the label if it is one"));
}

minicnn::image_dataset open_data(const std::string& path, minicnn::data_part part, bool quiet) {
  minicnn::progress_line progress(stderr);
  const auto show = [&](const std::string& file, index_t done, index_t total) {
    if (total > 0) progress.update("reading " + file.substr(file.find_last_of('/') + 1), done, total, "");
  };
  minicnn::image_dataset data = minicnn::read_dataset(path, {.part = part, .progress = show});
  progress.clear();
  if (!quiet) say(data.root + ": " + describe_layout(data));
  note_small_classes(data);
  note_parts(data);
  if (data.layout.ends_with("trainLabels.csv") && !data.classes.empty())
    note_missing_values(data, minicnn::read_csv(path + "/trainLabels.csv"));
  for (const std::string& text : data.warnings) warn(data.root + ": " + text);
  warn_of_alike_names(data.root, data.classes);
  return data;
}

minicnn::data_split split_data(const minicnn::image_dataset& data, std::int64_t limit, double val_fraction, std::uint64_t seed,
                               int fold, int folds) {
  minicnn::sample_indices chosen = all_samples(data);
  if (limit > 0) chosen = stratified_subset(data, chosen, limit, seed);
  if (folds > 0) return stratified_fold(data, chosen, fold - 1, folds, seed);
  return stratified_split(data, chosen, val_fraction, seed);
}

minicnn::loader_options evaluation_loader(const minicnn::image_transform& transform, int batch_size, int workers) {
  minicnn::loader_options o;
  o.batch_size = batch_size;
  o.transform = transform;
  o.workers = workers;
  return o;
}

void match_classes(minicnn::image_dataset& data, const std::vector<std::string>& classes) {
  if (data.classes.empty()) fail(data.root, ": these pictures have no labels (names like cat.1.jpg or cat/1.jpg give them)");
  std::vector<int> numbers;
  for (const std::string& name : data.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end())
      fail(data.root, ": has the classes ", list_of(data.classes), "; the weights tell apart ", list_of(classes),
           in_code_points(data.classes, data.root, classes, "the weights"));
    numbers.push_back(static_cast<int>(found - classes.begin()));
  }
  for (minicnn::sample& s : data.samples)
    if (s.label >= 0) s.label = numbers[static_cast<std::size_t>(s.label)];
  data.classes = classes;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) text += minicnn::text_of(" and ", static_cast<index_t>(names.size() - most), " more");
  return text;
}

}  // namespace cli
