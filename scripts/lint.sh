#!/usr/bin/env bash
# Layout and checks: clang-format over all sources, clang-tidy over every header and the library's own programs.
#   scripts/lint.sh               both, the whole tree (clang-tidy takes a quarter of an hour on two cores)
#   scripts/lint.sh --since REV   layout of the whole tree, clang-tidy over what has changed since that revision
#   scripts/lint.sh --layout      layout of the whole tree
#   scripts/lint.sh FILE...       both, these files only
# Needs clang-format and clang-tidy 14 (Debian: clang-format clang-tidy).
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
status=0
case ${1:-} in
  "" | --since | --layout) mapfile -t files < <(git ls-files '*.cpp' '*.hpp') ;;
  *) files=("$@") ;;
esac
checked=("${files[@]}")
case ${1:-} in
  --layout) checked=() ;;
  --since)
    checked=()
    if git rev-parse -q --verify "${2:?a revision}^{commit}" >/dev/null; then
      mapfile -t checked < <(git diff --name-only --diff-filter=d "$2" -- '*.cpp' '*.hpp')
    else
      echo "no revision $2 in this clone: layout only"
    fi
    ;;
esac

# What `clang-format FILE` would print. (--dry-run of version 14 complains about every closing comment of a nested inline
# namespace, which it would replace by the same text.)
for file in "${files[@]}"; do
  clang-format "$file" | diff -u --label "$file" --label "$file (formatted)" "$file" - || status=1
done

# Each header by itself, as a unit: what is wrong is then named once.
flags=(-std=c++20 -fopenmp -I include -I examples/cli -I examples/cli/drawing -I tests -isystem /usr/include/eigen3
       -DMINICNN_TEST_GOLDEN_DIR='""' -DMINICNN_PROGRAM='""')
mapfile -t checked < <(printf '%s\n' "${checked[@]}" | grep -E '^(include|examples)/.*\.[ch]pp$' | grep -v 'data/stb_decoder')
export LINT_FLAGS="${flags[*]@Q}"
if [[ ${#checked[@]} -gt 0 ]]; then
  printf '%s\0' "${checked[@]}" |
    xargs -0 -P "$(nproc)" -I '{}' bash -c 'eval "clang-tidy --quiet {} -- -x c++ $LINT_FLAGS" 2>/dev/null' || status=1
fi
exit $status
