#!/usr/bin/env bash
# downlink.sh [--messages N] [--size BYTES] [--repeat N] - measures CMQ to MQTT, and both ways in one
#
# Builds the release preset and prints two tables; docs/bench.md says what their rows mean.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-packages.sh build test
cmake --preset release >/dev/null
cmake --build --preset release --target cmqgw cmqlocal bench_publish
CMQGW_BIN=$PWD/build/release/bin exec python3 -B bench/downlink.py "$@"
