// Data sets in tar files, from outside: trained on, evaluated, predicted, checked and packed as the folder that they came from.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "program.hpp"

using program::contains;
using program::run;

namespace {

/// Twelve pictures of two classes in a folder, and packed.
struct packed_set {
  packed_set() : folder("tars") {
    for (int k = 0; k < 6; ++k) {
      folder.write("set/cat/" + std::to_string(k) + ".png", program::red_png(10 * k));
      folder.write("set/dog/" + std::to_string(k) + ".png", program::red_png(200 + 5 * k));
    }
    const auto r = run("pack --data " + at("set") + " --out " + at("tars") + " --size 10240");
    INFO(r.err);
    REQUIRE(r.code == 0);
    shards = static_cast<int>(r.lines().size());
    REQUIRE(shards > 1);
    CHECK(contains(r.out, "tars/shard-000000.tar\t10240"));
    CHECK(contains(r.err, "12 pictures in " + std::to_string(shards) + " tar files"));
  }
  std::string at(const std::string& name) const { return "'" + folder.path(name) + "'"; }
  std::string pattern() const { return at("tars/shard-00000{0.." + std::to_string(shards - 1) + "}.tar"); }
  pictures::bytes train(const std::string& data, const std::string& out, const std::string& more = "") const {
    const auto r = run("train --data " + data + " --out " + at(out) +
                       " --model lenet5 --epochs 2 --batch-size 3 --threads 1 --val-fraction 0.34 " + more);
    INFO(r.err);
    REQUIRE(r.code == 0);
    return pictures::read(folder.path(out + "/last.safetensors"));
  }
  pictures::folder folder;
  int shards = 0;
};

}  // namespace

TEST_CASE("training on a folder and on its tar files gives the same weights") {
  const packed_set p;
  const pictures::bytes plain = p.train(p.at("set"), "plain");
  CHECK(p.train(p.at("tars"), "folder") == plain);
  CHECK(p.train(p.pattern(), "pattern") == plain);
  CHECK(run("pack --data " + p.at("tars") + " --out " + p.at("mixed") + " --shuffle --seed 5 --cls").code == 0);
  CHECK(p.train(p.at("mixed"), "mixed-run") == plain);
  CHECK(p.train(p.at("tars"), "blocks", "--shuffle blocks") != plain);
  CHECK(p.train(p.at("tars"), "again", "--shuffle blocks --workers 0") ==
        pictures::read(p.folder.path("blocks/last.safetensors")));

  SUBCASE("a run of the folder goes on with the tar files") {
    const auto r = run("train --data " + p.at("tars") + " --out " + p.at("plain") +
                       " --resume --model lenet5 --epochs 2 --batch-size 3 --threads 1 --workers 1 --val-fraction 0.34");
    INFO(r.err);
    CHECK(r.code == 0);
  }
  SUBCASE("evaluate, predict, explain and check take them") {
    const std::string weights = " --weights " + p.at("plain/best.safetensors");
    const auto folder = run("evaluate --json --data " + p.at("set") + weights);
    const auto tars = run("evaluate --json --data " + p.pattern() + weights);
    CHECK(tars.code == 0);
    CHECK(tars.json()["log_loss"] == folder.json()["log_loss"]);
    CHECK(run("evaluate --json --split val --data " + p.at("tars") + weights).code == 0);

    const auto lines = run("predict" + weights + " " + p.pattern()).lines();
    REQUIRE(lines.size() == 12);
    CHECK(contains(lines[0], ".tar/cat/0.png\t"));
    const auto both = run("predict" + weights + " " + p.at("tars/shard-000000.tar") + " " + p.at("tars/shard-000001.tar") + " " +
                          p.at("set/cat/0.png"));
    CHECK(both.code == 0);
    CHECK(both.lines().size() > 3);
    CHECK(run("predict" + weights + " " + p.at("none-{0..1}.tar")).code == 1);
    CHECK(run("explain" + weights + " --out " + p.at("maps") + " " + p.at("tars/shard-000000.tar")).code == 0);

    const auto check = run("check --json --data " + p.at("tars"));
    CHECK(check.code == 0);
    CHECK(check.json()["images"] == 12);
    CHECK(check.json()["layout"] == "a folder a class, in " + std::to_string(p.shards) + " tar files");
  }
}

