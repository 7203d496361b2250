#!/usr/bin/env bash
# Installs the Debian packages that are named and not there yet: scripts/install-packages.sh PACKAGE...
# Uses sudo when not root; asks nothing.
set -euo pipefail

if ! command -v dpkg-query >/dev/null; then
  echo "Not a Debian system; going on with what is installed. Needed: $*" >&2
  exit 0
fi

missing=()
for package in "$@"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing packages, and no sudo to install them. As root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

echo "Installing: ${missing[*]}"
install=(env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120
         install --no-install-recommends "${missing[@]}")
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Package lists may be absent (fresh container) or too old; both show as a failed installation.
if ! "${as_root[@]}" "${install[@]}" >"$log" 2>&1 </dev/null; then
  if ! { "${as_root[@]}" apt-get -q update && "${as_root[@]}" "${install[@]}"; } >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    echo "apt-get could not install: ${missing[*]}" >&2
    exit 1
  fi
fi
