#!/usr/bin/env bash
# The quick test: installs the Debian packages that are missing (no browser, no clang), builds the library, the program and the
# examples with -O1 and warnings as errors, and runs the unit tests, the program's tests, the examples and a short training.
# Minutes from nothing, less than one when little has changed. All the rest is scripts/test-all.sh.
# The last lines are ctest's; the exit code is not 0 if anything failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/install-packages.sh g++ cmake ninja-build doctest-dev libeigen3-dev libstb-dev libcli11-dev nlohmann-json3-dev \
  libcpp-httplib-dev python3 || exit 1
source scripts/parts.sh

build dev
run_tests dev
finish
