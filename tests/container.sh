#!/usr/bin/env bash
# container.sh - builds the images and runs docker/compose.yaml on a real engine: tests/engine.sh
#
# Needs root on Debian 12 and a network for apt only; about three minutes. It is not part of .ci/run.
# docs/container.md shows what it says.
# shellcheck disable=SC2016,SC2119
# shellcheck source=tests/engine.sh
. "$(dirname "$0")/engine.sh"
ulimit -n 16384

step 'packages, compose, a base image, an engine'
engine_packages
engine_compose
"$compose" -f "$root/docker/compose.yaml" --profile local config -q
engine_base
engine_start
$docker version --format '        engine {{.Server.Version}}'

step 'build the images'
engine_build -t cmqgw -f "$root/docker/Dockerfile" "$root"
engine_build -t cmqlocal --target cmqlocal -f "$root/docker/Dockerfile" "$root"

step "a broker out of Debian's packages, with the public image's name, user, paths and command"
engine_build -t eclipse-mosquitto:2 - <<'D'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends mosquitto mosquitto-clients \
 && rm -rf /var/lib/apt/lists/* && groupmod -g 1883 mosquitto && usermod -u 1883 mosquitto \
 && mkdir -p /mosquitto/config /mosquitto/data && chown -R mosquitto:mosquitto /mosquitto
VOLUME ["/mosquitto/data"]
EXPOSE 1883
USER mosquitto
CMD ["/usr/sbin/mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]
D

step 'the images: user, health check, size, nothing that builds'
for image in cmqgw cmqlocal; do
    bytes=$($docker inspect $image --format '{{.Size}}')
    own=$((bytes - $($docker inspect debian:bookworm-slim --format '{{.Size}}')))
    user=$($docker inspect $image --format '{{.Config.User}}')
    check=$($docker inspect $image --format '{{if .Config.Healthcheck}}{{.Config.Healthcheck.Test}}{{end}}')
    echo "        $image: $((bytes / 1000000)) MB, $((own / 1000000)) of them above the base; user $user; health $check"
    [ "$user" = 10001:10001 ] || die "$image runs as $user"
    [ -n "$check" ] || die "$image has no health check"
    [ $own -lt 60000000 ] || die "$image adds $own bytes"
    found=$($docker run --rm --network none --entrypoint sh $image -c \
        'for tool in gcc cc ld make cmake ninja dpkg-shlibdeps; do command -v $tool || true; done
         find /usr/include /src /packages -type f 2>/dev/null | head -n 3')
    [ -z "$found" ] || die "$image has what only a build needs: $found"
    $docker run --rm --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
        $image --version | sed 's/^/        /'
done

# A copy of the folder, because keys are going to change.
cp -r "$root/docker" "$work/docker"
chmod 750 "$work/docker/secrets"
chmod 400 "$work"/docker/secrets/*
chown -R 10001:10001 "$work/docker/secrets"
cat >"$work/docker/test.yaml" <<'Y'
networks: {default: {driver_opts: {com.docker.network.bridge.name: br-cmqgw0}}}
services:
  mosquitto: {healthcheck: {interval: 1s}}
  # Nothing answers outside this network: an unknown name fails in 2 s, not 20.
  gateway: {dns: [127.0.0.1], dns_opt: ["timeout:1", "attempts:1"], healthcheck: {interval: 1s}}
  cmqlocal: {healthcheck: {interval: 1s}}
Y
export MQTT_LISTEN=127.0.0.1:
dc() { "$compose" --progress quiet -p cmqgwtest --profile local -f "$work/docker/compose.yaml" -f "$work/docker/test.yaml" "$@"; }
up() { timeout 150 "$compose" --progress quiet -p cmqgwtest --profile local -f "$work/docker/compose.yaml" \
    -f "$work/docker/test.yaml" up -d --wait --wait-timeout 90 --pull never --no-build "$@" >"$work/up.log" 2>&1 || {
    cat "$work/up.log" >&2
    die "compose up $*"
}; }
before_cleanup() {
    [ "$1" = 0 ] || dc logs --no-color 2>/dev/null | tail -n 60 >&2
    timeout 60 "$compose" --progress quiet -p cmqgwtest --profile local -f "$work/docker/compose.yaml" down -v -t 5 >/dev/null 2>&1
}
gateway=cmqgwtest-gateway-1
is() { [ "$($docker inspect "$1" --format "$2")" = "$3" ]; }
cmqgw() { dc exec -T gateway cmqgw "$@" </dev/null; }
# The number of different bodies received so far; takes what is in the queue.
: >"$work/received"
receive() { cmqgw cmq receive readings --count 1000 --wait 1 2>/dev/null >>"$work/received" || true; }
received() { sort -u "$work/received" | wc -l; }
has_received() {
    receive
    [ "$(received)" -ge "$1" ]
}
# publish FROM TO: the numbers between as readings, and waits until the broker has acknowledged them
publish() {
    seq "$1" "$2" | dc exec -T mosquitto mosquitto_pub -q 1 -t fleet/p1/d7/telemetry/n -l
}

step 'compose up: broker, gateway and local CMQ server, each waited for until it is healthy'
up
dc ps --format '{{.Name}} {{.Status}}' | sed 's|^|        |'

step "a device's reading arrives in the CMQ queue"
publish 1 1
until_true 20 'the reading is in the queue' has_received 1
cmqgw explain fleet/p1/d7/telemetry/n --payload 1 | sed 's/^/        /'

step 'a command in the CMQ queue arrives at the device'
dc exec -T mosquitto mosquitto_sub -i d7 -q 1 -t fleet/p1/d7/cmd -C 1 -W 60 >"$work/device" &
device=$!
until_true 30 'the device subscribes' eval 'dc logs mosquitto | grep -q "d7 1 fleet/p1/d7/cmd"'
cmqgw cmq send downlink '{"product": "p1", "device": "d7", "payload": {"on": true}}' >/dev/null
wait $device
[ "$(cat "$work/device")" = '{"on":true}' ] || die "the device got $(cat "$work/device")"

step 'user, capabilities, read-only root'
dc exec -T gateway sh -c 'if touch /x 2>/dev/null || touch /etc/cmqgw/x 2>/dev/null; then exit 1; fi
    grep -E "^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):" /proc/1/status' | sed 's/^/        /'

step 'the broker stops and comes back: a message passes again'
dc stop mosquitto >/dev/null 2>&1
until_true 30 'the gateway says that it is not healthy' is $gateway '{{.State.Health.Status}}' unhealthy
dc start mosquitto >/dev/null 2>&1
until_true 60 'the gateway is healthy again' is $gateway '{{.State.Health.Status}}' healthy
publish 2 2
until_true 20 'the reading is in the queue' has_received 2

step 'CMQ goes away, 1,000 messages come, the gateway is killed, CMQ comes back: all are there'
dc stop cmqlocal >/dev/null 2>&1
publish 3 502
engine_kill $gateway
publish 503 1002
until_true 30 'the restart policy starts it again' is $gateway '{{.RestartCount}} {{.State.Status}}' '1 running'
dc start cmqlocal >/dev/null 2>&1
until_true 60 'all are in the queue' has_received 1002

step 'killed in the midst of 3,000 messages, three times: all are there'
publish 1003 4002 &
publisher=$!
for n in 2 3 4; do
    until_true 30 'some have passed' has_received $((n * 250))
    engine_kill $gateway
    until_true 60 'it runs again' is $gateway '{{.RestartCount}} {{.State.Status}}' "$n running"
done
wait $publisher
until_true 60 'all are in the queue' has_received 4002
echo "        $(received) different messages, $(($(wc -l <"$work/received") - $(received))) came twice"

step 'a new key, and a new rule with it: reload'
dc stop cmqlocal >/dev/null 2>&1
echo another-key | install -m 400 -o 10001 -g 10001 /dev/stdin "$work/docker/secrets/cmq_secret_key"
cat >"$work/docker/config/rules.d/doors.cfg" <<'R'
forward = ( { name = "doors"; from = "doors/#which"; to = { queue = "readings"; }; } );
R
dc start cmqlocal >/dev/null 2>&1
cmqgw reload | sed 's/^/        /'
publish 4003 4003
dc exec -T mosquitto mosquitto_pub -q 1 -t doors/7 -m open
until_true 40 'both are in the queue' has_received 4004

step 'SIGTERM ends it with 0; made anew it finds the spool of the one before'
dc stop cmqlocal >/dev/null 2>&1
publish 4004 4012
dc stop gateway >/dev/null 2>&1
is $gateway '{{.State.ExitCode}}' 0 || die 'it ended with another code'
dc rm -f gateway >/dev/null 2>&1
up
until_true 60 'all are in the queue' has_received 4013

step 'three replicas: each with an id and a state directory of its own, all take part'
export CMQGW_SHARED_GROUP=cmqgw
up --scale gateway=3
for n in 1 2 3; do
    printf '        %s %s\n' "$($docker exec cmqgwtest-gateway-$n cat /run/cmqgw/id)" \
        "$($docker exec cmqgwtest-gateway-$n cat /run/cmqgw/state_dir)"
    [ "$($docker exec cmqgwtest-gateway-$n cat /run/cmqgw/id)" = "edge-$n" ] || die "replica $n has another id"
done
publish 4013 4312
until_true 60 'all are in the queue' has_received 4313

step 'two of them go, and come back: nothing is lost'
up --scale gateway=1
publish 4313 4412
until_true 20 'what the one that stayed was given is there' has_received 4314
up --scale gateway=3
until_true 60 'what the broker kept for the others is there, too' has_received 4413
[ "$(received)" = 4413 ] || die "$(received) messages came of 4413"

step 'two go for good: nothing waits in their folders, and the broker gives up their sessions'
up --scale gateway=1
for n in 2 3; do
    dc run --rm -T -e CMQGW_REPLICA=$n gateway spool stat --json </dev/null | tee "$work/stat" | sed 's/^/        /'
    grep -q "\"state_dir\":\"/var/lib/cmqgw/$n\",\"running\":false,\"deliveries\":0," "$work/stat" ||
        die "replica $n left something"
    dc exec -T mosquitto mosquitto_sub -i edge-$n -t none -E
done
publish 4413 4512
until_true 60 'the one that is left gets all' has_received 4513

step 'all held'
