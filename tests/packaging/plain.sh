#!/usr/bin/env bash
# `g++ -std=c++20 -I include`, and what the compiler says where something is missing.
#   plain.sh INCLUDE SOURCES OUT COMPILE...
set -euo pipefail
include=$1 sources=$2 out=$3
shift 3
compile="$* -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
mkdir -p "$out"

# The umbrella, from outside the tree.
$compile -I "$include" "$sources/everything.cpp" -o "$out/everything"
"$out/everything"

# Kernels in a unit of their own.
$compile -DMINICNN_COMPILED -I "$include" "$sources/everything.cpp" "$include/minicnn/compiled/float_unit.cpp" -o "$out/compiled"
"$out/compiled"

# Nothing of it needs a package; and the headers of data/ need stb in one unit alone.
for source in everything no_decoder; do
  if $compile -I "$include" -M "$sources/$source.cpp" | grep -iE '/(stb|eigen3?)/'; then
    echo "$source.cpp includes the above"
    exit 1
  fi
done

# What cannot work says so in one readable line, before anything else.
refused() {  # WORDS OPTION...
  local words=$1
  shift
  if $compile "$@" -fsyntax-only >"$out/errors.txt" 2>&1; then
    echo "compiled, though it should not: $*"
    return 1
  fi
  if ! grep -m1 'error:' "$out/errors.txt" | grep -qF "$words"; then
    echo "wanted a first error with \"$words\", got:"
    cat "$out/errors.txt"
    return 1
  fi
}
refused "reports errors by exceptions" -I "$include" -fno-exceptions "$sources/everything.cpp"
refused "needs C++20" -I "$include" -std=c++17 "$sources/everything.cpp"
