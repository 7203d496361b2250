#!/usr/bin/env bash
# Everything: the quick test, then layout and checks, sanitizers (address, undefined behaviour, threads), clang, libc++, no OpenMP,
# MPICH, 64-bit ARM, Windows, and last the optimised build with all tests, among them the program in a browser, packaging, the
# documentation's site and damaged files. Installs missing Debian packages. MINICNN_TEST_PARTS chooses among the parts between the
# first and the last (default: "lint asan asan-cli tsan clang libcxx no-openmp mpich arm mingw"; "layout" is clang-format alone), and
# leaves out of the last what the first has run.
# The last lines are those of ctest over the optimised build; the exit code is not 0 if any part failed, and each is named before.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/test.sh
quick=$?
bash scripts/install-packages.sh clang clang-format clang-tidy libomp-dev libbenchmark-dev python3-selenium chromium chromium-driver \
  pkgconf libonnx-testdata python3-onnx doxygen doxygen-awesome-css || exit 1
[[ -n ${MINICNN_TEST_PARTS:-} ]] || bash scripts/install-packages.sh libopenmpi-dev openmpi-bin || exit 1  # training by several processes
source scripts/parts.sh
[[ -n ${MINICNN_TEST_PARTS:-} ]] || bash scripts/install-packages.sh emscripten node-acorn ||
  heading "Left out: a network in a web page (e2e.web), whose packages emscripten and node-acorn cannot be had"
[[ $quick -eq 0 ]] || failed+=("scripts/test.sh")

if [[ -z ${MINICNN_DOGS_VS_CATS:-} && -d ../shared/dogs-vs-cats ]]; then
  MINICNN_DOGS_VS_CATS=$(cd ../shared/dogs-vs-cats && pwd)
  export MINICNN_DOGS_VS_CATS
fi

declare -A packages=([libcxx]="libc++-dev libc++abi-dev" [mpich]="libmpich-dev mpich" [arm]="g++-aarch64-linux-gnu qemu-user"
  [mingw]="g++-mingw-w64-x86-64-posix wine wine64")
for part in ${MINICNN_TEST_PARTS:-lint asan asan-cli tsan clang libcxx no-openmp mpich arm mingw}; do
  if [[ -n ${packages[$part]:-} ]] && ! bash scripts/install-packages.sh ${packages[$part]}; then
    heading "Left out: $part, whose packages cannot be had"
    continue
  fi
  case $part in
    lint) part "Layout, and checks of what the last commits changed" bash scripts/lint.sh --since HEAD~5 ;;
    layout) part "Layout" bash scripts/lint.sh --layout ;;
    *) build "$part" && run_tests "$part" && slowest_tests "$part" ;;
  esac
done
# With chosen parts, as where minutes count, folders that the quick test has just run are not built again, nor those that ctest leaves
# out by their label. Kernels and training, where optimisation may change results, are.
run_before=""
[[ -z ${MINICNN_TEST_PARTS:-} ]] || run_before="analysis;cli;core;data;examples;files;formats;golden;graph;hygiene;io;layers;model;networks;nightly;report;testing;timed"
build release -DMINICNN_UNITY_BUILD=ON -DMINICNN_TEST_EXCLUDE="$run_before"
heading "Tests: release"
ctest --preset release -j "$jobs" --no-label-summary </dev/null 2>&1 | tee "$log.release"
[[ ${PIPESTATUS[0]} -eq 0 ]] || failed+=("tests of release")
slowest_tests release
[[ ${#failed[@]} -eq 0 ]] || printf '\nFAILED: %s' "${failed[@]}"
printf '\n\nThe tests of release once more:\n'
sed -n '/tests passed/,$p' "$log.release"
rm -f "$log.release"
finish
