#!/usr/bin/env bash
# The headers behind README's first program: how many files of ours, and how many lines, its includes lead to. Held here, so that
# a header that brings more than it needs is seen. Runs in the project's folder; arguments: the compiler and its flags.
set -euo pipefail
most_files=157 most_lines=20872

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mapfile -t files < <("$@" -I include -M examples/quickstart.cpp | tr -s ' \\' '\n' | grep '^include/minicnn/' | sort -u)
lines=$(cat "${files[@]}" | wc -l)
echo "${#files[@]} headers, $lines lines"
if [[ ${#files[@]} -gt $most_files || $lines -gt $most_lines ]]; then
  echo "wanted at most $most_files and $most_lines; the longest:"
  wc -l "${files[@]}" | sort -rn | sed -n '2,12p'
  exit 1
fi
