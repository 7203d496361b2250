#!/usr/bin/env bash
# What it costs to include the library: time and memory of g++ -O2 for a program that trains and for one that only predicts, each
# from headers alone and with minicnn::compiled, and the size of the stripped binary. Run it on a quiet machine.
#   scripts/compile_budget.sh [--check]     --check: exit 1 if a limit is exceeded
# CXX and CXXFLAGS as usual (default: g++ -O2); REPEAT: the best of so many compilations counts (default 3).
# Limits, of user time: with minicnn::compiled 4 s to train and 3 s to predict, from headers alone 12 s (22 s with reading pictures and
# writing weights files), 25 s for the unit of minicnn::compiled. Of memory 500 MB (these two units 700 MB), of the binary 2 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C REPEAT=${REPEAT:-3}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
compile=(${CXX:-g++} -std=c++20 ${CXXFLAGS:--O2} -fopenmp -I include)
over=()

# Prints "user-seconds seconds megabytes" of a command: the best run. Other load disturbs user time least.
cost() {
  python3 - "$@" <<'END'
import os, sys, time
best = None
for _ in range(int(os.environ["REPEAT"])):
    start = time.monotonic()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(1)
    seconds = time.monotonic() - start
    best = min(best or (1e9,), (usage.ru_utime, seconds, usage.ru_maxrss))
print(f"{best[0]:.1f} {best[1]:.1f} {best[2] // 1024}")
END
}
over_if() {  # VALUE LIMIT WHAT
  if awk "BEGIN { exit !($1 > $2) }"; then over+=("$3: $1, limit $2"); fi
}
row() {  # WHAT SECONDS MEGABYTES SOURCE OBJECT OPTION... [-- OBJECT TO LINK...]; without objects to link nothing is linked
  local what=$1 limit=$2 most=$3 source=$4 object=$out/$5 options=() link=() binary=-
  shift 5
  while [[ $# -gt 0 && $1 != -- ]]; do options+=("$1"); shift; done
  [[ $# -gt 0 ]] && shift && link=("$@")
  local user seconds megabytes
  read -r user seconds megabytes < <(cost "${compile[@]}" "${options[@]}" -c "$source" -o "$object")
  over_if "$user" "$limit" "$what: seconds"
  over_if "$megabytes" "$most" "$what: megabytes"
  if [[ ${#link[@]} -gt 0 ]]; then
    "${compile[@]}" "$object" "${link[@]}" -o "$out/program"
    strip "$out/program"
    binary=$(stat -c %s "$out/program")
    over_if "$binary" 2000000 "$what: bytes of binary"
    binary="$((binary / 1000)) KB"
  fi
  printf '| %s | %s s | %s s | %s MB | %s |\n' "$what" "$user" "$seconds" "$megabytes" "$binary"
}

"${compile[@]}" -c include/minicnn/data/image_unit.cpp -o "$out/image.o"
echo "$(date +%F), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $("${compile[0]}" --version | head -1)"
echo "${compile[*]}"
echo '| what | user time | elapsed | memory | stripped binary |'
echo '|---|---|---|---|---|'
row 'trains, headers alone (examples/custom_data.cpp)' 12 500 examples/custom_data.cpp trains.o -- -lm
row 'trains on pictures, headers alone (examples/quickstart.cpp)' 22 700 examples/quickstart.cpp pictures.o -- "$out/image.o"
row 'predicts, headers alone (examples/embedded.cpp)' 12 500 examples/embedded.cpp predicts.o -- "$out/image.o"
row 'the unit of minicnn::compiled, once for all units' 25 700 include/minicnn/compiled/float_unit.cpp float.o
row 'trains, with minicnn::compiled' 4 500 examples/custom_data.cpp trains.o -DMINICNN_COMPILED -- "$out/float.o"
row 'predicts, with minicnn::compiled' 3 500 examples/embedded.cpp predicts.o -DMINICNN_COMPILED -- "$out/float.o" "$out/image.o"
if [[ ${#over[@]} -gt 0 ]]; then
  printf 'over the limit: %s\n' "${over[@]}"
  [[ ${1:-} == --check ]] && exit 1
fi
exit 0
