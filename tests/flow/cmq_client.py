"""cmq_client - an independent CMQ client for tests, and the local server's own controls

Signs as CMQ.md 2.2 says with Python's hmac, so that the gateway's own signer is not its own witness.
"""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import time
import urllib.parse

NO_MESSAGE = 7000


class CmqError(Exception):
    def __init__(self, answer):
        super().__init__(f"{answer.get('code')}: {answer.get('message')}")
        self.code = answer.get("code")


class CmqClient:
    """One keep-alive connection to http://127.0.0.1:port; one thread at a time."""

    def __init__(self, port, secret_id, secret_key):
        self.host = f"127.0.0.1:{port}"
        self.secret_id, self.secret_key = secret_id, secret_key
        self.nonce = itertools.count(1)
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def _exchange(self, method, path, body=None, headers=None, timeout=60):
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.host, timeout=timeout)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if answer.status != 200:
            raise OSError(f"{method} {path}: HTTP {answer.status} {data[:200]!r}")
        return json.loads(data) if data else None

    def call(self, action, **parameters):
        """One action; lists become NAME.1, NAME.2, ... The answer, or CmqError when code is not 0."""
        form = {"Action": action, "Nonce": next(self.nonce), "Timestamp": int(time.time()),
                "SecretId": self.secret_id, "SignatureMethod": "HmacSHA256"}
        for name, value in parameters.items():
            if isinstance(value, (list, tuple)):
                form.update((f"{name}.{n}", item) for n, item in enumerate(value, 1))
            elif value is not None:
                form[name] = value
        signed = "&".join(f"{key}={form[key]}" for key in sorted(form, key=str.encode))
        text = f"POST{self.host}/v2/index.php?{signed}"
        digest = hmac.new(self.secret_key.encode(), text.encode(), hashlib.sha256).digest()
        form["Signature"] = base64.b64encode(digest).decode()
        answer = self._exchange("POST", "/v2/index.php", urllib.parse.urlencode(form),
                                {"Content-Type": "application/x-www-form-urlencoded"})
        if answer["code"]:
            raise CmqError(answer)
        return answer

    def send(self, queue, body, delay=None):
        return self.call("SendMessage", queueName=queue, msgBody=body, delaySeconds=delay)["msgId"]

    def batch_send(self, queue, bodies):
        return self.call("BatchSendMessage", queueName=queue, msgBody=bodies)["msgList"]

    def publish(self, topic, body, route=None, tags=None):
        return self.call("PublishMessage", topicName=topic, msgBody=body, routingKey=route,
                         msgTag=tags)["msgId"]

    def batch_receive(self, queue, count=16, wait=0):
        """Up to count messages, as CMQ describes them; an empty list when there is none."""
        try:
            return self.call("BatchReceiveMessage", queueName=queue, numOfMsg=count,
                             pollingWaitSeconds=wait)["msgInfoList"]
        except CmqError as error:
            if error.code == NO_MESSAGE:
                return []
            raise

    def delete(self, queue, handles):
        self.call("BatchDeleteMessage", queueName=queue, receiptHandle=handles)

    def take(self, queue, count, patience=30):
        """Waits for count messages and takes them out; their bodies, in order of receipt."""
        bodies, deadline = [], time.monotonic() + patience
        while len(bodies) < count:
            got = self.batch_receive(queue, min(16, count - len(bodies)), wait=1)
            if got:
                bodies += [message["msgBody"] for message in got]
                self.delete(queue, [message["receiptHandle"] for message in got])
            elif time.monotonic() > deadline:
                raise TimeoutError(f"{queue}: {len(bodies)} of {count} messages came: {bodies[:5]}")
        return bodies

    def drain(self, queue):
        """Takes out all that is there now."""
        bodies = []
        while got := self.batch_receive(queue):
            bodies += [message["msgBody"] for message in got]
            self.delete(queue, [message["receiptHandle"] for message in got])
        return bodies

    # The local server's own controls (no signature).

    def faults(self, *entries):
        """Scripts misbehaviour; without entries clears it."""
        self._exchange("POST", "/local/faults", json.dumps(entries),
                       {"Content-Type": "application/json"})

    def fault_hits(self):
        """How often each entry of the script was met, in its order."""
        script = self._exchange("GET", "/local/faults")
        return [entry["hits"] for entry in script]

    def reset(self):
        self._exchange("POST", "/local/reset", "")

    def state(self):
        return self._exchange("GET", "/local/state")

    def log(self, after=0):
        return self._exchange("GET", f"/local/log?after={after}")

    def counts(self, queue):
        """The queue's messages: all that are not deleted."""
        entry = self.state()["queues"][queue]
        return entry["active"] + entry["inactive"] + entry["delayed"]
