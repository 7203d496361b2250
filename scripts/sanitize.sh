#!/usr/bin/env bash
# What the presets do not run: clang's thread sanitizer over threads, prediction from many callers and the loader; valgrind over
# a small training and a prediction. Minutes; the exit code is not 0 if either finds anything.
#
#   scripts/sanitize.sh [thread] [valgrind]      default: both; PROGRAM=path: another program than build/release/examples/minicnn
# Needs clang, libomp-dev (with its libarcher, which tells the sanitizer about OpenMP's barriers), valgrind, doctest-dev, libstb-dev.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${PROGRAM:-build/release/examples/minicnn}
[[ $# -gt 0 ]] || set -- thread valgrind
failed=()

run_thread() {
  local out=build/tsan archer
  mkdir -p $out
  archer=$(find /usr/lib/llvm-*/lib -name libarcher.so 2>/dev/null | sort -V | tail -1)
  [[ -n $archer ]] || { echo "no libarcher.so (Debian: libomp-dev)"; return 1; }
  # The macro is g++'s name for this sanitizer; tests start fewer threads under it. Tests that count allocations bring an
  # operator new of their own, which may stand in for the sanitizer's.
  local compile=(clang++ -std=c++20 -O1 -g -fopenmp -fsanitize=thread -D__SANITIZE_THREAD__ -I include -I tests)
  "${compile[@]}" -c tests/main.cpp -o $out/main.o || return 1
  "${compile[@]}" -c include/minicnn/data/image_unit.cpp -o $out/image_unit.o || return 1
  local test status=0
  for test in core/parallel field_cases/callers data/loader; do
    local name=${test//\//_}
    "${compile[@]}" "-DMINICNN_TEST_GOLDEN_DIR=\"$PWD/tests/golden\"" tests/${test}_test.cpp $out/main.o $out/image_unit.o \
      -Wl,--allow-multiple-definition -o $out/"$name" || return 1
    echo "thread sanitizer: $test"
    # A process forked from one with threads is outside what the sanitizer follows.
    OMP_NUM_THREADS=4 OMP_TOOL_LIBRARIES=$archer TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=0" \
      $out/"$name" -tce='*forked*' || status=1
  done
  return $status
}

run_valgrind() {
  local work status=0
  work=$(mktemp -d)
  "$program" generate --images 16 --seed 4 --out "$work/data" >/dev/null || status=1
  local check=(valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite)
  echo "valgrind: train"
  "${check[@]}" "$program" train --data "$work/data" --out "$work/run" --model alexnet-small --image-size 63 --batch-size 4 \
    --val-fraction 0.25 --epochs 1 --threads 2 --workers 1 >/dev/null 2>"$work/log" || { status=1; grep '^==' "$work/log" | head -40; }
  echo "valgrind: predict"
  "${check[@]}" "$program" predict --weights "$work/run/last.safetensors" "$work/data" >/dev/null 2>"$work/log" ||
    { status=1; grep '^==' "$work/log" | head -40; }
  rm -rf "$work"
  return $status
}

for part in "$@"; do
  case $part in
    thread | valgrind) "run_$part" && echo "$part: nothing found" || failed+=("$part") ;;
    *) echo "usage: scripts/sanitize.sh [thread] [valgrind]"; exit 2 ;;
  esac
done
[[ ${#failed[@]} -eq 0 ]] || { echo "FOUND something: ${failed[*]}"; exit 1; }
