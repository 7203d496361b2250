// minicnn generate

#include <cstdio>
#include <filesystem>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/folder_tree.hpp>
#include <minicnn/report/progress.hpp>

#include "commands.hpp"
#include "drawing/drawing.hpp"
#include "option_values.hpp"
#include "output_path.hpp"
#include "paths.hpp"

namespace cli {

using minicnn::index_t;

namespace {

struct generate_options {
  std::string out;
  index_t images = 2000;
  std::uint64_t seed = 0;
};

/// Drawings would become part of a data set that is there already.
void refuse_data_set(const std::string& folder) {
  std::error_code failed;
  if (!std::filesystem::is_directory(system_path(folder), failed)) return;
  minicnn::ignored_files ignored;
  const minicnn::index_t held = minicnn::detail::tree_reader(system_path(folder), ignored).read().total();
  if (held > 0)
    throw usage_error(minicnn::text_of("--out ", folder, ": already holds pictures (", held,
                                       " in it and below); give a new folder, or remove them first"));
}

int generate_command(const generate_options& o) {
  refuse_data_set(o.out);
  minicnn::progress_line progress(stderr);
  const index_t written = drawing::generate_images(o.out, o.images, o.seed, [&](index_t done, index_t images) {
    progress.update("drawing", done, images, "");
    return true;
  });
  progress.clear();
  std::printf("%s pictures in %s\n", minicnn::to_text(written).c_str(), minicnn::printable(o.out).c_str());
  return exit_done;
}

}  // namespace

void add_generate(CLI::App& app, action& chosen) {
  auto o = std::make_shared<generate_options>();
  CLI::App* command = app.add_subcommand("generate", "draws cats and dogs to train on: cat.0.jpg, dog.0.jpg, cat.1.jpg, ...");
  command->add_option("--out", o->out, "folder; made if missing, refused if it has such pictures already")->required();
  command->add_option("--images", o->images, "pictures, half of each")
      ->transform(whole_from(1, 100000000))
      ->capture_default_str();
  command->add_option("--seed", o->seed, "of everything that is drawn at random")->transform(any_seed())->capture_default_str();
  command->callback([o, &chosen] {
    check_output_folder(o->out);
    chosen = [o] { return generate_command(*o); };
  });
}

}  // namespace cli
