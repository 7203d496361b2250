#include "dataset_check.hpp"

#include <algorithm>
#include <map>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/image_format.hpp>
#include <minicnn/report/progress.hpp>
#include <string_view>
#include <utility>

#include "inference.hpp"

namespace cli {

using minicnn::index_t;
using minicnn::json;
using minicnn::text_of;

namespace {

constexpr std::size_t listed = 20;           ///< of a kind, in the table
constexpr index_t small_side = 32;           ///< pixels; shorter ones show little
constexpr index_t thin_aspect = 4;           ///< longer side over shorter side
constexpr index_t many_pixels = 20'000'000;  ///< take seconds to decode, in every epoch

/// What one picture is like.
struct finding {
  std::string broken;
  index_t width = 0, height = 0;
  std::pair<std::uint64_t, std::size_t> content{0, 0};   ///< hash and number of the pixels' bytes
  std::vector<std::pair<std::string, std::string>> odd;  ///< kind and reason
};

/// The ending of a file's name in lower case.
std::string ending_of(const std::string& path) {
  std::string ending = path.substr((std::min)(path.size(), path.find_last_of("./") + 1));
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return ending;
}

/// What the file says about the picture that its pixels do not.
void look_at_file(std::span<const unsigned char> file, const std::string& path, finding& f) {
  const minicnn::image_header h = minicnn::check_image(file, path);
  const auto odd = [&](const char* kind, const auto&... reason) { f.odd.emplace_back(kind, text_of(reason...)); };
  const minicnn::image_format format = minicnn::detect_image_format(file);
  const std::string ending = ending_of(path);
  const char* is = format == minicnn::image_format::png ? "PNG" : format == minicnn::image_format::bmp ? "BMP" : "JPEG";
  const char* called = ending == "png" ? "PNG" : ending == "bmp" ? "BMP" : "JPEG";
  if (std::string_view(is) != called)
    odd("wrong-extension", "a ", is, " picture that is called ", ending, "; it is read as what it is");
  if (h.end < file.size())
    odd("extra-bytes", static_cast<index_t>(file.size() - h.end), " bytes behind the end of the picture; they are left alone");
  if (h.channels == 1) odd("grey", "grey; read as three equal channels");
  if (h.channels == 4) odd("cmyk", "CMYK or YCCK; converted to RGB");
  if (h.bits > 8) odd("16-bit", h.bits, " bits a channel; the upper 8 are kept");
  if (h.palette) odd("palette", "colours from a palette");
  if (h.alpha) odd("alpha", "transparency, which is dropped");
  if (h.orientation != 1) odd("orientation", "EXIF orientation ", h.orientation, "; turned upright on loading");
}

finding look_at(const minicnn::image_dataset& data, minicnn::picture_source& source, index_t i, minicnn::image_workspace& w) {
  finding f;
  const auto place = static_cast<std::size_t>(i);
  try {
    const minicnn::image_u8& image = source.get(i, w);
    f.width = image.width;
    f.height = image.height;
    const std::string_view pixels(reinterpret_cast<const char*>(image.pixels.data()), image.pixels.size());
    f.content = {minicnn::sample_id(pixels), pixels.size()};
    if (data.pictures.empty()) {
      look_at_file(w.file, data.samples[place].path, f);
      const index_t longer = (std::max)(f.width, f.height), shorter = (std::min)(f.width, f.height);
      const std::string size = text_of(f.width, " x ", f.height, " pixels");
      if (shorter < small_side) f.odd.emplace_back("tiny", "only " + size);
      if (shorter >= small_side && longer > thin_aspect * shorter) f.odd.emplace_back("thin", "very long and thin: " + size);
      if (f.width * f.height > many_pixels) f.odd.emplace_back("huge", size + ", slow to decode");
    }
  } catch (const minicnn::file_error& e) {
    f.broken = without_path(e.what(), data.samples[place].path);
    f.odd.clear();
  }
  return f;
}

/// The kind of a reason that a picture cannot be read.
const char* kind_of(const std::string& reason) {
  const auto says = [&](const char* words) { return reason.find(words) != reason.npos; };
  if (says("empty file")) return "empty";
  if (says("truncated")) return "truncated";
  if (says("is a directory") || says("not a regular file")) return "not-a-file";
  if (says("no such file")) return "missing";
  if (says("cannot be listed") || says("cannot be opened") || says("cannot be read")) return "unreadable";
  if (says("are more than the")) return "too-large";
  if (says("not a JPEG, PNG or BMP") || says("which is not supported")) return "not-a-picture";
  return "damaged";
}

spread spread_of(std::vector<index_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[values.size() / 2], values.back()};
}

/// Whether two samples are the same picture, pixel by pixel: equal hashes alone could be chance.
bool same_content(minicnn::picture_source& source, index_t a, index_t b) {
  minicnn::image_workspace first, second;
  try {
    const minicnn::image_u8 &x = source.get(a, first), &y = source.get(b, second);
    return x.width == y.width && x.height == y.height && x.channels == y.channels && x.pixels == y.pixels;
  } catch (const minicnn::file_error&) {  // changed since it was first read
    return false;
  }
}

}  // namespace

