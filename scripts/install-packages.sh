#!/usr/bin/env bash
# install-packages.sh GROUP... - installs the Debian 12 packages that are missing, and nothing else
#
# build  what compiling needs          demo  what scripts/demo.sh needs on top
# test   what scripts/test.sh needs    check what .ci/run needs on top (clang and its tools)
# package  what making the Debian packages needs on top of build
# pictures  what scripts/screenshots.sh needs on top of build and test
# When all are there it touches nothing and needs neither root nor a network.
set -euo pipefail

packages_of() {
    case $1 in
    build)
        echo gcc libc6-dev cmake ninja-build pkg-config python3 libpaho-mqtt-dev libssl-dev \
            libcurl4-openssl-dev libcjson-dev libconfig-dev libjq-dev libsqlite3-dev libevent-dev \
            libmicrohttpd-dev uthash-dev libcmocka-dev
        ;;
    demo) echo mosquitto mosquitto-clients curl ;;
    test)
        local node='' # whatever is there will do
        command -v node >/dev/null && command -v npm >/dev/null || node='nodejs npm'
        echo "mosquitto mosquitto-clients openssl chromium chromium-driver fonts-dejavu-core $node"
        ;;
    check) echo clang clang-tidy clang-format libclang-rt-14-dev llvm-14 shellcheck ;;
    package) echo dpkg-dev file ;;
    pictures) echo pngquant fonts-roboto-unhinted ;;
    *)
        echo "install-packages.sh: no group '$1'; there are build, demo, test, check, package, pictures" >&2
        return 2
        ;;
    esac
}

wanted=()
for group in "$@"; do
    packages=$(packages_of "$group")
    read -ra names <<<"$packages"
    wanted+=("${names[@]}")
done

missing=()
for name in "${wanted[@]}"; do
    state=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "these packages are missing and only root may install them: ${missing[*]}" >&2
        exit 1
    fi
    root=(sudo "${root[@]}")
fi
echo "installing ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt=(apt-get -q -y -o DPkg::Lock::Timeout=120)
if ! { "${root[@]}" "${apt[@]}" update &&
    "${root[@]}" "${apt[@]}" install --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install the packages; its last lines are above" >&2
    exit 1
fi
