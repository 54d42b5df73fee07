#!/usr/bin/env bash
# package.sh - builds the Debian packages and lives with them under a real systemd: tests/engine.sh
#
# Needs root on Debian 12 and a network for apt only; about three minutes. It is not part of .ci/run.
# docs/packages.md shows what it says.
# shellcheck disable=SC2015,SC2016
# shellcheck source=tests/engine.sh
. "$(dirname "$0")/engine.sh"

step 'packages, a base image, an engine'
engine_packages lintian
engine_base
engine_start

step 'build the packages in a clean Debian 12'
mkdir "$work/packages"
engine_build --target packages --output "$work/packages" -f "$root/docker/Dockerfile" "$root"
gateway=$(echo "$work"/packages/cmqgw_*.deb)
for deb in "$work"/packages/*.deb; do
    echo "        ${deb##*/} $(dpkg-deb -f "$deb" Depends | fold -s -w 80 | sed '2,$s/^/            /')"
done
case $gateway in
*_"$(sed -n 's/^project(cmqgw VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")"_*) ;;
*) die "$gateway is not of the project's version" ;;
esac

step 'lintian: no error, no warning'
lintian --allow-root --fail-on error,warning "$work"/packages/*.deb

step 'the next version, with a change to a file that its administrator may have changed, too'
dpkg-deb -R "$gateway" "$work/next"
sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control"
echo '# new in this version' >>"$work/next/etc/cmqgw/rules.d/telemetry.cfg"
dpkg-deb --root-owner-group -b "$work/next" "$work/packages/next.deb" >/dev/null

step 'a machine: systemd, mosquitto, and what the packages depend on ready to be installed'
cp -r "$root/docker/config/rules.d/resources.cfg" "$work/packages/"
cat >"$work/packages/Dockerfile" <<'D'
FROM debian:bookworm-slim
RUN rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/* \
 && apt-get update && apt-get install -y --no-install-recommends \
    systemd systemd-sysv dbus mosquitto mosquitto-clients bash-completion
COPY *.deb resources.cfg /root/
RUN apt-get install -y --no-install-recommends --download-only /root/cmqgw_*.deb /root/cmqlocal_*.deb
# As systemd finds it on a machine: without, what it mounts for credentials is seen by nobody.
CMD ["sh", "-c", "mount --make-rshared / && exec /sbin/init"]
D
engine_build -t machine "$work/packages"
$docker run -d -t --name machine --network none --cgroupns private --cap-add SYS_ADMIN \
    --security-opt seccomp=unconfined --tmpfs /run --tmpfs /run/lock --tmpfs /tmp \
    -e container=docker machine >/dev/null
on() { $docker exec machine sh -c "$1"; }
holds() { on "$1" >/dev/null 2>&1; }
state() { on "systemctl is-active cmqgw" || true; }
is_active() { [ "$(state)" = active ]; }
before_cleanup() { [ "$1" = 0 ] || on 'systemctl status cmqgw; journalctl -n 60 --no-pager' >&2; }
until_true 30 'systemd runs' holds 'systemctl is-system-running | grep -qx running'

step 'install: a user, a state directory, nothing started before it is configured'
on 'apt-get install -y -q --no-install-recommends /root/cmqgw_*.deb /root/cmqlocal_*.deb >/root/apt.log 2>&1 || { cat /root/apt.log; exit 1; }'
on 'getent passwd cmqgw; stat -c "%U:%G %a %n" /var/lib/cmqgw /etc/cmqgw/secrets /etc/cmqgw/gateway.cfg' | sed 's/^/        /'
[ "$(state)" = inactive ] || die "it is $(state)"
holds 'systemctl is-enabled cmqgw' && die 'it is enabled'
on 'cmqgw check 2>&1 && cmqgw test' | sed 's/^/        /'
on 'man -w cmqgw >/dev/null 2>&1 || test -s /usr/share/man/man1/cmqgw.1.gz'
on 'test -s /usr/share/man/man5/cmqgw.cfg.5.gz && test -s /usr/share/man/man1/cmqlocal.1.gz'
completed=$($docker exec machine bash -c '. /usr/share/bash-completion/bash_completion
    _completion_loader cmqgw || true
    COMP_WORDS=(cmqgw dead) COMP_CWORD=1
    _cmqgw
    echo "${COMPREPLY[@]}"')
[ "$completed" = dead-letters ] ||
    die 'the shell does not complete'

step 'the unit: known words only, exposure at most 2.0'
on 'systemd-analyze verify --man=no --recursive-errors=no cmqgw.service'
on 'systemd-analyze security --no-pager --threshold=20 cmqgw.service' | tail -n 1 | sed 's/^/       /'

step 'configure, enable, start: systemd hears that it is ready'
on 'cd /etc/cmqgw
    for key in cmq_secret_id cmq_secret_key; do
        echo "AKID-value-of-$key" | install -m 0640 -g cmqgw /dev/stdin secrets/$key
    done
    sed -i "s#https://cmq-gz.public.tencenttdmq.com#http://127.0.0.1:8280#" gateway.cfg
    cat >rules.d/own.cfg <<C
forward = ( { name = "own"; from = "own/#rest"; when = ".t > 80"; to = { queue = "readings"; }; } );
C
    systemd-run -q --unit cmqlocal cmqlocal -c /root/resources.cfg \
        --secret-id AKID-value-of-cmq_secret_id --secret-key AKID-value-of-cmq_secret_key
    systemctl enable -q --now mosquitto cmqgw'
on 'systemctl show cmqgw -p ActiveState,Type,StatusText,WatchdogUSec,User' | sed 's/^/        /'
is_active || die "it is $(state)"

# receives TEXT: whether the next message of the queue is this one
receives() {
    local got
    got=$(on 'cmqgw cmq receive readings --wait 5 2>/dev/null') || true
    [ "$got" = "$1" ] || die "received \"$got\" instead of \"$1\""
}
# publish TOPIC TEXT
publish() { on "mosquitto_pub -q 1 -t $1 -m '$2'"; }
subscribed() { until_true 20 'the gateway is connected' holds 'cmqgw status --quiet'; }

step 'messages pass in the cage, jq programs too'
subscribed
publish fleet/p1/d7/telemetry/temp 21.5
receives 21.5
publish own/x '{"t": 20}'
publish own/x '{"t": 90}'
receives '{"t": 90}'
on 'grep -E "^(Uid|CapEff|NoNewPrivs|Seccomp):" /proc/$(systemctl show -P MainPID cmqgw)/status' | sed 's/^/        /'
on 'touch /proc/$(systemctl show -P MainPID cmqgw)/root/usr/x 2>/dev/null' && die '/usr is writable for it'

step 'killed: systemd starts it again, nothing is lost'
on 'systemctl stop cmqlocal && systemctl reset-failed cmqlocal 2>/dev/null; true'
publish own/x '{"t": 91}'
on 'systemctl kill -s KILL cmqgw'
until_true 30 'it runs again' is_active
[ "$(on 'systemctl show -P NRestarts cmqgw')" = 1 ] || die 'systemd did not start it again'
on 'systemd-run -q --unit cmqlocal cmqlocal -c /root/resources.cfg \
    --secret-id AKID-value-of-cmq_secret_id --secret-key AKID-value-of-cmq_secret_key'
subscribed
receives '{"t": 91}'

step 'stopped dead (SIGSTOP): the watchdog notices'
on 'mkdir -p /run/systemd/system/cmqgw.service.d
    printf "[Service]\nWatchdogSec=3s\n" >/run/systemd/system/cmqgw.service.d/test.conf
    systemctl daemon-reload && systemctl restart cmqgw'
subscribed
before=$(on 'systemctl show -P NRestarts cmqgw')
on 'sleep 7'
is_active && [ "$(on 'systemctl show -P NRestarts cmqgw')" = "$before" ] || die 'the watchdog ended a healthy gateway'
on 'systemctl kill -s STOP cmqgw'
until_true 30 'it was started again' eval '[ "$(on "systemctl show -P NRestarts cmqgw")" -gt "$before" ] && is_active'
on 'journalctl -u cmqgw --no-pager | grep -i watchdog | tail -n 1 | cut -d: -f4-' | sed 's/^/        /'
on 'rm -r /run/systemd/system/cmqgw.service.d && systemctl daemon-reload && systemctl restart cmqgw'

step 'a new rule: reload'
subscribed
on 'cd /etc/cmqgw
    echo "forward = ( { name = \"later\"; from = \"later/#rest\"; to = { queue = \"readings\"; }; } );" >rules.d/later.cfg
    systemctl reload cmqgw'
on 'journalctl -u cmqgw -o cat --no-pager | grep -v "^20" | grep "^[+~-] " | tail -n 1' | sed 's/^/        /'
until_true 20 'the new rule works' eval 'publish later/x new && [ "$(on "cmqgw cmq receive readings --wait 1 2>/dev/null")" = new ]'

step 'keys that only root reads, by LoadCredential='
on 'mkdir -p /etc/systemd/system/cmqgw.service.d
    cp /usr/share/doc/cmqgw/examples/credentials.conf /etc/systemd/system/cmqgw.service.d/
    chown root:root /etc/cmqgw/secrets/* && chmod 600 /etc/cmqgw/secrets/*
    sed -i "s#@file:/etc/cmqgw/secrets/#@file:/run/credentials/cmqgw.service/#" /etc/cmqgw/gateway.cfg
    systemctl daemon-reload && systemctl restart cmqgw'
subscribed
publish own/x '{"t": 92}'
receives '{"t": 92}'

step 'upgrade: it goes on with the new version, the configuration that was changed is kept'
pid=$(on 'systemctl show -P MainPID cmqgw')
on 'apt-get install -y -q --no-install-recommends /root/next.deb >/root/apt.log 2>&1 || { cat /root/apt.log; exit 1; }'
is_active || die "it is $(state)"
[ "$(on 'systemctl show -P MainPID cmqgw')" != "$pid" ] || die 'the old version still runs'
on 'dpkg-query -W -f "        \${Package} \${Version} \${Status}\n" cmqgw
    grep -q 127.0.0.1:8280 /etc/cmqgw/gateway.cfg && grep -q "new in this version" /etc/cmqgw/rules.d/telemetry.cfg'
subscribed
publish own/x '{"t": 93}'
receives '{"t": 93}'

step 'remove: stopped, configuration and state stay; purge: both are gone'
on 'apt-get remove -y -q cmqgw >/root/apt.log 2>&1 || { cat /root/apt.log; exit 1; }'
holds 'grep -sqx cmqgw /proc/[0-9]*/comm' && die 'it still runs'
on 'test -e /etc/cmqgw/gateway.cfg && test -e /var/lib/cmqgw/spool.db'
on 'rm /etc/cmqgw/rules.d/own.cfg /etc/cmqgw/rules.d/later.cfg
    apt-get purge -y -q cmqgw cmqlocal >/root/apt.log 2>&1 || { cat /root/apt.log; exit 1; }'
left=$(on 'find / -xdev \( -path /proc -o -path /sys -o -path /root -o -path /tmp \) -prune -o -name "*cmqgw*" -print -o -name "*cmqlocal*" -print 2>/dev/null' | grep -v '^/etc/systemd/system/cmqgw.service.d' || true)
[ -z "$left" ] || die "purge left $left"
on 'systemctl is-system-running' | sed 's/^/        systemd: /'

step 'all held'
