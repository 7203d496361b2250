#!/usr/bin/env bash
# Makes a web page that holds a trained network and the program that runs it: scripts/web.sh [WEIGHTS [OUTPUT [PARTS]]], by default
# the shipped weights, build/web/index.html and build/web/parts for what is compiled. The page needs no server and no network: it
# opens from a file. Photos stay in the browser.
# Needs emscripten; installs it where it is missing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
weights=$(realpath "${1:-$root/examples/weights/alexnet-small-cats-dogs.safetensors}")
output=$(realpath -m "${2:-$root/build/web/index.html}")
parts=$(realpath -m "${3:-$root/build/web/parts}")
mkdir -p "$parts" "$(dirname "$output")"

command -v em++ >/dev/null || bash "$root/scripts/install-packages.sh" emscripten node-acorn libstb-dev python3
# Debian's emscripten looks for its JavaScript modules where Debian's node does.
export NODE_PATH=${NODE_PATH:-/usr/share/nodejs}

sources=("$root/examples/web/answer.cpp" "$root/examples/cli/picture_encoding.cpp" "$root/include/minicnn/data/image_unit.cpp")
flags=(-std=c++20 -O2 -DNDEBUG -msimd128 -fexceptions "-I$root/include" -idirafter /usr/include)
newest=$(find "$root/include" "$root/examples/web" "$root/examples/cli/picture_encoding.cpp" -newer "$parts/minicnn.js" 2>/dev/null | head -1 || true)
if [[ ! -f $parts/minicnn.js || -n $newest ]]; then
  echo "compiling to WebAssembly (a minute)"
  em++ "${flags[@]}" "${sources[@]}" -o "$parts/minicnn.js" --bind -sMODULARIZE=1 -sEXPORT_NAME=createMinicnn -sSINGLE_FILE=1 \
    -sALLOW_MEMORY_GROWTH=1 -sENVIRONMENT=worker,node -sEXPORTED_RUNTIME_METHODS=FS -sFORCE_FILESYSTEM=1
fi

python3 - "$root/examples/web" "$parts/minicnn.js" "$weights" "$output" <<'PYTHON'
import base64, os, pathlib, sys

web, program, weights, output = map(pathlib.Path, sys.argv[1:])

def held(kind, text):
    assert "</script" not in text, kind
    return f'<script type="text/plain" id="{kind}">{text}</script>\n'

page = (web / "page.html").read_text()
page = page.replace("@PLACE@", "They stay in this browser.").replace("@NOSCRIPT@", "").replace("@NOTE@", "loading the network")
held_parts = held("weights", base64.b64encode(weights.read_bytes()).decode()) + held("program", program.read_text())
held_parts += held("worker", (web / "worker.js").read_text())
page = page.replace("<script>\n@ANSWER@", held_parts + "<script>\n" + (web / "ask_worker.js").read_text())
temporary = output.with_suffix(f".{os.getpid()}.tmp")
temporary.write_text(page)
temporary.replace(output)
print(f"{output}: {output.stat().st_size / 2**20:.1f} MiB")
PYTHON
