#!/usr/bin/env bash
# Many rounds of a training that is killed (SIGKILL), told to end (SIGTERM), resumed and evaluated at random moments, for as
# long as MINUTES say. Each round ends with the bytes of the same training unbroken. Beside it one training runs through
# without a pause: its memory must not grow by 1 MiB or more once it is warm.
#
#   scripts/soak.sh [MINUTES]      default 30; PROGRAM=path: another program than build/release/examples/minicnn; SEED=n: other moments
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${PROGRAM:-build/release/examples/minicnn}
minutes=${1:-30}
RANDOM=${SEED:-1}
work=$(mktemp -d)
steady=0
finish() {
  [[ $steady -eq 0 ]] || kill -KILL "$steady" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
fail() {
  echo "FAILED: $*"
  tail -5 "$work/log"
  exit 1
}

"$program" generate --images 120 --seed 4 --out "$work/data" >/dev/null
common=("$program" train --data "$work/data" --image-size 63 --batch-size 8 --val-fraction 0.2 --threads 1
        --preset classic --model alexnet-small)
"${common[@]}" --seed 1 --epochs 100000 --out "$work/steady" >/dev/null 2>"$work/steady.log" &
steady=$!

# Resident memory in KiB, with the second since the start, while the steady training runs.
watch_memory() {
  while kill -0 "$steady" 2>/dev/null; do
    awk -v t="$SECONDS" '/^VmRSS:/ { print t, $2 }' "/proc/$steady/status" >>"$work/memory" 2>/dev/null || true
    sleep 2
  done
}
watch_memory &

end=$((SECONDS + minutes * 60))
rounds=0 kills=0 asked=0 evaluations=0
while ((SECONDS < end)); do
  rounds=$((rounds + 1))
  train=("${common[@]}" --seed "$rounds" --epochs 12)
  rm -rf "$work/whole" "$work/run"
  began=$SECONDS
  "${train[@]}" --out "$work/whole" >/dev/null 2>"$work/log" || fail "round $rounds: the unbroken training"
  longest=$(((SECONDS - began) * 10 / 3 + 10))  # tenths of a second: a third of the training
  resume=()
  while :; do
    "${train[@]}" --out "$work/run" "${resume[@]}" >/dev/null 2>"$work/log" &
    process=$!
    signal=KILL
    ((RANDOM % 2)) && signal=TERM
    # A training that is done before is left alone; when the time is over, the last one may end.
    deadline=$((RANDOM % longest + 2))
    for ((tenth = 0; tenth < deadline || SECONDS >= end; ++tenth)); do
      kill -0 "$process" 2>/dev/null || break
      sleep 0.1
    done
    kill -"$signal" "$process" 2>/dev/null || true
    code=0
    wait "$process" 2>/dev/null || code=$?
    case $code in
      0) break ;;
      130) asked=$((asked + 1)) ;;
      137) kills=$((kills + 1)) ;;
      143) ;;  # asked to end before the training had begun
      *) fail "round $rounds: exit code $code" ;;
    esac
    [[ -e $work/run/last.safetensors ]] && resume=(--resume) || resume=(--overwrite)
    if [[ -e $work/run/best.safetensors ]]; then
      "$program" evaluate --weights "$work/run/best.safetensors" --data "$work/data" --json >/dev/null 2>"$work/log" ||
        fail "round $rounds: evaluate"
      evaluations=$((evaluations + 1))
    fi
  done
  for file in best last; do
    cmp "$work/whole/$file.safetensors" "$work/run/$file.safetensors" || fail "round $rounds: other bytes than unbroken"
  done
  compgen -G "$work/run/*.tmp-*" >/dev/null && fail "round $rounds: a temporary file was left"
done

kill -0 "$steady" 2>/dev/null || { cp "$work/steady.log" "$work/log"; fail "the steady training ended"; }
epochs=$(($(wc -l <"$work/steady/results.csv") - 1))
kill -TERM "$steady"
code=0
wait "$steady" || code=$?
steady=0
[[ $code -eq 130 ]] || fail "the steady training ended with $code"
# Warm after a quarter of the time: the most of the second quarter against the most of the last one.
read -r before after < <(awk '{ t[NR] = $1; m[NR] = $2 }
  END { for (i = 1; i <= NR; ++i) { q = int(4 * i / (NR + 1)); if (m[i] > top[q]) top[q] = m[i] } print top[1] + 0, top[3] + 0 }' "$work/memory")
echo "$rounds rounds, $kills SIGKILL, $asked SIGTERM, $evaluations evaluations: every round has the bytes of the unbroken one;" \
     "memory over $epochs epochs: $before KiB, at the end $after KiB (growth $((after - before)) KiB)"
((before > 0 && after - before < 1024)) || fail "memory grew"
