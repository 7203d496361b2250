#!/usr/bin/env bash
# minicnn against PyTorch on this machine, in turn: images/s and peak memory of a step or a prediction, and their ratios.
#
#   bench/compare_models.sh [train|infer] [BATCH] [MODEL ...]      default: train 8 vgg16 resnet18 resnet50 googlenet
#
# PyTorch is Debian's python3-torchvision with BLIS (libblis4-openmp) where that is installed, in all of its settings: channels first
# or last; in training Adam with foreach or without; in prediction traced and frozen too, which folds batch norms, as ours does
# (bench --fold). The fastest is compared, and its memory. THREADS=n sets the threads of both (default: all processors), STEPS=n
# the measured steps (default 3), MINICNN=FILE the program. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${MINICNN:-build/release/examples/minicnn}
mode=${1:-train} batch=${2:-8}
shift $(($# < 2 ? $# : 2))
models=("$@")
[[ ${#models[@]} -gt 0 ]] || models=(vgg16 resnet18 resnet50 googlenet)
threads=${THREADS:-$(nproc)} steps=${STEPS:-3}
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads BLIS_NUM_THREADS=$threads
blas=/usr/lib/$(uname -m)-linux-gnu/blis-openmp

field() { sed -E "s/.*\"$1\": ?([0-9.]+).*/\1/"; }

settings=("" --channels-last) fold=()
if [[ $mode == infer ]]; then
  settings+=(--frozen)
  fold=(--fold)
else
  settings+=(--foreach "--foreach --channels-last")
fi
for model in "${models[@]}"; do
  ours=$("$program" bench --model "$model" --batch-size "$batch" --mode "$mode" --steps "$steps" --threads "$threads" "${fold[@]}" --json)
  peer='' best=''
  for setting in "${settings[@]}"; do
    # shellcheck disable=SC2086
    result=$(LD_LIBRARY_PATH=$blas /usr/bin/python3 bench/models_torch.py "$model" "$mode" "$batch" "$steps" \
      "$(field image_size <<<"$ours")" $setting)
    if [[ -z $peer ]] || awk "BEGIN { exit !($(field images_per_second <<<"$result") > $(field images_per_second <<<"$peer")) }"; then
      peer=$result best=$setting
    fi
  done
  awk -v model="$model" -v mode="$mode" -v batch="$batch" -v setting="${best:+ $best}" -v a="$(field images_per_second <<<"$ours")" \
    -v b="$(field images_per_second <<<"$peer")" -v m="$(field peak_rss_mib <<<"$ours")" -v n="$(field peak_rss_mib <<<"$peer")" \
    'BEGIN { printf "%-19s %s batch %s: minicnn %.2f images/s (%.0f MiB), PyTorch%s %.2f images/s (%.0f MiB), ratio %.2f, memory %.2f\n",
             model, mode, batch, a, m, setting, b, n, a / b, m / n }'
done