TEST_CASE("labels from a table are attached to members by their names") {
  const packed_set p;
  std::string table = "id,value\n";
  for (int k = 0; k < 6; ++k)
    for (const char* kind : {"cat", "dog"})
      table += std::string(kind) + "/" + std::to_string(k) + "," + std::to_string(k) + ".5\n";
  p.folder.write("values.csv", pictures::bytes(table.begin(), table.end()));
  const std::string more = "--task regress --labels " + p.at("values.csv");
  CHECK(p.train(p.at("tars"), "a", more) == p.train(p.at("set"), "b", more));
}

TEST_CASE("G04 a few pictures beside tar files make no other data set of the folder") {
  const packed_set p;
  p.folder.write("tars/preview.png", program::red_png(7));
  p.folder.write("tars/cat/1.png", program::red_png(8));
  for (const std::string command : {"check --json", "check"}) {
    const auto r = run(command + " --data " + p.at("tars"));
    INFO(r.err);
    CHECK(r.code == 0);
    CHECK(contains(r.err, "2 pictures beside the tar files, which hold more, left out"));
    if (command == "check") continue;
    CHECK(r.json()["images"] == 12);
    CHECK(r.json()["ignored"]["other"] == 2);
  }
  // A tar file that strays among more pictures is left alone.
  for (int k = 0; k < 9; ++k) {
    p.folder.write("loose/cat/" + std::to_string(k) + ".png", program::red_png(10 * k));
    p.folder.write("loose/dog/" + std::to_string(k) + ".png", program::red_png(100 + 10 * k));
  }
  std::filesystem::copy_file(p.folder.path("tars/shard-000000.tar"), p.folder.path("loose/backup.tar"));
  CHECK(run("check --json --data " + p.at("loose")).json()["images"] == 18);
}

TEST_CASE("pack keeps the labels that labels.csv beside the pictures gives") {
  const pictures::folder folder("tables");
  std::string table = "id,label\n";
  for (int k = 0; k < 8; ++k) {
    folder.write("set/" + std::to_string(k) + ".png", program::red_png(30 * k));
    table += std::to_string(k) + (k % 2 == 0 ? ",cat\n" : ",dog\n");
  }
  folder.write("set/labels.csv", table);
  const auto packed = run("pack --data '" + folder.path("set") + "' --out '" + folder.path("tars") + "'");
  INFO(packed.err);
  REQUIRE(packed.code == 0);
  const auto found = run("check --json --data '" + folder.path("tars") + "'").json();
  CHECK(found["classes"]["cat"] == 4);
  CHECK(found["classes"]["dog"] == 4);
  CHECK(run("check --json --data '" + folder.path("set") + "'").json()["ignored"]["other"] == 0);  // the table is read
}

TEST_CASE("a signal ends pack, and nothing of it stays") {
  const pictures::folder data("pack_data"), out("pack_out");
  data.write("cat.0.bmp", pictures::bytes(4 << 20));
  for (int i = 1; i < 300; ++i)
    std::filesystem::create_hard_link(data.path("cat.0.bmp"), data.path("cat." + std::to_string(i) + ".bmp"));
  const std::string script = "'" MINICNN_PROGRAM "' pack --data '" + data.path() + "' --out '" + out.path("tars") +
                             "' --size 8M 2>'" + out.path("err") + "' & p=$!; n=0; until [ -d '" + out.path("tars") +
                             "'.tmp-$p ] || [ $n -gt 1000000 ]; do n=$((n + 1)); done; kill -TERM $p; wait $p; test $? -eq 130";
  CHECK(std::system(script.c_str()) == 0);
  CHECK(std::filesystem::remove(out.path("err")));
  CHECK(std::filesystem::is_empty(out.path()));
}

