#!/usr/bin/env bash
# minicnn.hpp includes every header that building, training and storing networks takes. Left out are those that need another
# package, data/ (stb), eigen.hpp and train/mpi.hpp, the surroundings that a program includes where it uses them: formats/, testing/,
# analysis/, report/ and int8/ (quantising; its layers come with model/), and kernels/, which is no interface: layers include what
# they run; and core/float_text.hpp, which stands in where the standard library lacks something.
# Runs in include/; prints what is missing from it or should not be there.
set -u
export LC_ALL=C

wanted=$(find minicnn -name '*.hpp' ! -name eigen.hpp ! -path minicnn/minicnn.hpp |
  grep -vE '^minicnn/((data|kernels|int8|formats|testing|analysis|report)/|core/float_text|train/mpi)' | sort)
present=$(sed -nE 's/^#include "(minicnn\/[^"]+)".*/\1/p' minicnn/minicnn.hpp | sort)

missing=$(comm -23 <(echo "$wanted") <(echo "$present"))
surplus=$(comm -13 <(echo "$wanted") <(echo "$present"))
[[ -n $missing ]] && printf 'minicnn.hpp lacks: #include "%s"\n' $missing
[[ -n $surplus ]] && printf 'minicnn.hpp should not include: "%s"\n' $surplus
[[ -z $missing && -z $surplus ]]
