#!/usr/bin/env bash
# From nothing to a trained classifier: installs what is missing, builds the program, draws a set of cat and dog pictures,
# trains AlexNet (with batch norm) on it, prints its accuracy on pictures it has not seen, and writes report.html.
#
#   scripts/demo.sh                  drawn pictures
#   DATA=folder scripts/demo.sh      your own: cat.0.jpg, dog.0.jpg, ... in one folder, or a folder per class
#   EPOCHS=n MINUTES=n               how long to train
set -euo pipefail

data=${DATA:-}
if [[ -n $data && ! -d $data ]]; then
  echo "DATA=$data is not a folder" >&2
  exit 2
fi
[[ -z $data ]] || data=$(cd "$data" && pwd)  # before the folder changes
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=build/demo
program=build/release/examples/minicnn

bash scripts/install-packages.sh g++ cmake ninja-build libstb-dev libeigen3-dev libcli11-dev libcpp-httplib-dev

echo "Building the program (a few minutes the first time) ..."
mkdir -p "$out"
if ! { cmake --preset release && cmake --build --preset release --target minicnn_program; } >"$out/build.log" 2>&1; then
  cat "$out/build.log" >&2
  exit 1
fi

if [[ -z $data ]]; then
  data=$out/train
  heldout=$out/heldout
  rm -rf "$data" "$heldout"
  "$program" generate --out "$data" --images 3200 --seed 1
  "$program" generate --out "$heldout" --images 400 --seed 2
  evaluate=(--data "$heldout")
else
  # A tenth of your pictures, kept out of training.
  evaluate=(--data "$data" --split val)
fi

"$program" train --data "$data" --out "$out/run" --overwrite --model alexnet-bn --image-size 96 \
  --epochs "${EPOCHS:-11}" --time-limit "${MINUTES:-3.4}" --seed 1

printf '\nOn pictures that took no part in training:\n'
"$program" evaluate --weights "$out/run/best.safetensors" "${evaluate[@]}"
printf '\nReport: %s\n' "$PWD/$out/run/report.html"
