#!/usr/bin/env bash
# Compiles and runs a program with what pkg-config says, from a prefix that was moved after installation.
#   pkg_config.sh PKG_CONFIG PREFIX LIBDIR COMPILE...
set -euo pipefail
pkg_config=$1 prefix=$2 libdir=$3
shift 3
compile=$*
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
moved=$PWD/"moved prefix"
rm -rf "$moved"
cp -r "$prefix" "$moved"
# The system may have a minicnn of its own.
export PKG_CONFIG_LIBDIR=$moved/$libdir/pkgconfig

build() {  # PROGRAM PACKAGE SOURCE...
  local program=$1 package=$2
  shift 2
  # As a makefile does it: the flags pass through a shell, which takes quoted spaces as they are meant.
  eval "$compile $(printf '%q ' "$@") -o $program $("$pkg_config" --cflags --libs "$package")"
}

if ! "$pkg_config" --cflags minicnn | grep -q 'moved'; then
  echo "minicnn.pc does not follow its prefix: $("$pkg_config" --cflags minicnn)"
  exit 1
fi
build pkg_config_consumer minicnn "$here/consumer/main.cpp"
./pkg_config_consumer
if [[ -e $PKG_CONFIG_LIBDIR/minicnn-image.pc ]]; then
  build pkg_config_image minicnn-image "$here/consumer/image.cpp" "$here/consumer/own_stb.cpp"
  ./pkg_config_image
fi
