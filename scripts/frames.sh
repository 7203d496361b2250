#!/usr/bin/env bash
# Counts the frames on the stack from `main` to the multiply-add of a convolution, in a program without optimisation: how many rooms
# a reader goes through. Prints them; exit 1 if there are more than the limit. Needs gdb.
#   scripts/frames.sh [LIMIT]      default: 12
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
limit=${1:-12}
command -v gdb >/dev/null || { echo "SKIPPED: no gdb (Debian: gdb)"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
cat >"$out/forward.cpp" <<'END'
#include "minicnn/graph/session.hpp"
#include "minicnn/layers/conv2d.hpp"
int main() {
  minicnn::graph<float> g;
  auto x = minicnn::conv2d(g.input({3, 16, 16}, "image"), {.filters = 8, .kernel = 3});
  minicnn::network<float> net(std::move(g), {x}, {.threads = 1});
  const minicnn::tensor<float> images({2, 3, 16, 16}, 0.5F);
  minicnn::session<float>(net).forward(images);
}
END
# No debug information: what is always inlined, as kernels are, is then no frame.
"${CXX:-g++}" -std=c++20 -O0 -fopenmp -I include "$out/forward.cpp" -o "$out/forward"
frames=$(gdb -q -batch -ex 'set breakpoint pending off' -ex 'set print frame-arguments none' -ex 'set width 0' \
  -ex 'rbreak run_.*column_kernel' -ex run -ex backtrace "$out/forward" 2>/dev/null | grep -E '^#[0-9]+ ')
sed -E 's/minicnn::v[0-9a-z_]+:://g; s/ \(.*//; s/0x[0-9a-f]+ in //' <<<"$frames" | cut -c1-160
count=$(wc -l <<<"$frames")
echo "$count frames, limit $limit"
((count <= limit))
