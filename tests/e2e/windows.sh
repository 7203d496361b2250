#!/usr/bin/env bash
# The program on Windows, or what runs its programs: trains, evaluates and predicts. One thread and two give the same bytes.
#   windows.sh OUT PROGRAM...     OUT: a folder that this empties; PROGRAM: minicnn.exe, behind an emulator where there is one
set -euo pipefail
export LC_ALL=C.UTF-8  # in which wine reads arguments
out=$1 program=("${@:2}")
rm -rf "$out"
mkdir -p "$out"
cd "$out"
failed() { echo "FAILED: $1"; cat output.txt; exit 1; }
run() {  # EXIT PATTERN ARGUMENT...: the output has a line like PATTERN
  local code=0
  "${program[@]}" "${@:3}" >output.txt 2>&1 </dev/null || code=$?
  [[ $code -eq $1 ]] || failed "${*:3}: wanted exit code $1, got $code"
  grep -qE -- "$2" output.txt || failed "${*:3}: wanted a line like $2"
  ! grep -q $'\r' output.txt || failed "${*:3}: carriage returns in a file"
}

run 0 '' generate --out Bilder-ü --images 24 --seed 1
recipe=(--data Bilder-ü --model alexnet-small --image-size 48 --epochs 2 --batch-size 8 --val-fraction 0.25 --learning-rate 0.01 --seed 1 --quiet)
run 0 '' train --out eins "${recipe[@]}" --threads 1
run 0 '' train --out zwei "${recipe[@]}" --threads 2
cmp eins/last.safetensors zwei/last.safetensors
run 0 'accuracy' evaluate --weights zwei/best.safetensors --data Bilder-ü --threads 2
run 0 '^Bilder-ü/dog.1.jpg' predict --weights zwei/best.safetensors Bilder-ü/dog.1.jpg 'Bilder-ü\cat.0.jpg' --threads 2
run 0 '' train --out zwei "${recipe[@]}" --threads 2 --resume
run 1 'none.jpg' predict --weights zwei/best.safetensors none.jpg
run 0 '8 bits' quantize --weights zwei/best.safetensors --data Bilder-ü --out acht.safetensors --threads 2
run 0 '^Bilder-ü/dog.1.jpg' predict --weights acht.safetensors Bilder-ü/dog.1.jpg
run 0 '8 bits' quantize --weights zwei/best.safetensors --data Bilder-ü --out NUL --threads 2
grep -qF 'train --data \"Bilder-ü\" --out zwei --model alexnet-small' zwei/config.json || failed "config.json: a command for another shell"

# Paths from the drive on, from its root on, of a network, too long, and patterns.
here=$(cygpath -w "$PWD" 2>/dev/null || echo "Z:${PWD//\//\\}") long=$(printf 'x%.0s' {1..200})
for whole in "$here" "${here#?:}"; do
  run 0 'dog.1.jpg' predict --weights "$whole\zwei\best.safetensors" "$whole\Bilder-ü\dog.1.jpg"
done
run 1 '^minicnn: //localhost/none/pics: no such folder' evaluate --weights zwei/best.safetensors --data '\\localhost\none\pics'
run 1 'too long for Windows: [0-9]+ of 259 characters' predict --weights zwei/best.safetensors "$long/$long.jpg"
run 1 'too long for Windows: [0-9]+ of 259 characters' evaluate --weights zwei/best.safetensors --data "$long/$long"
cp Bilder-ü/dog.1.jpg ü.jpg
run 0 '^ü.jpg' predict --weights zwei/best.safetensors '?.JPG'
run 0 '^Bilder-ü/dog.1.jpg' predict --weights zwei/best.safetensors 'Bilder-ü\D*.JPG'

# Standard output has the file's bytes.
for out in - /dev/stdout; do
  "${program[@]}" export --weights zwei/best.safetensors --format npz --out "$out" >stream.npz 2>output.txt || failed "--out $out"
  "${program[@]}" export --weights zwei/best.safetensors --format npz --out file.npz
  cmp stream.npz file.npz
done
run 0 '' export --weights zwei/best.safetensors --format npz --out NUL
ls zwei/report.html zwei/results.csv >/dev/null
! grep -l $'\r' zwei/results.csv zwei/config.json || failed "carriage returns"
