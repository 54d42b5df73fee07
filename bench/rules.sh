#!/usr/bin/env bash
# rules.sh [--repeat N] - measures checking many rules, and what a message costs among them
#
# Builds the release preset and prints a table; docs/bench.md says what its rows mean.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/install-packages.sh build test
cmake --preset release >/dev/null
cmake --build --preset release --target cmqgw bench_plan
CMQGW_BIN=$PWD/build/release/bin exec python3 -B bench/rules.py "$@"
