// --task: several labels, numbers, class weights, balance and folds, from training to prediction.
#include <filesystem>
#include <fstream>
#include <map>

#include "program.hpp"

using program::contains;
using program::red_png;
using program::run;

namespace {

/// 24 pictures of one colour, and what follows from how red they are: two labels, two numbers.
class red_pictures {
 public:
  red_pictures() : folder_("tasks") {
    std::ofstream labels(path("labels.csv")), tags(path("tags.csv")), numbers(path("numbers.csv")), classes(path("classes.csv"));
    labels << "id,red,dark\n", tags << "id,tags\n", numbers << "id,redness,tens\n", classes << "id,label\n";
    for (int i = 0; i < 24; ++i) {
      const int red = 10 * i + 5;
      const std::string name = std::to_string(i);
      folder_.write("pictures/" + name + ".png", red_png(red));
      labels << name << ',' << (red > 120) << ',' << (red < 60) << '\n';
      tags << name << ',' << (red > 120 ? "red" : "") << (red < 60 ? "dark" : "") << '\n';
      numbers << name << ".png," << red / 255.0 << ',' << 1000 + red << '\n';
      classes << name << ',' << (i % 6 == 0 ? "rare" : "usual") << '\n';
    }
  }
  std::string path(const std::string& name) const { return folder_.path(name.c_str()); }
  std::string data() const { return " --data '" + path("pictures") + "' "; }
  std::string train(const std::string& out, const std::string& rest) const {
    return "train" + data() + "--out '" + path(out) + "' --model lenet5 --channels 3 --image-size 32 --batch-size 6 --epochs 6 " +
           "--preset best --threads 1 --workers 0 --val-fraction 0.25 --no-augment --quiet " + rest;
  }
  std::string text(const std::string& name) const {
    const pictures::bytes b = pictures::read(path(name));
    return {b.begin(), b.end()};
  }

 private:
  pictures::folder folder_;
};

}  // namespace

TEST_CASE("several labels: train, evaluate, predict") {
  const red_pictures p;
  for (const std::string table : {"labels.csv", "tags.csv"}) {
    CAPTURE(table);
    const auto trained = run(p.train("run-" + table, "--task multilabel --labels '" + p.path(table) + "'"));
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    const std::string weights = " --weights '" + p.path("run-" + table) + "/best.safetensors' ";
    const auto all = run("evaluate" + weights + p.data() + "--labels '" + p.path(table) + "' --json").json();
    CHECK(all["images"] == 24);
    CHECK(all["task"] == "multilabel");
    CHECK(all["labels"].size() == 2);
    CHECK(all.contains("mAP"));
    CHECK_FALSE(all.contains("confusion"));
    const auto part =
        run("evaluate" + weights + p.data() + "--labels '" + p.path(table) + "' --split val --tta none --json").json();
    CHECK(part["images"] == 6);
    for (const auto& label : part["labels"]) CHECK((label["threshold"] > 0 && label["threshold"] < 1));
    CHECK(contains(p.text("run-" + table + "/report.html"), "Labels (validation)"));
    CHECK_FALSE(contains(p.text("run-" + table + "/report.html"), "Confusion matrix"));

    const auto json = run("predict" + weights + "--json '" + p.path("pictures/20.png") + "'").json();
    CHECK(json["probabilities"].size() == 2);
    CHECK(json["labels"].is_array());
    const auto csv = run("predict" + weights + "--csv '" + p.path("pictures") + "'").lines();
    REQUIRE(csv.size() == 25);
    CHECK(csv[0] == (table == "tags.csv" ? "path,labels,dark,red" : "path,labels,red,dark"));
    // What evaluate says is what predict gives: the picture's own probability, from the same file.
    CHECK(run("predict" + weights + "'" + p.path("pictures/3.png") + "'").lines().size() == 1);
    CHECK(run("submit" + weights + p.data() + "--out x.csv").code == 2);
    CHECK(run("predict" + weights + "--top-k 2 '" + p.path("pictures/3.png") + "'").code == 2);
  }
}

