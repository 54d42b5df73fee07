# engine.sh - a Docker engine of its own for a test script, gone with it; sourced, not run
#
# For root on Debian 12. apt provides docker.io and mmdebstrap. The engine has its own mount and
# process namespaces and no way out to any network, and changes neither the machine's firewall nor
# its routes. No public image is fetched: the base image is made of Debian's packages, under the
# public one's name. $CMQGW_BASE_TAR names a file that keeps it for the next run, $CMQGW_ENGINE_DATA a
# folder that keeps images and the cache of builds.
# shellcheck shell=bash disable=SC2016,SC2034
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "this test starts a container engine: run it as root" >&2; exit 77; }

began=$SECONDS
step() { printf '[%3d s] %s\n' $((SECONDS - began)) "$*"; }
die() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
# until_true SECONDS WHAT COMMAND...: tries until the command succeeds
until_true() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $deadline ] || die "it did not happen: $what"
        sleep 0.3
    done
}

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d /tmp/cmqgw-engine.XXXXXX)
mkdir -p "$work"/{engine,client}
export DEBIAN_FRONTEND=noninteractive DOCKER_BUILDKIT=1
export DOCKER_HOST=unix://$work/engine/socket DOCKER_CONFIG=$work/client
docker=/usr/bin/docker # Debian's has BuildKit built in
engine=

before_cleanup() { :; } # a test's own; with the exit code
cleanup() {
    local code=$?
    trap - EXIT
    if [ -n "$engine" ]; then
        before_cleanup $code || true
        [ $code = 0 ] || tail -n 20 "$work/engine/log" >&2 || true
        # Takes the engine, every container and every mount along.
        kill -9 "$engine" 2>/dev/null || true
        wait "$engine" 2>/dev/null || true
    fi
    ip -br link 2>/dev/null | awk '/^br-cmqgw/ { print $1 }' | xargs -r -n1 ip link del || true
    find /sys/fs/cgroup/*/docker /sys/fs/cgroup/docker -depth -type d -exec rmdir {} + \
        2>/dev/null || true
    rm -rf "$work"
    step "cleaned up, exit $code"
    exit $code
}
trap cleanup EXIT
trap 'exit 130' INT TERM
trap 'echo "FAILED at line $LINENO: $BASH_COMMAND" >&2' ERR

# Packages that are missing.
engine_packages() { # NAME...: those that the test needs besides
    local name missing=()
    for name in docker.io mmdebstrap iproute2 "$@"; do
        dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null | grep -qx installed || missing+=("$name")
    done
    [ ${#missing[@]} -eq 0 ] || { apt-get -qq update && apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
        >"$work/apt.log" 2>&1 || { tail "$work/apt.log" >&2; die "apt-get could not install ${missing[*]}"; }
}

# Compose v2 is one package of the next Debian release and runs on this one; sets $compose.
engine_compose() {
    local next=$work/next
    mkdir -p "$next"/{lists/partial,cache/archives/partial}
    awk '/^URIs:/ && !done { print "Types: deb\nURIs: " $2 "\nSuites: trixie\nComponents: main\n" \
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"; done = 1 }' \
        /etc/apt/sources.list.d/*.sources >"$next/next.sources"
    cat >"$next/apt.conf" <<A
Dir::Etc::sourcelist "$next/next.sources"; Dir::Etc::sourceparts "-"; Dir::State::lists "$next/lists";
Dir::Cache "$next/cache"; APT::Sandbox::User "root"; Acquire::Languages "none";
A
    (
        cd "$next"
        export APT_CONFIG=$next/apt.conf
        apt-get -qq update
        apt-get -qq download docker-compose
        dpkg-deb -x docker-compose_2*.deb root
    )
    compose=$next/root/usr/libexec/docker/cli-plugins/docker-compose
}

engine_base() {
    base=${CMQGW_BASE_TAR:-$work/base.tar}
    [ ! -s "$base" ] || return 0
    local hook='rm -f "$1"/etc/hostname "$1"/etc/resolv.conf
        printf "#!/bin/sh\nexit 101\n" >"$1"/usr/sbin/policy-rc.d && chmod 755 "$1"/usr/sbin/policy-rc.d
        rm -rf "$1"/var/log/apt "$1"/var/log/dpkg.log "$1"/var/cache/apt/*.bin'
    mmdebstrap --quiet --variant=minbase --include=usr-is-merged \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' \
        --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Check-Valid-Until "false"' \
        --aptopt='Acquire::Check-Date "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --customize-hook="$hook" bookworm "$base" /etc/apt/sources.list.d/debian.sources \
        >"$work/base.log" 2>&1 || { tail "$work/base.log" >&2; die "mmdebstrap made no base image"; }
}

engine_start() {
    setsid setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL --mount-proc \
        docker-init -s -- dockerd --data-root "${CMQGW_ENGINE_DATA:-$work/engine/data}" --exec-root "$work/engine/exec" \
        --pidfile "$work/engine/inner.pid" -H "$DOCKER_HOST" --iptables=false --ip6tables=false \
        --ip-forward=false --ip-masq=false --bridge=none >"$work/engine/log" 2>&1 </dev/null &
    engine=$!
    until_true 30 'the engine answers' eval '$docker info >/dev/null 2>&1'
    $docker container prune -f >/dev/null # what an earlier run with $CMQGW_ENGINE_DATA left
    $docker import -c 'CMD ["bash"]' "$base" debian:bookworm-slim >/dev/null
}

# A build that may reach apt's mirror; quiet unless it fails.
engine_build() {
    $docker build --network host "$@" >"$work/build.log" 2>&1 || {
        tail -n 40 "$work/build.log" >&2
        die "docker build $*"
    }
}

# kill -9 of a container's first process, as the kernel would: the restart policy applies.
engine_kill() {
    local inner pid
    inner=$(cat "/proc/$engine/task/$engine/children")
    pid=$($docker inspect "$1" --format '{{.State.Pid}}')
    nsenter --pid --target "${inner%% *}" kill -9 "$pid"
}
