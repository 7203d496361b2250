#include "run_data.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/io/safetensors.hpp>
#include <optional>
#include <set>

#include "alike_names.hpp"
#include "data_source.hpp"
#include "paths.hpp"
#include "ranks.hpp"

namespace cli {

using minicnn::index_t;
using minicnn::json;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t prime = 1099511628211ULL;

/// A picture of a run, at its place among all.
struct known_picture {
  std::size_t index = 0;
  std::string name;  ///< below the data's folder, without line feeds
  std::int64_t label = -1, target = -1;
  std::uint64_t id = 0, bytes = 0;
};

/// What a run says of its pictures: of all, or of those that it has left out.
struct known_data {
  json counts;  ///< metadata "data" of last.safetensors; null where there is none, or none that can be read
  std::vector<known_picture> pictures;
  bool complete = false;  ///< all of them
};

constexpr const char* list_head = "id\tlabel\ttarget\tbytes\tname\n";

/// Names are for people and to find files by; one with a line feed is found no more.
std::string on_one_line(std::string name) {
  std::replace(name.begin(), name.end(), '\n', '?');
  return name;
}

std::string name_of(const minicnn::image_dataset& data, std::size_t i) {
  const std::string& path = data.samples[i].path;
  const std::string root = data.root.ends_with('/') ? data.root : data.root + "/";
  return path.starts_with(root) ? path.substr(root.size()) : path;
}

/// Nothing for a list that is damaged.
std::vector<known_picture> parse_list(std::string_view text) {
  std::vector<known_picture> out;
  if (!text.starts_with(list_head)) return out;
  text.remove_prefix(std::string_view(list_head).size());
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    if (line.size() == text.size()) return {};  // cut off
    text.remove_prefix(line.size() + 1);
    known_picture p;
    const auto number = [&](auto& value) {
      const std::size_t end = (std::min)(line.find('\t'), line.size());
      const auto [stop, problem] = std::from_chars(line.data(), line.data() + end, value);
      const bool good = problem == std::errc() && stop == line.data() + end && end < line.size();
      if (good) line.remove_prefix(end + 1);
      return good;
    };
    if (!number(p.id) || !number(p.label) || !number(p.target) || !number(p.bytes)) return {};
    p.index = out.size();
    p.name = line;
    out.push_back(std::move(p));
  }
  return out;
}

/// The list beside the run, if it is that of its last.safetensors.
std::vector<known_picture> listed_pictures(const std::string& run, const json& counts) {
  std::error_code failed;
  const std::string path = run + "/pictures.txt";
  if (!fs::is_regular_file(system_path(path), failed)) return {};
  std::vector<known_picture> all = parse_list(minicnn::read_file(path, minicnn::index_t{1} << 32));
  std::uint64_t names = 0;
  for (const known_picture& p : all) names = names * prime + p.id;
  if (!(counts.at("images") == json(all.size())) || !(counts.at("names") == json(names))) return {};
  return all;
}

known_data known_of(const std::string& run) {
  known_data out;
  std::error_code failed;
  const std::string path = run + "/last.safetensors";
  if (run.empty() || !fs::exists(system_path(path), failed)) return out;
  try {
    const auto file = minicnn::safetensors_file::open(path);
    const std::string* text = file.find_metadata("data");
    if (text == nullptr) return out;
    out.counts = minicnn::parse_json(*text);
    out.pictures = listed_pictures(run, out.counts);
    out.complete = !out.pictures.empty();
    if (out.complete || !out.counts.has("left_out")) return out;
    for (const json& one : out.counts.at("left_out").as_array())  // all that earlier versions say
      out.pictures.push_back({static_cast<std::size_t>(one.at("index").as_uint()), one.at("name").as_string(),
                              one.at("label").as_int(), one.has("target") ? one.at("target").as_int() : -1,
                              one.at("id").as_uint(), one.has("bytes") ? one.at("bytes").as_uint() : 0});
  } catch (const minicnn::error&) {
    // Resuming says why.
  }
  return out;
}

