#!/usr/bin/env bash
# The documentation as a site: Doxygen builds it without a warning, every link and picture in it exists, nothing comes from another
# host, and every guide is in it, with the page of docs/web.md where emscripten is installed; docs/index.md lists all guides and examples, docs/layers/README.md all layers.
#   docs_site.sh ROOT OUT PYTHON
set -euo pipefail
root=$1 out=$2 python=$3

listed() {  # FOLDER LIST FILE...
  local list=$1/$2 file
  for file in "${@:3}"; do
    [[ $1/$(basename "$file") == "$list" ]] || grep -qF "/$(basename "$file"))" "$list" || grep -qF "]($(basename "$file"))" "$list" ||
      { echo "$list does not list $file"; exit 1; }
  done
}
listed "$root/docs" index.md "$root"/docs/*.md "$root"/examples/*.cpp
listed "$root/docs/layers" README.md "$root"/docs/layers/*.md

if ! command -v doxygen >/dev/null; then
  echo "SKIPPED: no doxygen (Debian: doxygen)"
  exit 77
fi
rm -rf "$out"
bash "$root/scripts/docs.sh" "$out"
if command -v em++ >/dev/null && [[ ! -s $out/photos.html ]]; then
  echo "$out/photos.html is missing, although there is em++"
  exit 1
fi
mapfile -t guides < <(find "$root/docs" "$root/CONTRIBUTING.md" "$root/SECURITY.md" "$root/CHANGELOG.md" -name '*.md')
"$python" "$root/tests/hygiene/check_site.py" "$out" "${guides[@]}"
