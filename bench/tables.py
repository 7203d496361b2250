#!/usr/bin/env python3
"""Writes docs/benchmarks.md from bench/results/*.json.

    bench/tables.py            rewrites the page
    bench/tables.py --check    exit 1 if the page is not what the results give (the test hygiene.benchmarks)

A file is one subject: one table, or several of the same subject, measured in one sitting each. Its name without .json is not shown.

    {"order": 10,                          place on the page
     "title": "The article's AlexNet",
     "text": ["What was measured; markdown, a paragraph each."],
     "commands": ["bench/compare.sh train 64"],
     "tables": [
       {"machine": "zen4",                 a key of machines.json
        "date": "2026-11-28",
        "commit": "1a5c651",               of minicnn; leave it out if it was not recorded
        "peer": "PyTorch 1.13.1 (Debian)", whatever else was measured, with version
        "commands": ["..."],               if other ones than the subject's
        "columns": [["what", ""], ["ours", "minicnn"], ["peer", "PyTorch"], ["ratio", "ratio"]],
        "ratios": {"ratio": ["ours", "peer"]},
        "rows": [{"what": "train, batch 20", "ours": 39.2, "peer": [17.1, 17.9, 18.0], "peer_note": "frozen"}]}],
     "notes": ["After the tables; markdown, a paragraph each."]}

A number is a median that was recorded alone. A list is runs: shown are their median and, in brackets, the least and the most. Text
stands as it is. KEY_note goes behind a number. A ratio of two lists of the same length is that of runs made in turn; a row that has
the ratio itself, as a script printed it, keeps it. Numbers are shown with the digits that they have in the file."""

import json
import pathlib
import statistics
import sys

root = pathlib.Path(__file__).resolve().parent.parent
page = root / "docs" / "benchmarks.md"
INTRO = """# Benchmarks

<!-- Written by bench/tables.py from bench/results/*.json. -->

What stands here is the present: a figure is replaced when it is measured again, and git has the earlier ones. Each table says on which
machine it was measured, when, with what. Figures drift with a machine's other tenants, so compare ratios and figures of one table. A
number alone is the median of a run's steps; where several runs were kept, it is their median, with the least and the most in brackets.
Where a table names no commit, none was recorded.

| machine | |
|---|---|
"""


def shown(value, digits=None):
    """A number as in the file, with commas between thousands."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        places = max(len(str(v).partition(".")[2]) for v in value) if digits is None else digits
        middle = statistics.median(value)
        return f"{middle:,.{places}f} ({min(value):,.{places}f} to {max(value):,.{places}f})"
    if digits is not None:
        return f"{value:,.{digits}f}"
    return f"{value:,}"


def ratio(row, ours, peer):
    a, b = row.get(ours), row.get(peer)
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return shown([x / y for x, y in zip(a, b)], 2)
    numbers = [statistics.median(v) if isinstance(v, list) else v for v in (a, b)]
    if not all(isinstance(v, (int, float)) for v in numbers):
        return ""
    return shown(numbers[0] / numbers[1], 2)


def cell(table, row, key):
    if key in row:
        text = shown(row[key])
    elif key in table.get("ratios", {}):
        text = ratio(row, *table["ratios"][key])
    else:
        return ""
    note = row.get(key + "_note", "")
    return f"{text} ({note})" if note else text


def shell(commands):
    return ["```sh", *commands, "```", ""]


def table_lines(table, machines):
    about = [machines[table["machine"]]["name"], table["date"]]
    if "commit" in table:
        about.append("commit " + table["commit"])
    if "peer" in table:
        about.append("beside " + table["peer"])
    lines = ["**" + about[0] + "**, " + ", ".join(about[1:]) + ":", ""]
    if "commands" in table:
        lines += shell(table["commands"])
    keys = [key for key, _ in table["columns"]]
    lines.append("| " + " | ".join(title for _, title in table["columns"]) + " |")
    lines.append("|" + "---|" * len(keys))
    for row in table["rows"]:
        lines.append("| " + " | ".join(cell(table, row, key) for key in keys) + " |")
    return lines + [""]


def generate():
    machines = json.loads((root / "bench" / "results" / "machines.json").read_text())
    subjects = [json.loads(f.read_text()) for f in sorted((root / "bench" / "results").glob("*.json")) if f.name != "machines.json"]
    text = INTRO
    for machine in machines.values():
        text += f"| {machine['name']} | {machine['about']} |\n"
    for subject in sorted(subjects, key=lambda s: s["order"]):
        lines = ["## " + subject["title"], ""]
        if "commands" in subject:
            lines += shell(subject["commands"])
        for paragraph in subject.get("text", []):
            lines += [paragraph, ""]
        for table in subject["tables"]:
            lines += table_lines(table, machines)
        for paragraph in subject.get("notes", []):
            lines += [paragraph, ""]
        text += "\n" + "\n".join(lines).rstrip() + "\n"
    return text


if __name__ == "__main__":
    wanted = generate()
    if sys.argv[1:] == ["--check"]:
        if page.read_text() != wanted:
            sys.exit(f"{page.relative_to(root)} is not what bench/results gives: run bench/tables.py")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        page.write_text(wanted)
