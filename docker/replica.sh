#!/bin/sh
# cmqgw-replica - runs cmqgw as one of the replicas of a compose service
#
# Each needs an id and a state directory of its own, and the same ones when its container is made
# anew: the spool in the directory and the session that the broker keeps for the id belong together.
# Both end in the number that compose gives a container's name, as Docker's name server tells it;
# $CMQGW_REPLICA overrides it. They are left in two files, to which the configuration refers as
# "@file:/run/cmqgw/id" and "@file:/run/cmqgw/state_dir", so that `docker compose exec gateway
# cmqgw ...` finds them as well. Were the number ever wrong, the lock on the state directory holds.
set -eu
umask 077

number=${CMQGW_REPLICA:-}
if [ -z "$number" ]; then
    address=$(hostname -i)
    answer=$(getent -s hosts:dns hosts "${address%% *}" || true)
    name=${answer##* } # of "172.18.0.3      PROJECT-gateway-2.PROJECT_default"
    name=${name%%.*}
    case $name in
    *[-_]run[-_]*) ;; # `compose run`: a look at the first one's state
    *) number=${name##*[!0-9]} ;;
    esac
fi
number=${number:-1}
if [ "${1:-}" = run ] && [ "$number" != 1 ] && [ -z "${CMQGW_SHARED_GROUP:-}" ]; then
    echo "cmqgw-replica: without CMQGW_SHARED_GROUP replica $number would send every message again" >&2
    exit 1
fi

echo "${CMQGW_ID:-edge}-$number" >/run/cmqgw/id
echo "/var/lib/cmqgw/$number" >/run/cmqgw/state_dir
exec cmqgw "$@"