TEST_CASE("pack and data in tar files: what is refused") {
  const packed_set p;
  const auto refused = [&](const std::string& arguments, int code, const std::string& text) {
    const auto r = run(arguments);
    INFO(r.err);
    CHECK(r.code == code);
    CHECK(contains(r.err, text));
  };
  refused("pack --data " + p.at("set") + " --out " + p.at("set/tars"), 2, "lies in the data");
  refused("pack --data " + p.at("set") + " --out " + p.at("tars"), 1, "is there already, and not an empty folder");
  refused("pack --data " + p.at("set") + " --out " + p.at("x") + " --size 1X", 2, "wanted bytes from 10240 on");
  refused("pack --data " + p.at("set") + " --out " + p.at("x") + " --size 100", 2, "wanted bytes from 10240 on");
  refused("check --data " + p.at("tars/shard-{0..}.tar"), 1, "between braces wanted a range");
  refused("check --data " + p.at("tars/shard-{0..1}.tar"), 1, "shard-0.tar: cannot open");
  refused("train --data " + p.at("tars") + " --out " + p.at("x") + " --balance --shuffle blocks", 2,
          "goes without --shuffle blocks");
  refused("train --data " + p.at("tars") + " --out " + p.at("tars/run"), 2, "lies in the data");
  REQUIRE(std::system(("gzip -k " + p.at("tars/shard-000000.tar")).c_str()) == 0);
  refused("check --data " + p.at("tars/shard-000000.tar.gz"), 1, "unpack it first: gzip -dk");

  // A damaged picture: named with its tar file and byte, and left out on request.
  REQUIRE(run("pack --data " + p.at("set") + " --out " + p.at("one")).code == 0);
  pictures::bytes tar = pictures::read(p.folder.path("one/shard-000000.tar"));
  tar[512 + 1] = 'x';
  p.folder.write("one/shard-000000.tar", tar);
  refused("check --data " + p.at("one"), 1, "");
  CHECK(contains(run("check --data " + p.at("one")).out, "one/shard-000000.tar at byte 512: not a JPEG, PNG or BMP picture"));
  const std::string train = "train --data " + p.at("one") + " --model lenet5 --epochs 1 --batch-size 3 --threads 1 --out ";
  refused(train + p.at("r1"), 1, "cat/0.png: in ");
  CHECK(run(train + p.at("r2") + " --skip-bad").code == 0);
}

TEST_CASE("what a killed pack left goes with the next one to the same place; what may be others' stays") {
  const packed_set p;
  const auto make = [&](const std::string& name, const std::string& file) {
    p.folder.write(name + "/" + file, program::red_png(1));
    return p.folder.path(name);
  };
  int ended = 0;  // the number of a process that is gone
  REQUIRE(std::system("sh -c 'echo $$' >pid.txt") == 0);
  std::ifstream("pid.txt") >> ended;
  std::filesystem::remove("pid.txt");
  const std::string gone = "new.tmp-" + std::to_string(ended);
  const std::string stale = make(gone, "shard-000000.tar");
  p.folder.write(gone + "/shard-000001.tar.tmp-7-0", program::red_png(1));
  const std::string runs = make("new.tmp-1", "shard-000000.tar"), named = make("new.tmp-x", "shard-000000.tar"),
                    others = make("newer.tmp-" + std::to_string(ended), "shard-000000.tar"),
                    mine = make("new.tmp-999999999", "letter.txt");
  const auto r = run("pack --data " + p.at("set") + " --out " + p.at("new"));
  INFO(r.err);
  CHECK(r.code == 0);
  CHECK_FALSE(std::filesystem::exists(stale));
  CHECK(contains(r.err, stale + ": left by a pack that was killed; removed"));
  for (const std::string& kept : {runs, named, others, mine}) CHECK(std::filesystem::exists(kept));
}
