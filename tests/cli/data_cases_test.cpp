// Data folders as people have them: which layout, what is left out, and that nothing is written into them.
#include <filesystem>

#include "program.hpp"

using program::contains;
using program::red_means_dog;
using program::red_png;
using program::run;

namespace {

const red_means_dog& weights() {
  static const red_means_dog w;
  return w;
}

/// Class folders cat and dog of three pictures each, below `part`.
void write_classes(const pictures::folder& folder, const std::string& part = "") {
  for (int i = 0; i < 3; ++i) {
    folder.write(part + "cat/" + std::to_string(i) + ".png", red_png(10 * i));
    folder.write(part + "dog/" + std::to_string(i) + ".png", red_png(200 + 10 * i));
  }
}

std::string train(const std::string& data, const std::string& out, const std::string& rest = "") {
  return "train --model lenet5 --image-size 32 --batch-size 8 --threads 1 --workers 0 --epochs 1 --data '" + data + "' --out '" +
         out + "' " + rest;
}

std::size_t files_below(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::recursive_directory_iterator(folder)) ++count;
  return count;
}

}  // namespace

TEST_CASE("G04 submit writes every row or says why not") {
  for (const char* stray :
       {"2.edited.png", "6.edited.png", "6.webp", "6.png.part", "more/6.png", "more/deep/x.png", "notes/a.gif"}) {
    CAPTURE(stray);
    const pictures::folder folder("submit");
    for (int i = 1; i <= 5; ++i) folder.write("test/" + std::to_string(i) + ".png", red_png(20 * i));
    const std::string out = folder.path("s.csv"),
                      command = "submit" + weights().option() + "--data '" + folder.path("test") + "' --out '" + out + "'";
    folder.write("test/Thumbs.db", "x");
    folder.write("test/.DS_Store", "x");
    folder.write("test/1.txt", "x");
    folder.write("test/__MACOSX/._1.png", "x");
    const auto whole = run(command);
    INFO(whole.err);
    CHECK(whole.code == 0);
    CHECK(contains(whole.out, "5 rows"));
    CHECK(contains(whole.err, "pictures without labels; 5 pictures; left out: 1 hidden, 2 of other kinds, 1 folder"));
    std::filesystem::remove(out);
    folder.write(std::string("test/") + stray, red_png(1));
    const auto refused = run(command);
    INFO(refused.err);
    CHECK(refused.code == 1);
    CHECK(contains(refused.err, std::string(stray).substr(0, 4)));
    CHECK_FALSE(std::filesystem::exists(out));
  }
}

TEST_CASE("G05 train, check and evaluate refuse the folder above the parts of a set") {
  const pictures::folder folder("parts");
  write_classes(folder, "training_set/");
  write_classes(folder, "test_set/");
  for (const std::string& command : {train(folder.path(), "/tmp/minicnn_never"), "check --data '" + folder.path() + "'",
                                     "evaluate" + weights().option() + "--data '" + folder.path() + "'"}) {
    const auto r = run(command);
    CHECK(r.code == 1);
    CHECK(contains(r.err,
                   "test_set, training_set: parts of a data set, not classes (training_set holds cat, dog); name one of these "
                   "folders: " +
                       folder.path() + "/training_set"));
  }
  CHECK(run("check --data '" + folder.path("training_set") + "'").code == 0);
}

