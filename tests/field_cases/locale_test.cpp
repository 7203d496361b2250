// Every text that the library reads or writes is the same in a locale whose decimal point is a comma.
#include <doctest/doctest.h>

#include "field_cases/small_network.hpp"
#include "german_locale.hpp"
#include "io/temporary_folder.hpp"
#include "minicnn/files/file.hpp"
#include "minicnn/graph/session.hpp"
#include "minicnn/graph/summary.hpp"
#include "minicnn/io/checkpoint.hpp"
#include "minicnn/report/html.hpp"
#include "minicnn/train/history.hpp"
#include "minicnn/train/parse_schedule.hpp"

using namespace minicnn;

namespace {

/// All that the library writes as text or with text in it.
std::vector<std::string> everything_written() {
  std::vector<std::string> out;
  out.push_back(text_of(0.001, " ", 1234567.25, " ", 1234567, " ", -1e-30));
  out.push_back(write_json(json(json::object{{"lr", 0.001}, {"n", index_t{1234567}}})));
  out.push_back(history_csv({{1, 0.6931, 0.5125, 0.6, 0.75, 0.001, 1234.5, 3600.25}}));
  auto net = small::network({.seed = 1});
  session run(net);
  out.push_back(summary_table(summarize(net)));
  training_report report;
  report.title = "a report";
  report.history = {{1, 0.6931, 0.5125, 0.6, 0.75, 0.001, 1234.5, 3600.25}, {2, 0.5, 0.75, 0.5, 0.8, 0.001, 1234.5, 7200.5}};
  report.classes = {"cat", "dog"};
  report.confusion = {{1500, 2}, {3, 1400}};
  report.best_epoch = 2;
  out.push_back(report_html(report));
  const temporary_folder folder;
  save_weights(net, folder / "w", {{"rate", text_of(0.001)}});
  out.push_back(read_file(folder / "w"));
  try {
    const tensor<float> images({2000, 4, 16, 16});
    run.forward(images);
  } catch (const error& e) {
    out.push_back(e.what());
  }
  return out;
}

}  // namespace

TEST_CASE("F53 the same bytes are written, and numbers are read, under a German locale") {
  const std::vector<std::string> wanted = everything_written();
  REQUIRE(wanted.size() == 7);
  CHECK(contains(wanted[0], "0.001 1234567.25 1234567 -1e-30"));
  const german now;
  if (now.c()) {
    char text[16];
    std::snprintf(text, sizeof text, "%.1f", 0.5);
    CHECK(std::string(text) == "0,5");  // the locale is in force
    CHECK(std::strtod("0.001", nullptr) == 0);
  } else {
    MESSAGE("neither de_DE.UTF-8 nor localedef (Debian: locales): only the C++ locale is tried");
  }
  const std::vector<std::string> got = everything_written();
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK((got[i] == wanted[i]));
  }

  CHECK(parse_json(R"({"lr":0.001})").at("lr").as_double() == 0.001);
  CHECK(parse_schedule("linear:0.25").at(1, 2) == doctest::Approx(0.625));
  CHECK(parse_history_csv(wanted[2], "results.csv").front().images_per_second == 1234.5);
  const temporary_folder folder;
  auto net = small::network({.seed = 1}), other = small::network({.seed = 2});
  save_weights(net, folder / "w", {{"rate", text_of(0.001)}});
  load_weights(other, folder / "w");
  CHECK(small::same_bits(small::copy_of(other.parameter_arena()), small::copy_of(net.parameter_arena())));
  CHECK(*safetensors_file::open(folder / "w").find_metadata("rate") == "0.001");
}
