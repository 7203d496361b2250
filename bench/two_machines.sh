#!/usr/bin/env bash
# Training by two processes with a slow network between them: two network namespaces of this machine, joined at RATE (as root; Debian:
# iproute2 openmpi-bin). Prints images a second with each setting of --overlap and --wire, in turn.
#   bench/two_machines.sh DATA MODEL IMAGE_SIZE BATCH [RATE [ROUNDS]]    DATA: a few hundred pictures; RATE: of tc, default 1gbit
# MINICNN: the program (default build/release/examples/minicnn).
set -euo pipefail
data=$(realpath "$1") model=$2 size=$3 batch=$4 rate=${5:-1gbit} rounds=${6:-3}
program=$(realpath "${MINICNN:-build/release/examples/minicnn}")
out=$(mktemp -d)
leave() {
  ip netns del minicnn1 2>/dev/null || true
  ip netns del minicnn2 2>/dev/null || true
  rm -rf "$out"
}
trap leave EXIT

for i in 1 2; do
  ip netns add "minicnn$i"
  ip -n "minicnn$i" link set lo up
done
ip link add veth1 netns minicnn1 type veth peer name veth2 netns minicnn2
for i in 1 2; do
  ip -n "minicnn$i" address add "10.9.0.$i/24" dev "veth$i"
  ip -n "minicnn$i" link set "veth$i" up
  ip netns exec "minicnn$i" tc qdisc add dev "veth$i" root tbf rate "$rate" burst 512kb latency 50ms
done
# What mpirun calls instead of ssh: HOST COMMAND...
cat >"$out/agent.sh" <<'END'
#!/usr/bin/env bash
exec ip netns exec "minicnn${1##*.}" sh -c "${*:2}"
END
chmod +x "$out/agent.sh"

train() {  # OPTION...: prints the images a second of the second epoch
  rm -rf "$out/run"
  OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 ip netns exec minicnn1 mpirun --host 10.9.0.1,10.9.0.2 --bind-to none \
    --mca btl tcp,self --mca btl_tcp_if_include 10.9.0.0/24 --mca oob_tcp_if_include 10.9.0.0/24 --mca plm_rsh_agent "$out/agent.sh" \
    "$program" train --data "$data" --out "$out/run" --model "$model" --image-size "$size" --sizes "$size:0" --batch-size "$batch" \
    --shards 2 --epochs 2 --val-fraction 0.02 --learning-rate 0.01 --threads 1 --cache ram --quiet "$@" >"$out/log" 2>&1 ||
    { cat "$out/log"; exit 1; }
  tail -1 "$out/run/results.csv" | cut -d, -f7
}
for ((round = 0; round < rounds; ++round)); do
  for wire in fp32 bf16; do
    for overlap in off on; do
      printf -- '--wire %s --overlap %s: %.1f images/s\n' "$wire" "$overlap" "$(train --wire "$wire" --overlap "$overlap")"
    done
  done
done
