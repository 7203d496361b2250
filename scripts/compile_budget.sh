#!/usr/bin/env bash
# What it costs to include the library: time and memory of g++ -O2 for a program that trains and for one that only predicts, and
# the size of the stripped binary. Run it on a quiet machine.
#   scripts/compile_budget.sh [--check]     --check: exit 1 if a limit is exceeded
# CXX and CXXFLAGS as usual (default: g++ -O2). Limits: 4 s and 500 MB to train, 3 s to predict, 2 MB of binary.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
compile=(${CXX:-g++} -std=c++20 ${CXXFLAGS:--O2} -fopenmp -I include)
over=0

# Prints "seconds kilobytes" of a command: the best of three, which other load disturbs least.
cost() {
  python3 - "$@" <<'END'
import os, sys, time
best = None
for _ in range(3):
    start = time.monotonic()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(1)
    seconds = time.monotonic() - start
    best = (seconds, usage.ru_maxrss) if best is None or seconds < best[0] else best
print(f"{best[0]:.1f} {best[1] // 1024}")
END
}
row() {  # WHAT SOURCE SECONDS MEGABYTES
  local seconds megabytes
  read -r seconds megabytes < <(cost "${compile[@]}" -c "$2" -o "$out/unit.o")
  "${compile[@]}" "$out/unit.o" ${5:-} -o "$out/program"
  strip "$out/program"
  local binary
  binary=$(stat -c %s "$out/program")
  printf '| %s | %s s | %s MB | %s KB |\n' "$1" "$seconds" "$megabytes" $((binary / 1000))
  if awk "BEGIN { exit !($seconds > $3 || $megabytes > $4 || $binary > 2000000) }"; then over=1; fi
}

"${compile[@]}" -c include/minicnn/data/image_unit.cpp -o "$out/image.o"
echo "${compile[*]} ($("${compile[0]}" --version | head -1))"
echo '| program | time | memory | stripped binary |'
echo '|---|---|---|---|'
row 'trains: alexnet.hpp, train/fit.hpp (examples/custom_data.cpp)' examples/custom_data.cpp 4 500
row 'predicts: alexnet.hpp, a picture, a weights file (examples/embedded.cpp)' examples/embedded.cpp 3 500 "$out/image.o"
if [[ $over -eq 1 ]]; then
  echo 'over a limit: 4 s and 500 MB to train, 3 s to predict, 2 MB of binary'
  [[ ${1:-} == --check ]] && exit 1
fi
exit 0
