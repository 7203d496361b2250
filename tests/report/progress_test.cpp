#include "minicnn/report/progress.hpp"

#include <doctest/doctest.h>

#include "minicnn/report/epoch_table.hpp"

using namespace minicnn;

namespace {

/// Sets an environment variable, and puts it back.
class with_environment {
 public:
  with_environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, was_set_ = true;
    value != nullptr ? setenv(name, value, 1) : unsetenv(name);
  }
  ~with_environment() { was_set_ ? setenv(name_, before_.c_str(), 1) : unsetenv(name_); }

 private:
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

const std::vector<std::string> figures{"loss 0.5000", "acc 80.0%", "90.1 img/s", "ETA 1:23", "412 MiB"};

}  // namespace

TEST_CASE("the live line never is wider than the terminal; figures go from the last one on") {
  terminal t{.live = true};
  for (int columns = 1; columns < 140; ++columns) {
    t.columns = columns;
    for (const bool utf8 : {false, true}) {
      t.utf8 = utf8;
      CHECK(text_columns(progress_text(t, "epoch 2/10", 3, 12, figures)) <= (std::max)(columns - 1, 1));
    }
  }
  t.utf8 = false;
  t.columns = 120;
  CHECK(progress_text(t, "epoch 2/10", 3, 12, figures) ==
        "epoch 2/10 #######....................... 3/12  loss 0.5000  acc 80.0%  90.1 img/s  ETA 1:23  412 MiB");
  t.columns = 60;
  CHECK(progress_text(t, "epoch 2/10", 3, 12, figures) == "epoch 2/10 ####............... 3/12  loss 0.5000  acc 80.0%");
  t.columns = 20;
  CHECK(progress_text(t, "epoch 2/10", 3, 12, figures) == "epoch 2/10 3/12");
  t.columns = 9;
  CHECK(progress_text(t, "epoch 2/10", 3, 12, figures) == "epoch 2/");
  t.columns = 60;
  CHECK(progress_text(t, "nothing", 0, 0, {}) == "nothing " + std::string(30, '#') + " 0/0");
}

TEST_CASE("colours only where they are understood and wanted") {
  terminal t{.live = true, .color = true};
  CHECK(t.paint("x", "32") == "\033[32mx\033[0m");
  t.color = false;
  CHECK(t.paint("x", "32") == "x");
}

TEST_CASE("files and pipes are neither live nor coloured; COLUMNS and the locale are read") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const with_environment columns("COLUMNS", "57"), all("LC_ALL", "C"), none("NO_COLOR", nullptr);
  terminal t = terminal_of(file);
  CHECK_FALSE(t.live);
  CHECK_FALSE(t.color);
  CHECK_FALSE(t.utf8);
  CHECK(t.columns == 57);
  const with_environment utf8("LC_ALL", "de_DE.UTF-8"), odd("COLUMNS", "x");
  t = terminal_of(file);
  CHECK(t.utf8);
  CHECK(t.columns == 80);
  const with_environment unset("LC_ALL", nullptr), type("LC_CTYPE", nullptr), lang("LANG", "C.utf8");
  CHECK(terminal_of(file).utf8);
  std::fclose(file);
}

TEST_CASE("a progress line to a file is plain, now and then, or silent") {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const auto text = [&] {
    std::string out(1000, '\0');
    std::rewind(file);
    out.resize(std::fread(out.data(), 1, out.size(), file));
    return out;
  };
  {
    progress_line often(file, 0), rarely(file, 1000), silent(file, 0);
    silent.quiet(true);
    silent.update("no", 1, 2, "");
    rarely.update("no", 1, 2, "");
    often.update("epoch 1/2", 3, 4, {"loss 1", "", "acc 2"});
    often.clear();
  }
  CHECK(text() == "epoch 1/2 3/4  loss 1  acc 2\n");
  std::fclose(file);
}

TEST_CASE("text is measured and cut in characters") {
  CHECK(text_columns("█▏·x") == 4);
  CHECK(cut_to_columns("█▏·x", 2) == "█▏");
  CHECK(cut_to_columns("ab", 5) == "ab");
  CHECK(cut_to_columns("ab", 0).empty());
}

TEST_CASE("the table's rows stand under its header, with less on narrow terminals") {
  const epoch_record e{3, 0.51234, 0.7425, 0.4, 0.81, 0.02, 93.04, 75};
  terminal t;
  const epoch_table wide(t);
  CHECK(wide.header() == "epoch  train loss  train acc  val loss  val acc        rate    img/s     time");
  CHECK(wide.row(e, false) == "    3      0.5123     74.25%    0.4000   81.00%      0.0200     93.0     1:15");
  CHECK(wide.row(e, true) == wide.row(e, false) + "  *");
  for (int columns = 27; columns < 100; ++columns) {
    t.columns = columns;
    const epoch_table table(t);
    CHECK(table.header().size() == table.row(e, false).size());
    CHECK(static_cast<int>(table.row(e, true).size()) <= columns);
  }
  t.columns = 40;
  CHECK(epoch_table(t).header() == "epoch  train loss  val loss  val acc");
  const epoch_record blind{3, 0.5, 0.7, NAN, NAN, 0.02, 93.04, 75};
  CHECK(epoch_table(terminal{}).row(blind, false).find("nan") == std::string::npos);
}
