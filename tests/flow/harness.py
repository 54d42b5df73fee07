"""harness - the real programs in a folder of their own, for one test

A FlowTest owns a temporary folder and every process it starts. Processes are ended by their pid,
also when the test's own process dies (setpriv --pdeathsig). Nothing here sleeps for a fixed time:
`wait_until` polls a condition until a deadline and says what it waited for. When a test fails, the
end of every process's log is printed.

$CMQGW_BIN is the folder with cmqgw and cmqlocal; without it build/dev/bin is taken.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from cmq_client import CmqClient
from mqtt_client import MqttClient

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("CMQGW_BIN") or os.path.join(ROOT, "build", "dev", "bin")
MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
PATIENCE = 60

SECRET_ID, SECRET_KEY = "AKIDflow", "flowkey-0123456789"
os.environ.update(CMQGW_FLOW_ID=SECRET_ID, CMQGW_FLOW_KEY=SECRET_KEY)
ACCOUNT = {"secret_id": "@env:CMQGW_FLOW_ID", "secret_key": "@env:CMQGW_FLOW_KEY"}


def wait_until(what, condition, patience=PATIENCE, pause=0.02):
    """Waits until condition() is true and returns it; what it waits for may be said by a function."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {patience} s still not: {what() if callable(what) else what}")
        time.sleep(pause)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def port_answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


def as_config(value):
    """A Python value in libconfig's words: dict group, list of dicts list, other list array."""
    if isinstance(value, dict):
        return "{ " + " ".join(f"{key} = {as_config(item)};" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        opening, closing = "()" if any(isinstance(item, dict) for item in value) else "[]"
        return opening + ", ".join(as_config(item) for item in value) + closing
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def config_text(sections):
    return "".join(f"{name} = {as_config(value) if value else '( )'};\n"
                   for name, value in sections.items())


class Process:
    """A program that can be started again; its output goes to a log that is appended to."""

    def __init__(self, test, name, argv, env=None):
        self.name, self.argv, self.env = name, argv, env
        self.log_path = os.path.join(test.folder, f"{name}.log")
        self.popen = None
        self.log_start = 0  # where the present run's output begins
        test.processes.append(self)

    def launch(self):
        assert not self.running(), f"{self.name} is running already"
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--"] + self.argv, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**os.environ, **(self.env or {})})

    def running(self):
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self):
        return self.popen.pid

    def signal(self, number):
        self.popen.send_signal(number)

    def terminate(self, patience=30):
        """SIGTERM; the exit code."""
        if self.running():
            self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(patience)

    def kill(self):
        """kill -9."""
        if self.popen:
            self.popen.kill()
            self.popen.wait()

    def log(self, whole=False):
        """What the present run has said; or what all have."""
        try:
            with open(self.log_path, "rb") as log:
                log.seek(0 if whole else self.log_start)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, patience=PATIENCE):
        """Waits for a line that matches; gives the match."""
        def look():
            found = re.search(pattern, self.log(), re.M)
            if not found and not self.running():
                raise AssertionError(f"{self.name} ended with {self.popen.returncode} before it said "
                                     f"{pattern!r}:\n{self.log()[-2000:]}")
            return found
        return wait_until(f"{self.name} says {pattern!r}", look, patience)

    def memory_bytes(self, field="VmRSS"):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(re.search(rf"^{field}:\s+(\d+) kB", status.read(), re.M)[1]) * 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Broker(Process):
    """mosquitto; keeps its port over restarts. Settings are lines of its configuration."""

    def __init__(self, test, users=None, persistence=False, **settings):
        self.folder, self.users = test.folder, users
        self.persistence, self.settings = persistence, settings
        self.path = os.path.join(test.folder, "mosquitto.conf")
        self.port = 0
        super().__init__(test, "mosquitto", [MOSQUITTO, "-c", self.path])

    def _write_config(self):
        lines = [f"listener {self.port} 127.0.0.1", "log_dest stderr", "log_type error",
                 "log_type warning", "log_type subscribe", "log_type unsubscribe",
                 "set_tcp_nodelay true"]
        if os.getuid() == 0:
            lines.append("user root")
        if self.users:
            passwords = os.path.join(self.folder, "passwords")
            with open(passwords, "w", encoding="ascii"):
                pass
            for user, password in self.users.items():
                subprocess.run(["mosquitto_passwd", "-b", passwords, user, password], check=True)
            lines += ["allow_anonymous false", f"password_file {passwords}"]
        else:
            lines.append("allow_anonymous true")
        if self.persistence:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
        wanted = {"max_queued_messages": 0, "max_inflight_messages": 1000, **self.settings}
        lines += [f"{name} {value}" for name, value in wanted.items()]
        with open(self.path, "w", encoding="ascii") as config:
            config.write("\n".join(lines) + "\n")

    def start(self):
        for _ in range(5):  # a free port may be taken before the broker has it
            keep = self.port
            self.port = keep or free_port()
            self._write_config()
            self.launch()
            wait_until("the broker listens or ends",
                       lambda: port_answers(self.port) or not self.running())
            if self.running():
                return self
            self.port = keep
        raise AssertionError("mosquitto does not start:\n" + self.log())

    def wait_subscribed(self, topic_filter):
        self.wait_log(rf" \d {re.escape(topic_filter)}$")

    def wait_unsubscribed(self, topic_filter):
        self.wait_log(rf"[^ ]+ edge-1 {re.escape(topic_filter)}$")

    def client(self, client_id="test", **how):
        return MqttClient(self.port, client_id, **how)


