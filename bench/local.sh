#!/usr/bin/env bash
# local.sh [--rate N] [--polls N] [--seconds N] [--repeat N] [--realtime] - measures cmqlocal
#
# Builds the release preset and prints a table; docs/bench.md says what its rows mean.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-packages.sh build
cmake --preset release >/dev/null
cmake --build --preset release --target cmqlocal bench_requests
CMQGW_BIN=$PWD/build/release/bin exec python3 -B bench/local.py "$@"
