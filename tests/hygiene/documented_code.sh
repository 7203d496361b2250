#!/usr/bin/env bash
# Code in the documents is code that is compiled: a ```cpp block that follows the line
#     <!-- from: PATH -->
# stands word for word in that file of the repository. Every block has such a line.
# Runs in the repository's root; prints each block at fault as FILE:LINE.
set -u

status=0
report() { echo "$1"; status=1; }

check_document() {  # FILE
  local document=$1 number=0 start=0 block="" source="" inside=0 line
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    if [[ $inside -eq 1 ]]; then
      if [[ $line != '```' ]]; then
        block+=$line$'\n'
        continue
      fi
      inside=0
      if [[ -z $source ]]; then
        report "$document:$start: no line <!-- from: PATH --> says where this code is compiled"
      elif [[ ! -f $source ]]; then
        report "$document:$start: $source does not exist"
      # Without trailing newlines on both sides; quoted, so that the block is text and not a pattern.
      elif [[ $(<"$source") != *"${block%$'\n'}"* ]]; then
        report "$document:$start: this code does not stand in $source"
      fi
      source=""
    elif [[ $line == '```cpp'* ]]; then
      inside=1 start=$number block=""
    elif [[ $line =~ ^'<!-- from: '(.+)' -->'$ ]]; then
      source=${BASH_REMATCH[1]}
    elif [[ -n $line ]]; then
      source=""
    fi
  done <"$document"
}

for document in *.md docs/*.md docs/*/*.md; do
  [[ -f $document ]] && check_document "$document"
done
exit $status
