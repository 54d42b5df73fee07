"""uplink - how fast messages go from the broker to CMQ, beside mosquitto_sub on the same stream

Every figure is a median of several runs on one machine that the publisher, the broker, the gateway
and the local CMQ server share. CPU is that of the receiving process alone, user and system.
"""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "flow"))

import harness  # noqa: E402  pylint: disable=wrong-import-position
import table  # noqa: E402  pylint: disable=wrong-import-position

RULES = [{"name": "load", "from": "load/#", "to": {"queue": "store"}}]


class Run(harness.Stage):
    """One run of one row. Gives seconds, CPU seconds, and requests to CMQ (0: none)."""

    def __init__(self, options):
        self.options = options

    def load(self, **how):
        return self.publish_load(self.options.messages, "load/%", topics=4, window=1000,
                                 size=self.options.size, **how)

    def subscriber(self, *words):
        return ["mosquitto_sub", "-h", "127.0.0.1", "-p", str(self.broker.port), "-q", "1", "-c",
                "-i", "peer", "-t", "load/#", "-V", "mqttv5", "-x", "3600", *words]

    def peer(self, backlog):
        """mosquitto_sub takes the messages: of a backlog, or as they are published."""
        self.start_broker()
        subprocess.run(self.subscriber("-E"), check=True)
        if backlog:
            self.load()
        began = time.monotonic()
        taker = subprocess.Popen(self.subscriber("-C", str(self.options.messages)),
                                 stdout=subprocess.DEVNULL)
        if not backlog:
            self.broker.wait_log(r"(?s)peer 1 load/#.*peer 1 load/#")
            began = time.monotonic()
            self.load(wait=False)
        _, status, used = os.wait4(taker.pid, 0)
        took = time.monotonic() - began
        taker.returncode = os.waitstatus_to_exitcode(status)
        if taker.returncode:
            raise RuntimeError(f"mosquitto_sub gave {taker.returncode}")
        return took, used.ru_utime + used.ru_stime, 0

    def start_uplink(self, sync):
        self.start_cmq(["store"])
        self.start_gateway(RULES, spool={"max_size": "4GiB", "sync": sync},
                           subscribed=isinstance(self.broker, harness.Broker))

    def finish_uplink(self, began, cpu_before, requests_before):
        count = self.options.messages
        harness.wait_until(lambda: f"all arrive: {self.cmq.counts('store')} of {count}",
                           lambda: self.cmq.counts("store") >= count, 300, pause=0.01)
        took = time.monotonic() - began
        return took, self.gateway.cpu_seconds() - cpu_before, \
            self.cmq.log()["last"] - requests_before

    def gateway_run(self, sync, backlog):
        """The gateway does."""
        self.start_broker()
        self.start_uplink(sync)
        cpu = 0.0
        if backlog:
            self.gateway.terminate()
            self.load()
        began = time.monotonic()
        if backlog:
            self.gateway.start()
        else:
            cpu = self.gateway.cpu_seconds()
            self.load(wait=False)
        return self.finish_uplink(began, cpu, 0)

    def alone(self, sync):
        """The gateway, with bench_publish in the broker's place: the gateway's own limit."""
        words = [os.path.join(harness.BIN, "bench_publish"), "--serve", "0", "--topic", "load/%",
                 "--topics", "4", "--count", str(self.options.messages), "--window", "1000",
                 "--size", str(self.options.size)]
        server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.closing.append(harness.LoadCloser(server))
        port = int(re.search(r":(\d+)$", server.stdout.readline())[1])
        self.broker = type("Served", (), {"port": port})
        began = time.monotonic()
        self.start_uplink(sync)
        return self.finish_uplink(began, 0.0, 0)


ROWS = [
    ("mosquitto_sub -q 1, a backlog", lambda run: run.peer(True)),
    ("mosquitto_sub -q 1, live", lambda run: run.peer(False)),
    ("cmqgw, sync crash, a backlog", lambda run: run.gateway_run("crash", True)),
    ("cmqgw, sync crash, live", lambda run: run.gateway_run("crash", False)),
    ("cmqgw, sync power, a backlog", lambda run: run.gateway_run("power", True)),
    ("cmqgw, sync power, live", lambda run: run.gateway_run("power", False)),
    ("cmqgw, sync crash, no broker", lambda run: run.alone("crash")),
    ("cmqgw, sync power, no broker", lambda run: run.alone("power")),
]


def main():
    peers = {}

    def peer_of(name, rate):
        """mosquitto_sub's rate of the same kind: a backlog or live."""
        kind = name.rpartition(", ")[2]
        return peers.setdefault(kind, rate if name.startswith("mosq") else None)

    table.print_rows(table.options_of(__doc__, 100000), "receiver", ROWS, Run, peer_of)


if __name__ == "__main__":
    main()