diagnosis examine(const minicnn::image_dataset& data, int threads) {
  const int team = minicnn::resolve_threads(threads);
  std::vector<minicnn::image_workspace> workspaces(static_cast<std::size_t>(team));
  std::vector<finding> findings(data.samples.size());
  minicnn::picture_source source(data);
  minicnn::progress_line progress(stderr);
  constexpr index_t portion = 256;  // between two lines of progress
  for (index_t done = 0; done < data.size(); done += portion) {
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
      d.broken.push_back({i, kind_of(f.broken), f.broken});
      continue;
    }
    for (const auto& [kind, reason] : f.odd) d.odd.push_back({i, kind, reason});
    widths.push_back(f.width);
    heights.push_back(f.height);
    std::vector<index_t>& equal = by_content[f.content];
    if (equal.empty() || same_content(source, equal.front(), i)) equal.push_back(i);
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
  const auto path = [&](index_t i) { return minicnn::as_utf8(data.samples[static_cast<std::size_t>(i)].path); };
  const auto numbers = [](const spread& s) { return json{{"min", s.smallest}, {"median", s.median}, {"max", s.largest}}; };
  json out{{"layout", data.layout}, {"images", data.size()}, {"readable", d.readable}, {"classes", json::object{}}};
  const std::vector<index_t> counts = data.class_counts();
  index_t labelled = 0;
  for (std::size_t c = 0; c < counts.size(); ++c)
    out["classes"][minicnn::as_utf8(data.classes[c])] = counts[c], labelled += counts[c];
  out["unlabelled"] = data.size() - labelled;
  out["width"] = numbers(d.width);
  out["height"] = numbers(d.height);
  out["counts"] = {{"broken", json::object{}}, {"odd", json::object{}}};
  for (const char* list : {"broken", "odd", "duplicates"}) out[list] = json::array{};
  const auto put = [&](const char* list, const auto& found) {
    for (const auto& one : found) {
      out[list].push({{"path", path(one.index)}, {"kind", one.kind}, {"reason", one.reason}});
      json& count = out["counts"][list][one.kind];
      count = count.is_null() ? 1 : count.as_int() + 1;
    }
  };
  put("broken", d.broken);
  put("odd", d.odd);
  for (const auto& group : d.duplicates) {
    json paths = json::array{};
    for (const index_t i : group) paths.push(path(i));
    out["duplicates"].push({{"paths", paths}, {"labels_differ", labels_differ(data, group)}});
  }
  out["ignored"] = {{"hidden", data.ignored.hidden},
                    {"other", data.ignored.other},
                    {"folders", data.ignored.folders},
                    {"unlabelled", data.ignored.unlabelled},
                    {"files", json::array{}}};
  for (const auto& one : data.ignored.names)
    out["ignored"]["files"].push({{"path", minicnn::as_utf8(one.path)}, {"reason", one.reason}});
  out["warnings"] = data.warnings;
  return out;
}

std::string to_table(const minicnn::image_dataset& data, const diagnosis& d) {
  using minicnn::printable;
  const auto path = [&](index_t i) { return printable(data.samples[static_cast<std::size_t>(i)].path); };
  std::string out = text_of(printable(data.root), ": ", data.size(), " pictures\n");
  const std::vector<index_t> counts = data.class_counts();
  for (std::size_t c = 0; c < counts.size(); ++c) out += text_of("  ", printable(data.classes[c]), ": ", counts[c], "\n");
  if (d.readable > 0)
    out += text_of("sizes: ", d.width.smallest, " to ", d.width.largest, " pixels wide (median ", d.width.median, "), ",
                   d.height.smallest, " to ", d.height.largest, " high (median ", d.height.median, ")\n");
  const minicnn::ignored_files& i = data.ignored;
  out += text_of("left alone: ", i.hidden, " hidden, ", i.other, " of other kinds, ", i.folders, " folders, ", i.unlabelled,
                 " without a label\n");
  for (std::size_t k = 0; k < data.ignored.names.size() && k < listed; ++k)
    out += "  " + printable(data.ignored.names[k].path + ": " + data.ignored.names[k].reason) + "\n";
  if (i.total() > static_cast<index_t>(listed)) out += text_of("  and ", i.total() - static_cast<index_t>(listed), " more\n");
  out += text_of("broken: ", d.broken.size(), "\n");
  for (const broken_picture& b : d.broken) out += "  " + path(b.index) + ": " + printable(b.reason) + "\n";
  out += text_of("odd: ", d.odd.size(), "\n");
  std::map<std::string, std::size_t> shown;
  for (const odd_picture& o : d.odd)
    if (++shown[o.kind] <= listed) out += "  " + path(o.index) + ": " + printable(o.reason) + "\n";
  for (const auto& [kind, count] : shown)
    if (count > listed) out += text_of("  ", kind, ": ", count, " in all; --json names every one\n");
  out += text_of("there more than once: ", d.duplicates.size(), "\n");
  for (const auto& group : d.duplicates) {
    std::string line;
    for (const index_t sample : group) line += (line.empty() ? "  " : " = ") + path(sample);
    out += line + (labels_differ(data, group) ? "  (with different labels)\n" : "\n");
  }
  return out;
}

}  // namespace cli
