#!/usr/bin/env bash
# Gives hostile bytes to every reader of files, by clang's libFuzzer with the address and undefined-behaviour sanitizers.
#
#   scripts/fuzz.sh [SECONDS [TARGET ...]]      default: 300 seconds each for all targets of tests/fuzz/targets.hpp
#
# Corpora and findings stay under build/fuzz/TARGET; the exit code is not 0 if anything was found. A finding is run again by
#   FUZZ_TARGET=target build/fuzz/fuzzer FILE
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-300}
shift || true
mkdir -p build/fuzz
[[ -x build/fuzz/fuzzer && -z $(find include examples/cli/serve tests/fuzz tests/data -newer build/fuzz/fuzzer -type f -print -quit) ]] ||
  clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I include -I tests \
    tests/fuzz/fuzzer.cpp include/minicnn/data/image_unit.cpp -o build/fuzz/fuzzer || exit 1
if [[ $# -gt 0 ]]; then
  targets=("$@")
else
  read -ra targets < <(FUZZ_TARGET=? build/fuzz/fuzzer 2>&1 | sed -n 's/^FUZZ_TARGET is not one of: //p')
fi
failed=()
for target in "${targets[@]}"; do
  folder=build/fuzz/$target
  mkdir -p "$folder/seeds" "$folder/corpus" "$folder/found"
  FUZZ_TARGET=$target FUZZ_SEEDS=$folder/seeds build/fuzz/fuzzer -runs=0 "$folder/seeds" >/dev/null 2>&1
  FUZZ_TARGET=$target FUZZ_SEEDS=$folder/seeds build/fuzz/fuzzer -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
    -malloc_limit_mb=512 -max_len=16384 -artifact_prefix="$folder/found/" -print_final_stats=1 "$folder/corpus" "$folder/seeds" \
    >"$folder/log" 2>&1 || failed+=("$target")
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log")
  covered=$(grep -o 'cov: [0-9]*' "$folder/log" | tail -1)
  printf '%-12s %10s inputs, %s, %d findings\n' "$target" "${runs:-?}" "${covered:-cov: ?}" "$(find "$folder/found" -type f | wc -l)"
done
[[ ${#failed[@]} -eq 0 ]] || { printf 'FOUND something in: %s (build/fuzz/TARGET/log)\n' "${failed[*]}"; exit 1; }
