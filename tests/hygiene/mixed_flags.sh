#!/usr/bin/env bash
# Two units with different flags in one program: each works, and passing an object of the library from one to the other is a link
# error that names the flags. Never two versions of one function under one name.
#   mixed_flags.sh INCLUDE SOURCES OUT COMPILE...
set -euo pipefail
include=$1 sources=$2 out=$3
shift 3
compile="$* -I $include -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
mkdir -p "$out"
cd "$out"

$compile -c "$sources/main_unit.cpp" -o main.o
$compile -DPASS_A_TENSOR -c "$sources/main_unit.cpp" -o main_passing.o
for flags in "-march=native" "-mavx" "-std=c++2b -fno-rtti" "-Ofast" "-ffinite-math-only" "-D_GLIBCXX_DEBUG"; do
  $compile $flags -c "$sources/other_unit.cpp" -o other.o
  $compile main.o other.o -o program
  ./program || { echo "wrong result beside a unit with $flags"; exit 1; }
  if $compile main_passing.o other.o -o program 2>errors.txt; then
    # Flags that change no code that matters may be mixed.
    [[ $flags == "-std=c++2b -fno-rtti" ]] || { echo "an object was passed to a unit with $flags"; exit 1; }
    ./program || { echo "wrong result with an object passed to a unit with $flags"; exit 1; }
  elif ! grep -q 'undefined reference.*change_in_other_unit(minicnn::v[0-9]*_[0-9]*_serial_' errors.txt; then
    echo "no readable link error for $flags:"
    cat errors.txt
    exit 1
  fi
done
