#include "run_data.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <minicnn/io/safetensors.hpp>

#include "data_source.hpp"
#include "paths.hpp"

namespace cli {

using minicnn::index_t;
using minicnn::json;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t prime = 1099511628211ULL;

/// The list "left_out" of a run; an empty one where there is no run, or none that can be read: resuming says why.
json left_out_of(const std::string& run, json* classes = nullptr) {
  std::error_code failed;
  const std::string path = run + "/last.safetensors";
  if (run.empty() || !fs::exists(system_path(path), failed)) return json::array{};
  try {
    const auto file = minicnn::safetensors_file::open(path);
    const std::string* text = file.find_metadata("data");
    const json data = text == nullptr ? json() : minicnn::parse_json(*text);
    if (classes != nullptr) *classes = data.has("classes") ? data.at("classes") : json::array{};
    if (data.has("left_out")) return data.at("left_out");
  } catch (const minicnn::error&) {
  }
  return json::array{};
}

std::string name_of(const minicnn::image_dataset& data, std::size_t i) {
  const std::string& path = data.samples[i].path;
  const std::string root = data.root.ends_with('/') ? data.root : data.root + "/";
  return path.starts_with(root) ? path.substr(root.size()) : path;
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

void restore_left_out(minicnn::image_dataset& data, const std::string& run) {
  json classes;
  const json list = left_out_of(run, &classes);
  if (!list.is_array() || list.as_array().empty() || !data.pictures.empty()) return;
  try {
    std::vector<std::string> names;
    for (const json& name : classes.as_array()) names.push_back(name.as_string());
    adopt_classes(data, names);
    const auto rows = static_cast<std::int64_t>(data.target_names.empty() ? 0 : data.targets.size() / data.target_names.size());
    for (const json& one : list.as_array()) {
      const auto index = static_cast<std::size_t>(one.at("index").as_uint());
      const std::string path = data.root + (data.root.ends_with('/') ? "" : "/") + one.at("name").as_string();
      const auto id = one.at("id").as_uint();
      const std::int64_t label = one.at("label").as_int(), target = one.has("target") ? one.at("target").as_int() : -1;
      const bool has_answer =
          rows > 0 ? target >= 0 && target < rows : label >= 0 && label < static_cast<std::int64_t>(data.classes.size());
      const bool there = std::any_of(data.samples.begin(), data.samples.end(), [&](const auto& s) { return s.path == path; });
      if (there || index > data.samples.size() || !has_answer) continue;
      data.samples.insert(data.samples.begin() + static_cast<std::ptrdiff_t>(index), {path, static_cast<int>(label), id, target});
    }
  } catch (const minicnn::error&) {
    // What cannot be put back is missed when the data are compared.
  }
}

run_data::run_data(const minicnn::image_dataset& data, const minicnn::data_split& split, const std::string& run) : data_(&data) {
  const json list = left_out_of(run), known = list.is_array() ? list : json(json::array{});
  std::uint64_t names = 0, sizes = 0, labels = 0;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    std::error_code failed;
    const minicnn::sample& s = data.samples[i];
    const bool in_memory = !data.pictures.empty() && data.pictures[i].height > 0;
    std::uint64_t size = in_memory       ? hash_of(data.pictures[i], s.label)
                         : s.member >= 0 ? static_cast<std::uint64_t>(data.archive->size_of(s.member))
                                         : fs::file_size(system_path(s.path), failed);
    if (failed) {
      size = 0;
      for (const json& one : known.as_array())
        if (one.has("id") && one.at("id") == json(s.id) && one.has("bytes") && one.at("bytes").is_uint())
          size = one.at("bytes").as_uint();
    }
    sizes_.push_back(size);
    names = names * prime + s.id;
    labels = labels * prime + static_cast<std::uint64_t>(s.label + 1);
    sizes = sizes * prime + size;
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

void run_data::leave_out(const minicnn::bad_file& bad) {
  const auto index = static_cast<std::size_t>(bad.index);
  const auto at = std::lower_bound(left_out_.begin(), left_out_.end(), index);
  if (at == left_out_.end() || *at != index) left_out_.insert(at, index);
}

void run_data::note_gone() {
  if (!data_->pictures.empty()) return;
  for (std::size_t i = 0; i < data_->samples.size(); ++i) {
    std::error_code failed;
    if (data_->samples[i].member < 0 && !fs::exists(system_path(data_->samples[i].path), failed))
      leave_out({static_cast<index_t>(i), "", ""});
  }
}

json run_data::text() const {
  json out = counts_;
  if (left_out_.empty()) return out;
  out["left_out"] = json::array{};
  for (const std::size_t i : left_out_)
    out["left_out"].push({{"index", i},
                          {"name", name_of(*data_, i)},
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
