"""What the service manager hears: ready, alive while the threads that do the work are, stopping."""

import http.client
import json
import os
import signal
import socket
import subprocess
import threading
import time
import unittest

import harness

RULES = [{"name": "all", "from": "in/#", "to": {"queue": "store"}}]
WATCHDOG_S = 4.0


class Manager:
    """The other end of NOTIFY_SOCKET: every datagram as a dict, with the time it came."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.heard = []
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                return
            fields = dict(line.split("=", 1) for line in data.decode().split("\n"))
            self.heard.append((time.monotonic(), fields))

    def times(self, key):
        return [at for at, fields in list(self.heard) if key in fields]

    def quiet_s(self):
        """How long the watchdog has heard nothing."""
        return time.monotonic() - self.times("WATCHDOG")[-1]

    def close(self):
        self.socket.close()


class Notify(harness.FlowTest):
    def start_all(self, **env):
        self.manager = self.opened(Manager(os.path.join(self.folder, "notify")))
        self.start_broker()
        self.start_cmq(["store"])
        self.start_gateway(RULES, env={"NOTIFY_SOCKET": self.manager.path,
                                       "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)), **env})

    def wait(self, what, condition):
        return harness.wait_until(lambda: f"{what}; heard {self.manager.heard}", condition)

    def test_ready_comes_once_it_runs_and_stopping_when_it_is_told_to(self):
        self.start_all()
        self.wait("it is ready", lambda: self.manager.times("READY"))
        self.gateway.wait_log("gateway.started")
        self.assertEqual(self.manager.times("STOPPING"), [])
        self.assertEqual(self.gateway.terminate(), 0)
        self.wait("it stops", lambda: self.manager.times("STOPPING"))
        self.assertEqual(len(self.manager.times("READY")), 1)

    def test_a_reload_is_told_from_its_beginning_to_its_end(self):
        self.start_all()
        self.wait("it is ready", lambda: self.manager.times("READY"))
        before_us = time.monotonic_ns() // 1000
        self.gateway.popen.send_signal(signal.SIGHUP)
        self.wait("it is ready again", lambda: len(self.manager.times("READY")) == 2)
        begun = [fields for _, fields in self.manager.heard if "RELOADING" in fields]
        self.assertEqual(len(begun), 1)
        self.assertGreaterEqual(int(begun[0]["MONOTONIC_USEC"]), before_us)
        self.assertLess(self.manager.times("RELOADING")[0], self.manager.times("READY")[1])
        self.assertEqual(self.gateway.terminate(), 0)

    def test_a_configuration_with_errors_never_gets_ready(self):
        self.manager = self.opened(Manager(os.path.join(self.folder, "notify")))
        self.start_broker()
        self.start_cmq(["store"])
        self.start_gateway([{"name": "bad", "from": "in/#/x", "to": {"queue": "store"}}],
                           subscribed=False, env={"NOTIFY_SOCKET": self.manager.path})
        self.assertEqual(self.gateway.popen.wait(harness.PATIENCE), 1)
        self.assertEqual(self.manager.heard, [])

    def test_an_address_that_is_none_is_said_and_does_no_harm(self):
        self.start_broker()
        self.start_cmq(["store"])
        self.start_gateway(RULES, env={"NOTIFY_SOCKET": "nonsense"})
        self.assertTrue(self.gateway.log_lines("notify.failed.*NOTIFY_SOCKET"))
        self.assertEqual(self.gateway.terminate(), 0)

    def healthz(self):
        port = self.gateway.wait_log(r"admin\.listening.* port=(\d+)")[1]
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=harness.PATIENCE)
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        status, body = answer.status, json.loads(answer.read())
        connection.close()
        return status, body

    def test_a_hanging_writer_is_noticed_by_the_watchdog_and_by_healthz(self):
        library = os.path.join(self.folder, "sick_disk.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sick_disk.c")
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, source],
                       check=True)
        control = os.path.join(self.folder, "disk")
        self.start_all(LD_PRELOAD=library, SICK_DISK_CONTROL=control,
                       SICK_DISK_DIR=os.path.join(self.folder, "state"))
        self.wait("the watchdog is told twice", lambda: len(self.manager.times("WATCHDOG")) >= 2)
        gaps = self.manager.times("READY") + self.manager.times("WATCHDOG")
        self.assertLess(max(b - a for a, b in zip(gaps, gaps[1:])), WATCHDOG_S)

        with open(f"{control}.hang", "w", encoding="ascii"):
            pass
        with self.broker.client("device") as device:
            threading.Thread(target=device.publish_many, args=([("in/x", "1")],)).start()
            self.wait("the disk hangs", lambda: os.path.exists(f"{control}.hanging"))
            self.wait("the manager would have ended it",
                      lambda: self.manager.quiet_s() > WATCHDOG_S)
            self.assertTrue(self.gateway.running())
            self.wait("healthz tells", lambda: self.healthz()[0] == 503)
            self.assertGreater(self.healthz()[1]["silent_s"], WATCHDOG_S)
            os.unlink(f"{control}.hang")
            self.wait("it is well again", lambda: self.manager.quiet_s() < WATCHDOG_S / 2)
            self.assertEqual(self.healthz(), (200, {"ok": True}))
            self.assertEqual(self.cmq.take("store", 1), ["1"])
        self.assertEqual(self.gateway.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
