#!/usr/bin/env bash
# Clang's thread sanitizer over threads, prediction from many callers and the loader (the preset tsan); valgrind over a small
# training and a prediction. Minutes; the exit code is not 0 if either finds anything.
#
#   scripts/sanitize.sh [thread] [valgrind]      default: both; PROGRAM=path: another program than build/release/examples/minicnn
# Needs clang, libomp-dev (with its libarcher, which tells the sanitizer about OpenMP's barriers), valgrind, doctest-dev, libstb-dev.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${PROGRAM:-build/release/examples/minicnn}
[[ $# -gt 0 ]] || set -- thread valgrind
failed=()

run_thread() {
  cmake --preset tsan && cmake --build --preset tsan -j "$(nproc)" && ctest --preset tsan
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
