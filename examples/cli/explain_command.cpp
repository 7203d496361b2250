// minicnn explain

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <minicnn/analysis/grad_cam.hpp>
#include <minicnn/analysis/occlusion.hpp>
#include <minicnn/core/printable.hpp>
#include <minicnn/data/picture_source.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/io/json.hpp>
#include <minicnn/report/filters.hpp>
#include <minicnn/report/progress.hpp>
#include <optional>
#include <set>

#include "alike_names.hpp"
#include "commands.hpp"
#include "data_source.hpp"
#include "import_weights.hpp"
#include "inference.hpp"
#include "messages.hpp"
#include "option_values.hpp"
#include "out_guard.hpp"
#include "output_path.hpp"
#include "path_json.hpp"
#include "path_patterns.hpp"
#include "paths.hpp"
#include "picture_encoding.hpp"
#include "picture_list.hpp"
#include "task_choice.hpp"

namespace cli {

using minicnn::index_t;
using minicnn::json;

namespace {

struct explain_options {
  std::string weights, out;
  std::vector<std::string> paths;
  std::vector<std::string> methods{"grad-cam"};
  std::string of_class, node;
  int size = 0;
  int threads = 0;
  bool json = false;
};

/// What came of one picture.
struct explanation {
  std::string path;
  index_t named = 0, explained = 0;
  std::vector<double> probabilities;
  std::vector<std::pair<std::string, std::string>> files;  ///< what it shows, and where it is
};

class explainer {
 public:
  explicit explainer(const explain_options& o) : o_(o), model_(load_model(o.weights, o.threads)) {
    want_classification(model_.info, "explain");
    const std::vector<std::string>& classes = model_.info.classes;
    if (!o_.of_class.empty()) {
      const auto found = std::find(classes.begin(), classes.end(), o_.of_class);
      if (found == classes.end())
        throw usage_error("--class " + o_.of_class + ": the weights tell apart " + list_of(classes) +
                          in_code_points({o_.of_class}, "--class", classes, "the weights"));
      class_ = found - classes.begin();
    }
    for (const std::string& method : o_.methods) {
      if (method == "all")
        wanted_ = {"grad-cam", "occlusion", "filters", "activations"};
      else
        wanted_.insert(method);
    }
    const minicnn::network<float>& net = model_.net;
    // Overlays show the picture sharper than the network saw it.
    const index_t own = model_.info.transform.size;
    side_ = o_.size > 0 ? o_.size : own * ((448 + own - 1) / own);
    if (wants("activations")) nodes_ = o_.node.empty() ? minicnn::feature_map_nodes(net) : std::vector<std::string>{o_.node};
    try {
      if (wants("grad-cam") || wants("activations")) cam_.emplace(net, o_.node);
    } catch (const minicnn::option_error& e) {
      const std::string quantized =
          about_quantized(minicnn::safetensors_file::open(o_.weights),
                          "--method grad-cam and activations want feature maps in real numbers (occlusion does not)");
      if (!quantized.empty()) throw usage_error(o_.weights + ": " + quantized);
      throw usage_error(o_.node.empty() ? e.what() : "--node " + o_.node + ": " + e.what());
    }
    run_.emplace(net, minicnn::session_options{.retain = nodes_});
    predict_.emplace(predictor_of(model_, model_.info.tta, 1));
  }

  bool wants(const char* method) const { return wanted_.count(method) > 0; }
  const loaded_model& model() const { return model_; }

  std::string write_filters() { return write("filters", minicnn::filter_picture(model_.net)); }