class CmqLocal(Process):
    """cmqlocal; keeps its port over restarts, but not its messages."""

    def __init__(self, test, resources):
        self.path = os.path.join(test.folder, "cmqlocal.cfg")
        with open(self.path, "w", encoding="utf-8") as config:
            config.write(config_text({
                "cmq": ACCOUNT,
                "resources": resources}))
        self.port = 0
        super().__init__(test, "cmqlocal", [])

    def start(self):
        self.argv = [os.path.join(BIN, "cmqlocal"), "-c", self.path, "--listen",
                     f"127.0.0.1:{self.port}"]
        self.launch()
        self.port = int(self.wait_log(r"listening on http://127\.0\.0\.1:(\d+)")[1])
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def client(self):
        return CmqClient(self.port, SECRET_ID, SECRET_KEY)


class Gateway(Process):
    """cmqgw run, with its configuration; start does not wait for anything."""

    def __init__(self, test, sections, env=None):
        self.sections = sections
        self.path = os.path.join(test.folder, "gateway.cfg")
        self.state_dir = os.path.join(test.folder, "state")
        super().__init__(test, "cmqgw", [os.path.join(BIN, "cmqgw"), "run", "-c", self.path], env)

    def write_config(self):
        with open(self.path, "w", encoding="utf-8") as config:
            config.write(config_text(self.sections))

    def start(self):
        self.write_config()
        self.launch()
        return self

    def run(self, *words):
        """Runs `cmqgw WORDS` on this gateway's configuration."""
        return subprocess.run([self.argv[0], *words, "-c", self.path], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)

    def command(self, *words):
        """The same for what must go well; what it printed."""
        done = self.run(*words)
        if done.returncode:
            raise AssertionError(f"cmqgw {words} gave {done.returncode}: {done.stderr}")
        return done.stdout

    def dead_letters(self):
        """All of them, oldest first, each with its body."""
        return [json.loads(line)
                for line in self.command("dead-letters", "export").splitlines()]

    def spool_stat(self):
        return json.loads(self.command("spool", "stat", "--json"))


class LoadCloser:
    """Ends a publisher that a failed test has left."""

    def __init__(self, load):
        self.load = load

    def close(self):
        self.load.kill()
        self.load.communicate()


