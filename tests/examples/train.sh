#!/usr/bin/env bash
# The program from end to end on drawn cats and dogs: train (from the weights in examples/weights, which have seen photos only),
# evaluate and predict, each of which must end well, and what was learned must tell most of the pictures that took no part.
#   train.sh PROGRAM PYTHON OUT
set -euo pipefail
weights=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/weights" && pwd)/alexnet-small-cats-dogs.safetensors
program=$1 python=$2 out=$3
rm -rf "$out"
mkdir -p "$out"
cd "$out"

"$program" generate --out pictures --images 200 --seed 1
"$program" generate --out others --images 100 --seed 2
"$program" train --data pictures --out run --init-from "$weights" --epochs 3 --learning-rate 0.02 --batch-size 20 --seed 1
for file in results.csv report.html config.json best.safetensors last.safetensors; do
  [[ -s run/$file ]] || { echo "train has not written run/$file"; exit 1; }
done
"$program" evaluate --weights run/best.safetensors --data others --json >evaluation.json
"$program" predict --weights run/best.safetensors --json others/cat.0.jpg others/dog.1.jpg >predictions.json
"$python" - <<'END_OF_PYTHON'
import json
accuracy = json.load(open("evaluation.json"))["accuracy"]
assert 0.8 <= accuracy <= 1, f"accuracy {accuracy} on pictures that took no part, wanted 0.8"
predictions = [json.loads(line) for line in open("predictions.json") if line.strip()]
print(f"accuracy {accuracy}, predictions {predictions}")
END_OF_PYTHON
rm -f run/*.safetensors
