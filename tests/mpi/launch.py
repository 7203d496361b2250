"""Trainings that mpirun starts, of Open MPI or MPICH, and their processes.

Nothing here waits for a time: it waits for what is to happen, and takes `HANG` seconds without it for a hang."""
import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

CASE, MPIEXEC, MINICNN, EXAMPLE = sys.argv[1:5]
VERSION = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
OPEN_MPI = "Open MPI" in VERSION or "OpenRTE" in VERSION
MPICH = "HYDRA" in VERSION
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="minicnn_mpi_"))
DATA = FOLDER / "data"
TRAIN = ["--model", "alexnet-small", "--image-size", "48", "--ema", "0.9", "--learning-rate", "0.01"]
HANG = int(os.environ.get("MINICNN_MPI_HANG", 240))  # more where the machine has much else to do
# Open MPI passes SIGINT, SIGTERM and SIGHUP on after so many seconds, and kills after as many more. MPICH leaves the ranks alone.
TIME_TO_SAVE = {"OMPI_MCA_odls_base_sigkill_timeout": "15"}
# What takes ranks of one machine to the network instead of shared memory.
BY_NETWORK = {"OMPI_MCA_btl": "tcp,self"} if OPEN_MPI else {"MPIR_CVAR_NOLOCAL": "1", "UCX_TLS": "tcp,self", "FI_PROVIDER": "tcp"}


def check(true, text):
    if not true:
        print("FAILED:", text)
        sys.exit(1)


check(OPEN_MPI or MPICH, f"{MPIEXEC} is neither Open MPI's nor MPICH's: {VERSION}")


def environment(**more):
    env = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", **more)
    for name in list(env):  # of a launcher that this test itself may run under
        if name.startswith(("PMI_", "PMIX_", "SLURM_", "OMPI_COMM_")) and name not in more:
            del env[name]
    return env


def launcher(*parts):
    """Of parts (count, words...), each of so many ranks."""
    words = [MPIEXEC] + (["--oversubscribe", "--bind-to", "none"] if OPEN_MPI else [])
    for i, (count, *command_of_part) in enumerate(parts):
        words += [":"] * (i > 0) + ["-n", str(count), *command_of_part]
    return words


def command(out, *options):
    defaults = {"--epochs": "3", "--data": str(DATA), "--val-fraction": "0.2", "--batch-size": "16", "--threads": "1"}
    left = [word for name, value in defaults.items() if name not in options for word in (name, value)]
    quiet = [] if "--no-color" in options else ["--quiet"]
    return [MINICNN, "train", "--out", str(FOLDER / out), *TRAIN, *quiet, *left, *map(str, options)]


class Started:
    """A command that runs, and goes with this test. It has no part of this test's session, as if in another terminal."""

    def __init__(self, words, env=None):
        self.files = [tempfile.TemporaryFile("w+") for _ in range(2)]
        self.process = subprocess.Popen(words, stdout=self.files[0], stderr=self.files[1], env=env or environment(),
                                        start_new_session=True)
        atexit.register(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def text(self, which=1):
        self.files[which].seek(0)
        return self.files[which].read()

    def ended(self):
        return self.process.poll() is not None

    def end(self):
        """Its exit code and what it said on standard error."""
        until(self.ended, f"{self.process.args} ends", self.text)
        return self.process.returncode, self.text()


def start(count, out, *options, env=None):
    """A training by so many ranks; 0: without mpirun."""
    words = command(out, *options)
    return Started(launcher((count, *words)) if count else words, env)


def finish(words, wanted=0, env=None):
    made = Started(words, env)
    code, text = made.end()
    check(wanted is None or code == wanted, f"exit code {code}, wanted {wanted}: {text}")
    return subprocess.CompletedProcess(words, code, made.text(0), text)


def run(count, out, *options, wanted=0, env=None):
    words = command(out, *options)
    return finish(launcher((count, *words)) if count else words, wanted, env)


def rows(out):
    """results.csv without the columns of time."""
    return [line.split(",")[:6] for line in (FOLDER / out / "results.csv").read_text().splitlines()]


def same(one, other):
    for name in ("last.safetensors", "best.safetensors"):
        check((FOLDER / one / name).read_bytes() == (FOLDER / other / name).read_bytes(), f"{name} of {one} and {other} differ")
    check(rows(one) == rows(other), f"results.csv of {one} and {other} differ")


def bytes_of(out):
    return (FOLDER / out / "last.safetensors").read_bytes()


def processes(out=None):
    """Ranks that train in this folder; without one, all of this test's."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        own = any(word.startswith(str(FOLDER).encode()) for word in words) if out is None else str(FOLDER / out).encode() in words
        if words and words[0] == MINICNN.encode() and own:
            found.append(int(entry.name))
    return sorted(found)


def rank_of(process):
    try:
        variables = pathlib.Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return -1
    for word in variables:
        name, _, value = word.partition(b"=")
        if name in (b"OMPI_COMM_WORLD_RANK", b"PMI_RANK"):
            return int(value)
    return -1


def process_of(out, rank):
    """Of this rank of a training that runs; None where it has ended."""
    return next((p for p in processes(out) if rank_of(p) == rank), None)


def cpu_seconds(ranks):
    """That these processes have computed."""
    ticks = 0
    for process in ranks:
        try:
            ticks += sum(map(int, pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def send(process, what):
    """Whether there was somebody to get the signal."""
    try:
        os.kill(process, what)
        return True
    except ProcessLookupError:
        return False


def until(true, what, text=lambda: ""):
    waited, looked = 0, time.monotonic()
    while not true():
        waited += min(1, time.monotonic() - looked)  # or all were stopped together with this
        looked = time.monotonic()
        check(waited < HANG, f"{what}: not in {HANG} seconds. {text()}")
        time.sleep(0.02)


def none_left(out, after):
    """mpirun may end before the last of those that it ends."""
    until(lambda: not processes(out), f"no rank is left after {after}")


def wait_for(training, out, name="last.safetensors"):
    """For a file of a run; the training may be over then."""
    until(lambda: (FOLDER / out / name).exists() or training.ended(), f"{out}/{name} appears")
    check((FOLDER / out / name).exists(), f"no {out}/{name}: {training.text()}")


def clean_up():
    for process in processes():
        send(process, signal.SIGKILL)
    shutil.rmtree(FOLDER, ignore_errors=True)
