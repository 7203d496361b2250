// Folders that cannot be listed; pictures and whole classes that go or break during a training: --skip-bad, and how such runs are
// gone on with.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "small_set.hpp"

using program::contains;
using program::rows_of;
using program::run;
using program::small_set;

namespace fs = std::filesystem;

namespace {

/// Folders within each other whose path is longer than the system takes, so that nobody, root included, lists the last ones.
void make_too_deep(const std::string& path) {
  const std::string name(250, 'x');
  fs::create_directories(path);
  int at = ::open(path.c_str(), O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 20; ++depth) {
    REQUIRE(::mkdirat(at, name.c_str(), 0777) == 0);
    const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY);
    ::close(at);
    at = next;
  }
  ::close(at);
}

}  // namespace

TEST_CASE("a folder that cannot be listed is named as a broken picture is, and the others are used") {
  const small_set s;
  for (const char* label : {"cat", "dog"}) fs::create_directories(s.folder().path("classes/" + std::string(label)));
  for (const auto& entry : fs::directory_iterator(s.data()))
    fs::copy_file(entry.path(), s.folder().path("classes/" + entry.path().filename().string().substr(0, 3) + "/" +
                                                entry.path().filename().string()));
  make_too_deep(s.folder().path("classes/cat"));
  const std::string data = s.folder().path("classes"), why = "/: cannot be listed: File name too long";
  const auto with = [&](const std::string& rest) {
    return run("train --model lenet5 --image-size 32 --epochs 1 --threads 1 --workers 0 --quiet --data '" + data + "' --out '" +
               s.out() + "' " + rest);
  };
  const auto refused = with("");
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, why));
  CHECK_FALSE(fs::exists(s.out("last.safetensors")));  // it is known before the first step
  const auto packed = run("pack --data '" + data + "' --out '" + s.folder().path("packed") + "'");
  CHECK(packed.code == 1);
  CHECK(contains(packed.err, why));
  std::string table = "id,label\n";
  for (int i = 0; i < 16; ++i) table += "cat." + std::to_string(i) + ",a\ndog." + std::to_string(i) + ",b\n";
  s.folder().write("table.csv", table);
  const auto by_table = with("--labels '" + s.folder().path("table.csv") + "'");
  CHECK(by_table.code == 1);
  CHECK(contains(by_table.err, why));
  const auto trained = with("--skip-bad --overwrite");
  INFO(trained.err);
  CHECK(trained.code == 0);
  CHECK(contains(trained.err, why));
  const std::string weights = " --weights '" + s.out("best.safetensors") + "' ";
  const auto predicted = run("predict" + weights + "'" + data + "'");
  CHECK(predicted.code == 1);
  CHECK(predicted.lines().size() == 32);
  CHECK(contains(predicted.err, why));
  CHECK(contains(predicted.err, "1 path has no prediction"));
  const auto checked = run("check --json --data '" + data + "'");
  CHECK(checked.code == 1);
  REQUIRE(checked.json()["broken"].size() == 1);
  CHECK(checked.json()["broken"][0]["kind"] == "unreadable");
  CHECK(contains("/: " + checked.json()["broken"][0]["reason"].get<std::string>(), why));
  CHECK(checked.json()["readable"] == 32);
}

TEST_CASE("G11 a picture that goes during training is named and left out with --skip-bad, and the run can be resumed") {
  for (const char* gone : {"cat.3.png", "dog.0.png"}) {
    const small_set s;
    const auto first = s.begin_then("--skip-bad", "mv '" + s.picture(gone) + "' '" + s.folder().path("kept.png") + "'; " +
                                                      s.say_until(gone) + "; kill -TERM $p");
    INFO(first.err);
    CHECK(first.code == 130);
    CHECK(contains(first.err, std::string("skipped: ") + s.picture(gone) + ": no such file"));
    CHECK(first.err.find("skipped: ") == first.err.rfind("skipped: "));  // once
    const auto still_gone = s.go_on("--skip-bad");
    INFO(still_gone.err);
    CHECK(contains(still_gone.err, "interrupted; the run is saved"));
    CHECK(contains(still_gone.err, gone));
    fs::rename(s.folder().path("kept.png"), s.picture(gone));
    const auto back = s.go_on("--skip-bad");
    INFO(back.err);
    CHECK(contains(back.err, "interrupted; the run is saved"));
    CHECK_FALSE(contains(back.err, "skipped"));
  }
}

