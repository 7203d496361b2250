#!/usr/bin/env bash
# What a program that predicts with one network takes: bytes of the stripped program, the time until it has read its weights, the time
# of the first picture after that, and the most memory that it had.
#   scripts/size.sh [--check] [NETWORK...]    NETWORK: any of `minicnn summary` (default: one or two of each family)
#                                             --check: the shipped network alone; exit 1 if its program has 500,000 bytes or more,
#                                             or its answer is not that of the program minicnn
# MINICNN: that program (default: build/release/examples/minicnn); CXX as usual (default: g++); THREADS: of a prediction (default 1);
# SIZE_DIR: a folder that keeps what is built, for a second run. Weights are initial ones of 1,000 classes in float32, but the shipped
# ones of resnet18-small and alexnet-small, in float16. Kernels for AVX-512 are left out (-DMINICNN_X86_VECTORS=32; WIDTH=64 has them).
# Run it on a quiet machine; each time is the best of five.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C OMP_NUM_THREADS=${THREADS:-1}
out=${SIZE_DIR:-$(mktemp -d)}
[[ -n ${SIZE_DIR:-} ]] || trap 'rm -rf "$out"' EXIT
mkdir -p "$out"
flags=(-std=c++20 -Os "-DMINICNN_X86_VECTORS=${WIDTH:-32}" -flto=auto -fno-rtti -fno-pie -fno-asynchronous-unwind-tables -ffunction-sections
  -fdata-sections -fopenmp -I include)
link=(-Os -flto=auto -fopenmp -no-pie -Wl,--gc-sections -Wl,-z,noseparate-code -s)
compiler=${CXX:-g++}
check=no
[[ ${1:-} == --check ]] && check=yes && shift

# How the registry makes each of its networks, "make_resnet<float, 18>".
declare -A made
while IFS=$'\t' read -r name how; do made[$name]=$how; done < <(
  sed -nE 's/^    \{"([^"]+)", (make_.*)\},?$/\1\t\2/p' include/minicnn/model/registry.hpp | sed -E 's/\bT\b/float/g')
networks=(lenet5 alexnet-small alexnet vgg16 googlenet inception-v3 resnet18-small resnet18 resnet50 se-resnet50 resnet20 fast-cifar spp-net nin
  squeezenet mobilenet-v2 mobilenet-v3-small mobilenet-v3-large efficientnet-b0 densenet121 convnext-tiny vit-tiny vit-b16)
[[ $# -gt 0 ]] && networks=("$@")
[[ $check == yes ]] && networks=(resnet18-small)

[[ -e $out/image.o ]] || "$compiler" "${flags[@]}" -c include/minicnn/data/image_unit.cpp -o "$out/image.o"
program() {  # SOURCE OUTPUT [OPTION...]
  [[ -e $2 ]] || "$compiler" "${flags[@]}" "${@:3}" -c "$1" -o "$2.o" && "$compiler" "${link[@]}" "$2.o" "$out/image.o" -o "$2"
}

# A picture, and weights files for networks that none is shipped for.
python3 - "$out/picture.bmp" <<'END'
import struct, sys
side = 256
pixels = bytes(v for y in range(side) for x in range(side) for v in ((x * y) % 256, x, y))
head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + len(pixels), 0, 0, 54, 40, side, side, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
open(sys.argv[1], "wb").write(head + pixels)
END
weights() {  # NETWORK
  case $1 in
    resnet18-small | alexnet-small) echo "examples/weights/$1-cats-dogs.safetensors" ;;
    *) echo "$out/$1.safetensors" ;;
  esac
}
missing=()
for network in "${networks[@]}"; do [[ -e $(weights "$network") ]] || missing+=("$network"); done
if [[ ${#missing[@]} -gt 0 ]]; then
  cat >"$out/make.cpp" <<'END'
#include <minicnn/model/registry.hpp>
#include <minicnn/model/save_model.hpp>
int main(int argc, char** argv) {
  for (int i = 2; i < argc; ++i) {
    minicnn::model_info info;
    info.config = minicnn::completed({.name = argv[i], .classes = 1000});
    for (int c = 0; c < 1000; ++c) info.classes.push_back(minicnn::text_of(c));
    info.transform.size = info.config.image_size;
    const auto net = minicnn::make_model<float>(info.config, {});
    minicnn::save_model(net, info, minicnn::text_of(argv[1], "/", argv[i], ".safetensors"));
  }
}
END
  "$compiler" -std=c++20 -O1 -fopenmp -I include "$out/make.cpp" -o "$out/make"
  "$out/make" "$out" "${missing[@]}"
fi

# Ends with 1 unless the network's small program says of the picture what minicnn says, to the digits that it prints.
same_answer() {  # NETWORK
  local file whole small
  file=$(weights "$1")
  whole=$("${MINICNN:-build/release/examples/minicnn}" predict --threads 1 --weights "$file" "$out/picture.bmp" |
    awk -F '\t' '{ printf "%s, %.1f %%", $2, 100 * $3 }')
  small=$("$out/$1" "$file" "$out/picture.bmp")
  [[ -n $whole && $small == "$out/picture.bmp: $whole" ]] ||
    { echo "$1: wanted the answer of minicnn, \"$whole\", got \"$small\"" >&2; exit 1; }
}

# Prints "milliseconds kilobytes" of a command: the best time of five runs, the most memory of any.
cost() {
  python3 - "$@" <<'END'
import os, sys, time
times, memory = [], 0
for _ in range(5):
    start = time.monotonic()
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
    _, status, usage = os.wait4(child, 0)
    if status != 0:
        sys.exit(1)
    times.append(time.monotonic() - start)
    memory = max(memory, usage.ru_maxrss)
print(f"{1000 * min(times):.0f} {memory}")
END
}

for network in "${networks[@]}"; do
  if [[ -z ${made[$network]:-} ]]; then echo "$0: no network $network here; there are: ${!made[*]}" >&2; exit 2; fi
  sed "s|minicnn/resnet.hpp|minicnn/model/registry.hpp|; s|resnet18-small|$network|g; s|return minicnn::resnet.*|using namespace minicnn; using namespace detail; return ${made[$network]}(completed(c), n);|" \
    examples/small.cpp >"$out/$network.cpp"
  [[ $network != resnet18-small ]] || cp examples/small.cpp "$out/$network.cpp"
  program "$out/$network.cpp" "$out/$network"
done
echo "| network | program, kB | weights, MB | start, ms | first picture, ms | memory, MB |"
echo "|---|---|---|---|---|---|"
for network in "${networks[@]}"; do
  file=$(weights "$network")
  bytes=$(stat -c %s "$out/$network")
  [[ $check == no ]] || same_answer "$network"
  "$out/$network" "$file" "$out/picture.bmp" >/dev/null
  read -r start _ < <(cost "$out/$network" "$file")
  read -r all memory < <(cost "$out/$network" "$file" "$out/picture.bmp")
  printf '| `%s` | %d | %s | %d | %d | %d |\n' "$network" $((bytes / 1000)) "$(awk "BEGIN { printf \"%.1f\", $(stat -c %s "$file") / 1e6 }")" \
    "$start" $((all - start)) $((memory / 1024))
  if [[ $check == yes && $bytes -ge 500000 ]]; then echo "$network: $bytes bytes, wanted fewer than 500000" >&2; exit 1; fi
done
