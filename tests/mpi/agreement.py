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
    # A build of another version, whose file has another name.
    made = finish(launcher((1, *command("run")), (1, MINICNN + "_other_version", *command("run")[1:])), wanted=1)
    said = r"minicnn: version is not the same on all ranks; rank (\d) \(host [^()]+\): ([^;]*); rank (\d) \(host [^()]+\): (.*)"
    told = re.findall(said, made.stderr)
    mine = finish([MINICNN, "--version"]).stdout.split()[1]
    check(len(told) == 1 and {told[0][:2], told[0][2:]} == {("0", mine), ("1", "0.0.9")}, made.stderr)
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
