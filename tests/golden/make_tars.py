#!/usr/bin/env python3
"""Writes tar/*.tar: the same members by Python's tarfile in its three formats and by GNU tar in all of its own.

Each file's content is its name, repeated where it is to be long. names.txt lists them with their sizes, in the order of the members;
names that a format cannot hold are left out there. Needs tar; run in tests/golden.
"""
import io
import os
import shutil
import subprocess
import tarfile
import tempfile

NAMES = {
    "set/cat/1.jpg": 1,
    "set/cat/caf\u00e9 \u732b.jpg": 1,
    "set/cat/empty.jpg": 0,
    "set/dog/large.jpg": 40,
    "set/dog/" + "n" * 92: 1,  # 100 bytes
    "set/dog/" + "n" * 93: 1,
    "set/" + "d" * 120 + "/" + "n" * 90 + ".jpg": 1,  # needs ustar's prefix
    "set/" + "e" * 150 + "/" + "m" * 150: 1,  # beyond ustar
}


def content(name):
    return (name * NAMES[name]).encode()


def python_tar(path, form):
    with tarfile.open(path, "w", format=form) as tar:
        folder = tarfile.TarInfo("set")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(folder)
        for name in NAMES:
            info = tarfile.TarInfo(name)
            info.size = len(content(name))
            info.mtime = 1.5 if form == tarfile.PAX_FORMAT else 1
            if form == tarfile.USTAR_FORMAT and name.endswith("m" * 150):
                continue
            tar.addfile(info, io.BytesIO(content(name)))
        for kind, name in ((tarfile.SYMTYPE, "set/symbolic.jpg"), (tarfile.LNKTYPE, "set/hard.jpg")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "set/cat/1.jpg"
            tar.addfile(link)


def gnu_tar(path, form, root):
    options = ["--sort=name", "--owner=0", "--group=0", "--mtime=@1", "--format=" + form]
    limits = {"v7": 99, "ustar": 250}
    names = [n for n in NAMES if len(n.encode()) <= limits.get(form, 4096)]
    subprocess.run(["tar", "-C", root, *options, "-cf", path, *names], check=True)


def main():
    os.makedirs("tar", exist_ok=True)
    for name, form in (("ustar", tarfile.USTAR_FORMAT), ("pax", tarfile.PAX_FORMAT), ("gnu", tarfile.GNU_FORMAT)):
        python_tar(f"tar/python-{name}.tar", form)
    root = tempfile.mkdtemp()
    for name in NAMES:
        os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
        with open(os.path.join(root, name), "wb") as file:
            file.write(content(name))
    for form in ("v7", "ustar", "gnu", "oldgnu", "pax"):
        gnu_tar(os.path.abspath(f"tar/gnu-{form}.tar"), form, root)
    shutil.rmtree(root)
    with open("tar/names.txt", "w", encoding="utf-8") as out:
        for name in NAMES:
            out.write(f"{len(content(name))} {name}\n")


main()
