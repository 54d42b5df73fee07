#!/usr/bin/env bash
# uplink.sh [--messages N] [--size BYTES] [--repeat N] - measures the uplink beside its peer
#
# Builds the release preset and prints a table; docs/bench.md says what its rows mean.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-packages.sh build test
cmake --preset release >/dev/null
cmake --build --preset release --target cmqgw cmqlocal bench_publish
CMQGW_BIN=$PWD/build/release/bin exec python3 -B bench/uplink.py "$@"
