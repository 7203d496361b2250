#include "doctor.hpp"

#include <algorithm>
#include <map>
#include <minicnn/io/file.hpp>
#include <minicnn/report/progress.hpp>
#include <string_view>
#include <utility>

#include "inference.hpp"
#include "interrupt.hpp"

namespace cli {

using json = nlohmann::ordered_json;
using minicnn::index_t;
using minicnn::text_of;

namespace {

constexpr index_t small_side = 32;  ///< pixels; shorter ones show little
constexpr index_t thin_aspect = 4;  ///< longer side over shorter side

/// What one picture is like.
struct finding {
  std::string broken;
  index_t width = 0, height = 0;
  std::pair<std::uint64_t, std::size_t> content{0, 0};  ///< hash and size of the file
};

finding look_at(const minicnn::image_dataset& data, minicnn::picture_source& source, index_t i, minicnn::image_workspace& w) {
  finding f;
  const auto place = static_cast<std::size_t>(i);
  try {
    const minicnn::image_u8& image = source.get(i, w);
    f.width = image.width;
    f.height = image.height;
    const std::vector<unsigned char>& bytes = data.pictures.empty() ? w.file : image.pixels;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    f.content = {minicnn::sample_id(text), bytes.size()};
  } catch (const minicnn::file_error& e) {
    f.broken = without_path(e.what(), data.samples[place].path);
  }
  return f;
}

std::string oddness(const finding& f) {
  const index_t longer = (std::max)(f.width, f.height), shorter = (std::min)(f.width, f.height);
  if (shorter < small_side) return text_of("only ", f.width, " x ", f.height, " pixels");
  if (longer > thin_aspect * shorter) return text_of("very long and thin: ", f.width, " x ", f.height, " pixels");
  return "";
}

spread spread_of(std::vector<index_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

/// Whether two samples are the same picture, byte by byte: equal hashes alone could be chance.
bool same_content(const minicnn::image_dataset& data, index_t a, index_t b) {
  const auto x = static_cast<std::size_t>(a), y = static_cast<std::size_t>(b);
  if (!data.pictures.empty()) return data.pictures[x].pixels == data.pictures[y].pixels;
  return minicnn::read_file(data.samples[x].path) == minicnn::read_file(data.samples[y].path);
}

}  // namespace

diagnosis examine(const minicnn::image_dataset& data, int threads) {
  const int team = minicnn::resolve_threads(threads);
  std::vector<minicnn::image_workspace> workspaces(static_cast<std::size_t>(team));
  std::vector<finding> findings(data.samples.size());
  minicnn::picture_source source(data);
  minicnn::progress_line progress(stderr);
  constexpr index_t portion = 256;  // between two looks at the keyboard
  for (index_t done = 0; done < data.size(); done += portion) {
    stop_if_interrupted();
    progress.update("reading", done, data.size(), "");
    minicnn::parallel_tasks(team, (std::min)(portion, data.size() - done), [&](index_t task, int thread) {
      const index_t i = done + task;
      findings[static_cast<std::size_t>(i)] = look_at(data, source, i, workspaces[static_cast<std::size_t>(thread)]);
    });
  }

  diagnosis d;
  std::vector<index_t> widths, heights;
  std::map<std::pair<std::uint64_t, std::size_t>, std::vector<index_t>> by_content;
  for (index_t i = 0; i < data.size(); ++i) {
    const finding& f = findings[static_cast<std::size_t>(i)];
    if (!f.broken.empty()) {
      d.broken.push_back({i, data.samples[static_cast<std::size_t>(i)].path, f.broken});
      continue;
    }
    if (std::string reason = oddness(f); !reason.empty()) d.odd.push_back({i, std::move(reason)});
    widths.push_back(f.width);
    heights.push_back(f.height);
    std::vector<index_t>& equal = by_content[f.content];
    if (equal.empty() || same_content(data, equal.front(), i)) equal.push_back(i);
  }
  for (auto& [content, equal] : by_content)
    if (equal.size() > 1) d.duplicates.push_back(std::move(equal));
  std::sort(d.duplicates.begin(), d.duplicates.end());
  d.readable = static_cast<index_t>(widths.size());
  d.width = spread_of(std::move(widths));
  d.height = spread_of(std::move(heights));
  return d;
}

bool labels_differ(const minicnn::image_dataset& data, const std::vector<index_t>& samples) {
  const auto label = [&](index_t i) { return data.samples[static_cast<std::size_t>(i)].label; };
  return std::any_of(samples.begin(), samples.end(), [&](index_t i) { return label(i) != label(samples.front()); });
}

json to_json(const minicnn::image_dataset& data, const diagnosis& d) {
  const auto path = [&](index_t i) { return data.samples[static_cast<std::size_t>(i)].path; };
  const auto numbers = [](const spread& s) { return json{{"min", s.smallest}, {"median", s.median}, {"max", s.largest}}; };
  json out{{"images", data.size()}, {"readable", d.readable}, {"classes", json::object()}};
  const std::vector<index_t> counts = data.class_counts();
  index_t labelled = 0;
  for (std::size_t c = 0; c < counts.size(); ++c) out["classes"][data.classes[c]] = counts[c], labelled += counts[c];
  out["unlabelled"] = data.size() - labelled;
  out["width"] = numbers(d.width);
  out["height"] = numbers(d.height);
  for (const char* list : {"broken", "odd", "duplicates"}) out[list] = json::array();
  for (const minicnn::bad_file& b : d.broken) out["broken"].push_back({{"path", b.path}, {"reason", b.reason}});
  for (const odd_picture& o : d.odd) out["odd"].push_back({{"path", path(o.index)}, {"reason", o.reason}});
  for (const auto& group : d.duplicates) {
    json paths = json::array();
    for (const index_t i : group) paths.push_back(path(i));
    out["duplicates"].push_back({{"paths", paths}, {"labels_differ", labels_differ(data, group)}});
  }
  out["ignored"] = {{"hidden", data.ignored.hidden},
                    {"other", data.ignored.other},
                    {"folders", data.ignored.folders},
                    {"unlabelled", data.ignored.unlabelled}};
  out["warnings"] = data.warnings;
  return out;
}

std::string to_table(const minicnn::image_dataset& data, const diagnosis& d) {
  const auto path = [&](index_t i) { return data.samples[static_cast<std::size_t>(i)].path; };
  std::string out = text_of(data.root, ": ", data.size(), " pictures\n");
  const std::vector<index_t> counts = data.class_counts();
  for (std::size_t c = 0; c < counts.size(); ++c) out += text_of("  ", data.classes[c], ": ", counts[c], "\n");
  if (d.readable > 0)
    out += text_of("sizes: ", d.width.smallest, " to ", d.width.largest, " pixels wide (median ", d.width.median, "), ",
                   d.height.smallest, " to ", d.height.largest, " high (median ", d.height.median, ")\n");
  const minicnn::ignored_files& i = data.ignored;
  out += text_of("left alone: ", i.hidden, " hidden, ", i.other, " of other kinds, ", i.folders, " folders, ", i.unlabelled,
                 " without a label\n");
  out += text_of("broken: ", d.broken.size(), "\n");
  for (const minicnn::bad_file& b : d.broken) out += "  " + b.path + ": " + b.reason + "\n";
  out += text_of("odd: ", d.odd.size(), "\n");
  for (const odd_picture& o : d.odd) out += "  " + path(o.index) + ": " + o.reason + "\n";
  out += text_of("there more than once: ", d.duplicates.size(), "\n");
  for (const auto& group : d.duplicates) {
    std::string line;
    for (const index_t sample : group) line += (line.empty() ? "  " : " = ") + path(sample);
    out += line + (labels_differ(data, group) ? "  (with different labels)\n" : "\n");
  }
  return out;
}

}  // namespace cli
