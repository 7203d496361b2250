// A training run that explains itself, from code: a row an epoch on the terminal, and report.html rewritten after each.
//
//     report PICTURES RUN_FOLDER
#include <cstdio>
#include <filesystem>
#include <minicnn/alexnet.hpp>
#include <minicnn/data/folder_data.hpp>
#include <minicnn/files/file.hpp>
#include <minicnn/graph/summary.hpp>
#include <minicnn/io/checkpoint.hpp>
#include <minicnn/report/epoch_table.hpp>
#include <minicnn/report/html.hpp>
#include <minicnn/train/callbacks.hpp>
#include <string>
#include <utility>

namespace {

using namespace minicnn;

/// Keeps what the page needs of each epoch, and writes it.
class report_page final : public training_callback {
 public:
  report_page(std::string folder, training_report about) : folder_(std::move(folder)), page_(std::move(about)) {
    std::fprintf(stderr, "%s\n", table_.header().c_str());
  }
  void on_best(const epoch_record& row, const evaluation& e) override {
    page_.best_epoch = row.epoch;
    page_.confusion = e.confusion;  // with logits and labels: confusion matrix, classes, ROC, calibration
    page_.logits.assign(e.outputs.begin(), e.outputs.end());
    page_.labels = e.labels;
  }
  void on_epoch(const epoch_record& row, const evaluation&) override {
    page_.history.push_back(row);
    write();
    write_file(folder_ + "/results.csv", history_csv(page_.history));
    write_file(folder_ + "/curves.svg", curves_svg(page_.history, page_.best_epoch, page_.title));
    std::fprintf(stderr, "%s\n", table_.row(row, row.epoch == page_.best_epoch).c_str());
  }
  /// After the last epoch, or wherever the run ended.
  void finish() { page_.finished = true, write(); }

 private:
  void write() const { write_file(folder_ + "/report.html", report_html(page_)); }

  std::string folder_;
  training_report page_;
  epoch_table table_{terminal_of(stderr)};
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: %s PICTURES RUN_FOLDER\n", argv[0]), 2;
  try {
    const std::string run = argv[2];
    std::filesystem::create_directories(run);
    folder_data data(argv[1], {.image_size = 96});
    auto net = alexnet_bn<float>({.classes = data.classes(), .image_size = 96});

    training_report about;
    about.title = "alexnet-bn";
    about.classes = data.pictures.classes;
    about.settings = {{"image size", "96"}, {"parameters", grouped(net.parameter_count())}};
    about.data = {{"training", to_text(data.train.size())}, {"validation", to_text(data.validation.size())}};
    report_page page(run, std::move(about));
    checkpoint best([&](const epoch_record&) { save_weights(net, run + "/best.safetensors"); });
    fit(net, data, {.epochs = 10, .callbacks = {&page, &best}});
    page.finish();
    std::printf("%s/report.html\n", run.c_str());
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