TEST_CASE("G06 A05 nothing is written into data: --out at or below it ends with 2") {
  namespace fs = std::filesystem;
  const pictures::folder folder("out"), elsewhere("elsewhere");
  const std::string data = folder.path("data");
  write_classes(folder, "data/");
  fs::create_directory_symlink(data, folder.path("link"));
  fs::create_directory_symlink(folder.path("data/cat"), folder.path("way"));
  fs::create_directory_symlink(elsewhere.path(), folder.path("data/fox"));
  elsewhere.write("1.png", red_png(90));
  const std::size_t before = files_below(data);
  for (const std::string& out : {data, data + "/", data + "/run", data + "/cat/run", data + "/../data/a/b", folder.path("link"),
                                 folder.path("link/run"), folder.path("way/run"), elsewhere.path("run")}) {
    CAPTURE(out);
    const std::string rest = " --out '" + out + "'";
    for (const std::string& command :
         {train(data, out), train(data, out, "--dry-run"), train(data, out, "--overwrite"), train(data, out, "--resume"),
          "submit" + weights().option() + "--data '" + data + "'" + rest,
          "explain" + weights().option() + "'" + data + "'" + rest, "lr-find --data '" + data + "' --out '" + out + "/a.svg'"}) {
      const auto r = run(command);
      INFO(command << r.err);
      CHECK(r.code == 2);
      CHECK(contains(r.err, "into which nothing is written"));
    }
  }
  CHECK(run("explain" + weights().option() + "'" + data + "/cat/1.png' --out '" + data + "/cat'").code == 2);
  CHECK(run("generate --images 2 --out '" + data + "'").code == 2);
  CHECK(files_below(data) == before);
  // Beside the data, and under a name that only begins like it, is no matter.
  const auto beside = run(train(data, data + "-run", "--quiet"));
  INFO(beside.err);
  CHECK(beside.code == 0);
  // compare: the data is named in config.json.
  REQUIRE(run(train(data, folder.path("second"), "--quiet")).code == 0);
  const std::string pair = "compare --no-test '" + data + "-run' '" + folder.path("second") + "' --out '";
  CHECK(run(pair + data + "/c.html'").code == 2);
  CHECK(run(pair + folder.path("c.html") + "'").code == 0);
  CHECK(files_below(data) == before);
}

TEST_CASE("G06 a run that lies in data is no class") {
  const pictures::folder folder("run_in_data");
  write_classes(folder, "data/");
  REQUIRE(run(train(folder.path("data"), folder.path("run"), "--quiet")).code == 0);
  std::filesystem::rename(folder.path("run"), folder.path("data/run"));
  const auto seen = run("check --json --data '" + folder.path("data") + "'");
  CHECK(seen.code == 0);
  CHECK(seen.json()["classes"] == nlohmann::ordered_json({{"cat", 3}, {"dog", 3}}));
  const auto measured =
      run("evaluate --json --weights '" + folder.path("data/run/best.safetensors") + "' --data '" + folder.path("data") + "'");
  INFO(measured.err);
  CHECK(measured.code == 0);
  CHECK(contains(measured.err, "a folder a class: cat, dog; 6 pictures; left out: 1 folder (run)"));
  const auto predicted = run("predict --csv" + weights().option() + "'" + folder.path("data") + "'");
  CHECK(predicted.code == 0);
  CHECK(predicted.lines().size() == 7);
}

TEST_CASE("G05 a class that is a link to another one is refused by every command that reads class folders") {
  const pictures::folder folder("linked");
  write_classes(folder, "d/");
  std::filesystem::create_directory_symlink("cat", folder.path("d/wolf"));
  const std::string data = " --data '" + folder.path("d") + "'", out = " --out '" + folder.path("out") + "'";
  for (const std::string& command :
       {train(folder.path("d"), folder.path("run")), "check" + data, "evaluate" + weights().option() + data,
        "lr-find --model lenet5 --image-size 32" + data, "pack" + data + " --out '" + folder.path("p.tar") + "'",
        "quantize" + weights().option() + data + out}) {
    const auto r = run(command);
    INFO(command << r.err);
    CHECK(r.code == 1);
    CHECK(contains(r.err, "cat and wolf are one folder"));
  }
}

TEST_CASE("every command that reads data says which layout it found") {
  const pictures::folder folder("said");
  write_classes(folder);
  folder.write("notes.txt", "x");
  const std::string said = folder.path() + ": a folder a class: cat, dog; 6 pictures; left out: 1 of other kinds (notes.txt)";
  const pictures::folder out("said_out");
  for (const std::string& command :
       {train(folder.path(), out.path("run")), "check --data '" + folder.path() + "'",
        "evaluate" + weights().option() + "--data '" + folder.path() + "'",
        "lr-find --steps 3 --model lenet5 --image-size 32 --batch-size 2 --threads 1 --data '" + folder.path() + "'"}) {
    const auto r = run(command);
    CAPTURE(command);
    CHECK(contains(r.err, said));
  }
}

