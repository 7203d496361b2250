#!/usr/bin/env bash
# Builds and tests everything: the optimised build by g++, the sanitizers, and clang. Installs missing Debian packages.
# The last lines are those of ctest over the optimised build; the exit code is not 0 if any part fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/install-packages.sh g++ cmake ninja-build clang libomp-dev doctest-dev libeigen3-dev libstb-dev libcli11-dev \
  nlohmann-json3-dev libbenchmark-dev libcpp-httplib-dev python3-selenium chromium chromium-driver pkgconf \
  libonnx-testdata python3-onnx doxygen doxygen-awesome-css || exit 1

if [[ -z ${MINICNN_DOGS_VS_CATS:-} && -d ../shared/dogs-vs-cats ]]; then
  MINICNN_DOGS_VS_CATS=$(cd ../shared/dogs-vs-cats && pwd)
  export MINICNN_DOGS_VS_CATS
fi

jobs=$(nproc)
failed=()
log=$(mktemp)
trap 'rm -f "$log"' EXIT

heading() { printf '\n== %s (%d:%02d min)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# Configures and builds a preset. Prints what was left out for want of a package, and compiler output only if it fails.
build() {
  if cmake --preset "$1" >"$log" 2>&1; then
    grep '^-- minicnn:' "$log"
    cmake --build --preset "$1" -j "$jobs" -- -k 0 >"$log" 2>&1 && return 0
  fi
  grep -vE '^\[[0-9]+/[0-9]+\] (Building|Linking|Re-checking)' "$log"
  failed+=("build of $1")
}

run_tests() { ctest --preset "$1" -j "$jobs" --no-label-summary </dev/null || failed+=("tests of $1"); }

# What did not build shows as "Not Run" among the tests of its preset.
heading "Build: g++, optimised"
build release
for preset in asan clang; do
  heading "Build: $preset"
  build $preset
  heading "Tests: $preset"
  run_tests $preset
done
heading "Tests: g++, optimised"
run_tests release

if [[ ${#failed[@]} -gt 0 ]]; then
  printf '\n'
  printf 'FAILED: %s\n' "${failed[@]}"
  exit 1
fi
