#!/usr/bin/env bash
# Lengths that the reading guide quotes are those of the tree: every row of docs/reading.md
#     | [`kernels/gemm.hpp`](../include/minicnn/kernels/gemm.hpp) | 179 | ... |      (or the path alone, from include/minicnn/)
# names a file and its lines, exactly. Runs in the repository's root; prints what is wrong.
#   reading.sh [--update]      --update writes the lines of the tree into the guide
set -euo pipefail
document=docs/reading.md
[[ -f $document ]] || exit 0

status=0 rows=0 number=0
row='^\| *\[?`([^`]+\.(hpp|cpp|h|sh|py))`(\]\([^)]*\))? *\| *([0-9,]+) *\|'
while IFS= read -r line; do
  number=$((number + 1))
  [[ $line =~ $row ]] || continue
  file=${BASH_REMATCH[1]} said=${BASH_REMATCH[4]}
  rows=$((rows + 1))
  path=
  for candidate in "$file" "include/minicnn/$file" "include/$file"; do
    [[ -z $path && -f $candidate ]] && path=$candidate
  done
  if [[ -z $path ]]; then
    echo "$document:$number: $file does not exist"
    status=1
    continue
  fi
  lines=$(wc -l <"$path")
  [[ ${said//,/} -ne $lines ]] || continue
  if [[ ${1:-} == --update ]]; then
    sed -i "${number}s/| *$said *|/| $lines |/" "$document"
  else
    echo "$document:$number: $file has $lines lines, not $said (tests/hygiene/reading.sh --update)"
    status=1
  fi
done <"$document"
[[ $rows -gt 0 ]] || { echo "$document has no row | file | lines |"; status=1; }
exit $status
