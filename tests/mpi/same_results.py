"""Whoever trains, one process or several: the same bytes."""
import json
import re
import signal
import time

from launch import (BY_NETWORK, DATA, EXAMPLE, FOLDER, MINICNN, bytes_of, check, cpu_seconds, environment, finish, launcher,
                    process_of, run, same, send, start, until)


def same_bits():
    run(0, "alone", "--shards", 4)
    for count in (1, 2, 3, 4):
        made = run(count, f"of_{count}", "--shards", 4)
        same("alone", f"of_{count}")
        check(made.stdout.count("best.safetensors") == 1, f"results are told {made.stdout.count('best.safetensors')} times")
    for count in (2, 3):
        run(count, f"overlap_{count}", "--shards", 4, "--overlap", "on")
        same("alone", f"overlap_{count}")
    run(0, "half", "--shards", 4, "--wire", "bf16")
    check(bytes_of("half") != bytes_of("alone"), "--wire bf16 changes nothing")
    for count in (2, 4):
        run(count, f"half_{count}", "--shards", 4, "--wire", "bf16", "--overlap", "on")
        same("half", f"half_{count}")
    refused = run(0, "one", "--wire", "bf16", wanted=None)
    check(refused.returncode != 0 and "--wire bf16: wanted at least 2 --shards or processes, got 1" in refused.stderr, refused.stderr)
    run(2, "default")  # a shard each
    run(0, "two", "--shards", 2)
    same("default", "two")
    run(2, "network", "--shards", 4, env=environment(**BY_NETWORK))
    same("alone", "network")


def passes():
    """What is read before the first step and after the last one: the colours' mean, deviation and principal components, a whitened
    layer's patches, pictures that cannot be read, temperature."""
    more = FOLDER / "more"
    finish([MINICNN, "generate", "--out", str(more), "--images", "260"])
    cases = {"classic": ["--preset", "classic", "--lighting", 0.2, "--mixup", 0.4, "--cutmix", 1],
             "cifar": ["--preset", "cifar", "--whiten", 1]}
    for preset, options in cases.items():
        options = [*options, "--data", more, "--shards", 3, "--epochs", 1, "--val-fraction", 0.4, "--no-color"]
        told = lambda made: [line for line in made.stderr.splitlines() if ", with temperature " in line]
        one = run(0, preset, *options)
        check(len(told(one)) == 1, one.stderr)
        made = run(3, f"{preset}_3", *options)
        same(preset, f"{preset}_3")
        check(told(made) == told(one), f"{told(one)} of one process, {told(made)} of three")
    options = ["--data", more, "--preset", "classic", "--lighting", 0.2, "--shards", 3, "--epochs", 1]
    for bad in sorted(more.iterdir())[::9]:
        bad.write_bytes(bad.read_bytes()[:200])
    made = run(3, "bad", *options, wanted=1)  # each has read a part, so it is one that complains
    check(made.stderr.count(" (host ") == 1 and made.stderr.count(str(more)) == 1, made.stderr)
    check(not (FOLDER / "bad").exists(), "something was written")
    one = run(0, "skip", *options, "--skip-bad")
    made = run(3, "skip_3", *options, "--skip-bad")
    same("skip", "skip_3")
    skipped = [line for line in one.stderr.splitlines() if line.startswith("skipped")]
    check(len(skipped) > 20 and all(line in made.stderr for line in skipped), made.stderr)


