"""downlink - a stage for the way back: CMQ, the gateway, the broker, and who watches them"""

import json
import os
import re
import shutil
import sqlite3
import time

import harness
from collector import Collector
from wiretap import Wiretap

COMMANDS = {"name": "commands", "from": {"queue": "downlink", "pollers": 4, "wait": "1s"},
            "to": "fleet/p1/{json:/device}/cmd", "payload": "jq:.payload"}
# The same without a program, for speed: the payload is the body.
PLAIN = {"name": "commands", "from": {"queue": "downlink", "pollers": 4, "wait": "1s"},
         "to": "fleet/p1/{json:/device}/cmd"}


def queue(name, visibility="3s", **more):
    return {"name": name, "visibility": visibility, **more}


class DownlinkTest(harness.FlowTest):
    def start_all(self, reverse, forward=(), queues=("downlink",), tapped=True, **how):
        """Broker, wiretap, CMQ, a collector of everything, and the gateway, which is waited for."""
        if not getattr(self, "broker", None):
            self.start_broker()
        self.start_cmq([one if isinstance(one, dict) else queue(one) for one in queues])
        self.tap = self.opened(Wiretap(self.broker.port)) if tapped else None
        self.devices = self.opened(Collector(self.broker))
        mqtt = {**how.pop("mqtt", {})}
        if tapped:
            mqtt["servers"] = [f"tcp://127.0.0.1:{self.tap.port}"]
        self.start_gateway(list(forward), reverse=list(reverse), mqtt=mqtt, **how)
        self.gateway.wait_log("mqtt.connected")

    def wait_got(self, count, patience=harness.PATIENCE):
        """Until the collector has so many different payloads."""
        harness.wait_until(lambda: f"{count} messages came ({len(self.devices.topics)})",
                           lambda: len(self.devices.topics) >= count, patience)
        return self.devices.topics

    def wait_empty(self, *queues, patience=harness.PATIENCE):
        for name in queues or ("downlink",):
            harness.wait_until(lambda q=name: f"{q} is empty ({self.cmq.state()['queues'][q]})",
                               lambda q=name: self.cmq.counts(q) == 0, patience, pause=0.1)

    def send(self, bodies, name="downlink"):
        """In batches of 16; {msgId: body}."""
        ids = {}
        for at in range(0, len(bodies), 16):
            batch = bodies[at:at + 16]
            for sent, body in zip(self.cmq.batch_send(name, batch), batch):
                ids[sent["msgId"]] = body
        return ids

    def never(self, what, condition, seconds=1.5):
        """That condition does not come true within so many seconds, which is long beside what it
        would take."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if condition():
                raise AssertionError(f"{what}: it did happen")
            time.sleep(0.02)

    def polls_waiting(self):
        return sum(one["waiting"] for one in self.cmq.state()["queues"].values())

    def notes(self):
        """The notes on the disk of a gateway that was killed: {(queue, msgId)}. Looks at a copy."""
        copy = os.path.join(self.folder, "state-copy")
        shutil.copytree(self.gateway.state_dir, copy)
        try:
            database, = [name for name in os.listdir(copy) if name.endswith(".db")]
            connection = sqlite3.connect(os.path.join(copy, database))
            found = {tuple(row[0].split(" ", 1)) for row in
                     connection.execute("SELECT note FROM note")}
            connection.close()
            return found
        finally:
            shutil.rmtree(copy)

    def stop_gateway(self):
        """SIGTERM; the figures it told at the end."""
        self.assertEqual(self.gateway.terminate(), 0)
        return self.figures()

    def figures(self):
        line = self.gateway.log_lines(r"gateway\.figures")[-1]
        return {name: int(number) for name, number in re.findall(r"([a-z0-9_]+) (\d+)", line)}


def command(number, devices=1000):
    return json.dumps({"device": f"d{number % devices}", "payload": {"n": number}},
                      separators=(",", ":"))
