#!/usr/bin/env bash
# test.sh [ctest arguments] - installs what is missing, builds, and runs every test
#
# For example: scripts/test.sh -L unit        only the unit tests
#              scripts/test.sh -R flow.crash  one flow test
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-packages.sh build test
cmake --preset dev >/dev/null
cmake --build --preset dev
exec ctest --test-dir build/dev --output-on-failure --no-tests=error -j2 "$@"
