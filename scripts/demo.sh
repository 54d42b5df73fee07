#!/usr/bin/env bash
# demo.sh - the gateway at work on this machine: builds it, runs it between mosquitto and cmqlocal
#
# On a fresh Debian 12 it installs what is missing. Everything runs on free loopback ports and in a
# temporary folder, and is gone afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

bold='' plain=''
[ ! -t 1 ] || { bold=$'\e[1m' plain=$'\e[0m'; }
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# Prints a command as one would type it, then runs it.
show() {
    local word line='$'
    for word; do
        [[ $word =~ ^[[:alnum:]_./:#+=-]+$ ]] || word=${word@Q}
        line+=" $word"
    done
    printf '%s\n' "$line"
    "$@"
}

work=$(mktemp -d "${TMPDIR:-/tmp}/cmqgw-demo.XXXXXX")
pids=()
clean_up() {
    local code=$?
    trap - EXIT
    if [ $code != 0 ]; then
        tail -n 15 "$work"/*.log 2>/dev/null || true
        echo "the demo failed; above are the ends of the logs" >&2
    fi
    # The gateway first, so that it can say goodbye to the others.
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        kill "${pids[i]}" 2>/dev/null || true
        wait "${pids[i]}" 2>/dev/null || true
    done
    rm -rf "$work"
    exit $code
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: in the background, its output in NAME.log
start() {
    local name=$1
    shift
    "$@" >"$work/$name.log" 2>&1 </dev/null &
    pids+=($!)
}

# wait_for TEXT PATTERN LOG: until a line of the log matches; fails when its program ends or after 20 s
wait_for() {
    local deadline=$((SECONDS + 20))
    until grep -q -- "$2" "$work/$3.log" 2>/dev/null; do
        if [ $SECONDS -ge $deadline ] || ! kill -0 "${pids[-1]}" 2>/dev/null; then
            echo "$1: it did not happen" >&2
            return 1
        fi
        sleep 0.1
    done
}

say '1. Packages'
scripts/install-packages.sh build demo
echo 'all there'

say '2. Build'
cmake --preset release -DBUILD_TESTING=OFF >/dev/null
cmake --build --preset release
bin=$PWD/build/release/bin

# The account of the local CMQ server, where the sample configuration looks for it.
export CMQ_SECRET_ID=AKIDdemo CMQ_SECRET_KEY=not-a-secret

say '3. A broker, a local CMQ server and the gateway'
cp -r examples/demo/. "$work"
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
{
    echo "listener $port 127.0.0.1"
    echo 'allow_anonymous true'
    echo 'log_dest stderr'
    echo 'log_type error'
    echo 'log_type subscribe'
    [ "$(id -u)" != 0 ] || echo 'user root'
} >"$work/mosquitto.conf"
PATH=$PATH:/usr/sbin start mosquitto mosquitto -c "$work/mosquitto.conf"
start cmqlocal "$bin/cmqlocal" -c "$work/gateway.cfg" --listen 127.0.0.1:0
wait_for 'cmqlocal starts' 'listening on http' cmqlocal
url=$(sed -n 's/.*listening on \(http:[^ ]*\).*/\1/p' "$work/cmqlocal.log")
sed -i -e "s#tcp://127.0.0.1:1883#tcp://127.0.0.1:$port#" -e "s#http://127.0.0.1:8280#$url#" \
    -e "s#/var/tmp/cmqgw-demo#$work/state#" "$work/gateway.cfg"
start cmqgw "$bin/cmqgw" run -c "$work/gateway.cfg"
for filter in telemetry/# alarm snapshot; do
    wait_for 'the gateway subscribes' " fleet/+/+/$filter\$" mosquitto
done
cmqgw() { "$bin/cmqgw" "$@" -c "$work/gateway.cfg"; }
cat "$work/cmqgw.log"

say '4. Three devices publish'
publish() { show mosquitto_pub -h 127.0.0.1 -p "$port" -q 1 "$@"; }
printf '\377\330\377\340 not text \000' >"$work/snapshot"
publish -i thermometer-d7 -t fleet/p1/d7/telemetry/temp/in -m '{"t": 21.5}'
publish -i boiler-d8 -t fleet/p1/d8/alarm -m '{"level": "HIGH", "text": "overheated"}'
publish -i camera-c3 -t fleet/cam/c3/snapshot -f "$work/snapshot"

say '5. What the rules make of the reading and the alarm'
show cmqgw explain fleet/p1/d7/telemetry/temp/in --payload '{"t": 21.5}'
show cmqgw explain fleet/p1/d8/alarm --payload '{"level": "HIGH", "text": "overheated"}'

say '6. And in CMQ: the messages in their queues'
for queue in readings hot-store pager alarm-board alarm-log snapshots; do
    show cmqgw cmq receive "$queue" --wait 5
done

say '7. The way back: a service commands the boiler through CMQ'
start device mosquitto_sub -h 127.0.0.1 -p "$port" -q 1 -i boiler-d8 -t 'fleet/p1/d8/cmd' -v
wait_for 'the boiler subscribes' ' fleet/p1/d8/cmd$' mosquitto
command='{"product": "p1", "device": "d8", "payload": {"burner": "off"}}'
show cmqgw explain --queue downlink --body "$command"
show cmqgw cmq send downlink "$command"
wait_for 'the boiler hears of it' burner device
printf 'boiler-d8 got: %s\n' "$(cat "$work/device.log")"
printf '\nand one that says no device is set aside with the reason:\n'
show cmqgw cmq send downlink '{"payload": {"burner": "off"}}'
show cmqgw cmq receive downlink-dead --wait 10

say 'Done. What to try next'
cat <<NEXT
  export CMQ_SECRET_ID=AKIDdemo CMQ_SECRET_KEY=not-a-secret
  build/release/bin/cmqgw check -c examples/demo/gateway.cfg
  build/release/bin/cmqgw explain -c examples/demo/gateway.cfg fleet/p1/d7/telemetry/hum --payload 40
  change a rule in examples/demo/rules.d and ask again
  read docs/getting-started.md: the same by hand, a rule of your own, going to the real service
NEXT
