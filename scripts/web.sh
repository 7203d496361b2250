#!/usr/bin/env bash
# Makes a web page that holds a trained network and the program that runs it: scripts/web.sh [WEIGHTS [OUTPUT [PARTS]]], by default
# the shipped weights, build/web/index.html and build/web/parts for what is compiled. The page needs no server and no network: it
# opens from a file. Photos stay in the browser.
# Needs emscripten; installs it where it is missing.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
weights=${1:-$root/examples/weights/alexnet-small-cats-dogs.safetensors}
output=$(realpath -m "${2:-$root/build/web/index.html}")
parts=$(realpath -m "${3:-$root/build/web/parts}")

command -v em++ >/dev/null && command -v python3 >/dev/null ||
  bash "$root/scripts/install-packages.sh" emscripten node-acorn libstb-dev python3
# Debian's emscripten looks for its JavaScript modules where Debian's node does.
export NODE_PATH=${NODE_PATH:-/usr/share/nodejs}

# What can be told before the minute that compiling takes.
python3 - "$weights" "$output" <<'PYTHON'
import json, os, sys

weights, output = sys.argv[1:]

def fail(text):
    sys.exit(f"web.sh: {text}")

if not os.path.isfile(weights):
    fail(f"{weights}: {'is not a file' if os.path.exists(weights) else 'does not exist'}")
if os.path.isdir(output):
    fail(f"{output}: is a folder, wanted the name of a page")
if os.path.exists(output) and os.path.samefile(weights, output):
    fail(f"{output}: the weights file itself; name another page")
try:
    with open(weights, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        about = json.loads(file.read(size))["__metadata__"] if 0 < size < os.path.getsize(weights) else {}
    task = json.loads(about["task"])["kind"] if "task" in about else "classify"
    known = "model" in about and "classes" in about
except (ValueError, KeyError, TypeError):
    known = False
except OSError as e:
    fail(f"{weights}: cannot be read: {e.strerror}")
if not known:
    fail(f"{weights}: is no weights file of minicnn; `minicnn import` makes one of other files")
if task != "classify":
    fail(f"{weights}: its outputs are of a task to {task}; a page tells classes apart")
PYTHON
mkdir -p "$parts" "$(dirname "$output")"

sources=("$root/examples/web/answer.cpp" "$root/examples/cli/picture_encoding.cpp" "$root/include/minicnn/data/image_unit.cpp")
flags=(-std=c++20 -O2 -DNDEBUG -msimd128 -fexceptions "-I$root/include" -idirafter /usr/include)
newest=$(find "$root/include" "$root/examples/web" "$root/examples/cli"/picture_encoding.* "$root/scripts/web.sh" -newer "$parts/minicnn.js" 2>/dev/null | head -1 || true)
if [[ ! -f $parts/minicnn.js || -n $newest ]]; then
  echo "compiling to WebAssembly (a minute)"
  building=$(mktemp -d "$parts/building.XXXXXX")
  trap 'rm -rf "$building"' EXIT
  em++ "${flags[@]}" "${sources[@]}" -o "$building/minicnn.js" --bind -sMODULARIZE=1 -sEXPORT_NAME=createMinicnn -sSINGLE_FILE=1 \
    -sALLOW_MEMORY_GROWTH=1 -sENVIRONMENT=worker,node -sEXPORTED_RUNTIME_METHODS=FS -sFORCE_FILESYSTEM=1
  mv "$building/minicnn.js" "$parts/minicnn.js"  # whole, or not there
fi

python3 - "$root/examples/web" "$parts/minicnn.js" "$weights" "$output" <<'PYTHON'
import base64, os, pathlib, sys

web, program, weights, output = map(pathlib.Path, sys.argv[1:])

def text_of(path):
    return path.read_text(encoding="utf-8")

def replaced(text, mark, by):
    if mark not in text:
        sys.exit(f"web.sh: {web / 'page.html'}: no {mark!r}")
    return text.replace(mark, by)

def held(kind, text):
    if "</script" in text:
        sys.exit(f"web.sh: {kind}: holds </script, which would end it within the page")
    return f'<script type="text/plain" id="{kind}">{text}</script>\n'

page = text_of(web / "page.html")
for mark, by in [("@PLACE@", "They stay in this browser."), ("@NOSCRIPT@", ""), ("@NOTE@", "loading the network")]:
    page = replaced(page, mark, by)
parts = held("weights", base64.b64encode(weights.read_bytes()).decode()) + held("program", text_of(program))
parts += held("worker", text_of(web / "worker.js"))
page = replaced(page, "<script>\n@ANSWER@", parts + "<script>\n" + text_of(web / "ask_worker.js"))
temporary = output.with_name(f"{output.name}.{os.getpid()}.tmp")
try:
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(output)
except OSError as e:
    sys.exit(f"web.sh: {output}: cannot be written: {e.strerror}")
finally:
    temporary.unlink(missing_ok=True)
print(f"{output}: {output.stat().st_size / 2**20:.1f} MiB")
PYTHON
