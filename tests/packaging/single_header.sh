#!/usr/bin/env bash
# The library as one header: made twice (equal bytes), and examples/quickstart.cpp compiled against it alone, which must print
# what the example built from the tree prints.
#   single_header.sh PYTHON ROOT OUT QUICKSTART COMPILE...
set -euo pipefail
python=$1 root=$2 out=$3 quickstart=$4
shift 4
compile="$* -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
rm -rf "$out"
mkdir -p "$out/alone"

"$python" "$root/scripts/amalgamate.py" "$out/alone/minicnn_single.hpp"
"$python" "$root/scripts/amalgamate.py" "$out/again.hpp"
cmp "$out/alone/minicnn_single.hpp" "$out/again.hpp"

# The decoder too is in it. Headers of the library are replaced, all else stays.
{
  echo '#define MINICNN_IMAGE_IMPLEMENTATION'
  echo '#include "minicnn_single.hpp"'
  grep -v '#include <minicnn/' "$root/examples/quickstart.cpp"
} >"$out/alone/main.cpp"
(cd "$out/alone" && $compile main.cpp -o ../single)

# Forty small bitmaps in two classes.
"$python" - "$out/pictures" <<'END'
import os, struct, sys
for label, colour in (("cat", (200, 90, 30)), ("dog", (30, 90, 200))):
    folder = os.path.join(sys.argv[1], label)
    os.makedirs(folder)
    for number in range(20):
        row = b"".join(bytes((c + 11 * number + 7 * x) % 256 for c in colour) for x in range(32))
        with open(os.path.join(folder, f"{number}.bmp"), "wb") as f:
            f.write(b"BM" + struct.pack("<IHHI", 54 + 32 * len(row), 0, 0, 54))
            f.write(struct.pack("<IiiHHIIiiII", 40, 32, 32, 1, 24, 0, 0, 0, 0, 0, 0) + row * 32)
END
cd "$out"
"$quickstart" pictures >from_tree.txt
mv weights.safetensors from_tree.safetensors
./single pictures >from_single.txt
cat from_single.txt
grep -q 'epoch 5: loss' from_tree.txt
diff from_tree.txt from_single.txt
cmp from_tree.safetensors weights.safetensors
rm ./*.safetensors
