# What scripts/test.sh and scripts/test-all.sh are made of; sourced, in the repository's root.

jobs=$(nproc)
failed=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

heading() { printf '\n== %s (%d:%02d min)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# Configures and builds a preset. Prints what was left out for want of a package, and compiler output only if it fails.
# What does not build shows as "Not Run" among the tests of the preset.
build() {  # PRESET [CMAKE OPTION...]
  heading "Build: $1"
  if cmake --preset "$1" "${@:2}" >"$log" 2>&1; then
    grep '^-- minicnn:' "$log"
    cmake --build --preset "$1" -j "$jobs" -- -k 0 >"$log" 2>&1 && return 0
  fi
  grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Re-checking)' "$log"
  failed+=("build of $1")
}

run_tests() {  # PRESET [CTEST OPTION...]
  heading "Tests: $1"
  ctest --preset "$1" -j "$jobs" --no-label-summary "${@:2}" </dev/null || failed+=("tests of $1")
}

# A command as a part of its own; its output is shown only if it fails.
part() {  # NAME COMMAND...
  heading "$1"
  "${@:2}" </dev/null >"$log" 2>&1 && return 0
  cat "$log"
  failed+=("$1")
}

slowest_tests() {  # PRESET: the ten that took longest when last run, in seconds
  printf '\nThe slowest tests of %s:\n' "$1"
  sed '/^---/,$d' "build/$1/Testing/Temporary/CTestCostData.txt" | sort -k3 -rn | head -10 | awk '{ printf "%8.1f s  %s\n", $3, $1 }'
}

# Ends with 1 if a part has failed. The parts that ctest has not just named are named.
finish() { [[ ${#failed[@]} -eq 0 ]]; exit; }
