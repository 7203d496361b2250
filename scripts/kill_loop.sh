#!/usr/bin/env bash
# Kills a training with SIGKILL again and again, each time at another moment, resumes it, and looks after every kill whether
# the weights files are whole. At the end the finished run must have the bytes of one that was never broken.
#
#   scripts/kill_loop.sh [KILLS]      default 50; PROGRAM=path: another program than build/release/examples/minicnn
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${PROGRAM:-build/release/examples/minicnn}
kills=${1:-50}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$program" generate --images 40 --seed 4 --out "$work/data" >/dev/null
epochs=$((kills * 3))
train=("$program" train --data "$work/data" --image-size 63 --batch-size 8 --val-fraction 0.2 --seed 1 --threads 1
       --epochs "$epochs" --preset classic --model alexnet-small)
"${train[@]}" --out "$work/whole" >/dev/null 2>"$work/log"

resume=() survived=0 finished=0 in_write=0
for ((kill = 1; kill <= kills; ++kill)); do
  "${train[@]}" --out "$work/run" "${resume[@]}" >/dev/null 2>"$work/log" &
  process=$!
  # From 0.2 to 1.4 seconds, in steps that fall on all parts of an epoch.
  sleep "$(awk -v k="$kill" 'BEGIN { printf "%.3f", 0.2 + (k * 0.377) % 1.2 }')"
  if kill -KILL "$process" 2>/dev/null; then survived=$((survived + 1)); else finished=$((finished + 1)); fi
  wait "$process" 2>/dev/null || true
  compgen -G "$work/run/*.tmp-*" >/dev/null && in_write=$((in_write + 1)) && rm -f "$work"/run/*.tmp-*
  for file in best last; do
    [[ -e $work/run/$file.safetensors ]] || continue
    if ! "$program" summary --weights "$work/run/$file.safetensors" --json >/dev/null 2>"$work/error"; then
      echo "FAILED: after kill $kill: $(cat "$work/error")"
      exit 1
    fi
  done
  [[ -e $work/run/last.safetensors ]] && resume=(--resume) || resume=(--overwrite)
done
"${train[@]}" --out "$work/run" "${resume[@]}" >/dev/null 2>"$work/log" || { cat "$work/log"; exit 1; }
for file in best last; do
  cmp "$work/whole/$file.safetensors" "$work/run/$file.safetensors"
done
echo "$survived kills ($in_write of them while a file was being written), every weights file whole after each; the finished run" \
     "has the bytes of the unbroken one"
