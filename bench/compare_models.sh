#!/usr/bin/env bash
# minicnn against PyTorch and ONNX Runtime on this machine, in turn: images/s and peak memory of a step or a prediction, and ratios.
#
#   bench/compare_models.sh [train|infer] [BATCH] [MODEL ...]      default: train 8 vgg16 resnet18 resnet50 googlenet
#
# PyTorch is Debian's python3-torchvision with BLIS (libblis4-openmp) where that is installed, in all of its settings: channels first
# or last; in training Adam with foreach or without; in prediction traced and frozen too, which folds batch norms, as ours does
# (bench --fold). The fastest is compared, and its memory. PYTORCH=0 leaves it out.
#
# ONNX Runtime predicts our own export where ORT names a folder in which `npm install --ignore-scripts onnxruntime-node` ran:
#
#   mkdir -p ~/ort && cd ~/ort && npm install --ignore-scripts onnxruntime-node
#   ORT=~/ort ROUNDS=5 bench/compare_models.sh infer 8 resnet50
#
# A model called torchvision:NAME, as torchvision:vit_b_16, is torchvision's own export of its network (python3-torchvision,
# python3-onnx), which ONNX Runtime and we, by import, predict with; infer only, without PyTorch.
#
# ROUNDS=n (default 1) measures all of them n times in turn and prints the median of the ratios with their least and largest.
# THREADS=n sets the threads of all (default: all processors), STEPS=n the measured steps (default 3), MINICNN=FILE the program,
# JSON=FILE appends each result as a line of JSON, EXPORTS=FOLDER keeps ONNX models and takes those that are there. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${MINICNN:-build/release/examples/minicnn}
exporter=${ONNX_MODEL:-build/release/bench/bench_onnx_model} importer=${ONNX_TIME:-build/release/bench/bench_onnx_time}
mode=${1:-train} batch=${2:-8}
shift $(($# < 2 ? $# : 2))
models=("$@")
[[ ${#models[@]} -gt 0 ]] || models=(vgg16 resnet18 resnet50 googlenet)
threads=${THREADS:-$(nproc)} steps=${STEPS:-3} rounds=${ROUNDS:-1}
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads BLIS_NUM_THREADS=$threads
blas=/usr/lib/$(uname -m)-linux-gnu/blis-openmp
work=$(mktemp -d)
exports=${EXPORTS:-$work}
trap 'rm -rf "$work"' EXIT

field() { sed -E "s/.*\"$1\": ?\"?([^,\"}]+).*/\1/"; }
faster() { awk "BEGIN { exit !($(field images_per_second <<<"$1") > $(field images_per_second <<<"$2")) }"; }

settings=("" --channels-last) fold=()
if [[ $mode == infer ]]; then
  settings+=(--frozen)
  fold=(--fold)
else
  settings+=(--foreach "--foreach --channels-last")
fi

run_ours() {  # MODEL
  if [[ $1 == torchvision:* ]]; then
    local name=${1#torchvision:} pixels=224
    [[ $name == inception_v3 ]] && pixels=299
    [[ -f $exports/$1.onnx ]] || /usr/bin/python3 bench/torchvision_onnx.py "$name" "$pixels" "$exports/$1.onnx"
    "$importer" "$exports/$1.onnx" "$batch" "$steps" "$threads"
    return
  fi
  "$program" bench --model "$1" --batch-size "$batch" --mode "$mode" --steps "$steps" --threads "$threads" "${fold[@]}" --json
}

# The first round tries all of PyTorch's settings; later ones repeat the fastest.
run_pytorch() {  # MODEL SIZE
  local best='' result setting
  for setting in "${settings[@]}"; do
    # shellcheck disable=SC2086
    result=$(LD_LIBRARY_PATH=$blas /usr/bin/python3 bench/models_torch.py "$1" "$mode" "$batch" "$steps" "$2" $setting)
    if [[ -z $best ]] || faster "$result" "$best"; then best=$result fastest=$setting; fi
  done
  settings=("$fastest")
  peer_result=$best
}

run_ort() {  # MODEL SIZE
  local channels=3
  [[ $1 == lenet5 ]] && channels=1
  [[ -f $exports/$1.onnx ]] || "$exporter" "$1" "$2" "$exports/$1.onnx"
  peer_result=$(NODE_PATH=$ORT/node_modules node bench/models_ort.cjs "$exports/$1.onnx" "$batch" "$steps" "$channels" "$2" "$threads")
}

report() {  # PEER OURS THEIRS: a round's result, kept for the summary
  local a b
  a=$(field images_per_second <<<"$2") b=$(field images_per_second <<<"$3")
  printf '%s %s %s %s\n' "$a" "$b" "$(field peak_rss_mib <<<"$2")" "$(field peak_rss_mib <<<"$3")" >>"$work/$model.$1"
  [[ -z ${JSON:-} ]] || printf '{"model": "%s", "mode": "%s", "batch": %s, "threads": %s, "peer": "%s", "ours": %s, "theirs": %s}\n' \
    "$model" "$mode" "$batch" "$threads" "$1" "$2" "$3" >>"$JSON"
}

summary() {  # PEER
  [[ -f $work/$model.$1 ]] || return 0
  awk '{ print $1 / $2, $0 }' "$work/$model.$1" | sort -n | awk -v model="$model" -v mode="$mode" -v batch="$batch" -v peer="$1" '
    { ratio[NR] = $1; a[NR] = $2; b[NR] = $3; memory[NR] = $4 / $5; m[NR] = $4; n[NR] = $5 }
    END { k = int((NR + 1) / 2)
          printf "%-19s %s batch %s: minicnn %.2f images/s (%.0f MiB), %s %.2f images/s (%.0f MiB), ratio %.2f", model, mode, batch,
                 a[k], m[k], peer, b[k], n[k], ratio[k]
          if (NR > 1) printf " (%.2f to %.2f in %d rounds)", ratio[1], ratio[NR], NR
          printf ", memory %.2f\n", memory[k] }'
}

all_settings=("${settings[@]}")
for model in "${models[@]}"; do
  settings=("${all_settings[@]}") fastest=''
  for ((round = 0; round < rounds; ++round)); do
    ours=$(run_ours "$model")
    size=$(field image_size <<<"$ours")
    if [[ ${PYTORCH:-1} != 0 && $model != torchvision:* ]]; then
      run_pytorch "$model" "$size"
      report "PyTorch" "$ours" "$peer_result"
    fi
    if [[ -n ${ORT:-} && $mode == infer ]]; then
      run_ort "$model" "$size"
      report "ONNX Runtime" "$ours" "$peer_result"
    fi
  done
  summary "PyTorch"
  summary "ONNX Runtime"
done