TEST_CASE("G21 class names that look the same: the message shows code points") {
  // A weights file for the composed name, and data with the other.
  const pictures::folder trained("trained");
  for (const char* name : {"caf\xC3\xA9/1.png", "caf\xC3\xA9/2.png", "dog/1.png", "dog/2.png"})
    trained.write("d/" + std::string(name), red_png(9));
  REQUIRE(run(train(trained.path("d"), trained.path("run"), "--quiet --limit 0")).code == 0);
  const pictures::folder other("other");
  for (const char* name : {"cafe\xCC\x81/1.png", "dog/1.png"}) other.write(name, red_png(9));
  const auto r = run("evaluate --weights '" + trained.path("run/best.safetensors") + "' --data '" + other.path() + "'");
  CHECK(r.code == 1);
  CHECK(contains(r.err, "as code points, \"cafe\\u0301\" is not \"caf\\u00e9\""));
  for (const std::string& command :
       {"explain --class cafe\xCC\x81 --out '" + trained.path("out") + "' '" + other.path() + "'",
        "submit --positive cafe\xCC\x81 --out '" + trained.path("out.csv") + "' --data '" + trained.path("d/dog") + "'"}) {
    CAPTURE(command);
    const auto typed = run(command + " --weights '" + trained.path("run/best.safetensors") + "'");
    CHECK(typed.code == 2);
    CHECK(contains(typed.err, "as code points, \"cafe\\u0301\" is not "));
  }
  const auto plain = run("evaluate" + weights().option() + "--data '" + other.path() + "'");
  CHECK(plain.code == 1);
}

TEST_CASE("F6 names that differ in Unicode composition alone are told so wherever lists of names meet") {
  const std::string composed = "caf\xC3\xA9", apart = "cafe\xCC\x81";
  const pictures::folder folder("composed");
  for (const std::string& name : {composed, std::string("dog")})
    for (int i = 0; i < 4; ++i) {
      folder.write("d/" + name + "/" + std::to_string(i) + ".png", red_png(20 * i));
      folder.write("e/" + (name == composed ? apart : name) + "/" + std::to_string(i) + ".png", red_png(20 * i));
    }
  const std::string trained = folder.path("run"), weights_file = "'" + trained + "/best.safetensors'";
  REQUIRE(run(train(folder.path("d"), trained, "--quiet")).code == 0);
  for (const std::string& command :
       {train(folder.path("e"), folder.path("a"), "--teacher " + weights_file),
        train(folder.path("e"), folder.path("b"), "--init-from " + weights_file), train(folder.path("e"), trained, "--resume"),
        "evaluate --weights " + weights_file + " --data '" + folder.path("e") + "'"}) {
    CAPTURE(command);
    const auto r = run(command);
    INFO(r.err);
    CHECK(r.code != 0);
    CHECK(contains(r.err, "differ only in Unicode composition"));
    CHECK(contains(r.err, "\"cafe\\u0301\" is not \"caf\\u00e9\", the first in " + folder.path("e")));
  }
  // Pictures' own names.
  for (const char* name : {"cat.1.png", "cat.2.png", "dog.1.png", "dog.2.png"})
    folder.write("p/" + std::string(name), red_png(9));
  folder.write("p/cat.\xEA\xB0\x80.png", red_png(9));  // a Hangul syllable
  REQUIRE(run(train(folder.path("p"), folder.path("c"), "--quiet")).code == 0);
  std::filesystem::rename(folder.path("p/cat.\xEA\xB0\x80.png"), folder.path("p/cat.\xE1\x84\x80\xE1\x85\xA1.png"));
  const auto pictures = run(train(folder.path("p"), folder.path("c"), "--resume"));
  INFO(pictures.err);
  CHECK(pictures.code == 1);
  CHECK(contains(pictures.err, "differ only in Unicode composition"));
  CHECK(contains(pictures.err, "\\u1100\\u1161.png\" is not \"cat.\\uac00.png\""));
  // An accent that is missing is another name.
  const auto other = run("evaluate --weights " + weights_file + " --data '" + folder.path("p") + "'");
  CHECK_FALSE(contains(other.err, "composition"));
}

