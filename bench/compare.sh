#!/usr/bin/env bash
# minicnn against PyTorch and darknet on this machine, in turn: images/s of the article's AlexNet and the ratios.
#
#   bench/compare.sh [train|infer] [BATCH ...]      default: train 20 64 128
#
# PyTorch is Debian's python3-torch with each BLAS that is installed (libblis4-openmp, libopenblas0-pthread); BLAS=blis-openmp takes
# one. Our figure is the median of runs between its runs, PyTorch's the best of its settings. PRECISION=bf16 or both: ours in bf16
# against PyTorch in either precision, the faster; in fp32 against fp32. Debian's darknet (one thread, fp32, its own AlexNet) takes
# part where it is installed, with batches of 8 images at most, since a step of more takes minutes. THREADS=n sets the threads of
# all (default: all processors), STEPS=n the measured steps (default 4), MINICNN=FILE the program. Run it on a machine that does
# nothing else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

program=${MINICNN:-build/release/examples/minicnn}
mode=${1:-train}
shift || true
batches=("$@")
[[ ${#batches[@]} -gt 0 ]] || batches=(20 64 128)
threads=${THREADS:-$(nproc)}
steps=${STEPS:-4}
read -ra precisions <<<"${PRECISION:-fp32}"
[[ ${precisions[0]} == both ]] && precisions=(fp32 bf16)
read -ra libraries <<<"${BLAS:-blis-openmp openblas-pthread}"
export OMP_NUM_THREADS=$threads OPENBLAS_NUM_THREADS=$threads BLIS_NUM_THREADS=$threads

field() { sed -E "s/.*\"$1\": ?([0-9.]+).*/\1/"; }
greater() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }
ratio() { awk -v a="$1" -v b="$2" -v format="$3" 'BEGIN { printf format, (b > 0 ? a / b : 0) }'; }

settings=("" "--channels-last")
[[ $mode == infer ]] && settings+=("--frozen") || settings+=("--foreach" "--foreach --channels-last")
if [[ ${precisions[*]} == *bf16* ]]; then
  settings+=("--bf16" "--bf16 --channels-last")
  [[ $mode == infer ]] || settings+=("--bf16 --foreach" "--bf16 --foreach --channels-last")
fi

for batch in "${batches[@]}"; do
  declare -A runs=() ours=() memory=() best=() best_name=()
  for blas in "${libraries[@]}"; do
    folder=/usr/lib/$(uname -m)-linux-gnu/$blas
    [[ -d $folder ]] || continue
    for setting in "${settings[@]}"; do
      for precision in "${precisions[@]}"; do
        line=$("$program" bench --model alexnet --batch-size "$batch" --mode "$mode" --precision "$precision" --steps "$steps" \
          --threads "$threads" --json 2>/dev/null)
        runs[$precision]+="$(field images_per_second <<<"$line") "
        memory[$precision]=$(field peak_rss_mib <<<"$line")
      done
      # shellcheck disable=SC2086
      peer=$(LD_LIBRARY_PATH=$folder /usr/bin/python3 bench/alexnet_torch.py "$mode" "$batch" "$steps" $setting)
      speed=$(field images_per_second <<<"$peer")
      printf '  batch %-4s PyTorch %-17s %-26s %8.2f images/s  %5.0f MiB\n' "$batch" "$blas" "$setting" "$speed" \
        "$(field peak_rss_mib <<<"$peer")"
      for precision in "${precisions[@]}"; do
        [[ $precision == fp32 && $setting == *bf16* ]] && continue
        greater "$speed" "${best[$precision]:-0}" && best[$precision]=$speed best_name[$precision]="$blas $setting"
      done
    done
  done
  for precision in "${precisions[@]}"; do
    # shellcheck disable=SC2086
    sorted=$(printf '%s\n' ${runs[$precision]} | sort -g)
    ours[$precision]=$(sed -n "$((($(wc -l <<<"$sorted") + 1) / 2))p" <<<"$sorted")
    printf '%s %s batch %s: minicnn %.2f images/s (%.0f MiB), PyTorch %.2f images/s (%s), ratio %s\n' "$mode" "$precision" "$batch" \
      "${ours[$precision]}" "${memory[$precision]}" "${best[$precision]:-0}" "${best_name[$precision]:-none}" \
      "$(ratio "${ours[$precision]}" "${best[$precision]:-0}" %.2f)"
  done
  if [[ -e /usr/lib/darknet/libdarknet.so ]]; then
    few=$((batch < 8 ? batch : 8))
    peer=$(/usr/bin/python3 bench/alexnet_darknet.py "$mode" "$few" 1)
    speed=$(field images_per_second <<<"$peer")
    printf '%s %s batch %s: darknet %.2f images/s in fp32 with batches of %s (%.0f MiB), ratio %s\n' "$mode" "${precisions[0]}" \
      "$batch" "$speed" "$few" "$(field peak_rss_mib <<<"$peer")" "$(ratio "${ours[${precisions[0]}]}" "$speed" %.1f)"
  fi
done
