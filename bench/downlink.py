"""downlink - how fast messages go from CMQ to the broker, beside clients that only publish; and how
long a message takes from a device through CMQ back to a device

Every rate is a median of several runs on one machine that the broker, the gateway and the local CMQ
server share. CPU is that of the publishing process alone, user and system.
"""

import json
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "flow"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
import table  # noqa: E402  pylint: disable=wrong-import-position

FROM = {"queue": "downlink", "pollers": 8}
PLAIN = {"name": "commands", "from": FROM, "to": "fleet/{json:/device}/cmd"}
PROGRAM = {**PLAIN, "payload": "jq:.payload"}
ROUND_TRIP = {"forward": [{"name": "up", "from": "up/#", "to": {"queue": "downlink"}}],
              "reverse": [{"name": "down", "from": FROM, "to": "down", "allow_loop": True}]}


class Run(harness.Stage):
    """One run of one row. Gives seconds, CPU seconds, and requests to CMQ (0: none)."""

    def __init__(self, options):
        self.options = options

    def __enter__(self):
        super().__enter__()
        self.start_broker()
        return self

    def bodies(self):
        filler = "x" * max(0, self.options.size - 50)
        return [json.dumps({"device": f"d{n % 1000}", "payload": [n, filler]},
                           separators=(",", ":")) for n in range(self.options.messages)]

    def timed(self, words, feed=None):
        """A peer's whole run."""
        began = time.monotonic()
        peer = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        if feed:
            peer.stdin.write(feed)
        peer.stdin.close()
        _, status, used = os.wait4(peer.pid, 0)
        peer.returncode = os.waitstatus_to_exitcode(status)
        if peer.returncode:
            raise RuntimeError(f"{words[0]} gave {peer.returncode}")
        return time.monotonic() - began, used.ru_utime + used.ru_stime, 0

    def mosquitto_pub(self):
        return self.timed(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.broker.port), "-q", "1",
                           "-V", "mqttv5", "-t", "fleet/d/cmd", "-l"],
                          ("\n".join(self.bodies()) + "\n").encode())

    def bench_publish(self):
        return self.timed([os.path.join(harness.BIN, "bench_publish"), "--port",
                           str(self.broker.port), "--count", str(self.options.messages), "--topic",
                           "fleet/d%/cmd", "--topics", "1000", "--window", "1000", "--size",
                           str(self.options.size)])

    def gateway_run(self, rule, sync):
        """A backlog in CMQ, from the gateway's start until the last message is deleted."""
        self.start_cmq(["downlink"])
        bodies = self.bodies()
        for at in range(0, len(bodies), 16):
            self.cmq.batch_send("downlink", bodies[at:at + 16])
        before = self.cmq.log()["last"]
        began = time.monotonic()
        self.start_gateway([], reverse=[rule], spool={"max_size": "1GiB", "sync": sync})
        harness.wait_until(lambda: f"all are deleted, but {self.cmq.counts('downlink')}",
                           lambda: self.cmq.counts("downlink") == 0, 300, pause=0.02)
        took = time.monotonic() - began
        return took, self.gateway.cpu_seconds(), self.cmq.log()["last"] - before

    def round_trips(self, rate, seconds, sync):
        """Milliseconds that each of rate messages a second took, sorted."""
        self.start_cmq(["downlink"])
        self.start_gateway(ROUND_TRIP["forward"], reverse=ROUND_TRIP["reverse"],
                           spool={"max_size": "1GiB", "sync": sync})
        count, taken = int(rate * seconds), []
        listener = self.opened(self.broker.client("listener"))
        listener.subscribe("down")

        def listen():
            for number in range(count):
                listener.wait_messages(number + 1)
                sent = float(listener.received[number].payload)
                taken.append((time.monotonic() - sent) * 1000)
        listening = threading.Thread(target=listen)
        listening.start()
        with self.broker.client("device") as device:
            start = time.monotonic()
            for number in range(count):
                time.sleep(max(0.0, start + number / rate - time.monotonic()))
                device.publish("up/x", repr(time.monotonic()))
        listening.join()
        return sorted(taken)


ROWS = [
    ("mosquitto_pub -q 1 -l", lambda run: run.mosquitto_pub()),
    ("bench_publish, 1000 in flight", lambda run: run.bench_publish()),
    ("cmqgw, sync crash", lambda run: run.gateway_run(PLAIN, "crash")),
    ("cmqgw, sync power", lambda run: run.gateway_run(PLAIN, "power")),
    ("cmqgw, sync power, a jq payload", lambda run: run.gateway_run(PROGRAM, "power")),
]


def main():
    options = table.options_of(__doc__, 50000)
    peers = []

    def peer_of(_, rate):
        """The first row's rate."""
        peers.append(rate)
        return peers[0]

    table.print_rows(options, "publisher", ROWS, Run, peer_of)
    print("\n| device to CMQ to device | p50 | p99 |\n|---|---|---|", flush=True)
    for sync in ("crash", "power"):
        for rate in (10, 200):
            with Run(options) as run:
                taken = run.round_trips(rate, 5, sync)
            print(f"| {rate} a second, sync {sync} | {taken[len(taken) // 2]:.1f} ms | "
                  f"{taken[len(taken) * 99 // 100]:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
