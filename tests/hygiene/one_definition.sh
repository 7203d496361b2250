#!/usr/bin/env bash
# Two units optimised together by the linker: a type or function that differs between them is an error (-Wodr). And the headers of
# minicnn.hpp after `using namespace std;`, as C++23, without RTTI and with -Ofast, as far as the grammar.
#   one_definition.sh INCLUDE SOURCES OUT COMPILE...
set -euo pipefail
include=$1 sources=$2 out=$3
shift 3
compile="$* -I $include -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
mkdir -p "$out"
cd "$out"

for unit in main_unit other_unit; do
  $compile -flto -Wodr -DPASS_A_TENSOR -c "$sources/$unit.cpp" -o "$unit.o"
done
# clang's linker plug-in may be missing; g++ brings its own.
if $compile -flto -Wodr main_unit.o other_unit.o -o program 2>link.txt; then
  ./program
elif [[ $compile == *clang* ]] && grep -qiE 'LLVMgold|plugin' link.txt; then
  echo "clang without its linker plug-in: not linked"
else
  cat link.txt
  exit 1
fi

printf '%s\n' '#include <string>' '#include <vector>' 'using namespace std;' '#include "minicnn/minicnn.hpp"' \
  'minicnn::network<double> made();' 'minicnn::network<double> made() { return minicnn::fold_batch_norm(minicnn::lenet5<double>()); }' >everything.cpp
$compile -std=c++2b -fno-rtti -Ofast -fsyntax-only everything.cpp
