#!/usr/bin/env python3
"""Doxygen's input filter (docs/Doxyfile): prints a Markdown FILE as Doxygen understands it. The files themselves are written for GitHub
and editors: relative links between documents, to headings and to sources.
"""
import os
import re
import sys


def page_id(path):
    if path == "README.md":
        return "index"  # Doxygen's name of the front page
    return "page_" + re.sub(r"\W", "_", os.path.splitext(path)[0])


def heading_id(path, title):
    slug = re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "_").replace("-", "_")
    return f"{page_id(path)}_{slug}"


def source_page(path):
    """The page that Doxygen makes of a source file."""
    return os.path.basename(path).replace("_", "__").replace(".", "_8") + "_source.html"


class Markdown:
    def __init__(self, path):
        self.path = path
        self.placed = set()

    def is_below(self, file):
        """Whether the sidebar has the page of `file` below this one: the lists in the documents are its contents."""
        if self.path == "README.md":
            return file == "docs/index.md"
        if self.path == "docs/index.md":
            return file == "docs/layers/README.md" or not file.startswith("docs/layers/") and file != "README.md"
        return self.path == "docs/layers/README.md" and file.startswith("docs/layers/")

    def link(self, match):
        image, text, target = match.groups()
        if re.match(r"[a-z]+:", target):
            return match.group(0)
        file, _, fragment = target.partition("#")
        file = os.path.normpath(os.path.join(os.path.dirname(self.path), file)) if file else self.path
        if image:
            return f'<img src="{os.path.basename(file)}" alt="{text}"/>'
        if not file.endswith(".md"):
            return f"[{text}]({source_page(file)})"
        if fragment:
            return f"[{text}](@ref {heading_id(file, fragment)})"
        if self.is_below(file) and file not in self.placed:
            self.placed.add(file)
            return f'@subpage {page_id(file)} "{text}"'
        return f"[{text}](@ref {page_id(file)})"

    def inline(self, line):
        """Links outside of code spans."""
        parts = re.split(r"(`[^`]*`)", line)
        return "".join(p if p.startswith("`") else re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", self.link, p) for p in parts)

    def convert(self, text):
        out, fenced, first = [], False, True
        for line in text.split("\n"):
            if line.startswith("```"):
                fenced = not fenced
            heading = re.match(r"(#+) (.*)", line)
            if fenced or line.startswith(("```", "    ")):
                out.append(line)
            elif line.startswith("<!-- from: "):
                continue
            elif heading:
                label = page_id(self.path) if first else heading_id(self.path, heading.group(2))
                label = "mainpage" if label == "index" else label
                out.append(f"{heading.group(1)} {heading.group(2)} {{#{label}}}")
                first = False
            else:
                out.append(self.inline(line))
        return "\n".join(out)


def main():
    path = os.path.relpath(sys.argv[1])
    with open(path, encoding="utf-8") as file:
        text = file.read()
    sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(Markdown(path).convert(text))


main()
