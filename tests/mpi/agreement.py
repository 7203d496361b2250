"""What ranks have to agree on before they train."""
import re
import shutil

from launch import (DATA, FOLDER, MINICNN, check, command, environment, finish, launcher, run, same)


def differences():
    def both(first, second):
        return finish(launcher((1, *command("run", *first)), (1, *command("run", *second))), wanted=1)
    for option, one, other in (("seed", 1, 2), ("shards", 2, 4)):
        made = both([f"--{option}", one], [f"--{option}", other])
        check(f"the recipe: {option} is not the same on all ranks; rank 0 (host " in made.stderr, made.stderr)
        check(f"): {one}; rank 1 (host " in made.stderr and f"): {other}" in made.stderr, made.stderr)
    made = both(["--overlap", "on"], [])  # which has its own idea of what is exchanged
    check("the call: overlap is not the same on all ranks" in made.stderr, made.stderr)
    check(not (FOLDER / "run").exists(), "something was written")
    # Kernels of the least instruction set, with the bits that they have on all.
    weak = environment(MINICNN_ISA="baseline")
    run(0, "baseline", "--shards", 2, env=weak)
    wrap = ["sh", "-c", 'MINICNN_ISA=baseline exec "$@"', "-"]
    words = command("mixed", "--shards", 2)
    made = finish(launcher((1, *words), (1, *wrap, *words)))
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


def builds():
    """Another version or build of the program, and another unit for bfloat16: refused, where it matters."""
    mine = finish([MINICNN, "--version"]).stdout.split()[1]
    cases = (("minicnn: version", "0.0.9", mine, []),
             ("minicnn: build", "v0_1_omp_base, g++ 1.2.3, -O0", r"v[0-9a-z_]+, [^,]+ [0-9.]+[^,]*, [-=A-Za-z0-9 ]+", []),
             ("--precision bf16: unit", "another", "[-A-Z0-9a-z]+", ["--precision", "bf16"]))
    for name, value, own, options in cases:
        words = command("run", *options)
        made = finish(launcher((1, *words), (1, *as_other(f"{name.split()[-1]}={value}", words))), wanted=1)
        said = rf"{name} is not the same on all ranks; rank (\d) \(host [^()]+\): ([^;]*); rank (\d) \(host [^()]+\): (.*)"
        told = re.findall(said, made.stderr)
        check(len(told) == 1, made.stderr)
        values = dict([told[0][:2], told[0][2:]])
        check(values["1"] == value and re.fullmatch(own, values["0"]), made.stderr)
        check(not (FOLDER / "run").exists(), "something was written")
    words = command("run")  # without bf16 its unit does not matter
    finish(launcher((1, *words), (1, *as_other("unit=another", words))))


def threads():
    """An MPI that wants one thread: no overlap. Ranks with threads of their own number: the same bits."""
    refused = finish(launcher((2, *as_other("level=FUNNELED", command("run", "--overlap", "on")))), wanted=1)
    line = "minicnn: --overlap on: wanted MPI_THREAD_SERIALIZED of MPI, got MPI_THREAD_FUNNELED\n"
    check(refused.stderr.count(line) == 1, refused.stderr)
    check(not (FOLDER / "run").exists(), "something was written")
    run(0, "alone", "--shards", 2)
    finish(launcher((2, *as_other("level=FUNNELED", command("run", "--shards", 2)))))
    same("alone", "run")
    finish(launcher((1, *command("each", "--shards", 2)), (1, *command("each", "--shards", 2, "--threads", 0))))
    same("alone", "each")


def as_other(what, words):
    """The program that has something in it as on another machine or from another build."""
    return ["env", f"MINICNN_TEST_OTHER={what}", MINICNN + "_other_build", *words[1:]]


def listing():
    """Rank 0 alone reads folders: what lies in those of the others besides changes nothing, what is not there is named."""
    other = FOLDER / "other"
    shutil.copytree(DATA, other)
    victim = sorted(other.iterdir())[40]
    shutil.copy(victim, other / "cat.77777.jpg")
    run(0, "alone", "--shards", 2)
    finish(launcher((1, *command("run", "--shards", 2)), (1, *command("run", "--shards", 2, "--data", str(other)))))
    same("alone", "run")
    whole = victim.read_bytes()
    for change, said in ((lambda: victim.write_bytes(whole + b"!"), f"got {len(whole) + 1}"), (victim.unlink, "it is not there")):
        change()
        made = finish(launcher((1, *command("none")), (1, *command("none", "--data", str(other)))), wanted=1)
        line = f"): {victim}: wanted the {len(whole)} bytes that rank 0 (host "
        check(made.stderr.count(line) == 1 and "rank 1 (host " in made.stderr and said in made.stderr, made.stderr)
    check(not (FOLDER / "none").exists(), "something was written")