std::uint64_t hash_of(const minicnn::image_u8& picture, int label) {
  std::uint64_t hash =
      static_cast<std::uint64_t>(label + 1) * prime + static_cast<std::uint64_t>(picture.height * 65536 + picture.width);
  const std::vector<unsigned char>& p = picture.pixels;
  for (std::size_t i = 0; i < p.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p.data() + i, (std::min)(p.size() - i, std::size_t{8}));
    hash = (hash ^ word) * prime;
    hash ^= hash >> 29;
  }
  return hash;
}

bool in_memory(const minicnn::image_dataset& data, std::size_t i) {
  return !data.pictures.empty() && data.pictures[i].height > 0;
}

/// Bytes of a picture's file, or what stands for a picture in memory; nothing where there is no file.
std::optional<std::uint64_t> size_of(const minicnn::image_dataset& data, std::size_t i) {
  const minicnn::sample& s = data.samples[i];
  if (in_memory(data, i)) return hash_of(data.pictures[i], s.label);
  if (s.member >= 0) return static_cast<std::uint64_t>(data.archive->size_of(s.member));
  std::error_code failed;
  const std::uintmax_t size = fs::file_size(system_path(s.path), failed);
  return failed ? std::nullopt : std::optional<std::uint64_t>(size);
}

/// The run's classes where all of the data's are among them.
void adopt_classes(minicnn::image_dataset& data, const std::vector<std::string>& classes) {
  std::vector<int> numbers;
  for (const std::string& name : data.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    if (found == classes.end()) return;
    numbers.push_back(static_cast<int>(found - classes.begin()));
  }
  for (minicnn::sample& s : data.samples)
    if (s.label >= 0) s.label = numbers[static_cast<std::size_t>(s.label)];
  data.classes = classes;
}

}  // namespace

void restore_gone(minicnn::image_dataset& data, const std::string& run) {
  const known_data known = known_of(run);
  if (known.pictures.empty() || !data.pictures.empty()) return;
  try {
    std::vector<std::string> names;
    for (const json& name : known.counts.at("classes").as_array()) names.push_back(name.as_string());
    adopt_classes(data, names);
    const auto rows = static_cast<std::int64_t>(data.target_names.empty() ? 0 : data.targets.size() / data.target_names.size());
    std::set<std::string> there;
    for (std::size_t i = 0; i < data.samples.size(); ++i) there.insert(on_one_line(name_of(data, i)));
    std::vector<minicnn::sample> all;
    all.reserve(data.samples.size() + known.pictures.size());
    std::size_t next = 0;  // of the pictures that are there
    for (const known_picture& p : known.pictures) {
      const bool has_answer =
          rows > 0 ? p.target >= 0 && p.target < rows : p.label >= 0 && p.label < static_cast<std::int64_t>(data.classes.size());
      if (there.count(p.name) > 0 || !has_answer) continue;
      while (next < data.samples.size() && all.size() < p.index) all.push_back(std::move(data.samples[next++]));
      if (all.size() == p.index)
        all.push_back({data.root + (data.root.ends_with('/') ? "" : "/") + p.name, static_cast<int>(p.label), p.id, p.target});
    }
    while (next < data.samples.size()) all.push_back(std::move(data.samples[next++]));
    data.samples = std::move(all);
  } catch (const minicnn::error&) {
    // What cannot be put back is missed when the data are compared.
  }
}

run_data::run_data(const minicnn::image_dataset& data, const minicnn::data_split& split, const std::string& run,
                   minicnn::team& ranks)
    : data_(&data), sizes_(data.samples.size()), recorded_(data.samples.size()) {
  want_same_members(ranks, data.root, {{"images", data.size()}, {"classes", data.classes}});
  together(ranks, [&] {
    if (ranks.rank() == 0) find_sizes(run);
  });
  ranks.broadcast(sizes_.data(), data.size() * static_cast<index_t>(sizeof sizes_[0]), 0);
  ranks.broadcast(recorded_.data(), data.size(), 0);
  together(ranks, [&] { want_sizes_here(ranks); });
  std::uint64_t names = 0, sizes = 0, labels = 0;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    names = names * prime + data.samples[i].id;
    labels = labels * prime + static_cast<std::uint64_t>(data.samples[i].label + 1);
    sizes = sizes * prime + sizes_[i];
  }
  for (const double t : data.targets) sizes = sizes * prime + std::bit_cast<std::uint64_t>(t);
  counts_ = {{"images", data.size()},
             {"classes", data.classes},
             {"training", split.train.size()},
             {"validation", split.validation.size()},
             {"names", names},
             {"sizes", sizes},
             {"labels", labels}};
}

