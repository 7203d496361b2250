#!/usr/bin/env bash
# The examples that need data, one after another on a few drawn pictures and a made-up Fashion-MNIST, with the weights that earlier
# ones have written. Each must end well and print what its text promises; what it learns from so little does not matter.
#   run.sh EXAMPLES PYTHON OUT     EXAMPLES: folder of the built programs
set -euo pipefail
weights=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/weights" && pwd)/alexnet-small-cats-dogs.safetensors
examples=$1 python=$2 out=$3
rm -rf "$out"
mkdir -p "$out"
cd "$out"

# Runs an example; its output must have a line that matches the pattern.
run() {  # PATTERN EXAMPLE ARGUMENT...
  local pattern=$1
  shift
  if [[ ! -x $examples/$1 ]]; then
    echo "$1 is not built here"
    return
  fi
  echo "--- $*"
  "$examples/$1" "${@:2}" >output.txt 2>errors.txt || { cat output.txt errors.txt; echo "$1 failed"; exit 1; }
  head -8 output.txt
  grep -qE -- "$pattern" output.txt || { echo "$1: no line matches $pattern"; exit 1; }
}

"$examples/minicnn" generate --out pictures --images 24 --seed 1

run '^epoch 5: loss [0-9.]+, validation accuracy [0-9.]+ %$' quickstart pictures
run '^pictures/dog.1.jpg: (cat|dog), [0-9]+ %$' embedded weights.safetensors pictures/cat.0.jpg pictures/dog.1.jpg
run '^pictures/dog.1.jpg: (cat|dog), [0-9.]+ %$' small "${weights%/*}/resnet18-small-cats-dogs.safetensors" pictures/dog.1.jpg
printf '%s\n' pictures/cat.0.jpg pictures/dog.1.jpg pictures/none.jpg >paths.txt
run '^pictures/dog.1.jpg: (cat|dog), 0\.[0-9]+$' many_callers weights.safetensors <paths.txt
grep -q '^pictures/none.jpg: ' output.txt || { echo "many_callers: nothing said about pictures/none.jpg"; exit 1; }
run '^relu5 says class [01]$' grad_cam weights.safetensors pictures/cat.0.jpg
run '^-?[0-9.e-]+,-?[0-9.e-]+,dog$' eigen_pca weights.safetensors pictures
run '^epoch 1: loss .*, validation loss .*, accuracy ' dogs_vs_cats pictures 1
run '^ +0\.5 +[0-9.]+ +[0-9.]+ +[0-9.]+% +[0-9.]+%$' dropout_at_prediction dogs-vs-cats.safetensors pictures
run '^best: epoch [0-9]+$' callbacks pictures best.safetensors
mkdir folders && mkdir folders/cats folders/dogs
cp pictures/cat.* folders/cats && cp pictures/dog.* folders/dogs
run '^pictures/dog.1.jpg: (cats|dogs), [0-9]+ %$' own_photos folders "$weights" pictures/dog.1.jpg
run '^run/report.html$' report pictures run
grep -q '</html>' run/report.html

# Labels that say which pictures are of cats, and which have an even number.
(cd pictures && ls) | sed 's/\.[a-z]*$//' | awk -F. 'BEGIN { print "id,cat,even" } { print $0 "," ($1 == "cat") "," ($2 % 2 == 0) }' >labels.csv
run '^mAP [0-9.]+$' multi_label pictures labels.csv 2

# A number beside the class: that of the picture.
(cd pictures && ls) | sed 's/\.[a-z]*$//' | awk -F. 'BEGIN { print "id,number" } { print $0 "," $2 }' >numbers.csv
run '^accuracy [0-9.]+ %, number off by [0-9.]+ on average$' two_outputs pictures numbers.csv 2

# Fashion-MNIST's four files with few pictures: a class is a bar at a height of its own.
"$python" - fashion <<'END_OF_PYTHON'
import gzip, os, struct, sys
folder = sys.argv[1]
os.makedirs(folder)
for part, count in (("train", 400), ("t10k", 100)):
    labels = bytes(i % 10 for i in range(count))
    pictures = b"".join(bytes((200 - i % 50 if y // 2 == 2 + label else i % 7) for y in range(28) for _ in range(28))
                        for i, label in enumerate(labels))
    with gzip.open(f"{folder}/{part}-images-idx3-ubyte.gz", "wb") as f:
        f.write(struct.pack(">IIII", 0x803, count, 28, 28) + pictures)
    with gzip.open(f"{folder}/{part}-labels-idx1-ubyte.gz", "wb") as f:
        f.write(struct.pack(">II", 0x801, count) + labels)
END_OF_PYTHON
run '^test accuracy [0-9.]+ %$' fashion_mnist_lenet5 fashion 2
run '^fine-tuned: [0-9.]+ %$' transfer_learning fashion 25 4
rm -f ./*.safetensors run/*.safetensors
