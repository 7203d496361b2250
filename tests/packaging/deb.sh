#!/usr/bin/env bash
# Makes the Debian packages, looks at what is in them, unpacks them and builds a project against them.
#   deb.sh CMAKE BUILD OUT CONSUMER GENERATOR COMPILER
set -euo pipefail
cmake=$1 build=$2 out=$3 consumer=$4 generator=$5 compiler=$6
rm -rf "$out"
mkdir -p "$out"
(cd "$build" && "$(dirname "$cmake")/cpack" -G DEB -B "$out" >"$out/cpack.log" 2>&1) || { cat "$out/cpack.log"; exit 1; }

root=$out/root
for package in "$out"/*.deb; do
  basename "$package"
  dpkg-deb --contents "$package" >"$package.contents"
  dpkg-deb --info "$package" | grep -E '^ (Package|Version|Depends|Installed-Size):'
  dpkg -x "$package" "$root"
done

status=0
need() {  # PACKAGE FILE
  grep -q " \./$2\$" "$out/$1"_*.contents || { echo "$1 lacks /$2"; status=1; }
}
need libminicnn-dev usr/include/minicnn/minicnn.hpp
need libminicnn-dev usr/include/minicnn/data/stb_macros_save.inc
need libminicnn-dev 'usr/lib.*/cmake/minicnn/minicnnConfig.cmake'
need libminicnn-dev 'usr/lib.*/pkgconfig/minicnn.pc'
need libminicnn-dev usr/share/doc/libminicnn-dev/copyright
need libminicnn-dev usr/share/doc/libminicnn-dev/docs/first-steps.md
need libminicnn-dev usr/include/minicnn/compiled/float_unit.cpp
# Debian's own files, and nothing from the tree it was built in.
if grep -vE ' \./(usr/(include/minicnn|lib|share/doc|bin)?.*)?$' "$out"/*.contents; then
  echo "these do not belong into a package"
  status=1
fi
if grep -rlF "$build" "$root"; then
  echo "these name the folder of the build"
  status=1
fi
if [[ -x $root/usr/bin/minicnn ]]; then
  "$root/usr/bin/minicnn" --version
fi

"$cmake" -S "$consumer" -B "$out/consumer" -G "$generator" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_PREFIX_PATH="$root/usr" \
  >"$out/consumer.log" 2>&1 &&
  "$cmake" --build "$out/consumer" >>"$out/consumer.log" 2>&1 && "$out/consumer/consumer" || { cat "$out/consumer.log"; exit 1; }
if ! grep -q "^minicnn_DIR:PATH=$root/" "$out/consumer/CMakeCache.txt"; then
  echo "the project was built against another minicnn: $(grep '^minicnn_DIR' "$out/consumer/CMakeCache.txt")"
  exit 1
fi
exit $status