TEST_CASE("G11 a class whose pictures all go during training ends it, and the run can be resumed when they are back") {
  const small_set s;
  const std::string kept = s.folder().path("kept"), options = "--skip-bad --val-fraction 0.25";
  fs::create_directories(kept);
  const auto move = [&](const std::string& from, const std::string& to) { return "mv '" + from + "'/dog.* '" + to + "'/"; };
  const auto first =
      s.begin_then(options, move(s.data(), kept) + "; " + s.say_until("the run is saved") + "; kill -TERM $p 2>/dev/null");
  INFO(first.err);
  CHECK(first.code == 1);  // 130: it went on with cats alone
  CHECK(contains(first.err, " on of class dog can be read any more (" + s.data() + "/dog."));
  CHECK(contains(first.err, "put them back"));
  CHECK(contains(first.err, "the run is saved in " + s.out()));
  const pictures::bytes best = s.file("best.safetensors");
  const auto still_gone = run(s.command(options + " --resume", 100000));
  INFO(still_gone.err);
  CHECK(still_gone.code == 1);
  CHECK(s.file("best.safetensors") == best);
  REQUIRE(std::system(move(kept, s.data()).c_str()) == 0);
  const auto back = s.go_on(options);
  INFO(back.err);
  CHECK(back.code == 130);
  CHECK_FALSE(contains(back.err, "skipped"));
}

TEST_CASE("G11 a class whose pictures to validate on all go ends a training, and a resumed one at its start") {
  const small_set s;
  const std::string kept = s.folder().path("kept"), options = "--skip-bad --val-fraction 0.5";
  // One dog after the other, each once it is missed, until that ends the training.
  const auto first = s.begin_then(options, "mkdir '" + kept + "'; for i in 3 4 15 9 2 6 5 8 7 10 11 12 14 0 13 1; do mv '" +
                                               s.data() + "/dog.'$i.png '" + kept + "'; while ! grep -q \"dog.$i.png\" '" +
                                               s.folder().path("err") + "' && kill -0 $p; do sleep 0.02; done 2>/dev/null; " +
                                               "kill -0 $p 2>/dev/null || break; done; kill -TERM $p 2>/dev/null");
  INFO(first.err);
  CHECK(first.code == 1);
  CHECK(contains(first.err, ": no picture to validate on of class dog can be read any more ("));
  CHECK(contains(first.err, "the run is saved in " + s.out()));
  const auto resumed = run(s.command(options + " --resume", 100000));
  INFO(resumed.err);
  CHECK(resumed.code == 1);  // it went on, validated on cats alone
  CHECK(contains(resumed.err, ": no picture to validate on of class dog can be read any more ("));
  REQUIRE(std::system(("mv '" + kept + "'/dog.*.png '" + s.data() + "'").c_str()) == 0);
  CHECK(s.go_on(options).code == 130);
}

TEST_CASE("G11 without --skip-bad the run ends, says what is saved, and can be resumed either way") {
  const small_set s;
  const auto ended = s.begin_then("--accumulate 3", "mv '" + s.picture("cat.5.png") + "' '" + s.folder().path("kept.png") + "'");
  INFO(ended.err);
  CHECK(ended.code == 1);
  CHECK(contains(ended.err, "cat.5.png: no such file"));
  CHECK(contains(ended.err, "the run is saved in " + s.out() + ", after epoch "));
  CHECK(contains(ended.err, "--resume, and with --skip-bad if the picture is gone for good"));
  const auto once_more = run(s.command("--accumulate 3 --resume", 100000));
  INFO(once_more.err);
  CHECK(once_more.code == 1);
  CHECK(contains(once_more.err, "cat.5.png: no such file"));
  fs::copy_file(s.picture("cat.6.png"), s.picture("cat.5.png"));  // not the same picture
  CHECK(contains(run(s.command("--accumulate 3 --resume", 100000)).err, "their sizes in bytes are not"));
  fs::remove(s.picture("cat.5.png"));
  const auto without = s.go_on("--accumulate 3 --skip-bad");
  INFO(without.err);
  CHECK(without.code == 130);
  CHECK(contains(without.err, "interrupted; the run is saved"));
}

