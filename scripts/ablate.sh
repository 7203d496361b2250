#!/usr/bin/env bash
# What one change to a recipe is worth: pairs of runs with and without it, from the same seeds, with equal minutes each, and a
# table of the paired differences on the validation part with their standard error. A change is worth keeping if it gains more
# than twice that.
#
#   scripts/ablate.sh --data DIR --out DIR [--program FILE] [--minutes M | --epochs N] [--seeds "1 2 3"] [--base "OPTIONS"]
#                     "NAME: OPTIONS" ...
#
#   scripts/ablate.sh --data cifar --out ablation --minutes 10 --base "--preset cifar --threads 2 --cache ram" \
#                     "no whitening: --whiten=-1" "muon: --optimizer muon" "shift 4: --shift 4"
#
# Runs that are complete are kept, so that the same command goes on after an interruption, and with more changes or seeds. The
# figures are those of `minicnn evaluate --split val` with the best epoch's weights, the file's views and temperature.
set -euo pipefail
export LC_ALL=C
program=build/release/examples/minicnn data='' out='' length=(--time-limit 10) seeds='1 2 3' base='' changes=()
while (($#)); do
  case $1 in
    --program) program=$2; shift 2 ;;
    --data) data=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --minutes) length=(--time-limit "$2"); shift 2 ;;
    --epochs) length=(--epochs "$2"); shift 2 ;;
    --seeds) seeds=$2; shift 2 ;;
    --base) base=$2; shift 2 ;;
    -h | --help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; exit 0 ;;
    *:*) changes+=("$1"); shift ;;
    *) echo "ablate.sh: $1: wanted an option, or NAME: OPTIONS"; exit 2 ;;
  esac
done
[[ -n $data && -n $out && ${#changes[@]} -gt 0 ]] || { echo "ablate.sh: wanted --data, --out and changes; see --help"; exit 2; }
[[ -x $program ]] || { echo "ablate.sh: there is no program $program (--program)"; exit 2; }
(($(wc -w <<<"$seeds") >= 3)) || { echo "ablate.sh: wanted at least three seeds, got \"$seeds\""; exit 2; }
mkdir -p "$out"

# One run: `run NAME SEED OPTIONS` leaves NAME-SEED/val.json.
run() {
  local folder=$out/${1//[^A-Za-z0-9.]/_}-$2
  [[ ! -s $folder/val.json ]] || return 0
  # shellcheck disable=SC2086  # options are several words
  "$program" train --data "$data" --out "$folder" --overwrite --quiet --seed "$2" $base "${length[@]}" ${3:-} >"$folder.log" 2>&1 ||
    { echo "ablate.sh: $1 with seed $2 failed:"; tail -5 "$folder.log"; exit 1; }
  "$program" evaluate --weights "$folder/best.safetensors" --data "$data" --split val --json >"$folder/val.json.new"
  mv "$folder/val.json.new" "$folder/val.json"
}

# A number of a run's val.json.
figure() { grep -oE "\"$3\": *[-+0-9.eE]+" "$out/${1//[^A-Za-z0-9.]/_}-$2/val.json" | head -1 | sed 's/.*: *//'; }

for seed in $seeds; do
  run base "$seed"
  for change in "${changes[@]}"; do run "${change%%:*}" "$seed" "${change#*:}"; done
done

{
  echo "| change | accuracy | difference | log loss | difference | verdict |"
  echo "|---|---|---|---|---|---|"
  for change in 'base:' "${changes[@]}"; do
    name=${change%%:*}
    for seed in $seeds; do
      echo "$(figure base "$seed" accuracy) $(figure "$name" "$seed" accuracy)" \
        "$(figure base "$seed" log_loss) $(figure "$name" "$seed" log_loss)"
    done | awk -v name="$name" '
      { n++; a += $2; l += $4; da += $2 - $1; dl += $4 - $3; sa += ($2 - $1)^2; sl += ($4 - $3)^2 }
      function error(sum, squares,   v) { v = (squares - sum * sum / n) / (n - 1); return sqrt(v > 0 ? v / n : 0) }
      END {
        ea = error(da, sa); el = error(dl, sl)
        verdict = da / n > 2 * ea ? "gains" : da / n < -2 * ea ? "loses" : "not told"
        if (name == "base")
          printf "| %s | %.2f %% | | %.4f | | |\n", name, 100 * a / n, l / n
        else
          printf "| %s | %.2f %% | %+.2f +- %.2f | %.4f | %+.4f +- %.4f | %s |\n", name, 100 * a / n, 100 * da / n, 100 * ea,
            l / n, dl / n, el, verdict
      }'
  done
} | tee "$out/table.md"