TEST_CASE("numbers: train, evaluate, predict, resume") {
  const red_pictures p;
  const std::string labels = "--labels '" + p.path("numbers.csv") + "' ";
  const auto trained = run(p.train("run", "--task regress " + labels));
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  const std::string weights = " --weights '" + p.path("run") + "/best.safetensors' ";
  const auto e = run("evaluate" + weights + p.data() + labels + "--json").json();
  CHECK(e["task"] == "regress");
  REQUIRE(e["targets"].size() == 2);
  CHECK(e["targets"][1]["target"] == "tens");
  CHECK(contains(p.text("run/report.html"), "Predicted over true: redness"));
  CHECK_FALSE(contains(p.text("run/report.html"), "Confusion matrix"));
  CHECK(contains(p.text("run/results.csv"), "epoch,train_loss,train_accuracy,val_loss,val_accuracy"));

  // The figures are those of the predictions.
  const auto csv = run("predict" + weights + "--csv '" + p.path("pictures") + "'").lines();
  REQUIRE(csv.size() == 25);
  CHECK(csv[0] == "path,redness,tens");
  double error = 0;
  for (std::size_t i = 1; i < csv.size(); ++i) {
    const std::size_t slash = csv[i].rfind('/'), first = csv[i].find(',', slash), second = csv[i].find(',', first + 1);
    const int number = std::stoi(csv[i].substr(slash + 1));
    error += std::abs(std::stod(csv[i].substr(second + 1)) - (1000 + 10 * number + 5)) / 24;
  }
  CHECK(error == doctest::Approx(e["targets"][1]["mae"].get<double>()).epsilon(1e-3));
  CHECK(run("predict" + weights + "--json '" + p.path("pictures/1.png") + "'").json()["values"].size() == 2);
  CHECK(run("explain" + weights + "--out x '" + p.path("pictures/1.png") + "'").code == 2);

  // Resumed, and refused where the numbers are others.
  REQUIRE(run(p.train("again", "--task regress " + labels)).code == 0);
  CHECK(p.text("again/best.safetensors") == p.text("run/best.safetensors"));
  CHECK(run(p.train("run", "--task regress --resume " + labels)).code == 0);
  std::ofstream(p.path("numbers.csv"), std::ios::app) << "99,0.5,7\n";
  CHECK(run(p.train("run", "--task regress --resume " + labels)).code != 0);
}

TEST_CASE("class weights, balanced sampling and folds") {
  const red_pictures p;
  const std::string labels = "--labels '" + p.path("classes.csv") + "' ";
  REQUIRE(run(p.train("plain", labels)).code == 0);
  REQUIRE(run(p.train("weighted", labels + "--class-weights balanced")).code == 0);
  REQUIRE(run(p.train("balanced", labels + "--balance")).code == 0);
  CHECK(p.text("plain/best.safetensors") != p.text("weighted/best.safetensors"));
  CHECK(p.text("plain/best.safetensors") != p.text("balanced/best.safetensors"));
  std::ofstream(p.path("weights.csv")) << "class,weight\nusual,1\nrare,5\n";
  CHECK(run(p.train("table", labels + "--class-weights '" + p.path("weights.csv") + "'")).code == 0);
  std::ofstream(p.path("wrong.csv")) << "class,weight\nusual,1\n";
  CHECK(contains(run(p.train("wrong", labels + "--class-weights '" + p.path("wrong.csv") + "'")).err, "no weight for \"rare\""));

  std::map<std::string, int> seen;
  for (int fold = 1; fold <= 3; ++fold) {
    const std::string name = "fold" + std::to_string(fold);
    std::string command = p.train(name, labels + "--fold " + std::to_string(fold) + "/3 --epochs 1");
    command.replace(command.find("--val-fraction 0.25 "), 20, "");
    command.replace(command.find("--epochs 6 "), 11, "");
    const auto trained = run(command);
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    const auto e =
        run("evaluate --weights '" + p.path(name) + "/best.safetensors'" + p.data() + labels + "--split val --json").json();
    CHECK(e["images"] == 8);
    seen["images"] += e["images"].get<int>();
  }
  CHECK(seen["images"] == 24);
}

TEST_CASE("options that do not fit the task are usage errors") {
  const red_pictures p;
  const std::string labels = "--labels '" + p.path("numbers.csv") + "' ";
  CHECK(run(p.train("x", "--task regress --balance " + labels)).code == 2);
  CHECK(run(p.train("x", "--task regress --class-weights balanced " + labels)).code == 2);
  CHECK(run(p.train("x", "--task regress --label-smoothing 0.1 " + labels)).code == 2);
  CHECK(run(p.train("x", "--task multilabel --balance " + labels)).code == 2);
  CHECK(run(p.train("x", "--task regress")).code == 2);  // no table anywhere
  CHECK(run(p.train("x", "--task rank")).code == 2);
  for (const char* fold : {"0/3", "4/3", "1/1", "a/3", "1"}) CHECK(run(p.train("x", "--fold " + std::string(fold))).code == 2);
  CHECK(run(p.train("x", "--fold 1/3")).code == 2);  // with --val-fraction
}

