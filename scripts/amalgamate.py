#!/usr/bin/env python3
"""Writes the library as one header: scripts/amalgamate.py [OUT]   (default: minicnn_single.hpp)

Everything in minicnn.hpp, data/, formats/, testing/, analysis/ and report/ stands in it, each header once, after those that it includes. The file depends on the
headers alone: no date, no path. What needs a package stays optional: define MINICNN_IMAGE_IMPLEMENTATION in one unit of the
program for the decoder of pictures (stb_image.h), and MINICNN_WITH_EIGEN for eigen.hpp and data/pca.hpp.
"""
import pathlib
import re
import sys

INCLUDE = pathlib.Path(__file__).resolve().parent.parent / "include"
OWN = re.compile(r'^#include "(minicnn/[^"]+)"')
EIGEN = {"minicnn/eigen.hpp", "minicnn/data/pca.hpp"}
DECODER = "minicnn/data/image_implementation.hpp"


def text_of(name):
    return (INCLUDE / name).read_text(encoding="utf-8").splitlines()


class Amalgamation:
    def __init__(self):
        self.done = set()
        self.lines = []

    def add(self, name):
        if name in self.done or name in EIGEN:
            return
        self.done.add(name)
        for line in text_of(name):
            own = OWN.match(line)
            if own:
                # Fragments of preprocessor lines stand where they are included; headers stand before.
                if own.group(1).endswith(".inc"):
                    self.lines += text_of(own.group(1))
                elif own.group(1) != DECODER:
                    self.add(own.group(1))
            elif line != "#pragma once":
                self.lines.append(line)
        self.lines.append("")

    def add_if(self, condition, names):
        self.lines.append(condition)
        for name in names:
            self.done.discard(name)
            eigen, held = EIGEN & {name}, set(EIGEN)
            EIGEN.difference_update(eigen)
            self.add(name)
            EIGEN.update(held)
        self.lines += ["#endif", ""]


def main():
    out = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "minicnn_single.hpp")
    version = ".".join(re.findall(r"#define MINICNN_VERSION_\w+ (\d+)", "\n".join(text_of("minicnn/version.hpp"))))
    made = Amalgamation()
    made.lines += [
        f"// minicnn {version} as one header, made by scripts/amalgamate.py.",
        "// MINICNN_IMAGE_IMPLEMENTATION in one unit brings the decoder of pictures (needs stb_image.h);",
        "// MINICNN_WITH_EIGEN brings the views as Eigen maps and the principal colours (needs Eigen).",
        "//",
    ]
    licence = (INCLUDE.parent / "LICENSE").read_text(encoding="utf-8").splitlines()
    made.lines += [f"// {line}".rstrip() for line in licence]
    made.lines += ["#ifndef MINICNN_SINGLE_HPP", "#define MINICNN_SINGLE_HPP", ""]
    made.add("minicnn/minicnn.hpp")
    for folder in ("data", "formats", "testing", "analysis", "report"):
        for path in sorted((INCLUDE / "minicnn" / folder).glob("*.hpp")):
            name = f"minicnn/{folder}/{path.name}"
            if name not in (DECODER, "minicnn/data/stb_decoder.hpp"):
                made.add(name)
    made.add_if("#if defined(MINICNN_WITH_EIGEN)", sorted(name for name in EIGEN if (INCLUDE / name).exists()))
    made.lines += ["#endif  // MINICNN_SINGLE_HPP", ""]
    # Outside the guard, as in data/image.hpp: the unit with the decoder may have met the declarations before.
    made.lines += ["#if defined(MINICNN_IMAGE_IMPLEMENTATION) && !defined(MINICNN_IMAGE_IMPLEMENTED)",
                   "#define MINICNN_IMAGE_IMPLEMENTED"]
    made.add(DECODER)
    made.lines += ["#endif", ""]
    text = "\n".join(made.lines)
    # The hook at the end of data/image.hpp has lost its include.
    text = text.replace("#if defined(MINICNN_IMAGE_IMPLEMENTATION)\n#endif\n", "")
    partial = out.with_name(out.name + ".part")
    partial.write_text(re.sub(r"\n{3,}", "\n\n", text), encoding="utf-8")
    partial.replace(out)


main()
