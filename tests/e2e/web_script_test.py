"""What scripts/web.sh does around the compiler, with a compiler that only writes a file: what it refuses before it compiles, and what
it leaves where the compiler is killed or the page cannot be written.

    web_script_test.py PROGRAM
"""
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "examples/weights/alexnet-small-cats-dogs.safetensors"

# Writes the file behind -o; with EMPP_DIES only a part of it, and is killed.
COMPILER = """#!/bin/bash
echo run >>"$EMPP_LOG"
while [[ $1 != -o ]]; do shift; done
echo "// compiled: é" >"$2"
[[ -z ${EMPP_DIES:-} ]] || kill -KILL $$
"""


def check(condition, what):
    if not condition:
        raise AssertionError(what)


class Script:
    def __init__(self, scratch, root=ROOT):
        self.root, self.scratch = root, pathlib.Path(scratch)
        self.parts, self.page, self.log = self.scratch / "parts", self.scratch / "page/index.html", self.scratch / "log"
        tools = self.scratch / "bin"
        tools.mkdir(exist_ok=True)
        (tools / "em++").write_text(COMPILER, encoding="utf-8")
        (tools / "em++").chmod(0o755)
        self.path = f"{tools}:{os.environ['PATH']}"

    def run(self, weights=WEIGHTS, page=None, limit=None, **environment):
        def limited():
            if limit:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return subprocess.run(["bash", self.root / "scripts/web.sh", weights, page or self.page, self.parts], capture_output=True,
                              text=True, preexec_fn=limited, encoding="utf-8",
                              env={**os.environ, "PATH": self.path, "EMPP_LOG": str(self.log), **environment})

    def compiled(self):
        return self.log.read_text().count("run") if self.log.exists() else 0

    def refused(self, text, weights=WEIGHTS, page=None):
        done = self.run(weights, page)
        check(done.returncode != 0 and text in done.stderr and "Traceback" not in done.stderr, (text, done.stderr))
        check(self.compiled() == 0, f"compiled before it said: {text}")


def check_refusals(script, program):
    script.refused("does not exist", script.scratch / "none.safetensors")
    script.refused("is not a file", script.scratch)
    script.refused("is a folder", WEIGHTS, script.scratch)
    for name, content in {"photo.jpg": b"\xff\xd8\xff\xe0" + bytes(100), "empty": b"", "short": b"\5", "other.safetensors":
                          (2).to_bytes(8, "little") + b"{}", "huge": b"\xff" * 40}.items():
        (script.scratch / name).write_bytes(content)
        script.refused("is no weights file", script.scratch / name)
    onnx = script.scratch / "net.onnx"
    subprocess.run([program, "export", "--weights", WEIGHTS, "--format", "onnx", "--out", onnx], check=True, capture_output=True)
    script.refused("is no weights file", onnx)
    numbers = script.scratch / "numbers.safetensors"
    header = b'{"__metadata__":{"model":"{}","classes":"[]","task":"{\\"kind\\":\\"regress\\"}"}}'
    numbers.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    script.refused("a task to regress", numbers)


def check_failures(script):
    done = script.run(EMPP_DIES="1")
    check(done.returncode != 0, "a killed compiler")
    check(list(script.parts.iterdir()) == [] and not script.page.exists(), list(script.parts.iterdir()))
    done = script.run(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    check(done.returncode == 0, done.stderr)
    page = script.page.read_text(encoding="utf-8")
    check("// compiled: é" in page and "@ANSWER@" not in page and 'id="weights"' in page, "the page's parts")
    check(script.compiled() == 2, "compiled again after the kill")
    check(script.run().returncode == 0 and script.compiled() == 2, "compiled once")
    done = script.run(limit=1 << 16)
    check(done.returncode != 0 and "cannot be written" in done.stderr, done.stderr)
    check(script.page.read_text(encoding="utf-8") == page, "the older page stays")
    check([p.name for p in script.page.parent.iterdir()] == ["index.html"], list(script.page.parent.iterdir()))


def check_marks(scratch):
    """A page.html that has lost a mark."""
    root = pathlib.Path(scratch) / "copy"
    for part in ["scripts", "examples/web", "examples/cli"]:
        shutil.copytree(ROOT / part, root / part)
    (root / "include").mkdir()
    page = root / "examples/web/page.html"
    whole = page.read_text(encoding="utf-8")
    for mark in ["@ANSWER@", "@NOTE@"]:
        page.write_text(whole.replace(mark, ""), encoding="utf-8")
        script = Script(scratch, root)
        script.page = root / "index.html"
        done = script.run()
        check(done.returncode != 0 and mark in done.stderr and not script.page.exists(), (mark, done.stderr))


def main():
    with tempfile.TemporaryDirectory(prefix="minicnn_web_script_") as scratch:
        script = Script(scratch)
        check_refusals(script, sys.argv[1])
        check_failures(script)
        check_marks(scratch)


if __name__ == "__main__":
    sys.exit(main())