TEST_CASE("labels are found whatever ends the data's path, and a table that does not fit is told by example") {
  const red_pictures p;
  const std::string end = "' --labels '" + p.path("classes.csv") + "'";
  for (const char* slashes : {"/", "//", "/."}) {
    CAPTURE(slashes);
    const auto r = run("train --dry-run --model lenet5 --image-size 32 --quiet --out '" + p.path("r") + "' --data '" +
                       p.path("pictures") + slashes + end);
    INFO(r.err);
    CHECK(r.code == 0);
  }
  const auto refused = [&](const std::string& table, const std::string& task) {
    std::ofstream(p.path("bad.csv"), std::ios::binary) << table;
    const auto r = run(p.train("bad", "--dry-run --task " + task + " --labels '" + p.path("bad.csv") + "'"));
    CHECK(r.code == 1);
    return r.err;
  };
  CHECK(contains(refused("id,label\nx/1.png,a\nx/2.png,b\n", "classify"), "none of its 2 ids (x/1.png, ...)"));
  CHECK(contains(refused("id,label\nx/1.png,a\nx/2.png,b\n", "classify"), "(0.png, ...)"));
  CHECK(contains(refused("id,label\n", "classify"), "there is only the header"));
  CHECK(contains(refused("id,label\n1,a\n2,caf\xe9\n", "classify"), "bad.csv: line 3: the label \"caf\\xe9\" is not UTF-8"));
  CHECK(contains(refused("id,label\n1,a\n2,caf\xe9\n", "multilabel"), "bad.csv: line 3: the label \"caf\\xe9\" is not UTF-8"));
  CHECK(contains(refused("id,caf\xe9,b\n1,1,0\n2,0,1\n", "multilabel"), "wanted names in UTF-8"));
}

TEST_CASE("blanks around names of classes make no other classes, in any table or list") {
  const red_pictures p;
  std::ofstream classes(p.path("blanks.csv")), weights(p.path("w.csv")), names(p.path("names.txt")), none(p.path("none.txt"));
  classes << "id, label\n";
  for (int i = 0; i < 24; ++i) classes << i << (i % 2 == 0 ? ",dog\n" : i % 3 == 0 ? ", cat\t\n" : ",\"cat \"\n");
  weights << "class, weight\ncat , 2\n\" dog\",1\n";
  names << "cat \n\tdog\n", none << " \t\ncat\n";
  classes.close(), weights.close(), names.close(), none.close();
  const auto r = run(p.train("blanks", "--labels '" + p.path("blanks.csv") + "' --class-weights '" + p.path("w.csv") + "'"));
  INFO(r.err);
  REQUIRE(r.code == 0);
  const std::string best = p.path("blanks/best.safetensors");
  const auto predicted = [&](const std::string& weights_file) {
    return run("predict --json --weights '" + weights_file + "' '" + p.path("pictures/3.png") + "'").json()["probabilities"];
  };
  CHECK(predicted(best).size() == 2);
  CHECK(predicted(best).contains("cat"));
  const std::string import =
      "import --model lenet5 --image-size 32 --from '" + best + "' --out '" + p.path("i") + "' --class-names '";
  REQUIRE(run(import + p.path("names.txt") + "'").code == 0);
  CHECK(predicted(p.path("i")).contains("cat"));
  CHECK(predicted(p.path("i")).contains("dog"));
  CHECK(contains(run(import + p.path("none.txt") + "'").err, "none.txt: line 1: a class without a name"));
  std::ofstream(p.path("blanks.csv")) << "id,label\n1,cat\n2,\t\n";
  CHECK(contains(run(p.train("none", "--labels '" + p.path("blanks.csv") + "'")).err, "blanks.csv: line 3: the label is empty"));
  std::ofstream(p.path("w.csv")) << "class,weight\ncat,1\n cat,2\n";
  CHECK(contains(run(p.train("twice", "--labels '" + p.path("classes.csv") + "' --class-weights '" + p.path("w.csv") + "'")).err,
                 "w.csv: line 2: \"cat\" is none of"));
}

