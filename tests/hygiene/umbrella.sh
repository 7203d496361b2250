#!/usr/bin/env bash
# minicnn.hpp includes every header but those that need another package: data/ (stb) and eigen.hpp.
# Runs in include/; prints what is missing from it or should not be there.
set -u
export LC_ALL=C

wanted=$(find minicnn -name '*.hpp' ! -path 'minicnn/data/*' ! -name eigen.hpp ! -path minicnn/minicnn.hpp | sort)
present=$(sed -nE 's/^#include "(minicnn\/[^"]+)".*/\1/p' minicnn/minicnn.hpp | sort)

missing=$(comm -23 <(echo "$wanted") <(echo "$present"))
surplus=$(comm -13 <(echo "$wanted") <(echo "$present"))
[[ -n $missing ]] && printf 'minicnn.hpp lacks: #include "%s"\n' $missing
[[ -n $surplus ]] && printf 'minicnn.hpp should not include: "%s"\n' $surplus
[[ -z $missing && -z $surplus ]]
