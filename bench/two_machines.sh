#!/usr/bin/env bash
# Training by two processes of one thread each, beside two trainings that exchange nothing: images a second of both together, in turn.
#   bench/two_machines.sh DATA MODEL IMAGE_SIZE BATCH [RATE [ROUNDS]]
# DATA: a few hundred pictures. BATCH: of both together. RATE: of the network between them, as tc has it (default 1gbit): they run in
# two network namespaces of this machine (as root; Debian: iproute2), with each setting of --overlap and --wire. `memory`: they share
# memory, and settings are left as they are. MINICNN: the program (default build/release/examples/minicnn). MPIRUN: the mpirun of its
# MPI, Open MPI's or MPICH's (default mpirun).
set -euo pipefail
data=$(realpath "$1") model=$2 size=$3 batch=$4 rate=${5:-1gbit} rounds=${6:-3}
program=$(realpath "${MINICNN:-build/release/examples/minicnn}")
mpirun=${MPIRUN:-mpirun}
"$mpirun" --version | grep -q HYDRA && mpich=yes || mpich=no
out=$(mktemp -d)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
leave() {
  if [[ $rate != memory ]]; then
    ip netns del minicnn1 2>/dev/null || true
    ip netns del minicnn2 2>/dev/null || true
  fi
  rm -rf "$out"
}
trap leave EXIT

if [[ $rate == memory ]]; then
  launch=("$mpirun" -np 2 --bind-to core)
  [[ $mpich == no ]] || launch=("$mpirun" -n 2 -bind-to core)
else
  for i in 1 2; do
    ip netns add "minicnn$i"
    ip -n "minicnn$i" link set lo up
  done
  ip link add wire netns minicnn1 type veth peer name wire netns minicnn2
  for i in 1 2; do
    ip -n "minicnn$i" address add "10.9.0.$i/24" dev wire
    ip -n "minicnn$i" link set wire up
    ip netns exec "minicnn$i" tc qdisc add dev wire root tbf rate "$rate" burst 512kb latency 50ms
  done
  for i in 1 2; do
    until ip -n "minicnn$i" link show wire | grep -q 'state UP'; do sleep 0.1; done
  done
  # What mpirun calls instead of ssh: [OPTION...] HOST COMMAND...
  cat >"$out/agent.sh" <<'AGENT'
#!/usr/bin/env bash
while [[ $1 == -* ]]; do shift; done
exec ip netns exec "minicnn${1##*.}" sh -c "${*:2}"
AGENT
  chmod +x "$out/agent.sh"
  launch=(ip netns exec minicnn1 "$mpirun" --host 10.9.0.1,10.9.0.2 --bind-to none --mca btl tcp,self --mca btl_tcp_if_include 10.9.0.0/24
    --mca oob_tcp_if_include 10.9.0.0/24 --mca plm_rsh_agent "$out/agent.sh")
  if [[ $mpich == yes ]]; then
    export UCX_TLS=tcp,self FI_PROVIDER=tcp  # or it finds that both share a memory
    launch=(ip netns exec minicnn1 "$mpirun" -n 2 -hosts 10.9.0.1,10.9.0.2 -iface wire -launcher ssh -launcher-exec "$out/agent.sh")
  fi
fi

train() {  # RUN BATCH SHARDS LAUNCHER...: two epochs
  "${@:4}" "$program" train --data "$data" --out "$out/$1" --model "$model" --image-size "$size" --sizes "$size:0" --batch-size "$2" \
    --shards "$3" --epochs 2 --val-fraction 0.02 --learning-rate 0.01 --threads 1 --cache ram --quiet "${options[@]}" >"$out/$1.log" 2>&1 ||
    { cat "$out/$1.log"; exit 1; }
}
# The share of their steps that ranks wait for the exchange, in percent.
waiting() {
  tr -d '\n ' <"$1" | sed 's/{/\n/g' | sed -nE 's/.*"computing":([^,}]*),"waiting":([^,}]*).*/\1 \2/p' |
    awk '{ c += $1; w += $2 } END { printf "%.0f", 100 * w / (c + w) }'
}
speed() { tail -qn 1 "$@" | awk -F, '{ sum += $7 } END { print sum }'; }  # of the second epoch
together() {  # NAME OPTION...
  options=("${@:2}")
  rm -rf "$out"/run*
  train run "$batch" 2 "${launch[@]}"
  printf '%s: %.1f images/s, %s %% of a step waiting\n' "$1" "$(speed "$out/run/results.csv")" "$(waiting "$out/run/config.json")"
}
apart() {
  options=()
  rm -rf "$out"/run*
  train run0 $((batch / 2)) 1 taskset -c 0 &
  train run1 $((batch / 2)) 1 taskset -c 1
  wait $!
  printf 'no exchange: %.1f images/s\n' "$(speed "$out"/run[01]/results.csv)"
}

for ((round = 0; round < rounds; ++round)); do
  apart
  if [[ $rate == memory ]]; then
    together "two ranks"
  else
    for wire in fp32 bf16; do
      for overlap in off on; do together "--wire $wire --overlap $overlap" --wire "$wire" --overlap "$overlap"; done
    done
  fi
done
