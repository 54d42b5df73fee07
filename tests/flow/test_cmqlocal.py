"""cmqlocal over real connections: signed by an implementation of its own, with nothing but hmac.

Every test starts the program that stands in $CMQGW_BIN on a port that the system chooses, or shares
the one of its class. Nothing sleeps: what takes time is waited for, with a deadline.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import queue
import random
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

PROGRAM = os.path.join(os.environ.get("CMQGW_BIN", "build/dev/bin"), "cmqlocal")
SECRET_ID = "AKIDflowtest"
SECRET_KEY = "flow-test-key"
DEADLINE = 30

TOPOLOGY = """
resources = {
  topics = (
    { name = "tagged"; filter = "tag"; subscriptions = (
        { name = "all"; queue = "all"; },
        { name = "high"; queue = "high"; tags = [ "high", "top" ]; } ); },
    { name = "filtered"; filter = "tag"; subscriptions = (
        { name = "high"; queue = "high"; tags = [ "high" ]; } ); },
    { name = "routed"; filter = "route"; subscriptions = (
        { name = "hot"; queue = "hot"; keys = [ "*.*.temp.#" ]; },
        { name = "seed"; queue = "high"; keys = [ "a.b.*", "#.c" ]; } ); },
    { name = "lonely"; },
    { name = "pushed"; subscriptions = (
        { name = "hook"; url = "http://hook.example/in"; } ); } );
  queues = (
    { name = "work"; },
    { name = "quick"; visibility = "1s"; },
    { name = "patient"; polling_wait = "30s"; },
    { name = "small"; max_size = "1KiB"; },
    { name = "fragile"; visibility = "1s"; dead_letter = { queue = "dead"; max_receive = 1; }; },
    { name = "all"; }, { name = "high"; }, { name = "hot"; }, { name = "dead"; } );
};
"""


def sign(method, host, path, params, key=SECRET_KEY, digest=hashlib.sha1, leave_out_at=False):
    """The signature of params, by CMQ.md 2.2."""
    parts = []
    for name in sorted(params, key=lambda k: k.encode()):
        value = params[name]
        if name == "Signature" or (leave_out_at and value.startswith("@")):
            continue
        parts.append(name.replace("_", ".") + "=" + value)
    text = method + host + path + "?" + "&".join(parts)
    return base64.b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()


class Server:
    """A cmqlocal of our own, and calls to it."""

    def __init__(self, *options, topology=TOPOLOGY, account=(SECRET_ID, SECRET_KEY)):
        self.dir = tempfile.mkdtemp(prefix="cmqlocal-test-")
        arguments = [PROGRAM, "--listen", "127.0.0.1:0"]
        if topology is not None:
            path = os.path.join(self.dir, "topology.cfg")
            with open(path, "w", encoding="utf-8") as file:
                file.write(topology)
            arguments += ["-c", path]
        if account:
            arguments += ["--secret-id", account[0], "--secret-key", account[1]]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            arguments + list(options), stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.first_line = self.process.stdout.readline()
        if not self.first_line:
            self.process.wait(DEADLINE)
            raise AssertionError("cmqlocal did not start: " + self.stderr())
        self.host = self.first_line.split("http://")[1].split()[0]
        self.port = int(self.host.rsplit(":", 1)[1])

    def stderr(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.errors.close()
        shutil.rmtree(self.dir)
        return status

    def connect(self, timeout=DEADLINE):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def form(self, action, method="POST", path="/v2/index.php", host=None, changes=None,
             digest=hashlib.sha1, key=SECRET_KEY, leave_out_at=False, **params):
        """The signed parameters of a call; changes replaces (or, with None, removes) some."""
        form = {"Action": action, "Timestamp": str(int(time.time())),
                "Nonce": str(random.randrange(1, 1 << 31)), "SecretId": SECRET_ID}
        form.update(params)
        for name, value in (changes or {}).items():
            form.pop(name, None)
            if value is not None:
                form[name] = value
        form.setdefault("Signature", sign(method, host or self.host, path, form, key, digest,
                                          leave_out_at))
        if "Signature" in (changes or {}) and changes["Signature"] is None:
            del form["Signature"]
        return form

    def call(self, action, method="POST", path="/v2/index.php", connection=None, headers=None,
             **rest):
        """Calls an action and returns the answer's JSON."""
        host = (headers or {}).get("Host")
        form = self.form(action, method=method, path=path, host=rest.pop("host", host), **rest)
        status, text = self.send(method, path, urllib.parse.urlencode(form), connection, headers)
        if status != 200:
            raise AssertionError("HTTP status %d: %r" % (status, text))
        return json.loads(text)

    def send(self, method, path, form, connection=None, headers=None):
        own = connection is None
        connection = connection or self.connect()
        try:
            if method == "GET":
                connection.request(method, path + "?" + form, headers=headers or {})
            else: # no Content-Type, as the vendor's Python SDK
                connection.request(method, path, body=form.encode(), headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            if own:
                connection.close()

    def control(self, method, path, body=None, headers=None):
        connection = self.connect()
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, body=text, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def state(self, queue_name):
        return self.control("GET", "/local/state")[1]["queues"][queue_name]

    def until(self, condition, what):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError("waited in vain for " + what)
            select.select([], [], [], 0.01)
