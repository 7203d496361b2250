// minicnn pack

#include <cstdio>
#include <filesystem>
#include <minicnn/core/number.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/pack.hpp>
#include <minicnn/files/descriptor.hpp>
#include <minicnn/report/progress.hpp>

#include "commands.hpp"
#include "data_source.hpp"
#include "interrupt.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "paths.hpp"
#include "platform.hpp"
#include "task_choice.hpp"

namespace cli {

using minicnn::index_t;

namespace {

struct pack_command_options {
  std::string data, out, size = "1G";
  bool shuffle = false, cls = false;
  std::uint64_t seed = 0;
};

/// "1G" and "500M" count in powers of 1024. Throws option_error.
index_t bytes_from(const std::string& text) {
  constexpr index_t most = index_t{1} << 50;
  const std::size_t digits = text.find_first_not_of("0123456789");
  const std::string unit = digits == text.npos ? "" : text.substr(digits);
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : unit == "T" ? 40 : -1;
  const auto number = minicnn::parse_whole_number<index_t>(text.substr(0, digits));
  if (shift < 0 || !number || *number < 1 || *number > most >> shift || (*number << shift) < 10240)
    minicnn::fail<minicnn::option_error>("wanted bytes from 10240 on, as 1G, 500M or 100K, got \"", minicnn::excerpt(text), "\"");
  return *number << shift;
}

/// Thrown from within, so that what is half made goes.
struct pack_interrupted {};

std::vector<std::string> pack(const minicnn::image_dataset& data, const std::string& out, minicnn::pack_options options) {
  minicnn::progress_line progress(stderr);
  options.progress = [&](index_t done, index_t total) {
    if (interrupted()) throw pack_interrupted();
    progress.update("packing", done, total, "");
  };
  catch_interrupts();
  std::vector<std::string> files = minicnn::pack_pictures(data, out, options);
  release_interrupts();
  progress.clear();
  return files;
}

/// Folders of packs to the same place whose processes were killed: "OUT.tmp-PID" of a process that is gone (or had our number),
/// with nothing in it but what a pack writes.
void remove_leftovers(std::string out) {
  namespace fs = std::filesystem;
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  const fs::path whole = system_path(out), above = whole.has_parent_path() ? whole.parent_path() : fs::path(".");
  const std::string start = path_text(whole.filename()) + ".tmp-";
  std::error_code failed;
  std::vector<fs::path> found;
  for (fs::directory_iterator entry(above, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string name = path_text(entry->path().filename());
    const auto process = name.starts_with(start) ? minicnn::parse_whole_number<int>(name.substr(start.size())) : std::nullopt;
    std::error_code none;
    if (!process || *process <= 0 || !fs::is_directory(entry->symlink_status(none))) continue;
    if (*process != minicnn::detail::posix::process_id() && process_runs(*process)) continue;
    bool ours = true;
    for (fs::directory_iterator inner(entry->path(), none), last; !none && inner != last; inner.increment(none)) {
      const std::string file = path_text(inner->path().filename());
      const bool named = file == "classes.txt" || file.starts_with("classes.txt.tmp-") ||
                         (file.starts_with("shard-") && file.find(".tar") == 12);
      ours = ours && named && fs::is_regular_file(inner->symlink_status(none));
    }
    if (ours && !none) found.push_back(entry->path());
  }
  for (const fs::path& folder : found) {
    fs::remove_all(folder, failed);
    say(path_text(folder.lexically_normal()) + ": left by a pack that was killed; removed");
  }
}

int pack_command(const pack_command_options& o) {
  const minicnn::pack_options options{bytes_from(o.size), o.shuffle, o.seed, o.cls, {}};
  const minicnn::image_dataset data = open_labelled(o.data, minicnn::data_part::train);
  for (const minicnn::sample& s : data.samples) minicnn::refuse_unlisted(s);
  std::vector<std::string> files;
  remove_leftovers(o.out);
  try {
    files = pack(data, o.out, options);
  } catch (const pack_interrupted&) {
    std::fprintf(stderr, "\ninterrupted; %s is not made\n", minicnn::printable(o.out).c_str());
    return exit_interrupted;
  }
  index_t bytes = 0;
  for (const std::string& file : files) {
    const auto size = static_cast<index_t>(std::filesystem::file_size(system_path(file)));
    std::printf("%s\t%s\n", minicnn::printable(file).c_str(), minicnn::to_text(size).c_str());
    bytes += size;
  }
  std::fprintf(stderr, "%s pictures in %s tar files of %s bytes in all\n", minicnn::to_text(data.size()).c_str(),
               minicnn::to_text(files.size()).c_str(), minicnn::to_text(bytes).c_str());
  return exit_done;
}

}  // namespace

void add_pack(CLI::App& app, action& chosen) {
  auto o = std::make_shared<pack_command_options>();
  CLI::App* command = app.add_subcommand("pack",
                                         "pictures of a folder (or of tar files) as a few tar files, shard-000000.tar and so on, "
                                         "for --data of all commands and for\n"
                                         "WebDataset. Training on them gives the weights that training on the folder gives. "
                                         "Pictures stay as they are; equal data and\n"
                                         "options give equal bytes. One line a file: name, bytes.");
  command->add_option("--data", o->data, data_help)->required();
  command->add_option("--out", o->out, "folder; must not exist or be empty")->required();
  command->add_option("--size", o->size, "most bytes of a file, as 1G or 500M")
      ->transform(readable_by([](const std::string& text) { (void)bytes_from(text); }))
      ->capture_default_str();
  command->add_flag("--shuffle", o->shuffle, "pictures in an order drawn from --seed, which --shuffle blocks of train wants");
  command->add_option("--seed", o->seed, "of --shuffle")->transform(any_seed())->capture_default_str();
  command->add_flag(
      "--cls", o->cls,
      "a KEY.cls with the class's number beside each picture, as WebDataset reads them, even where names say the class");
  command->callback([o, &chosen] {
    check_output_folder(o->out);
    refuse_inside_data(o->out, o->data);
    chosen = [o] { return pack_command(*o); };
  });
}

}  // namespace cli