TEST_CASE("weights of classes have limits that are named, and none makes a loss that is no number") {
  const red_pictures p;
  const auto trained = [&](const std::string& weight, const std::string& rest = "") {
    std::ofstream(p.path("w.csv")) << "class,weight\nusual,1\nrare," << weight << '\n';
    return run(
        p.train("w", "--overwrite --labels '" + p.path("classes.csv") + "' --class-weights '" + p.path("w.csv") + "' " + rest));
  };
  for (const char* weight : {"1e-300", "1e-45", "9.9e-10", "1.1e9", "1e300", "0", "-1", "nan", "x", ""}) {
    CAPTURE(weight);
    const auto r = trained(weight);
    CHECK(r.code == 1);
    CHECK(contains(r.err,
                   "w.csv: line 3: --class-weights: wanted a weight from 1e-09 to 1e+09, got \"" + std::string(weight) + "\""));
  }
  for (const char* weight : {"1e-9", "1e9"})
    for (const char* rest : {"", "--mixup 0.2", "--label-smoothing 0.1"}) {
      INFO(weight, rest);
      const auto r = trained(weight, rest);
      INFO(r.err);
      CHECK(r.code == 0);
      CHECK_FALSE(contains(p.text("w/results.csv"), "nan"));
      CHECK_FALSE(contains(p.text("w/results.csv"), "inf"));
    }
}

TEST_CASE("a class has one weight") {
  const red_pictures p;
  std::ofstream(p.path("w.csv")) << "class,weight\nrare,5\nusual,1\nrare,2\n";
  const auto r = run(p.train("w", "--labels '" + p.path("classes.csv") + "' --class-weights '" + p.path("w.csv") + "'"));
  CHECK(r.code == 1);
  CHECK(contains(r.err, "w.csv: line 4: a second weight for \"rare\""));
}

TEST_CASE("names of labels and numbers are printed without what a terminal or a spreadsheet obeys") {
  const red_pictures p;
  std::ofstream file(p.path("odd.csv"));
  file << "id,=1+1,\x1b[31mred\n";
  for (int i = 0; i < 24; ++i) file << i << ',' << i << ".5," << i << '\n';
  file.close();
  const std::string labels = "--task regress --labels '" + p.path("odd.csv") + "' ";
  std::string command = p.train("odd", labels);
  command.replace(command.find("--quiet"), 7, "");
  const auto trained = run(command);
  REQUIRE(trained.code == 0);
  CHECK_FALSE(contains(trained.err, "\x1b[31m"));
  const std::string weights = " --weights '" + p.path("odd") + "/best.safetensors' ";
  const auto measured = run("evaluate" + weights + p.data() + "--labels '" + p.path("odd.csv") + "'");
  CHECK(contains(measured.out, "\\x1b[31mred"));
  CHECK_FALSE(contains(measured.out, "\x1b"));
  CHECK(run("predict" + weights + "--csv '" + p.path("pictures/1.png") + "'").lines()[0].starts_with("path,\"'=1+1\","));
}

TEST_CASE("ids of trainLabels.csv are names with or without their endings") {
  const red_pictures p;
  std::filesystem::create_directories(p.path("set"));
  std::filesystem::rename(p.path("pictures"), p.path("set/train"));
  std::ofstream table(p.path("set/trainLabels.csv"));
  table << "id,label\n";
  for (int i = 0; i < 24; ++i) table << i << (i % 2 == 0 ? ".png,even\n" : ",odd\n");
  table.close();
  const auto r = run("check --json --data '" + p.path("set") + "'");
  INFO(r.err);
  CHECK(r.json()["images"] == 24);
  CHECK_FALSE(contains(r.err, "left out"));
}

TEST_CASE("compare takes the labels of a run's table, and leaves other tasks out of the test") {
  const red_pictures p;
  const std::string table = "--labels '" + p.path("classes.csv") + "'";
  REQUIRE(run(p.train("a", table)).code == 0);
  REQUIRE(run(p.train("b", table + " --lr 0.001")).code == 0);
  REQUIRE(run(p.train("c", "--task multilabel --labels '" + p.path("labels.csv") + "'")).code == 0);
  const auto r = run("compare --json '" + p.path("a") + "' '" + p.path("b") + "' '" + p.path("c") + "'");
  INFO(r.err);
  REQUIRE(r.code == 0);
  const auto text = r.json();
  REQUIRE(text["pairs"].size() == 1);
  CHECK(text["pairs"][0]["images"] == 6);
  CHECK(contains(r.err, "c takes no part in the paired test: it is of --task multilabel"));
  std::filesystem::remove(p.path("classes.csv"));
  const auto gone = run("compare --json '" + p.path("a") + "' '" + p.path("b") + "'");
  CHECK(gone.code == 0);
  CHECK(contains(gone.err, "a takes no part in the paired test: its labels, "));
}

