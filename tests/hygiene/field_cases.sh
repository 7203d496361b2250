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
