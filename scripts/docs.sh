#!/usr/bin/env bash
# Builds the documentation as a static site that needs no network: scripts/docs.sh [OUTPUT], by default in build/docs.
# Guides are docs/*.md, the reference comes from the comments in include/. Needs Doxygen; installs it where it is missing.
set -euo pipefail
output=${1:-$(dirname "${BASH_SOURCE[0]}")/../build/docs}
mkdir -p "$output"
output=$(cd "$output" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v doxygen >/dev/null && command -v python3 >/dev/null || bash scripts/install-packages.sh doxygen doxygen-awesome-css python3

# Debian's theme where it is installed, else Doxygen's own look.
theme=/usr/share/doxygen-awesome-css/doxygen-awesome.css
[[ -f $theme ]] || theme=""
version=$(sed -n 's/.*version_string = "\(.*\)".*/\1/p' include/minicnn/version.hpp)

{
  cat docs/Doxyfile
  echo "PROJECT_NUMBER = $version"
  echo "OUTPUT_DIRECTORY = \"$output\""
  echo "HTML_EXTRA_STYLESHEET = $theme docs/site.css"
  echo "HTML_EXTRA_FILES =" docs/images/*
} | doxygen -

# Classes whose nested classes are all private get a link to a list of them that is not there.
for page in $(grep -l 'href="#nested-classes"' "$output"/*.html); do
  grep -q 'name="nested-classes"' "$page" || sed -i 's|<a href="#nested-classes">Classes</a> &#124;||' "$page"
done
# The page of docs/web.md, where it can be made without installing anything; the guide then links to it.
rm -f "$output/photos.html"
if command -v em++ >/dev/null; then
  bash scripts/web.sh examples/weights/alexnet-small-cats-dogs.safetensors "$output/photos.html" >/dev/null
  guide=$(grep -l '<code>photos.html</code>' "$output"/md_*.html)
  sed -i 's|<code>photos.html</code>|<a href="photos.html"><code>photos.html</code></a>|' "$guide"
fi
echo "$output/index.html"
