#!/usr/bin/env python3
"""Trainings by several processes: ranks.py CASE MPIEXEC MINICNN EXAMPLE, where CASE is a function below.

Each case trains a small network with batch norm and dropout on drawn pictures, with augmentation, an average of weights and a ragged
last batch, and compares files byte by byte."""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

MPIEXEC, MINICNN, EXAMPLE = sys.argv[2:5]
VERSION = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
OPEN_MPI = "Open MPI" in VERSION or "OpenRTE" in VERSION
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="minicnn_mpi_"))
DATA = FOLDER / "data"
TRAIN = ["--model", "alexnet-small", "--image-size", "48", "--batch-size", "16", "--ema", "0.9", "--learning-rate",
         "0.01", "--threads", "1"]


def environment(**more):
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **more)
    for name in list(env):  # of a launcher that this test itself may run under
        if name.startswith(("PMI_", "PMIX_", "SLURM_", "OMPI_COMM_")) and name not in more:
            del env[name]
    return env


def launcher(count):
    if OPEN_MPI:
        return [MPIEXEC, "-np", str(count), "--oversubscribe", "--bind-to", "none"]
    return [MPIEXEC, "-n", str(count)]


def command(count, out, *options):
    defaults = {"--epochs": "3", "--data": str(DATA), "--val-fraction": "0.2"}
    left = [word for name, value in defaults.items() if name not in options for word in (name, value)]
    quiet = [] if "--no-color" in options else ["--quiet"]
    words = [MINICNN, "train", "--out", str(FOLDER / out), *TRAIN, *quiet, *left, *map(str, options)]
    return (launcher(count) if count else []) + words


