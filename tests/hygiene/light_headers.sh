#!/usr/bin/env bash
# What no header may have: slow includes, RTTI, output, asserts or exit, and names outside the ABI-tagged namespace.
# Runs in include/; prints each offending line as FILE:LINE.
set -u

status=0
forbid() {  # REASON PATTERN
  local found
  found=$(grep -rnE "$2" minicnn --include='*.hpp' | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//')
  if [[ -n $found ]]; then
    sed "s|\$|    ($1)|" <<<"$found"
    status=1
  fi
}
forbid "slow to compile" '^[[:space:]]*#[[:space:]]*include[[:space:]]*<(iostream|regex|ranges|format|source_location|bits/stdc\+\+\.h)>'
forbid "RTTI" '\b(dynamic_cast|typeid)\b'
forbid "the library prints nothing" '\bstd::(cout|cerr|clog)\b|\b(printf|puts|putchar)[[:space:]]*\('
forbid "errors are exceptions" '\b(assert|abort|std::exit|std::terminate)[[:space:]]*\('
forbid "using a whole namespace" '^[[:space:]]*using namespace\b'

while IFS= read -r file; do
  grep -qE '^#pragma once|^#ifndef MINICNN_[A-Z0-9_]+_HPP$' "$file" || { echo "$file: no #pragma once"; status=1; }
  # A header without a namespace of its own only includes others.
  case $file in
    minicnn/kernels/*) inner='::kernels(::(amx|winograd))?' ;;
    minicnn/int8/*) inner='(::int8|::detail)?' ;;
    *) inner='(::detail)?' ;;
  esac
  if grep -qE '^namespace ' "$file" && ! grep -qE "^namespace minicnn::inline MINICNN_ABI$inner \{" "$file"; then
    echo "$file: not in namespace minicnn::inline MINICNN_ABI${inner%%(*}"
    status=1
  fi
done < <(find minicnn -name '*.hpp')
exit $status
