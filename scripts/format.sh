#!/usr/bin/env bash
# format.sh [--check] - formats every C file as .clang-format says, or tells which are not
set -euo pipefail
cd "$(dirname "$0")/.."

sources=(find . \( -name .git -o -name build -o -name node_modules \) -prune -o -name '*.[ch]' -print0)
case ${1-} in
--check) "${sources[@]}" | xargs -0 clang-format --dry-run --Werror ;;
'') "${sources[@]}" | xargs -0 clang-format -i ;;
*)
    echo "usage: format.sh [--check]" >&2
    exit 2
    ;;
esac
