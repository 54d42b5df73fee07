#!/usr/bin/env bash
# screenshots.sh - takes the pictures of docs/page.md again: docs/images/page-*.png
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-packages.sh build test pictures
cmake --preset dev >/dev/null
cmake --build --preset dev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -B tests/flow/screenshots.py "$work"
mkdir -p docs/images
for picture in "$work"/*.png; do
    pngquant --force --speed 1 --strip --output "docs/images/$(basename "$picture")" 96 "$picture"
done
ls -l docs/images