TEST_CASE("G11 a picture that goes is left out for several labels and numbers too, and the run can be resumed") {
  for (const std::string task : {"multilabel", "regress"}) {
    CAPTURE(task);
    const small_set s;
    const std::string table = s.folder().path("answers.csv");
    std::ofstream file(table);
    file << "id,x,y\n";
    for (int i = 0; i < 16; ++i) file << "cat." << i << ",1," << i % 2 << "\ndog." << i << ",0," << i % 2 << '\n';
    file.close();
    const std::string options = "--skip-bad --task " + task + " --labels '" + table + "' ";
    const auto first =
        s.begin_then(options, "rm '" + s.picture("cat.3.png") + "'; " + s.say_until("cat.3.png") + "; kill -TERM $p");
    INFO(first.err);
    CHECK(first.code == 130);
    const auto on = s.go_on(options);
    INFO(on.err);
    CHECK(on.code == 130);
    CHECK(contains(on.err, "interrupted; the run is saved"));
  }
}

TEST_CASE("F5 a run begun without --skip-bad goes on with it when a picture has gone or is damaged since") {
  for (const char* lost : {"gone", "damaged"}) {
    CAPTURE(lost);
    const small_set s;
    const auto first = s.begin_then("", "kill -TERM $p");
    INFO(first.err);
    REQUIRE(first.code == 130);
    const pictures::bytes before = s.file("last.safetensors");
    const std::string gone = s.picture("cat.3.png");
    if (std::string(lost) == "gone")
      fs::remove(gone);
    else
      fs::resize_file(gone, 20);
    const auto without = run(s.command("--resume", 100000));
    INFO(without.err);
    CHECK(without.code == 1);
    CHECK(contains(without.err, gone + ": "));
    CHECK(contains(without.err, "--resume --skip-bad"));
    const auto with = s.go_on("--skip-bad");
    INFO(with.err);
    CHECK(with.code == 130);
    CHECK(contains(with.err, "skipped: " + gone + ": "));
    CHECK(contains(with.err, "interrupted; the run is saved"));
    CHECK(rows_of(s.out("results.csv")) >= 2);  // it went on, not anew
    CHECK(s.file("last.safetensors") != before);
  }
}

TEST_CASE("F5 a whole class that has gone, pictures that were added, and a run without its list") {
  const small_set s;
  REQUIRE(s.begin_then("", "kill -TERM $p").code == 130);
  for (int i = 0; i < 8; ++i) fs::rename(s.picture("dog." + std::to_string(i) + ".png"), s.folder().path(std::to_string(i)));
  const auto half = s.go_on("--skip-bad");
  INFO(half.err);
  CHECK(half.code == 130);
  for (const char* name : {"dog.0.png", "dog.7.png"}) CHECK(contains(half.err, "skipped: " + s.picture(name) + ": no such file"));
  for (int i = 0; i < 8; ++i) fs::rename(s.folder().path(std::to_string(i)), s.picture("dog." + std::to_string(i) + ".png"));
  fs::copy_file(s.picture("cat.1.png"), s.picture("cat.99.png"));
  const auto more = run(s.command("--resume --skip-bad", 100000));
  CHECK(more.code == 1);
  CHECK(contains(more.err, "the run was made with other pictures: " + s.data() + " has 1 that it did not have: cat.99.png"));
  fs::remove(s.picture("cat.99.png"));
  fs::remove(s.picture("cat.1.png"));
  std::ofstream(s.out("pictures.txt")) << "id\tlabel\ttarget\tbytes\tname\n1\t0";
  const auto blind = run(s.command("--resume --skip-bad", 100000));
  INFO(blind.err);
  CHECK(blind.code == 1);
  CHECK(contains(blind.err, "the run was made with 32 pictures, " + s.data() + " has 31"));
}