def start(count, out, *options, env=None):
    return subprocess.Popen(command(count, out, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=env or environment(), start_new_session=True)


def run(count, out, *options, wanted=0, env=None):
    made = subprocess.run(command(count, out, *options), capture_output=True, text=True, env=env or environment(), timeout=300)
    check(wanted is None or made.returncode == wanted, f"exit code {made.returncode}, wanted {wanted}: {made.stderr}")
    return made


def check(true, text):
    if not true:
        print("FAILED:", text)
        sys.exit(1)


def rows(out):
    """results.csv without the columns of time."""
    return [line.split(",")[:6] for line in (FOLDER / out / "results.csv").read_text().splitlines()]


def same(one, other):
    for name in ("last.safetensors", "best.safetensors"):
        check((FOLDER / one / name).read_bytes() == (FOLDER / other / name).read_bytes(), f"{name} of {one} and {other} differ")
    check(rows(one) == rows(other), f"results.csv of {one} and {other} differ")


def bytes_of(out):
    return (FOLDER / out / "last.safetensors").read_bytes()


def processes(out):
    """Ranks that train in this folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words and words[0] == MINICNN.encode() and str(FOLDER / out).encode() in words:
            found.append(int(entry.name))
    return sorted(found)


def rank_of(process):
    for word in pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0"):
        name, _, value = word.partition(b"=")
        if name in (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK"):
            return int(value)
    return -1


def none_left(out, after):
    """mpirun may end before the last of those that it ends."""
    end = time.time() + 5
    while processes(out):
        check(time.time() < end, f"ranks are left after {after}")
        time.sleep(0.05)


def wait_for(out, name="last.safetensors", seconds=120):
    end = time.time() + seconds
    while not (FOLDER / out / name).exists():
        check(time.time() < end, f"{out}/{name} does not appear")
        time.sleep(0.02)


def same_bits():
    run(0, "alone", "--shards", 4)
    for count in (2, 3, 4):
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
    if OPEN_MPI:  # the network's way instead of shared memory
        run(2, "tcp", "--shards", 4, env=environment(OMPI_MCA_btl="tcp,self"))
        same("alone", "tcp")


def passes():
    """What is read before the first step and after the last one: the colours' mean, deviation and principal components, a whitened
    layer's patches, pictures that cannot be read, temperature."""
    global DATA
    DATA = FOLDER / "more"
    subprocess.run([MINICNN, "generate", "--out", str(DATA), "--images", "260"], check=True, capture_output=True)
    cases = {"classic": ["--preset", "classic", "--lighting", 0.2, "--mixup", 0.4, "--cutmix", 1],
             "cifar": ["--preset", "cifar", "--whiten", 1]}
    for preset, options in cases.items():
        options = [*options, "--shards", 3, "--epochs", 1, "--val-fraction", 0.4, "--no-color"]
        told = lambda made: [line for line in made.stderr.splitlines() if ", with temperature " in line]
        one = run(0, preset, *options)
        check(len(told(one)) == 1, one.stderr)
        made = run(3, f"{preset}_3", *options)
        same(preset, f"{preset}_3")
        check(told(made) == told(one), f"{told(one)} of one process, {told(made)} of three")
    options = ["--preset", "classic", "--lighting", 0.2, "--shards", 3, "--epochs", 1]
    for bad in sorted(DATA.iterdir())[::9]:
        bad.write_bytes(bad.read_bytes()[:200])
    made = run(3, "bad", *options, wanted=1)  # each has read a part, so it is one that complains
    check(made.stderr.count(" (host ") == 1 and made.stderr.count(str(DATA)) == 1, made.stderr)
    check(not (FOLDER / "bad").exists(), "something was written")
    one = run(0, "skip", *options, "--skip-bad")
    made = run(3, "skip_3", *options, "--skip-bad")
    same("skip", "skip_3")
    skipped = [line for line in one.stderr.splitlines() if line.startswith("skipped")]
    check(len(skipped) > 20 and all(line in made.stderr for line in skipped), made.stderr)


def resume():
    """A random rank dies, and another number goes on, twenty times; the last with what the run itself says about shards."""
    last = ["--epochs", 100, "--save-every", 0.01]
    run(0, "alone", "--shards", 4, *last)
    random.seed(1)
    counts, killed = [4, 3, 2, 1], 0
    run_on = start(4, "run", "--shards", 4, *last)
    for turn in range(20):
        wait_for("run")
        while run_on.poll() is None and not processes("run"):  # on their way
            time.sleep(0.02)
        time.sleep(random.uniform(0.1, 1.5))
        ranks = processes("run")
        if ranks:
            os.kill(random.choice(ranks), signal.SIGKILL)
            killed += 1
        run_on.communicate(timeout=60)
        none_left("run", "one was killed")
        options = ["--shards", 4] if turn % 2 else []
        run_on = start(counts[turn % 4], "run", *options, *last, "--resume")
    run_on.communicate(timeout=300)
    check(killed >= 15, f"only {killed} of 20 found a run to kill")
    run(2, "run", *last, "--resume")
    same("alone", "run")
    refused = run(5, "run", *last, "--resume", wanted=1)
    check(refused.stderr.count("--shards 4 of the run: wanted at most so many processes, got 5") == 1, refused.stderr)


def signals():
    run(0, "alone", "--shards", 2, "--epochs", 50)
    for name in (signal.SIGUSR1, signal.SIGTERM):
        out = f"run_{name}"
        training = start(2, out, "--shards", 2, "--epochs", 50, env=environment(OMPI_MCA_odls_base_sigkill_timeout="10"))
        wait_for(out)
        training.send_signal(name)
        _, text = training.communicate(timeout=60)
        check(training.returncode != 0, "exit code 0 after a signal")
        check(text.count("interrupted; the run is saved") == 1, text)
        none_left(out, "a signal")
        run(2, out, "--epochs", 50, "--resume")
        same("alone", out)


def kills():
    training = start(3, "killed", "--epochs", 1000)
    wait_for("killed")
    began = time.time()
    os.kill(processes("killed")[1], signal.SIGKILL)
    training.communicate(timeout=30)
    check(training.returncode != 0 and time.time() - began < 10, f"{time.time() - began:.1f} s until all had ended")
    none_left("killed", "one was killed")
    # One that stops is named, wherever it stands in a step, and once.
    for turn in range(3):
        out = f"stopped{turn}"
        training = start(3, out, "--epochs", 1000, "--stall-limit", 0.1)
        wait_for(out)
        time.sleep(0.05 * turn)
        victim = [p for p in processes(out) if rank_of(p) == 2][0]
        os.kill(victim, signal.SIGSTOP)
        _, text = training.communicate(timeout=60)
        check(text.count("has waited 3 seconds for rank 2 (host ") == 1, text)
        check(text.count("has waited") == 2 and text.count("seconds for rank 2 (host ") == 2, text)
        check(training.returncode == 75, f"exit code {training.returncode}, wanted 75")
        none_left(out, "one was stopped")


def faults():
    pictures = sorted(DATA.iterdir())
    bad = pictures[len(pictures) // 3]
    # One that goes while they train: what was learned is saved, and the way on is told.
    for count in (0, 3):
        out = f"gone_{count}"
        training = start(count, out, "--shards", 4, "--epochs", 100000)
        wait_for(out)
        whole = bad.read_bytes()
        bad.write_bytes(whole[:200])
        _, text = training.communicate(timeout=60)
        bad.write_bytes(whole)
        check(training.returncode == 1, f"exit code {training.returncode}, wanted 1")
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


def memory():
    """A bit of a rank's memory turns over, and the next save within the epoch, as there is one after every step, does not come about.
    What is sought in the memory are the first weights, which are frozen."""
    more = FOLDER / "more"
    subprocess.run([MINICNN, "generate", "--out", str(more), "--images", "2000"], check=True, capture_output=True)
    training = start(2, "run", "--data", more, "--epochs", 1, "--save-every", 1e-5, "--freeze", "conv1")
    wait_for("run")
    victim = [p for p in processes("run") if rank_of(p) == 1][0]
    os.kill(victim, signal.SIGSTOP)
    whole = (FOLDER / "run/last.safetensors").read_bytes()
    length = int.from_bytes(whole[:8], "little")
    begin = json.loads(whole[8:8 + length])["conv1.weight"]["data_offsets"][0] + 8 + length
    sought = whole[begin:begin + 64]
    turned = 0
    with open(f"/proc/{victim}/mem", "r+b", buffering=0) as memory_of:
        for line in pathlib.Path(f"/proc/{victim}/maps").read_text().splitlines():
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
    os.kill(victim, signal.SIGCONT)
    _, text = training.communicate(timeout=60)
    check(turned > 0, "the weights were not found in memory")
    check(training.returncode == 1, f"exit code {training.returncode}, wanted 1: {text}")
    said = re.findall(r"the hash of the weights after epoch 0 and (\d+) batches is not the same on all ranks: rank 0 \(host ", text)
    check(len(said) == 1 and int(said[0]) < 100, text)  # of 100 batches


def differences():
    def both(first, second):
        single = launcher(1)[0:1] + (["--oversubscribe", "--bind-to", "none"] if OPEN_MPI else [])
        return subprocess.run([*single, "-n", "1", *command(0, "run", *first), ":", "-n", "1",
                               *command(0, "run", *second)], capture_output=True, text=True, env=environment(), timeout=120)
    made = both(["--seed", "1"], ["--seed", "2"])
    check(made.returncode == 1, f"exit code {made.returncode}")
    check("the recipe: seed is not the same on all ranks; rank 0 (host " in made.stderr, made.stderr)
    check("): 1; rank 1 (host " in made.stderr and "): 2" in made.stderr, made.stderr)
    check(not (FOLDER / "run").exists(), "something was written")
    other = FOLDER / "other"
    shutil.copytree(DATA, other)
    next(other.iterdir()).unlink()
    made = both([], ["--data", str(other)])
    check("picture " in made.stderr and "is not the same on all ranks; rank " in made.stderr and made.returncode == 1, made.stderr)
    # Kernels of the least instruction set, with the bits that they have on all.
    weak = environment(MINICNN_ISA="baseline")
    run(0, "baseline", "--shards", 2, env=weak)
    wrap = ["sh", "-c", 'MINICNN_ISA=baseline exec "$@"', "-"]
    words = command(0, "mixed", "--shards", 2)
    single = [MPIEXEC] + (["--oversubscribe", "--bind-to", "none"] if OPEN_MPI else [])
    made = subprocess.run([*single, "-n", "1", *words, ":", "-n", "1", *wrap, *words], capture_output=True, text=True,
                          env=environment(), timeout=120)
    check(made.returncode == 0, made.stderr)
    check("the instruction set is baseline" in made.stderr, made.stderr)
    same("baseline", "mixed")
    # Tasks of srun that MPI knows nothing of.
    made = run(0, "run", wanted=2, env=environment(SLURM_STEP_NUM_TASKS="4", SLURM_PROCID="0"))
    check("4 processes were started, but MPI knows of 1" in made.stderr, made.stderr)
    made = run(0, "run", wanted=2, env=environment(SLURM_STEP_NUM_TASKS="4", SLURM_PROCID="3"))
    check(made.stderr.count("processes were started") == 0, made.stderr)  # said once, by task 0
    check(not (FOLDER / "run").exists(), "something was written")
    few = run(3, "run", "--shards", 2, wanted=1)
    check(few.stderr.count("--shards 2: wanted at most so many processes, got 3") == 1, few.stderr)


def example():
    made = {}
    for count in (1, 3):
        made[count] = subprocess.run([*launcher(count), EXAMPLE, str(DATA), str(FOLDER / f"{count}.safetensors")], capture_output=True,
                                     text=True, env=environment(), timeout=300)
        check(made[count].returncode == 0, made[count].stderr)
        check(made[count].stdout.count("epoch 5: ") == 1, made[count].stdout)
    check((FOLDER / "1.safetensors").read_bytes() == (FOLDER / "3.safetensors").read_bytes(), "weights differ")


try:
    subprocess.run([MINICNN, "generate", "--out", str(DATA), "--images", "90"], check=True, capture_output=True)
    globals()[sys.argv[1]]()
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)
