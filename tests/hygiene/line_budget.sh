#!/usr/bin/env bash
# No folder of include/minicnn/ outgrows its budget: the table of docs/design.md has a row
#     | `folder/` | lines | budget | ... |
# for each of them, `*.hpp` for the headers beside the folders, and a row "training" for what a program that trains can include
# of the core: the sum of the rows above it whose fourth column says "yes".
#   line_budget.sh [--update]     in the repository's root; --update writes today's lines into the table
set -euo pipefail
document=docs/design.md
lines() { find "$@" -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.inc' \) -exec cat {} + | wc -l; }

declare -A now budget
core=0 status=0
fault() { echo "$1"; status=1; }
row='^\| (`([a-z_0-9]+)/`|`\*\.hpp`|training) \| ([0-9,]+) \| ([0-9,]+) \| (yes|no)? *\|'
while IFS= read -r line; do
  [[ $line =~ $row ]] || continue
  folder=${BASH_REMATCH[2]:-${BASH_REMATCH[1]}} budget_here=${BASH_REMATCH[4]//,/}
  case $folder in
    training) now[$folder]=$core ;;
    '`*.hpp`') now[$folder]=$(lines include/minicnn -maxdepth 1) ;;
    *) [[ -d include/minicnn/$folder ]] || { fault "$document has a budget for $folder/, which does not exist"; continue; }
       now[$folder]=$(lines "include/minicnn/$folder") ;;
  esac
  budget[$folder]=$budget_here
  [[ ${BASH_REMATCH[5]} != yes ]] || core=$((core + now[$folder]))
done <"$document"

thousands() { sed ':a; s/\([0-9]\)\([0-9]\{3\}\)\($\|,\)/\1,\2\3/; ta' <<<"$1"; }
for folder in "${!now[@]}"; do
  if [[ ${1:-} == --update ]]; then
    name=$folder
    [[ ! -d include/minicnn/$folder ]] || name="\`$folder/\`"
    sed -i "s#^| ${name//\*/\\*} | [0-9,]* |#| $name | $(thousands "${now[$folder]}") |#" "$document"
    continue
  fi
  ((now[$folder] <= budget[$folder])) || fault "$folder: ${now[$folder]} lines, budget ${budget[$folder]} ($document)"
done
for path in include/minicnn/*/; do
  folder=$(basename "$path")
  [[ -n ${budget[$folder]:-} ]] || fault "$document has no budget for $folder/"
done
[[ -n ${budget[training]:-} && -n ${budget['`*.hpp`']:-} ]] || fault "$document has no budget for \`*.hpp\` or training"
exit $status