TEST_CASE("F8 a stray name makes no class, and classes of a few pictures beside large ones are warned of") {
  const pictures::folder folder("strays");
  for (int i = 0; i < 30; ++i)
    for (const char* kind : {"cat.", "dog."}) folder.write("d/" + (kind + std::to_string(i)) + ".png", red_png(8 * i, 8, 8));
  for (const char* stray : {"holiday.jpg.png", "photo.jpeg.png", "my.photo.png"})
    folder.write("d/" + std::string(stray), red_png(1));
  folder.write("d/cat.edited.png", red_png(77));  // of a class that is there
  folder.write("d/IMG.2041.png", red_png(78));
  const auto checked = run("check --data '" + folder.path("d") + "' --json").json();
  CHECK(checked["classes"].size() == 3);
  CHECK(checked["classes"]["cat"] == 31);
  CHECK(checked["ignored"]["unlabelled"] == 3);
  for (const std::string& command :
       {"check --data '" + folder.path("d") + "'", "pack --data '" + folder.path("d") + "' --out '" + folder.path("tars") + "'",
        train(folder.path("d"), folder.path("run"), "--quiet")}) {
    CAPTURE(command);
    const auto r = run(command);
    INFO(r.err);
    CHECK(contains(r.err,
                   "3 pictures are not called as the others and are left out (holiday.jpg.png, my.photo.png, photo.jpeg.png)"));
    CHECK(contains(r.err, "classes of very few pictures beside others of 30: IMG (1)"));
  }
}

TEST_CASE("F8 one picture beside classes of five is warned of in small folders too") {
  const pictures::folder folder("few");
  for (int i = 1; i <= 5; ++i) {
    folder.write("d/cat." + std::to_string(i) + ".resized.png", red_png(8 * i));
    folder.write("d/dog." + std::to_string(i) + ".png", red_png(200 + 8 * i));
  }
  const std::string check = "check --data '" + folder.path("d") + "'";
  CHECK_FALSE(contains(run(check).err, "very few"));
  folder.write("d/IMG.2020.01.02.png", red_png(1));
  folder.write("d/Screenshot 1.2.png", red_png(2));
  for (const std::string& command : {check, train(folder.path("d"), folder.path("run"), "--quiet")}) {
    const auto r = run(command);
    INFO(r.err);
    CHECK(contains(r.err, "classes of very few pictures beside others of 5: IMG (1), Screenshot 1 (1)"));
  }
}

TEST_CASE("check reads labels.csv beside the pictures as train and evaluate do") {
  const pictures::folder folder("table");
  for (int i = 1; i <= 4; ++i) folder.write("d/" + std::to_string(i) + ".png", red_png(60 * i));
  folder.write("d/labels.csv", "id,label\n1,cat\n2,cat\n3,dog\n4,dog\n");
  const std::string check = "check --json --data '" + folder.path("d") + "'";
  const auto labelled = run(check);
  INFO(labelled.err);
  CHECK(labelled.code == 0);
  CHECK(labelled.json()["classes"]["cat"] == 2);
  CHECK(labelled.json()["classes"]["dog"] == 2);
  CHECK(labelled.json()["unlabelled"] == 0);
  // A table of something else is none of classes: the pictures are looked at all the same.
  folder.write("d/labels.csv", "id,x,y\n1,0,1\n2,0,1\n3,1,0\n4,1,1\n");
  const auto numbers = run(check);
  INFO(numbers.err);
  CHECK(numbers.code == 0);
  CHECK(numbers.json()["images"] == 4);
  CHECK(numbers.json()["unlabelled"] == 4);
  CHECK(contains(numbers.err, "labels.csv"));
}

TEST_CASE("folders that systems and network storage make are no classes") {
  const pictures::folder folder("systems");
  write_classes(folder, "data/");
  for (const char* name : {"@eaDir", "#recycle", "$Recycle.Bin", "System Volume Information", "lost+found", "cat/@eaDir/0.png",
                           "#snapshot/daily.0/cat", "~snapshot", ".snapshot", "__macosx", "@Recently-Snapshot", "FOUND.001"})
    folder.write("data/" + std::string(name) + "/SYNOPHOTO_THUMB_XL.jpg", red_png(50));
  const auto r = run("check --json --data '" + folder.path("data") + "'");
  CHECK(r.json()["images"] == 6);
  CHECK(r.json()["classes"].size() == 2);
}

