#!/usr/bin/env bash
# Includes go one way: core <- kernels <- graph <- layers <- networks, and core <- files. train, io and data stand on graph, io and
# data also on files; int8 stands on layers; model puts networks, train, io and data together. Around this core: formats (other tools'
# files), testing (the gradient harness), analysis and, on top of it, report. Eigen, MPI and stb stay in the files that exist for them.
# Runs in include/; prints each offending line as FILE:LINE.
set -u

# Folders that headers of a folder may include. Headers of the networks lie in minicnn/ itself.
declare -A allowed=(
  [core]="core"
  [files]="core files"
  [kernels]="core kernels"
  [graph]="core kernels graph"
  [layers]="core kernels graph layers"
  [networks]="core kernels graph layers networks"
  [train]="core kernels graph train"
  [io]="core files kernels graph io"
  [data]="core files kernels graph data"
  [formats]="core files kernels graph layers io model formats"
  [int8]="core kernels graph layers int8"
  [model]="core files kernels graph layers int8 networks train io data model"
  [testing]="core kernels graph testing"
  [analysis]="core kernels graph train analysis"
  [report]="core kernels graph train analysis report"
)

folder_of() {  # minicnn/core/shape.hpp -> core
  case "$1" in
    minicnn/version.hpp | minicnn/fwd.hpp) echo core ;;
    minicnn/eigen.hpp) echo graph ;;
    minicnn/*/*) local rest=${1#minicnn/}; echo "${rest%%/*}" ;;
    *) echo networks ;;
  esac
}

status=0
while IFS=: read -r file line text; do
  [[ $file == minicnn/minicnn.hpp ]] && continue  # the umbrella includes everything
  if [[ $text =~ \"(minicnn/[^\"]+)\" ]]; then
    target=${BASH_REMATCH[1]}
    from=$(folder_of "$file") to=$(folder_of "$target")
    if [[ $target == minicnn/minicnn.hpp || " ${allowed[$from]:-} " != *" $to "* ]]; then
      echo "$file:$line: $text    ($from may include: ${allowed[$from]:-nothing, add it to this script})"
      status=1
    fi
  elif [[ $text == *\"* ]]; then
    echo "$file:$line: $text    (write #include \"minicnn/...\")"
    status=1
  elif [[ $text == *"<Eigen/"* && $file != minicnn/eigen.hpp && $file != minicnn/data/pca.hpp ]]; then
    echo "$file:$line: $text    (Eigen belongs in eigen.hpp and data/pca.hpp)"
    status=1
  elif [[ $text == *"mpi.h"* && $file != minicnn/train/mpi.hpp ]]; then
    echo "$file:$line: $text    (MPI belongs in train/mpi.hpp)"
    status=1
  elif [[ $text == *"stb"*".h>" && $file != minicnn/data/stb_decoder.hpp ]]; then
    echo "$file:$line: $text    (stb belongs in data/stb_decoder.hpp)"
    status=1
  fi
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' minicnn --include='*.hpp')
exit $status