class Stage:
    """A folder, and in it a broker, a local CMQ server and a gateway, each when it is asked for."""

    secret_id, secret_key = SECRET_ID, SECRET_KEY

    def __enter__(self):
        self.set_up()
        return self

    def __exit__(self, kind, *_):
        self.end_all()
        if kind:
            self.print_logs("the run failed")
        self.remove_folder()

    def set_up(self):
        self.folder = tempfile.mkdtemp(prefix="cmqgw-flow-")
        self.processes, self.closing = [], []

    def end_all(self):
        for thing in reversed(self.closing):
            thing.close()
        for process in reversed(self.processes):
            process.kill()

    def print_logs(self, title):
        for process in self.processes:
            print(f"\n--- {title}: the end of {process.name}'s log", file=sys.stderr)
            print(process.log(whole=True)[-6000:], file=sys.stderr)

    def remove_folder(self):
        shutil.rmtree(self.folder)

    def opened(self, thing):
        """Closes it when the test ends."""
        self.closing.append(thing)
        return thing

    def start_broker(self, **settings):
        self.broker = Broker(self, **settings).start()
        return self.broker

    def start_cmq(self, queues=(), topics=()):
        """Queues by name or as groups. self.cmq is a client of it."""
        resources = {"queues": [q if isinstance(q, dict) else {"name": q} for q in queues]}
        if topics:
            resources["topics"] = list(topics)
        self.local = CmqLocal(self, resources).start()
        self.cmq = self.opened(self.local.client())
        return self.local

    def gateway_config(self, forward, mqtt=None, cmq=None, spool=None, **sections):
        """The sections of a configuration; forward is a list of rules, the rest adds and overrides."""
        return {
            "gateway": {"id": "edge-1", "state_dir": os.path.join(self.folder, "state")},
            "mqtt": {"servers": [f"tcp://127.0.0.1:{self.broker.port}"], **(mqtt or {})},
            "cmq": {"endpoint": self.local.url, **ACCOUNT, **(cmq or {})},
            "spool": spool or {"max_size": "1GiB", "sync": "crash"},
            "admin": {"listen": "127.0.0.1:0"},
            "forward": forward, **sections}

    def start_gateway(self, forward, env=None, subscribed=True, **how):
        """Starts it; waits, unless told otherwise, until the broker has its subscriptions."""
        self.gateway = Gateway(self, self.gateway_config(forward, **how), env).start()
        if subscribed:
            for rule in forward:
                filters = rule["from"] if isinstance(rule["from"], list) else [rule["from"]]
                for one in filters:
                    self.broker.wait_subscribed(re.sub(r"([+#])[A-Za-z0-9_-]+", r"\1", one))
        return self.gateway

    def wait_count(self, queue, count, patience=PATIENCE):
        """Waits until at least count messages have come to the queue."""
        wait_until(lambda: f"{queue} has {count} messages (it has {self.cmq.counts(queue)})",
                   lambda: self.cmq.counts(queue) >= count, patience, pause=0.1)

    def publish_load(self, count, topic, wait=True, **options):
        """bench_publish: numbered messages, fast. Its Popen when it is not waited for."""
        words = [os.path.join(BIN, "bench_publish"), "--port", str(self.broker.port),
                 "--count", str(count), "--topic", topic]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        load = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.closing.append(LoadCloser(load))
        if wait:
            self.finish_load(load)
        return load

    def finish_load(self, load, patience=120):
        output = load.communicate(timeout=patience)[0]
        if load.returncode:
            raise AssertionError(f"bench_publish gave {load.returncode}: {output}")
        return output


class FlowTest(Stage, unittest.TestCase):
    """A test on a stage of its own; when it fails, the logs are shown."""

    def run(self, result=None):
        self.set_up()
        failed = len(result.failures) + len(result.errors)
        try:
            return super().run(result)
        finally:
            self.end_all()
            if len(result.failures) + len(result.errors) > failed:
                self.print_logs(self.id())
            self.remove_folder()
