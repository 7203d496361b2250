#!/usr/bin/env python3
"""Ctrl-C, typed into the console of a training on what runs Windows' programs: the run is saved and the program ends with 130; with
--resume the weights become those of a training that nobody interrupted, byte for byte.

    windows_interrupt.py OUT PROGRAM...     OUT: a folder that this empties; PROGRAM: minicnn.exe, behind an emulator
"""
import os
import pty
import re
import select
import shutil
import sys
import time

EXIT_INTERRUPTED = 130
LIMIT = 300  # seconds until a program that hangs is an error
CTRL_C = b"\x03"


def run(command, press=None, once=None):
    """Runs a command on a terminal of its own, and presses a key once a file is there. Returns exit code and output, without
    white space: a console moves on instead of writing it."""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(command[0], command)
    output, end = b"", time.monotonic() + LIMIT
    while True:
        if select.select([terminal], [], [], 0.05)[0]:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # Linux' way to say that the other end is closed
                break
            if not piece:
                break
            output += piece
        if press is not None and os.path.exists(once):
            os.write(terminal, press)
            press = None
        if time.monotonic() > end:
            os.kill(process, 9)
            sys.exit("FAILED: no end of %s\n%s" % (command, output))
    code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return code, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\s", "", output.decode(errors="replace"))


def check(true, text):
    if not true:
        sys.exit("FAILED: " + text)


def main(out, program):
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    os.chdir(out)
    check(run(program + ["generate", "--out", "pictures", "--images", "24", "--seed", "1"])[0] == 0, "generate")
    train = program + ["train", "--data", "pictures", "--model", "alexnet-small", "--image-size", "48", "--epochs", "20",
                       "--batch-size", "8", "--val-fraction", "0.25", "--seed", "1", "--quiet", "--out"]
    code, text = run(train + ["whole"])
    check(code == 0, "training: exit code %d\n%s" % (code, text))
    code, text = run(train + ["cut"], press=CTRL_C, once="cut/last.safetensors")
    check(code == EXIT_INTERRUPTED, "Ctrl-C: wanted exit code %d, got %d\n%s" % (EXIT_INTERRUPTED, code, text))
    check("therunissaved.Goonwith:" in text and text.endswith("--resume"), "Ctrl-C: nothing says that the run is saved\n" + text)
    code, text = run(train + ["cut", "--resume"])
    check(code == 0, "--resume: exit code %d\n%s" % (code, text))
    files = [open(folder + "/last.safetensors", "rb").read() for folder in ("whole", "cut")]
    check(files[0] == files[1], "the weights of the resumed run differ from those of the whole one")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2:])