TEST_CASE("several labels and numbers: pictures that cannot be read are left out") {
  const red_pictures p;
  std::ofstream(p.path("pictures/3.png"), std::ios::trunc).close();
  for (const std::string task : {"multilabel", "regress"}) {
    CAPTURE(task);
    const std::string table = p.path(task == "regress" ? "numbers.csv" : "labels.csv");
    const auto r = run(p.train("skip-" + task, "--skip-bad --task " + task + " --labels '" + table + "'"));
    INFO(r.err);
    CHECK(r.code == 0);
    CHECK(contains(r.err, "3.png: empty file"));
  }
}

TEST_CASE("A20 one grammar of numbers in tables and folds too") {
  const red_pictures p;
  std::ofstream(p.path("weights.csv")) << "class,weight\nrare,+2\nusual,1.\n";
  const auto r = run(p.train("run", "--labels '" + p.path("classes.csv") + "' --class-weights '" + p.path("weights.csv") + "'"));
  INFO(r.err);
  CHECK(r.code == 0);
  for (const std::string fold : {"+1/5", "01/+5", "1/5"}) {
    const auto folded = run("train --dry-run --model lenet5 --image-size 32 --data '" + p.path("pictures") + "' --labels '" +
                            p.path("classes.csv") + "' --out '" + p.path("other") + "' --fold " + fold);
    INFO(folded.err);
    CHECK(folded.code == 0);
  }
  for (const std::string fold : {"1/", "/5", "1/+", "0x1/5", "1.0/5", "1/5/", "+-1/5"}) {
    const auto refused = run("train --dry-run --model lenet5 --data x --out y --fold " + fold);
    CHECK(refused.code == 2);
    CHECK_MESSAGE(contains(refused.err, "--fold " + fold + ": wanted I/K"), refused.err);
  }
}

TEST_CASE("G21 tables whose names differ from the pictures' or classes' in Unicode composition alone") {
  const std::string composed = "caf\xC3\xA9", apart = "cafe\xCC\x81", told = "differ only in Unicode composition";
  const pictures::folder folder("composed_tables");
  for (int i = 0; i < 8; ++i) {
    folder.write("p/" + std::to_string(i) + ".png", red_png(20 * i));
    folder.write("d/" + (i % 2 == 0 ? apart : "dog") + "/" + std::to_string(i) + ".png", red_png(20 * i));
  }
  folder.write("p/" + apart + ".png", red_png(9));
  const auto table = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder.path(name)) << text;
    return " '" + folder.path(name) + "' ";
  };
  const auto train = [&](const std::string& data, const std::string& rest) {
    return run("train --model lenet5 --image-size 32 --batch-size 4 --epochs 1 --threads 1 --workers 0 --overwrite --data '" +
               folder.path(data) + "' --out '" + folder.path("run") + "' " + rest);
  };
  std::string rows;
  for (int i = 0; i < 8; ++i) rows += std::to_string(i) + (i % 2 == 0 ? ",a\n" : ",b\n");
  for (const std::string ending : {"", ".png"}) {
    const auto one = train("p", "--labels" + table("l.csv", "id,label\n" + rows + composed + ending + ",a\n"));
    INFO(one.err);
    CHECK(one.code == 0);
    CHECK(contains(one.err, told));
  }
  const auto none = train("p", "--task regress --labels" + table("n.csv", "id,x\n" + composed + ",1\n"));
  CHECK(none.code == 1);
  CHECK(contains(none.err, "none of its 1 ids"));
  CHECK(contains(none.err, told));
  CHECK_FALSE(contains(train("p", "--labels" + table("m.csv", "id,label\n" + rows + apart + ",a\n")).err, told));
  const auto weights = train("d", "--class-weights" + table("w.csv", "class,weight\n" + composed + ",1\ndog,2\n"));
  CHECK(weights.code == 1);
  CHECK(contains(weights.err, "line 2: "));
  CHECK(contains(weights.err, told));
  // quantize reads no labels but to take of each class its share.
  REQUIRE(train("d", "").code == 0);
  std::filesystem::rename(folder.path("d/" + apart), folder.path("d/" + composed));
  const auto quantized = run("quantize --weights '" + folder.path("run/best.safetensors") + "' --data '" + folder.path("d") +
                             "' --out '" + folder.path("q.safetensors") + "'");
  INFO(quantized.err);
  CHECK(quantized.code == 0);
  CHECK(contains(quantized.err, told));
}