def slow():
    """A rank that is stopped again and again, as by a neighbour on its machine: the same bits, and it is named."""
    options = ["--shards", 3, "--epochs", 4, "--no-color"]
    run(0, "alone", *options)
    training = start(3, "run", *options)
    until(lambda: process_of("run", 2) or training.ended(), "rank 2 begins")
    victim, seen = process_of("run", 2), 0
    while not training.ended():
        if victim and cpu_seconds([victim]) >= seen + 0.02:  # however much the machine has to do besides
            seen = cpu_seconds([victim])
            send(victim, signal.SIGSTOP)
            time.sleep(0.2)
            send(victim, signal.SIGCONT)
        time.sleep(0.005)
    code, text = training.end()
    check(code == 0, f"exit code {code}: {text}")
    same("alone", "run")
    told = re.findall(r"warning: (rank .*) is slow: it computes ([0-9.]+) s a step, where ([0-9.]+) s is the median of all ranks", text)
    check(len(told) == 1 and re.fullmatch(r"rank 2 \(host [^()]+\)", told[0][0]), text)
    check(float(told[0][1]) > 1.25 * float(told[0][2]), text)
    means = json.loads((FOLDER / "run/config.json").read_text())["rank_seconds_a_step"]
    check([m["rank"].split(" (")[0] for m in means] == ["rank 0", "rank 1", "rank 2"], means)
    check(max(means, key=lambda m: m["computing"]) == means[2] == min(means, key=lambda m: m["waiting"]), means)
    page = (FOLDER / "run/report.html").read_text()
    check(all(f">{m['rank']}</" in page for m in means), "the report does not have each rank")
    check(page.count(" s a step for 1 shard, waits ") == 3, "the report does not have each rank's times")


def example():
    made = {}
    for count in (1, 3):
        made[count] = finish(launcher((count, EXAMPLE, str(DATA), str(FOLDER / f"{count}.safetensors"))))
        check(made[count].stdout.count("epoch 5: ") == 1, made[count].stdout)
    check((FOLDER / "1.safetensors").read_bytes() == (FOLDER / "3.safetensors").read_bytes(), "weights differ")


def tar_files():
    """Pictures in tar files, in full shuffle, and by blocks, of more than one has."""
    by_all_counts("full", "--data", packed(DATA, "few"), "--shards", 3)
    more = FOLDER / "more"
    finish([MINICNN, "generate", "--out", str(more), "--images", "1300"])
    by_all_counts("blocks", "--data", packed(more, "many"), "--shuffle", "blocks", "--shards", 3, "--epochs", 1, "--val-fraction", 0.1)


def packed(pictures, name):
    """These in two tar files, as --data takes them."""
    folder, size = FOLDER / name, sum(picture.stat().st_size for picture in pictures.iterdir()) * 6 // 10
    finish([MINICNN, "pack", "--shuffle", "--data", str(pictures), "--out", str(folder), "--size", f"{size // 1024}K"])
    files = sorted(folder.glob("*.tar"))
    check(len(files) == 2, f"packed in {len(files)} files, wanted 2")
    for i, file in enumerate(files):
        file.rename(folder / f"x-{i}.tar")
    return folder / "x-{0..1}.tar"


def tasks():
    """Several labels, and numbers that are standardised, from a table."""
    tables = {"multilabel": "id,cat,third,middle", "regress": "id,number,other"}
    for task, columns in tables.items():
        lines = [columns]
        for i, picture in enumerate(sorted(DATA.iterdir())):
            tags = [int(picture.name.startswith("cat")), int(i % 3 == 0), i // 30 % 2]
            lines.append(",".join(map(str, [picture.name, *(tags if task == "multilabel" else [i / 7, -i * i])])))
        table = FOLDER / f"{task}.csv"
        table.write_text("\n".join(lines) + "\n")
        by_all_counts(task, "--task", task, "--labels", table, "--shards", 3)


def uneven():
    """Shards of 10, 11 and 11 pictures, and of 2, 3 and 3 at the end of an epoch, of which one rank of two has two."""
    by_all_counts("fp32", "--batch-size", 32, "--shards", 3)
    by_all_counts("bf16", "--batch-size", 32, "--shards", 3, "--wire", "bf16", "--overlap", "on")


def by_all_counts(name, *options):
    """One process without mpirun, and one to three with it."""
    run(0, name, *options)
    for count in (1, 2, 3):
        run(count, f"{name}_{count}", *options)
        same(name, f"{name}_{count}")