TEST_CASE("classes that are called alike are warned of by every command that reads data") {
  const std::vector<std::pair<std::string, std::string>> alike{{"Cat", "cat"},
                                                               {"cat", "cat "},
                                                               {"caf\u00e9", "cafe\u0301"},
                                                               {"STRASSE 1", "strasse_1"},
                                                               {"\uac15", "\u1100\u1161\u11bc"},
                                                               {"\u304c", "\u304b\u3099"},
                                                               {"\u30d1", "\u30cf\u309a"},
                                                               {"\u0419", "\u0438\u0306"},
                                                               {"\uFEFFcat", "cat"},
                                                               {"ca\u200Bt", "cat"},
                                                               {"cat", "cat\u00a0"},
                                                               {"cat", "cat\t"},
                                                               {"cat", "\u3000cat"},
                                                               {"cat", "cat \uFE0F"},
                                                               {"cat", "cat\u2007\u200B"},
                                                               {"big cat", "big\u2009cat"},
                                                               {"cat", "c\u202Aat\u202C"},
                                                               {"cat", "cat\u3164"},
                                                               {"cat", "cat\U000E0101"},
                                                               {"A-", "A- "}};
  for (const auto& [first, second] : alike) {
    CAPTURE(first);
    const pictures::folder folder("alike");
    folder.write("data/" + first + "/1.png", red_png(10));
    folder.write("data/" + second + "/1.png", red_png(200));
    const auto r = run("check --data '" + folder.path("data") + "'");
    CHECK(contains(r.err, "are called alike and are two"));
    CHECK(contains(run(train(folder.path("data"), folder.path("run"), "--dry-run")).err, "are called alike and are two"));
  }
  for (const auto& [first, second] : std::vector<std::pair<std::string, std::string>>{
           {"cat", "dog"}, {"A", "A-"}, {"A\uFE0F", "A-"}, {"a", "a-\u00a0"}, {"\u304b", "\u304d"}, {"1", "01"}}) {
    const pictures::folder folder("different");
    folder.write("data/" + first + "/1.png", red_png(10));
    folder.write("data/" + second + "/1.png", red_png(200));
    CHECK_FALSE(contains(run("check --data '" + folder.path("data") + "'").err, "alike"));
  }
}

TEST_CASE("G05 a folder of pictures to test on beside the classes is warned of") {
  const pictures::folder folder("part_beside");
  write_classes(folder, "data/");
  for (int i = 0; i < 4; ++i) folder.write("data/Test/" + std::to_string(i) + ".png", red_png(60 * i));
  const auto r = run("check --data '" + folder.path("data") + "'");
  CHECK(contains(r.err, "taken for a class as the folders beside: Test;"));
  CHECK(contains(run(train(folder.path("data"), folder.path("run"), "--quiet")).err, "taken for a class"));
  std::filesystem::remove_all(folder.path("data/Test"));
  CHECK_FALSE(contains(run("check --data '" + folder.path("data") + "'").err, "taken for a class"));
}

TEST_CASE("a table of labels in the data's folder gives the classes where names do not") {
  for (const char* name : {"labels.csv", "trainLabels.csv"}) {
    CAPTURE(name);
    const pictures::folder folder("table_inside");
    std::string table = "id,label\n";
    for (int i = 0; i < 8; ++i) {
      folder.write("data/" + std::to_string(i) + ".png", red_png(30 * i));
      table += std::to_string(i) + (i < 4 ? ",cat\n" : ",dog\n");
    }
    folder.write("data/" + std::string(name), pictures::bytes(table.begin(), table.end()));
    const auto r = run(train(folder.path("data"), folder.path("run"), ""));
    INFO(r.err);
    CHECK(r.code == 0);
    CHECK(contains(r.err + r.out, "8 pictures with a row in " + folder.path("data/" + std::string(name)) + ": cat, dog"));
  }
}
