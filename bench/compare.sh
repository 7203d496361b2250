#!/usr/bin/env bash
# minicnn against PyTorch on this machine, in turn: images/s of the article's AlexNet and the ratio to PyTorch's best setting.
#
#   bench/compare.sh [train|infer] [BATCH ...]      default: train 20 64 128
#
# PyTorch is Debian's python3-torch with each BLAS that is installed (libblis4-openmp, libopenblas0-pthread). THREADS=n sets the
# threads of both (default: all processors), STEPS=n the measured steps (default 4). Run it on a machine that does nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=build/release/examples/minicnn
mode=${1:-train}
shift || true
batches=("$@")
[[ ${#batches[@]} -gt 0 ]] || batches=(20 64 128)
threads=${THREADS:-$(nproc)}
steps=${STEPS:-4}
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads BLIS_NUM_THREADS=$threads

field() { sed -E "s/.*\"$1\": ?([0-9.]+).*/\1/"; }

settings=("" "--channels-last")
[[ $mode == infer ]] && settings+=("--frozen") || settings+=("--foreach" "--foreach --channels-last")

for batch in "${batches[@]}"; do
  ours=0 memory=0 best=0 best_name=none
  for blas in blis-openmp openblas-pthread; do
    folder=/usr/lib/$(uname -m)-linux-gnu/$blas
    [[ -d $folder ]] || continue
    for setting in "${settings[@]}"; do
      line=$("$program" bench --model alexnet --batch-size "$batch" --mode "$mode" --steps "$steps" --threads "$threads" --json 2>/dev/null)
      speed=$(field images_per_second <<<"$line")
      memory=$(field peak_rss_mib <<<"$line")
      ours=$(printf '%s\n%s\n' "$ours" "$speed" | sort -g | tail -1)
      # shellcheck disable=SC2086
      peer=$(LD_LIBRARY_PATH=$folder /usr/bin/python3 bench/alexnet_torch.py "$mode" "$batch" "$steps" $setting)
      speed=$(field images_per_second <<<"$peer")
      printf '  batch %-4s PyTorch %-17s %-26s %8.2f images/s  %5.0f MiB\n' "$batch" "$blas" "$setting" "$speed" "$(field peak_rss_mib <<<"$peer")"
      if [[ $(printf '%s\n%s\n' "$best" "$speed" | sort -g | tail -1) == "$speed" ]]; then
        best=$speed best_name="$blas $setting"
      fi
    done
  done
  printf '%s batch %s: minicnn %.2f images/s (%.0f MiB), PyTorch %.2f images/s (%s), ratio %.2f\n' "$mode" "$batch" "$ours" "$memory" \
    "$best" "$best_name" "$(awk "BEGIN{print $best > 0 ? $ours / $best : 0}")"
done
