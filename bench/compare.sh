#!/usr/bin/env bash
# minicnn against PyTorch and darknet on this machine, in turn: images/s of the article's AlexNet and the ratios.
#
#   bench/compare.sh [train|infer] [BATCH ...]      default: train 20 64 128
#
# PyTorch is Debian's python3-torch with each BLAS that is installed (libblis4-openmp, libopenblas0-pthread). Our figure is the
# median of runs between its runs, PyTorch's the best of its settings. Debian's darknet (one thread, fp32, its own AlexNet) takes
# part where it is installed, with batches of 8 images at most, since a step of more takes minutes. THREADS=n sets the threads of
# all (default: all processors), STEPS=n the measured steps (default 4), MINICNN=FILE the program. PRECISION=bf16: ours in bf16
# against PyTorch in either precision. Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${MINICNN:-build/release/examples/minicnn}
mode=${1:-train}
shift || true
batches=("$@")
[[ ${#batches[@]} -gt 0 ]] || batches=(20 64 128)
threads=${THREADS:-$(nproc)}
steps=${STEPS:-4}
precision=${PRECISION:-fp32}
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads BLIS_NUM_THREADS=$threads

field() { sed -E "s/.*\"$1\": ?([0-9.]+).*/\1/"; }

settings=("" "--channels-last")
[[ $mode == infer ]] && settings+=("--frozen") || settings+=("--foreach" "--foreach --channels-last")
if [[ $precision == bf16 ]]; then
  settings+=("--bf16" "--bf16 --channels-last")
  [[ $mode == infer ]] || settings+=("--bf16 --foreach" "--bf16 --foreach --channels-last")
fi

for batch in "${batches[@]}"; do
  runs=() memory=0 best=0 best_name=none
  for blas in blis-openmp openblas-pthread; do
    folder=/usr/lib/$(uname -m)-linux-gnu/$blas
    [[ -d $folder ]] || continue
    for setting in "${settings[@]}"; do
      line=$("$program" bench --model alexnet --batch-size "$batch" --mode "$mode" --precision "$precision" --steps "$steps" --threads "$threads" --json 2>/dev/null)
      runs+=("$(field images_per_second <<<"$line")")
      memory=$(field peak_rss_mib <<<"$line")
      # shellcheck disable=SC2086
      peer=$(LD_LIBRARY_PATH=$folder /usr/bin/python3 bench/alexnet_torch.py "$mode" "$batch" "$steps" $setting)
      speed=$(field images_per_second <<<"$peer")
      printf '  batch %-4s PyTorch %-17s %-26s %8.2f images/s  %5.0f MiB\n' "$batch" "$blas" "$setting" "$speed" "$(field peak_rss_mib <<<"$peer")"
      if [[ $(printf '%s\n%s\n' "$best" "$speed" | sort -g | tail -1) == "$speed" ]]; then
        best=$speed best_name="$blas $setting"
      fi
    done
  done
  ours=$(printf '%s\n' "${runs[@]}" | sort -g | sed -n "$(((${#runs[@]} + 1) / 2))p")
  printf '%s %s batch %s: minicnn %.2f images/s (%.0f MiB), PyTorch %.2f images/s (%s), ratio %.2f\n' "$mode" "$precision" "$batch" "$ours" "$memory" \
    "$best" "$best_name" "$(awk -v ours="$ours" -v best="$best" 'BEGIN { print (best > 0 ? ours / best : 0) }')"
  if [[ -e /usr/lib/darknet/libdarknet.so ]]; then
    few=$((batch < 8 ? batch : 8))
    peer=$(/usr/bin/python3 bench/alexnet_darknet.py "$mode" "$few" 1)
    speed=$(field images_per_second <<<"$peer")
    printf '%s fp32 batch %s: darknet %.2f images/s with batches of %s (%.0f MiB), ratio %.1f\n' "$mode" "$batch" "$speed" "$few" \
      "$(field peak_rss_mib <<<"$peer")" "$(awk -v ours="$ours" -v peer="$speed" 'BEGIN { print ours / peer }')"
  fi
done