void run_data::find_sizes(const std::string& run) {
  std::map<std::uint64_t, std::uint64_t> known;  // sizes by id
  for (const known_picture& p : known_of(run).pictures) known[p.id] = p.bytes;
  minicnn::sample_indices changed;
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    const std::optional<std::uint64_t> size = size_of(*data_, i);
    const auto before = known.find(data_->samples[i].id);
    sizes_[i] = size.value_or(before != known.end() ? before->second : 0);
    recorded_[i] = !size;
    if (!in_memory(*data_, i) && before != known.end() && before->second != sizes_[i]) changed.push_back(static_cast<index_t>(i));
  }
  if (changed.empty()) return;
  // What has been damaged since is as good as gone; what is another picture now is not.
  for (const minicnn::bad_file& bad : minicnn::picture_source(*data_, 0).check(changed, 1)) {
    const auto i = static_cast<std::size_t>(bad.index);
    sizes_[i] = known[data_->samples[i].id];
    recorded_[i] = 1;
  }
}

/// Another folder under the same name shows in a few hundred files; asking for all of them is what the first rank has done for
/// all.
void run_data::want_sizes_here(minicnn::team& ranks) const {
  constexpr std::size_t some = 256;
  const std::size_t last = sizes_.size() - 1, looks = data_->pictures.empty() ? (std::min)(some, last) : last;
  for (std::size_t k = 0; k <= looks && !sizes_.empty() && ranks.rank() > 0; ++k) {
    const std::size_t i = looks == 0 ? 0 : k * last / looks;
    const std::optional<std::uint64_t> size = size_of(*data_, i);
    if (size == sizes_[i] || recorded_[i] != 0) continue;
    const std::string& path = data_->samples[i].path;
    if (in_memory(*data_, i)) minicnn::fail(path, ": picture ", i + 1, " is not that of ", ranks.name(0));
    minicnn::fail(path, ": wanted the ", sizes_[i], " bytes that ", ranks.name(0), " has, ",
                  size ? minicnn::text_of("got ", *size) : "but it is not there");
  }
}

void run_data::want_same(const std::string& run) const {
  using minicnn::option_error;
  const known_data known = known_of(run);
  if (!known.counts.is_object()) return;  // reading the run says why
  const std::string path = run + "/last.safetensors", &root = data_->root;
  if (const json* classes = known.counts.find("classes"); classes != nullptr && !(*classes == json(data_->classes))) {
    std::vector<std::string> before;
    for (const json& name : classes->as_array()) before.push_back(name.as_string());
    minicnn::fail<option_error>(path, ": the run was made with the classes ", list_of(before), "; ", root, " has ",
                                list_of(data_->classes), in_code_points(data_->classes, root, before, "the run"));
  }
  std::map<std::string, const known_picture*> by_name;
  for (const known_picture& p : known.pictures) by_name[p.name] = &p;
  std::vector<std::string> added, others, changed;
  for (std::size_t i = 0; i < data_->samples.size() && known.complete; ++i) {
    const std::string name = on_one_line(name_of(*data_, i));
    const auto found = by_name.find(name);
    if (found == by_name.end())
      added.push_back(name);
    else if (found->second->bytes != sizes_[i])
      changed.push_back(minicnn::text_of(name, " (", sizes_[i], " bytes, ", found->second->bytes, " before)"));
  }
  for (const auto& [name, picture] : by_name) others.push_back(name);
  if (!added.empty()) {
    const auto is_gone = [](const minicnn::sample& one) {
      std::error_code failed;
      return one.member < 0 && !fs::exists(system_path(one.path), failed);
    };
    const auto gone = std::count_if(data_->samples.begin(), data_->samples.end(), is_gone);
    const bool as_many = gone == static_cast<std::ptrdiff_t>(added.size());
    minicnn::fail<option_error>(
        path, ": the run was made with other pictures: ", as_many ? "there are as many, but some have other names: " : "", root,
        " has ", added.size(), " that it did not have: ", list_of(added), in_code_points(added, root, others, "the run"));
  }
  const json* images = known.counts.find("images");
  if (images != nullptr && !(*images == json(data_->size())))
    minicnn::fail<option_error>(path, ": the run was made with ", write_json(*images), " pictures, ", root, " has ",
                                data_->size(),
                                "; what is gone can be left out (--resume --skip-bad) where the run's pictures.txt lists it");
  if (!changed.empty() && data_->pictures.empty())
    minicnn::fail<option_error>(path,
                                ": the run was made with other pictures: their names are the same, their sizes in bytes are "
                                "not: ",
                                list_of(changed));
}