  explanation run(const minicnn::image_u8& image, const std::string& path) {
    minicnn::image_u8 fed = image;
    if (model_.info.config.channels == 1) to_grey(fed);
    const minicnn::shape& one = model_.net.input_dims();
    if (!(input_.dims() == one)) input_ = minicnn::tensor<float>(one);
    apply(fed, model_.info.transform, minicnn::random_key(), false, input_.data(), workspace_);
    const auto result =
        predict_->run(1, [&](index_t, minicnn::image_workspace&) -> const minicnn::image_u8& { return fed; }).front();
    if (!result.reason.empty()) minicnn::fail(result.reason);
    explanation e;
    e.path = path;
    for (const double v : result.log_probabilities) e.probabilities.push_back(std::exp(v));
    e.named = std::max_element(e.probabilities.begin(), e.probabilities.end()) - e.probabilities.begin();
    e.explained = class_ < 0 ? e.named : class_;

    const minicnn::rgb_picture picture = seen_part(image, model_.info.transform, side_, workspace_);
    const std::string stem = unused_stem(path);
    if (wants("grad-cam")) {
      const std::vector<index_t> classes{e.explained};
      const minicnn::tensor<float> maps = (*cam_)(input_, classes);
      e.files.emplace_back("grad-cam", write(stem + ".grad-cam", overlay(picture, minicnn::view<const float>(maps).at(0))));
    }
    if (wants("occlusion")) {
      const minicnn::tensor<float> map = minicnn::occlusion<float>(*run_, input_, e.explained);
      e.files.emplace_back("occlusion", write(stem + ".occlusion", minicnn::overlay(picture, map)));
    }
    if (wants("activations")) {
      run_->predict(input_);
      for (const std::string& node : nodes_)
        e.files.emplace_back("activations of " + node, write(stem + "." + node, activation_picture(run_->value(node))));
    }
    return e;
  }

 private:
  /// The file's name without folder and ending; with a number where pictures of several folders have the same.
  std::string unused_stem(const std::string& path) {
    const std::string stem = path_text(system_path(path).stem());
    std::string name = stem;
    for (int number = 2; !stems_.insert(name).second; ++number) name = minicnn::text_of(stem, "-", number);
    return name;
  }

