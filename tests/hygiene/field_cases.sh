#!/usr/bin/env bash
# Every case that people have met elsewhere is named in a test ("F16 ..."): none may lose its test unnoticed. F are cases of the
# library, G of the program, A attacks on it, N numbers. Runs in the folder tests/.
set -uo pipefail
cases=()
for number in 01 03 05 06 08 09 11 12 14 16 18 19 21 23 24 26 27 29 30 32 34 35 37 39 41 42 44 45 46 48 49 51 53 54 55 56 58 59 60 \
  62 63 64 66 67 68 70 71 72; do
  cases+=("F$number")
done
for number in {01..24}; do cases+=("G$number" "A$number"); done
for number in 01 02 03; do cases+=("N$number"); done
named=$(grep -rhE 'TEST_CASE|^ *# [FGAN][0-9]{2}[ :]' --include='*_test.cpp' --include='*_test.py' --include=CMakeLists.txt . | grep -oE '\b[FGAN][0-9]{2}\b')
# A title may be too long for the line that begins it.
named+=$'\n'$(grep -rhA1 -E 'TEST_CASE\($|TEST_CASE_TEMPLATE' --include='*_test.cpp' . | grep -oE '\b[FGAN][0-9]{2}\b')
missing=()
for one in "${cases[@]}"; do
  grep -q "^$one$" <<<"$named" || missing+=("$one")
done
[[ ${#missing[@]} -eq 0 ]] || { echo "no test is named after: ${missing[*]}"; exit 1; }
echo "${#cases[@]} cases, each named in a test"

# The tests that docs/reliability.md names are there, and cases in brackets behind a name are in that test.
status=0
folders='analysis|cli|core|data|files|formats|graph|int8|io|kernels|layers|model|networks|report|train'
while IFS=' ' read -r test ids; do
  file=$(find "${test%%.*}" -name "${test#*.}_test.cpp")
  [[ -n $file ]] || { echo "docs/reliability.md: no test $test"; status=1; continue; }
  for one in $(grep -oE '\b[FGAN][0-9]+\b' <<<"$ids"); do
    grep -q "\b$one\b" "$file" || { echo "docs/reliability.md: $test has no case $one"; status=1; }
  done
done < <(grep -E '^\|' ../docs/reliability.md | grep -oE "\\b($folders)\.[a-z0-9_]+( \([^)]*\))?")
exit $status