std::string run_data::list() const {
  if (!data_->pictures.empty()) return "";
  std::string out = list_head;
  for (std::size_t i = 0; i < data_->samples.size(); ++i) {
    const minicnn::sample& s = data_->samples[i];
    out += minicnn::text_of(s.id, "\t", s.label, "\t", s.target, "\t", sizes_[i], "\t", on_one_line(name_of(*data_, i)), "\n");
  }
  return out;
}

void run_data::leave_out(const minicnn::bad_file& bad) {
  const auto index = static_cast<std::size_t>(bad.index);
  const auto at = std::lower_bound(left_out_.begin(), left_out_.end(), index);
  if (at == left_out_.end() || *at != index) left_out_.insert(at, index);
}

bool run_data::note_gone() {
  if (!data_->pictures.empty()) return false;
  const std::size_t before = left_out_.size();
  for (std::size_t i = 0; i < data_->samples.size(); ++i) {
    std::error_code failed;
    if (data_->samples[i].member < 0 && !fs::exists(system_path(data_->samples[i].path), failed))
      leave_out({static_cast<index_t>(i), "", ""});
  }
  return left_out_.size() > before;
}

json run_data::text() const {
  json out = counts_;
  if (left_out_.empty()) return out;
  out["left_out"] = json::array{};
  for (const std::size_t i : left_out_)
    out["left_out"].push({{"index", i},
                          {"name", minicnn::as_utf8(name_of(*data_, i))},
                          {"label", data_->samples[i].label},
                          {"target", data_->samples[i].target},
                          {"id", data_->samples[i].id},
                          {"bytes", sizes_[i]}});
  return out;
}

minicnn::sample_indices without_bad(minicnn::sample_indices part, const std::vector<minicnn::bad_file>& bad) {
  for (const minicnn::bad_file& b : bad) std::erase(part, b.index);
  return part;
}

std::vector<std::string> class_warnings(const minicnn::image_dataset& data, const minicnn::data_split& split) {
  if (!data.target_names.empty()) return {};  // several labels or numbers: pictures have no class
  std::vector<index_t> train(data.classes.size()), validation(data.classes.size());
  const auto count = [&](const minicnn::sample_indices& part, std::vector<index_t>& counts) {
    for (const index_t i : part) ++counts[static_cast<std::size_t>(data.samples[static_cast<std::size_t>(i)].label)];
  };
  count(split.train, train);
  count(split.validation, validation);
  const auto classes_with = [&](const std::vector<index_t>& counts, index_t pictures) {
    std::vector<std::string> names;
    for (std::size_t c = 0; c < counts.size(); ++c)
      if (counts[c] == pictures) names.push_back(data.classes[c]);
    return names;
  };
  const std::vector<std::string> none = classes_with(train, 0), one = classes_with(train, 1);
  if (data.classes.size() < none.size() + 2)
    minicnn::fail(
        data.root, ": of ", split.train.size(), " training pictures none are of ", list_of(none),
        ": wanted at least 2 classes with pictures to train on (after --limit, --val-fraction and what cannot be read)");
  std::vector<std::string> out;
  if (!none.empty()) out.push_back("no pictures to train on of: " + list_of(none));
  if (!one.empty()) out.push_back("only one picture to train on of: " + list_of(one));
  if (!split.validation.empty())
    if (const std::vector<std::string> unseen = classes_with(validation, 0); !unseen.empty())
      out.push_back("no pictures to validate on of: " + list_of(unseen));
  return out;
}

}  // namespace cli
