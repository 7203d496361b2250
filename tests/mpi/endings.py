"""Trainings that end before their time, and go on: signals, ranks that die, hang or fail, memory that errs."""
import ctypes
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import sys
import time

import machines
from launch import (BY_NETWORK, DATA, FOLDER, HANG, MINICNN, OPEN_MPI, TIME_TO_SAVE, Started, bytes_of, check, command,
                    cpu_seconds, environment, finish, launcher, none_left, process_of, processes, run, same, send, start, until,
                    wait_for)


def resume():
    """A random rank dies at a random moment, and another number of ranks goes on from the last save, again and again: all processes
    end, no more than the interval's work is lost, and the result is that of a run that nothing disturbed."""
    kills, interval = int(os.environ.get("MINICNN_MPI_KILLS", 6)), 0.005
    more = FOLDER / "more"
    finish([MINICNN, "generate", "--out", str(more), "--images", "400"])
    last = ["--data", more, "--epochs", 1 + kills * 2 // 5, "--save-every", interval]
    run(0, "alone", "--shards", 4, *last)
    children = os.times()
    work = children.children_user + children.children_system  # seconds of one core, whatever else the machine has to do
    random.seed(1)
    saved = lambda: (FOLDER / "run/last.safetensors").stat().st_mtime_ns if (FOLDER / "run/last.safetensors").exists() else 0
    most_lost = 0
    for turn in range(kills):
        before = seen = saved()
        options = [] if turn % 2 else ["--shards", 4]
        training = start([4, 3, 2, 1][turn % 4], "run", *options, *last, *(["--resume"] if turn else []))
        until(lambda: saved() != before or training.ended(), "the run is saved")
        check(not training.ended(), f"over before kill {turn + 1}: {training.text()}")
        worked, moment = cpu_seconds(processes("run")), time.time() + random.uniform(0, work / kills / 6)
        while time.time() < moment or seen == before:
            if saved() != seen:
                seen, worked = saved(), cpu_seconds(processes("run"))
            time.sleep(0.01)
        ranks = processes("run")
        most_lost = max(most_lost, (cpu_seconds(ranks) - worked) / max(1, len(ranks)))
        check(ranks and send(random.choice(ranks), signal.SIGKILL), f"over before kill {turn + 1}: {training.text()}")
        code, text = training.end()
        check(code != 0 and "has waited" not in text, f"exit code {code}: {text}")
        none_left("run", "one was killed")
    check(most_lost < 60 * interval + 1, f"{most_lost:.1f} s of work are lost, saved every {60 * interval} s")
    run(2, "run", *last, "--resume")
    same("alone", "run")
    print(f"{kills} of {kills} kills, at most {most_lost:.1f} s of work lost, saved every {60 * interval} s")
    refused = run(5, "run", *last, "--resume", wanted=1)
    check(refused.stderr.count("--shards 4 of the run: wanted at most so many processes, got 5") == 1, refused.stderr)


SAVED = "interrupted; the run is saved"


def interrupted(out, name, rank):
    """Sends a signal to mpirun, or to a rank, within a training; what that leaves. Once more where the training was over before."""
    for _ in range(20):
        shutil.rmtree(FOLDER / out, ignore_errors=True)
        training = start(2, out, "--shards", 2, "--epochs", 6)
        wait_for(training, out)
        target = training.process.pid if rank is None else process_of(out, rank)
        sent = target is not None and send(target, name)
        code, text = training.end()
        none_left(out, name.name)
        if sent and code != 0:
            return code, text
    check(False, f"{name.name}: no training lasted until it came: {text}")


def signals():
    killed_later = [signal.SIGINT, signal.SIGTERM] if OPEN_MPI else []
    passed_on = [signal.SIGUSR1, signal.SIGUSR2] if OPEN_MPI else [signal.SIGUSR1, signal.SIGINT, signal.SIGTERM]
    run(0, "alone", "--shards", 2, "--epochs", 6)
    for name, rank in [(s, None) for s in passed_on] + [(signal.SIGTERM, 1), (signal.SIGHUP, 1), (signal.SIGUSR2, 0)]:
        out = f"{name.name}_{rank}"
        code, text = interrupted(out, name, rank)
        check(code == 130 and text.count(SAVED) == 1, f"{out}: exit code {code}, wanted 130: {text}")
        run(2, out, "--shards", 2, "--epochs", 6, "--resume")
        same("alone", out)
    for name in killed_later:
        training = start(2, name.name, "--epochs", 100000, env=environment(**TIME_TO_SAVE))
        wait_for(training, name.name)
        send(training.process.pid, name)
        code, text = training.end()
        check(code == 1 and text.count(SAVED) == 1, f"{name.name}: exit code {code}, wanted 1: {text}")
        none_left(name.name, name.name)
    # Without time to save, or where the signal ends mpirun itself, the save before is whole.
    for name in [signal.SIGKILL] + ([signal.SIGTERM, signal.SIGHUP] if OPEN_MPI else [signal.SIGHUP, signal.SIGUSR2]):
        interrupted("abrupt", name, None)
        run(2, "abrupt", "--shards", 2, "--epochs", 6, "--resume")
        same("alone", "abrupt")


def kills():
    seconds = []
    while not seconds or seconds[-1] > 5:  # as in one_cannot_read
        check(len(seconds) < 5, f"all have ended after {seconds} s, wanted at most 5")
        out = f"killed{len(seconds)}"
        training = start(3, out, "--epochs", 100000)
        wait_for(training, out)
        check(send(process_of(out, 1), signal.SIGKILL), "no rank 1")
        began = time.monotonic()
        code, text = training.end()
        none_left(out, "one was killed")
        seconds.append(time.monotonic() - began)
        check(code != 0 and "has waited" not in text, f"exit code {code}: {text}")  # mpirun has noticed, no rank of ours
    # One that stops is named, wherever it stands in a step, and once.
    for turn in range(3):
        out = f"stopped{turn}"
        training = start(3, out, "--epochs", 100000, "--stall-limit", 0.2)
        wait_for(training, out)
        time.sleep(0.05 * turn)
        before = len(training.text())
        check(send(process_of(out, 2), signal.SIGSTOP), "no rank 2")
        code, text = training.end()
        said = re.findall(r"has waited (\d+) seconds for (.*)", text[before:])
        check(len(said) == 2 and all(re.fullmatch(r"rank 2 \(host [^()]+\)(; all ranks are ended)?", who) for _, who in said), text)
        check(6 <= int(said[0][0]) < 12 <= int(said[1][0]) and said[1][1].endswith("ended"), text)
        check(code == 75, f"exit code {code}, wanted 75")
        none_left(out, "one was stopped")


def pause():
    """All are stopped for longer than the limit and go on, as jobs that Slurm suspends."""
    training = start(3, "run", "--epochs", 100000, "--stall-limit", 0.1)
    wait_for(training, "run")
    ranks = [process_of("run", rank) for rank in range(3)]
    for process in reversed(ranks):
        if process == ranks[0]:  # which is to be stopped while it waits
            until(lambda: training.ended() or re.search(r"has waited \d seconds for rank 1", training.text()), "rank 0 waits")
        check(send(process, signal.SIGSTOP), training.text())
    time.sleep(6)
    before = bytes_of("run")
    for process in ranks:
        time.sleep(0.2)
        check(send(process, signal.SIGCONT), training.text())
    until(lambda: training.ended() or bytes_of("run") != before, "the run goes on")
    check(not training.ended(), training.text())
    check(send(process_of("run", 0), signal.SIGTERM), training.text())
    code, text = training.end()
    check(code == 130 and "all ranks are ended" not in text, f"exit code {code}, wanted 130: {text}")


def faults():
    pictures = sorted(DATA.iterdir())
    bad = pictures[len(pictures) // 3]
    # One that goes while they train: what was learned is saved, and the way on is told.
    for count in (0, 3):
        out = f"gone_{count}"
        training = start(count, out, "--shards", 4, "--epochs", 100000)
        wait_for(training, out)
        whole = bad.read_bytes()
        bad.write_bytes(whole[:200])
        code, text = training.end()
        bad.write_bytes(whole)
        check(code == 1, f"exit code {code}, wanted 1")
        check(text.count(str(bad)) == 1 and (" (host " in text) == (count > 0), text)
        check(text.count(", and with --skip-bad if the picture is gone for good") == 1, text)
    bad.write_bytes(bad.read_bytes()[:200])
    one = run(0, "alone", "--shards", 4, wanted=1)
    made = run(4, "run", "--shards", 4, wanted=1)
    check(made.stderr.count(str(bad)) == 1, made.stderr)
    check(str(bad) in one.stderr, one.stderr)
    run(0, "alone", "--shards", 4, "--skip-bad", "--overwrite")
    run(3, "run", "--shards", 4, "--skip-bad", "--overwrite")
    same("alone", "run")
    refused = run(2, "run", "--shards", 4, wanted=1)
    check(refused.stderr.count("holds a run already") == 1, refused.stderr)
    # What is only seen with the data at hand is still a misused option, so that nobody tries again for ever.
    for count in (0, 2):
        misused = run(count, f"misused_{count}", "--skip-bad", "--freeze", "nosuch", wanted=2)
        check(misused.stderr.count("nosuch") == 1, misused.stderr)
        misused = run(count, f"misused_{count}", "--task", "multilabel", wanted=2)  # of the first rank, which reads for all


def one_cannot_read():
    """A picture that one rank alone cannot decode, while they train: all have ended 2 seconds after it is opened. Time in which
    they wait for a processor that has other things to do does not count, and the best of some turns does."""
    own = FOLDER / "own"
    shutil.copytree(DATA, own)
    picture = sorted(own.iterdir())[30]
    whole, seconds = picture.read_bytes(), []
    for turn in range(5):
        out = f"run_{turn}"
        of_others, of_one = (command(out, "--shards", 4, "--epochs", 100000, "--data", data) for data in (DATA, own))
        training = Started(launcher((2, *of_others), (1, *of_one), (1, *of_others)))
        wait_for(training, out)
        opened = replace_watched(picture, bytes(len(whole)))
        until(lambda: opened() or training.ended(), "the picture is opened")
        began, delays = time.monotonic(), {}
        before = {p: processor_delay(p) for p in processes(out)}
        while ranks := processes(out):
            check(time.monotonic() - began < HANG, f"all ranks end: not in {HANG} seconds. {training.text()}")
            delays.update({p: max(delays.get(p, 0), processor_delay(p) - before[p]) for p in ranks if p in before})
            time.sleep(0.01)
        seconds.append(time.monotonic() - began - min(delays.values(), default=0))
        code, text = training.end()
        picture.write_bytes(whole)
        check(code == 1, f"exit code {code}, wanted 1: {text}")
        check(len(re.findall(rf"rank 2 \(host [^()]+\): {re.escape(str(picture))}: ", text)) == 1, text)
        check(text.count(str(picture)) == 1 and text.count("the run is saved in ") == 1 and "has waited" not in text, text)
        if seconds[-1] < 2:
            return print(f"all have ended after {seconds[-1]:.2f} s")
    check(False, f"all have ended after {seconds} s, wanted less than 2")


def processor_delay(process):
    """Seconds that its first thread was ready to run, and did not."""
    try:
        return int(pathlib.Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0


def replace_watched(path, content):
    """Another file takes the place of this one at once; returns a function that says whether it was opened."""
    libc, opening = ctypes.CDLL(None), 0x20  # IN_OPEN
    other = FOLDER / "other"
    other.write_bytes(content)
    events = libc.inotify_init1(os.O_NONBLOCK)
    check(libc.inotify_add_watch(events, str(other).encode(), opening) >= 0, "inotify is there")
    os.replace(other, path)
    return lambda: bool(select.select([events], [], [], 0)[0])


def throws():
    """A backward that throws on one rank while the others wait for its gradients, or exchange those that it has sent."""
    for options in ([], ["overlap"]):
        made = finish(launcher((3, str(pathlib.Path(MINICNN).parent / "minicnn_mpi_throws"), *options)), wanted=1)
        check(len(re.findall(r"rank 1 \(host [^()]+\): backward: no gradient", made.stderr)) == 1, made.stderr)
        check("has waited" not in made.stderr, made.stderr)


def late():
    """A rank that comes after some stall limits: waited for before the first step, the end of all after it."""
    program = str(pathlib.Path(MINICNN).parent / "minicnn_mpi_late_rank")
    made = finish(launcher((2, program)))
    check("all are here" in made.stdout and made.stderr.count("has waited") == 1, made.stdout + made.stderr)
    ended = finish(launcher((2, program, "stepping")), wanted=75)
    check("all are here" not in ended.stdout and "all ranks are ended" in ended.stderr, ended.stdout + ended.stderr)


def two_machines():
    """The same bits; and where the link between them goes, that is told, and the processes of both end."""
    if not machines.set_up():
        print("network namespaces are not allowed")
        sys.exit(77)
    until(machines.is_up, "the link is up")
    env = environment(**BY_NETWORK)
    run(0, "alone", "--shards", 2)
    finish(machines.launcher(*command("run", "--shards", "2")), env=env)
    same("alone", "run")
    training = Started(machines.launcher(*command("cut", "--epochs", 100000, "--stall-limit", 0.2)), env)
    wait_for(training, "cut")
    machines.set_link("down")
    until(lambda: training.ended() or "all ranks are ended" in training.text(), "the link is missed", training.text)
    none_left("cut", "the link is cut")
    if OPEN_MPI:  # whose mpirun waits for its helper on the other machine
        training.kill()
    code, text = training.end()
    check(len(re.findall(r"has waited \d+ seconds for rank 1 \(host [^()]+\); all ranks are ended", text)) == 1, text)
    check(OPEN_MPI or code == 75, f"exit code {code}, wanted 75: {text}")


def memory():
    """A bit of a rank's memory turns over, and the next save does not come about: within the epoch, where there is one after every
    step, nor at the epoch's end, where last.safetensors stays to the byte."""
    more = FOLDER / "more"
    finish([MINICNN, "generate", "--out", str(more), "--images", "2000"])
    options = ["--data", more, "--epochs", 1000, "--freeze", "conv1"]
    _, batches, _ = with_turned_bit("within", *options, "--save-every", 1e-5)
    check(batches < 100, f"found after {batches} batches of 100")
    for turn in range(5):
        epoch, batches, before = with_turned_bit(f"end{turn}", *options, "--limit", 400)
        check(batches == 20, f"found after {batches} batches, wanted 20")
        if epoch == epoch_of(before):  # else that epoch was over before the bit turned
            return check(bytes_of(f"end{turn}") == before, f"last.safetensors is not that of epoch {epoch}")
    check(False, "no bit turned over in the epoch after the save that was read")


def epoch_of(weights):
    return json.loads(header_of(weights)["__metadata__"]["position"])["epoch"]


def header_of(weights):
    return json.loads(weights[8:8 + int.from_bytes(weights[:8], "little")])


def with_turned_bit(out, *options):
    """The epochs and batches after which hashes differ, and last.safetensors as it was before. What is sought in the memory are the
    first weights, which are frozen."""
    training = start(2, out, *options)
    wait_for(training, out)
    victim = process_of(out, 1)
    check(send(victim, signal.SIGSTOP), "no rank 1")
    whole = bytes_of(out)
    begin = header_of(whole)["conv1.weight"]["data_offsets"][0] + 8 + int.from_bytes(whole[:8], "little")
    check(turn_bit(victim, whole[begin:begin + 64]), "the weights were not found in memory")
    send(victim, signal.SIGCONT)
    code, text = training.end()
    check(code == 1, f"exit code {code}, wanted 1: {text}")
    said = re.findall(r"the hash of the weights after epoch (\d+) and (\d+) batches is not the same on all ranks: rank 0 \(host ", text)
    check(len(said) == 1, text)
    return int(said[0][0]), int(said[0][1]), whole


def turn_bit(process, sought):
    """In all places of the process's memory that hold these bytes; how many there are."""
    turned = 0
    with open(f"/proc/{process}/mem", "r+b", buffering=0) as memory_of:
        for line in pathlib.Path(f"/proc/{process}/maps").read_text().splitlines():
            places, access, *_ = line.split()
            first, last = (int(number, 16) for number in places.split("-"))
            if not access.startswith("rw") or "[v" in line:
                continue
            try:
                memory_of.seek(first)
                found = memory_of.read(last - first)
            except OSError:
                continue
            at = found.find(sought)
            while at >= 0:
                memory_of.seek(first + at)
                memory_of.write(bytes([sought[0] ^ 1]))
                turned += 1
                at = found.find(sought, at + 1)
    return turned