  std::string write(const std::string& name, const minicnn::rgb_picture& picture) const {
    std::error_code problem;  // now, so that no empty folder is left where nothing can be explained
    std::filesystem::create_directories(system_path(o_.out), problem);
    if (problem) minicnn::fail<minicnn::file_error>(o_.out, ": cannot be made: ", problem.message());
    mark_as_no_data(o_.out);
    const std::string path = joined(o_.out, name + ".png");
    const encoded_picture bytes = png_file(picture);
    minicnn::write_file(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return path;
  }

  const explain_options& o_;
  loaded_model model_;
  index_t class_ = -1, side_ = 0;
  std::set<std::string, std::less<>> wanted_;
  std::vector<std::string> nodes_;
  std::set<std::string> stems_;
  minicnn::tensor<float> input_;
  std::optional<minicnn::grad_cam<float>> cam_;
  std::optional<minicnn::session<float>> run_;
  std::optional<predictor> predict_;  ///< the class and probabilities that `predict` gives
  minicnn::image_workspace workspace_;
};

void print(const explanation& e, const std::vector<std::string>& classes, bool as_json) {
  const auto name = [&](index_t k) { return classes[static_cast<std::size_t>(k)]; };
  const auto probability = [&](index_t k) { return e.probabilities[static_cast<std::size_t>(k)]; };
  if (!as_json) {
    const auto shown = [&](index_t k) { return minicnn::printable(name(k)); };
    std::printf("%s\t%s\t%s", minicnn::printable(e.path).c_str(), shown(e.named).c_str(),
                minicnn::fixed(probability(e.named), 6).c_str());
    if (e.explained != e.named)
      std::printf("\texplained: %s (%s)", shown(e.explained).c_str(), minicnn::fixed(probability(e.explained), 6).c_str());
    for (const auto& [what, file] : e.files) std::printf("\t%s", minicnn::printable(file).c_str());
    std::printf("\n");
    return;
  }
  json text;
  put_path(text, e.path);
  text["class"] = name(e.named);
  text["probability"] = probability(e.named);
  text["explained_class"] = name(e.explained);
  text["explained_probability"] = probability(e.explained);
  text["files"] = json::object{};
  for (const auto& [what, file] : e.files) text["files"][what] = minicnn::as_utf8(file);
  std::printf("%s\n", json_text(text).c_str());
}

int explain_command(const explain_options& o) {
  std::vector<std::string> problems;
  const minicnn::image_dataset pictures = list_pictures(expand_paths(o.paths, std::cin, problems), problems);
  for (const std::string& text : problems) say(text);
  auto bad = static_cast<index_t>(problems.size());
  explainer explain(o);
  if (explain.wants("filters")) {
    refuse_quantized(o.weights, "--method filters draws weights in real numbers");
    const std::string file = explain.write_filters();
    if (o.json)
      std::printf("%s\n", json_text(json({{"files", {{"filters", file}}}})).c_str());
    else
      std::printf("%s\n", minicnn::printable(file).c_str());
  }
  minicnn::picture_source source(pictures);
  minicnn::image_workspace workspace;
  minicnn::progress_line progress(stderr);
  for (index_t i = 0; i < pictures.size(); ++i) {
    progress.update("explaining", i, pictures.size(), "");
    const std::string& path = pictures.samples[static_cast<std::size_t>(i)].path;
    const minicnn::image_u8* image = nullptr;
    const auto leave_out = [&](const minicnn::error& e) {
      progress.clear();
      say(path + ": " + without_path(e.what(), path));
      bad += 1;
    };
    try {
      image = &source.get(i, workspace);
    } catch (const minicnn::file_error& e) {
      leave_out(e);
      continue;
    } catch (const minicnn::length_error& e) {  // memory for this picture
      leave_out(e);
      continue;
    }
    const explanation e = explain.run(*image, path);
    progress.clear();
    print(e, explain.model().info.classes, o.json);
    std::fflush(stdout);
  }
  if (bad > 0) say(minicnn::text_of(bad, bad == 1 ? " path has" : " paths have", " no explanation"));
  return bad > 0 ? exit_failed : exit_done;
}

}  // namespace

void add_explain(CLI::App& app, action& chosen) {
  auto o = std::make_shared<explain_options>();
  CLI::App* command =
      app.add_subcommand("explain",
                         "shows why: writes PNG pictures of where the network looks, and prints a line a picture: path, class, "
                         "probability, files, with tabs between them.\n"
                         "grad-cam: what speaks for the class in the last feature maps, over the picture; occlusion: what the "
                         "class's probability loses when a square is covered; filters: the weights of the first convolution; "
                         "activations: feature maps of each size.\n"
                         "What cannot be read is named on standard error, the rest is done, and the exit code is 1.");
  command->add_option("PATH", o->paths, "pictures, folders of them, quoted patterns ('*.jpg'), - for a list on standard input");
  command->add_option("--weights", o->weights, "weights file that train wrote")->required();
  command->add_option("--out", o->out, "folder to write pictures to; made if missing")->required();
  command
      ->add_option("--method", o->methods, "grad-cam, occlusion, filters, activations or all; several with commas between them")
      ->delimiter(',')
      ->allow_extra_args(false)  // what stands behind is PATH
      ->transform(one_of({"grad-cam", "occlusion", "filters", "activations", "all"}))
      ->capture_default_str();
  command->add_option("--class", o->of_class, "class to explain (default: the one that the network names)");
  command->add_option("--node", o->node,
                      "feature maps for grad-cam and activations, as summary names them (default: the last ones before pooling; "
                      "activations: the last of each size)");
  command->add_option("--size", o->size, "pixels a side of overlays (default: the network's own, enlarged to at least 448)")
      ->transform(whole_from(16, 4096));
  command->add_option("--threads", o->threads, "0: all processors")
      ->transform(whole_from(0, minicnn::max_threads))
      ->capture_default_str();
  command->add_flag("--json", o->json, "one JSON object a line");
  command->callback([o, &chosen] {
    check_output_folder(o->out);
    const bool filters_alone = o->methods == std::vector<std::string>{"filters"};
    if (o->paths.empty() && !filters_alone) throw usage_error("explain: wanted PATH, a picture or a folder of them");
    std::error_code failed;
    for (const std::string& path : o->paths)
      if (std::filesystem::is_directory(system_path(path), failed))
        refuse_inside_data(o->out, path);
      else if (std::filesystem::equivalent(system_path(o->out),
                                           std::filesystem::absolute(system_path(path), failed).parent_path(), failed))
        throw usage_error("--out " + o->out + ": is the folder of " + path + ", where overlays would be taken for pictures");
    refuse_among_pictures(o->out);
    chosen = [o] { return explain_command(*o); };
  });
}

}  // namespace cli
