#!/usr/bin/env bash
# fuzz.sh [SECONDS [TARGET...]] - runs the fuzz targets, each for SECONDS (10), as many at once as cores
#
# Inputs in tests/fuzz/corpus/TARGET are the start, and words in tests/fuzz/dict/TARGET.dict what they
# are changed with; what is found new stays under build/fuzz/corpus.
# A finding is left in build/fuzz/findings and is run again with build/fuzz/fuzz/TARGET FILE.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
shift || true
if [ $# -gt 0 ]; then
    targets=("$@")
else
    mapfile -t targets < <(basename -s .c tests/fuzz/*_fuzz.c)
fi
scripts/install-packages.sh build check
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]}"

mkdir -p build/fuzz/findings
run_one() {
    local seconds=$1 target=$2 work=build/fuzz/corpus/$2 log=build/fuzz/$2.log
    mkdir -p "$work"
    local corpora=("$work")
    [ ! -d "tests/fuzz/corpus/$target" ] || corpora+=("tests/fuzz/corpus/$target")
    case $target in config_load_fuzz | config_scan_fuzz) corpora+=(tests/config-corpus) ;; esac
    local dict=tests/fuzz/dict/$target.dict words=()
    [ ! -f "$dict" ] || words=("-dict=$dict")
    if "build/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="build/fuzz/findings/$target-" "${words[@]}" "${corpora[@]}" >"$log" 2>&1; then
        echo "$target: no finding; $(grep '^Done' "$log" || echo 'its own output is closed')"
    else
        tail -n 40 "$log"
        echo "$target: FAILED; the input is in build/fuzz/findings"
        return 1
    fi
}
export -f run_one
printf '%s\n' "${targets[@]}" |
    xargs -P "$(nproc)" -I{} bash -c "run_one $((seconds)) {}"
