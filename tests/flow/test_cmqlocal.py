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
import re
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
        { name = "hook"; url = "http://127.0.0.1:1/in"; } ); } );
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
            says = self.stderr()
            self.stop()
            raise AssertionError("cmqlocal did not start: " + says)
        self.host = self.first_line.split("://")[1].split()[0]
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


class Shared(unittest.TestCase):
    """Tests that share one server, emptied before each of them."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, "cmqlocal ended with %r" % status

    def setUp(self):
        self.assertEqual(self.server.control("POST", "/local/reset")[0], 200)

    def ok(self, action, **params):
        answer = self.server.call(action, **params)
        self.assertEqual(answer["code"], 0, answer)
        self.assertEqual(answer["message"], "")
        return answer

    def refused(self, code, module, action, **params):
        answer = self.server.call(action, **params)
        self.assertEqual(answer["code"], code, answer)
        self.assertTrue(answer["message"].startswith("(%d)" % module), answer)
        return answer

    def counts(self, name):
        state = self.server.state(name)
        return state["active"], state["inactive"], state["delayed"]


class Actions(Shared):
    def test_a_message_goes_round(self):
        body = "\u4f60\u597d CMQ+&=%?\n\"\\\u0001\u007f\U0001f600"
        before = int(time.time())
        sent = self.ok("SendMessage", queueName="work", msgBody=body, delaySeconds="0")
        self.assertRegex(sent["msgId"], r"^\d+$")
        got = self.ok("ReceiveMessage", queueName="work", pollingWaitSeconds="3",
                      UserpollingWaitSeconds="3")
        self.assertEqual(got["msgBody"], body)
        self.assertEqual(got["msgId"], sent["msgId"])
        self.assertRegex(got["receiptHandle"], r"^[a-zA-Z\d%#:_-]{1,256}$")
        for name in ("enqueueTime", "firstDequeueTime", "nextVisibleTime", "dequeueCount"):
            self.assertIs(type(got[name]), int)
        self.assertIn(got["enqueueTime"] - before, range(0, DEADLINE))
        self.assertIn(got["nextVisibleTime"] - got["firstDequeueTime"], (30, 31))
        self.assertEqual(got["dequeueCount"], 1)
        self.assertEqual(self.counts("work"), (0, 1, 0))
        done = self.ok("DeleteMessage", queueName="work", receiptHandle=got["receiptHandle"])
        self.assertEqual(sorted(done), ["code", "message", "requestId"])
        self.assertEqual(self.counts("work"), (0, 0, 0))
        self.refused(4430, 10260, "DeleteMessage", queueName="work",
                     receiptHandle=got["receiptHandle"])

    def test_batches_go_round_with_arrays_from_0_and_from_1(self):
        for base in (0, 1):
            bodies = {"msgBody.%d" % (base + i): "m%d" % i for i in range(16)}
            sent = self.ok("BatchSendMessage", queueName="work", **bodies)
            got = self.ok("BatchReceiveMessage", queueName="work", numOfMsg="16")
            self.assertEqual([m["msgBody"] for m in got["msgInfoList"]],
                             ["m%d" % i for i in range(16)])
            self.assertEqual([m["msgId"] for m in got["msgInfoList"]],
                             [m["msgId"] for m in sent["msgList"]])
            handles = {"receiptHandle.%d" % (base + i): m["receiptHandle"]
                       for i, m in enumerate(got["msgInfoList"])}
            handles["receiptHandle.%d" % (base + 3)] = "4364564575"
            partly = self.refused(6010, 10150, "BatchDeleteMessage", queueName="work", **handles)
            self.assertEqual(partly["errorList"],
                             [{"code": 4430, "message": "(10260)receipt handle is invalid",
                               "receiptHandle": "4364564575"}])
            self.refused(6020, 10290, "BatchDeleteMessage", queueName="work", **handles)
            self.ok("BatchDeleteMessage", queueName="work",
                    **{"receiptHandle.0": got["msgInfoList"][3]["receiptHandle"]})
        self.assertEqual(self.counts("work"), (0, 0, 0))

    def test_publishing_reaches_those_who_subscribed(self):
        def reached(topic, **params):
            self.server.control("POST", "/local/reset")
            answer = self.server.call("PublishMessage", topicName=topic, msgBody="x", **params)
            if answer["code"] == 0:
                self.assertRegex(answer["msgId"], r"^\d+$")
            return answer["message"] or {q for q in ("all", "high", "hot")
                                         if self.counts(q)[0] == 1}
        none = "(10730)no bindingKey or filterTag matches the routingKey or msgTag"
        self.assertEqual(reached("tagged", routingKey=""), {"all"})
        self.assertEqual(reached("tagged", **{"msgTag.1": "low", "msgTag.2": "top"}),
                         {"all", "high"})
        self.assertEqual(reached("filtered"), none)
        self.assertEqual(reached("filtered", **{"msgTag.0": "high"}), {"high"})
        self.assertEqual(reached("routed", routingKey="p1.d7.temp"), {"hot"})
        self.assertEqual(reached("routed", routingKey="p1.d7.temp.max"), {"hot"})
        for route, high in (("a.b.c", True), ("a.b.x", True), ("a.c.d", False),
                            ("x.y.z", False), ("x.y.c", True)):
            self.assertEqual(reached("routed", routingKey=route), {"high"} if high else none)
        self.assertEqual(reached("routed"), "(10700)parameters lack of routingKey")
        self.assertEqual(reached("lonely"), "(10650)topic has no subscription, please create a "
                         "subscription before publishing message")
        self.assertEqual(reached("pushed"), set()) # but somebody subscribed
        many = self.ok("BatchPublishMessage", topicName="tagged",
                       **{"msgBody.1": "a", "msgBody.2": "b", "msgTag.1": "high"})
        self.assertEqual(len(many["msgList"]), 2)
        self.assertEqual(self.counts("all")[0], 2)
        self.assertEqual(self.counts("high")[0], 2)

    def test_routes_are_answered(self):
        for action, name in (("QueryQueueRoute", {"queueName": "work"}),
                             ("QueryTopicRoute", {"topicName": "tagged"})):
            self.assertEqual(self.ok(action, **name)["addr"], [self.server.host])

    def test_a_lapsed_message_comes_again_with_a_new_handle(self):
        self.ok("SendMessage", queueName="quick", msgBody="x")
        first = self.ok("ReceiveMessage", queueName="quick")
        second = self.ok("ReceiveMessage", queueName="quick", pollingWaitSeconds="20")
        self.assertEqual(second["msgId"], first["msgId"])
        self.assertEqual(second["dequeueCount"], 2)
        self.assertEqual(second["firstDequeueTime"], first["firstDequeueTime"])
        self.refused(4430, 10260, "DeleteMessage", queueName="quick",
                     receiptHandle=first["receiptHandle"])
        self.ok("DeleteMessage", queueName="quick", receiptHandle=second["receiptHandle"])

    def test_a_delayed_message_waits_and_then_wakes_a_poll(self):
        began = time.monotonic()
        self.ok("SendMessage", queueName="work", msgBody="late", delaySeconds="1")
        self.assertEqual(self.counts("work"), (0, 0, 1))
        self.refused(7000, 10200, "ReceiveMessage", queueName="work")
        self.ok("ReceiveMessage", queueName="work", pollingWaitSeconds="20")
        self.assertGreaterEqual(time.monotonic() - began, 0.99)

    def test_a_message_received_too_often_is_found_in_the_dead_letter_queue(self):
        sent = self.ok("SendMessage", queueName="fragile", msgBody="poison")
        self.ok("ReceiveMessage", queueName="fragile")
        dead = self.ok("ReceiveMessage", queueName="dead", pollingWaitSeconds="20")
        self.assertEqual(dead["msgBody"], "poison")
        self.assertEqual(dead["msgId"], sent["msgId"])
        self.assertEqual(self.counts("fragile"), (0, 0, 0))

    def test_errors_are_http_200_with_their_texts(self):
        rows = (
            (4440, "(10100)queue is not existed, or deleted", "SendMessage",
             {"queueName": "gone", "msgBody": "x"}),
            (4440, "(10600)topic is not existed, or deleted", "PublishMessage",
             {"topicName": "gone", "msgBody": "x"}),
            (4000, "(10120)message body can't be empty", "SendMessage",
             {"queueName": "work", "msgBody": ""}),
            (4400, "(10230)exceed maximum message size", "SendMessage",
             {"queueName": "small", "msgBody": "x" * 1025}),
            (4000, "(10430)action name CreateQueue is not existed", "CreateQueue",
             {"queueName": "x"}),
            (4000, "(10390)lacked of required parameter numOfMsg", "BatchReceiveMessage",
             {"queueName": "work"}),
        )
        for code, message, action, params in rows:
            answer = self.server.call(action, **params)
            self.assertEqual((answer["code"], answer["message"]), (code, message))
            self.assertEqual(sorted(answer), ["code", "message", "requestId"])
        connection = self.server.connect()
        form = urllib.parse.urlencode(self.server.form("ReceiveMessage", queueName="work"))
        text = self.server.send("POST", "/v2/index.php", form, connection)[1]
        connection.close()
        self.assertRegex(text, rb'^\{"code":7000,"message":"\(10200\)no message","requestId":"\d+"\}$')


class Signatures(Shared):
    def test_every_way_to_sign_is_understood(self):
        send = {"queueName": "work", "msgBody": "~ *'()/ +%20 \u00e9"}
        ways = (
            {},
            {"method": "GET"},
            {"path": "/"},
            {"path": "/any/where", "method": "GET"},
            {"digest": hashlib.sha256, "SignatureMethod": "HmacSHA256"},
            {"digest": hashlib.sha256, "SignatureMethod": "sha256"},
            {"SignatureMethod": "HmacSHA1"},
            {"Token": "temporary"},
            {"client_request_id": "77", "clientB": "x"},
            {"Region": "gz", "RequestClient": "SDK_Python_1.3", "clientRequestId": "4294967295"},
            {"headers": {"Content-Type": "text/json"}},
            {"headers": {"Accept-Encoding": "UTF-8"}},
            {"headers": {"Host": "cmq-gz.public.tencenttdmq.com"}},
            {"headers": {"Host": "forwarded.example:9443"}, "host": "forwarded.example"},
        )
        for way in ways:
            with self.subTest(way=way):
                self.ok("SendMessage", **send, **way)
        self.assertEqual(self.counts("work")[0], len(ways))

    def test_a_client_request_id_comes_back_as_a_number(self):
        answer = self.ok("SendMessage", queueName="work", msgBody="x", clientRequestId="1234")
        self.assertEqual(answer["clientRequestId"], 1234)

    def test_what_is_not_signed_right_is_refused(self):
        now = int(time.time())
        rows = (
            (4100, 10030, {"key": "wrong"}),
            (4100, 10030, {"digest": hashlib.sha256}),
            (4100, 10030, {"host": "other.example"}),
            (4100, 10030, {"Timestamp": str(now - 3 * 3600)}),
            (4100, 10030, {"Timestamp": str(now + 3 * 3600)}),
            (4100, 10270, {"SecretId": "AKIDstranger"}),
            (4000, 10450, {"SecretId": "stranger"}),
            (4000, 10390, {"changes": {"Signature": None}}),
            (4000, 10390, {"changes": {"Timestamp": None}}),
            (4000, 10360, {"Timestamp": "yesterday"}),
        )
        for code, module, way in rows:
            with self.subTest(way=way):
                self.refused(code, module, "SendMessage", queueName="work", msgBody="x", **way)
        self.assertEqual(self.counts("work"), (0, 0, 0))

    def test_the_log_tells_why_and_the_secrets_stay_secret(self):
        self.refused(4100, 10030, "SendMessage", queueName="work", msgBody="payload-xyz",
                     key="wrong")
        entries = self.server.control("GET", "/local/log")[1]["requests"]
        self.assertEqual(entries[-1]["why"], "the signature differs")
        for text in (json.dumps(entries), self.server.stderr()):
            self.assertNotIn(SECRET_KEY, text)
            self.assertNotIn("payload-xyz", text)

    def test_values_that_begin_with_at_may_be_left_out_and_that_is_logged(self):
        self.ok("SendMessage", queueName="work", msgBody="@file", leave_out_at=True)
        self.ok("SendMessage", queueName="work", msgBody="@file")
        self.server.until(lambda: "local.at_left_out" in self.server.stderr(), "the log line")
        strict = Server("--at-fallback", "off")
        try:
            self.assertEqual(strict.call("SendMessage", queueName="work", msgBody="@file",
                                         leave_out_at=True)["code"], 4100)
            self.assertEqual(strict.call("SendMessage", queueName="work", msgBody="@file")["code"],
                             0)
        finally:
            self.assertEqual(strict.stop(), 0)

    def test_calls_of_the_management_plane_are_answered_in_its_shape(self):
        answer = self.server.call("CreateCmqFoo", path="/", QueueName="x", Version="2020-02-17")
        self.assertEqual(answer["Response"]["Error"]["Code"], "InvalidAction")
        self.assertRegex(answer["Response"]["RequestId"], r"^[0-9a-f-]{36}$")
        status, text = self.server.send("POST", "/", "{}", headers={
            "X-TC-Action": "DescribeCmqQueues", "Authorization": "TC3-HMAC-SHA256 Credential=x"})
        self.assertEqual(status, 200)
        self.assertEqual(json.loads(text)["Response"]["Error"]["Code"],
                         "AuthFailure.InvalidAuthorization")


class Polls(Shared):
    def poll(self, name, answers, **params):
        thread = threading.Thread(target=lambda: answers.put(
            self.server.call("ReceiveMessage", queueName=name, **params)))
        thread.start()
        return thread

    def waiting(self, name, count):
        self.server.until(lambda: self.server.state(name)["waiting"] == count,
                                  "%d polls of %s" % (count, name))

    def test_a_poll_gets_a_message_as_soon_as_it_is_there(self):
        answers = queue.Queue()
        thread = self.poll("patient", answers) # the queue's own wait: 30 s
        self.waiting("patient", 1)
        sent = self.ok("SendMessage", queueName="patient", msgBody="x")
        self.assertEqual(answers.get(timeout=DEADLINE)["msgId"], sent["msgId"])
        thread.join()

    def test_a_poll_in_vain_ends_after_its_time(self):
        began = time.monotonic()
        self.refused(7000, 10200, "ReceiveMessage", queueName="work", pollingWaitSeconds="1")
        self.assertGreaterEqual(time.monotonic() - began, 0.99)

    def test_those_who_wait_are_served_one_message_each_in_their_order(self):
        answers = queue.Queue()
        threads = []
        for count in range(1, 21):
            threads.append(self.poll("work", answers, pollingWaitSeconds="30"))
            self.waiting("work", count)
        ids = [self.ok("SendMessage", queueName="work", msgBody="x")["msgId"] for _ in range(20)]
        got = [answers.get(timeout=DEADLINE)["msgId"] for _ in range(20)]
        self.assertEqual(sorted(got), sorted(ids))
        for thread in threads:
            thread.join()
        log = self.server.control("GET", "/local/log")[1]["requests"]
        polls = [int(e["requestId"]) for e in log if e["action"] == "ReceiveMessage"]
        self.assertEqual(polls, sorted(polls)) # numbered as they came, answered in that order

    def test_a_publish_wakes_polls(self):
        answers = queue.Queue()
        thread = self.poll("all", answers, pollingWaitSeconds="30")
        self.waiting("all", 1)
        self.ok("PublishMessage", topicName="tagged", msgBody="news")
        self.assertEqual(answers.get(timeout=DEADLINE)["msgBody"], "news")
        thread.join()

    def open_poll(self, more=b"", headers=""):
        form = urllib.parse.urlencode(
            self.server.form("ReceiveMessage", queueName="work", pollingWaitSeconds="30"))
        sock = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE)
        sock.sendall(("POST /v2/index.php HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s"
                      % (self.server.host, headers, len(form), form)).encode() + more)
        return sock

    def test_a_client_that_goes_away_gets_no_message(self):
        def close(sock):
            sock.close()

        def reset(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()

        for leave in (close, reset):
            for more in (b"", b"GET /local/state HTTP/1.1\r\n\r\n"):
                with self.subTest(leave=leave.__name__, more=more):
                    self.server.control("POST", "/local/reset")
                    sock = self.open_poll(more)
                    self.waiting("work", 1)
                    leave(sock)
                    self.waiting("work", 0)
                    self.ok("SendMessage", queueName="work", msgBody="x")
                    self.assertEqual(self.counts("work"), (1, 0, 0))

    def test_of_those_who_wait_the_living_get_the_message(self):
        gone = self.open_poll()
        self.waiting("work", 1)
        answers = queue.Queue()
        thread = self.poll("work", answers, pollingWaitSeconds="30")
        self.waiting("work", 2)
        gone.close()
        self.ok("SendMessage", queueName="work", msgBody="x") # perhaps before the end is noticed
        self.assertEqual(answers.get(timeout=DEADLINE)["msgBody"], "x")
        thread.join()
        self.waiting("work", 0)

    def test_a_request_sent_behind_a_poll_is_answered_after_it(self):
        sock = self.open_poll(b"GET /local/faults HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.waiting("work", 1)
        self.ok("SendMessage", queueName="work", msgBody="first")
        with sock, sock.makefile("rb") as file:
            text = file.read()
        self.assertEqual(text.count(b"HTTP/1.1 200"), 2)
        self.assertLess(text.index(b'"msgBody":"first"'), text.index(b"[]"))

    def test_a_poll_with_expect_continue_waits_too(self):
        sock = self.open_poll(headers="Expect: 100-continue\r\n")
        self.waiting("work", 1)
        self.ok("SendMessage", queueName="work", msgBody="x")
        with sock:
            self.assertIn(b'"msgBody":"x"', receive_until(sock, b"dequeueCount"))

    def test_five_hundred_polls_wait_at_once(self):
        socks = [self.open_poll() for _ in range(500)]
        self.waiting("work", 500)
        for first in range(0, 500, 10):
            self.ok("BatchSendMessage", queueName="work",
                    **{"msgBody.%d" % i: "m%d" % (first + i) for i in range(10)})
        bodies = []
        for sock in socks:
            with sock:
                text = receive_until(sock, b"}")
            bodies.append(json.loads(text.split(b"\r\n\r\n", 1)[1])["msgBody"])
        self.assertEqual(bodies, ["m%d" % i for i in range(500)])


def receive_until(sock, mark):
    """What comes until mark has come, or the end."""
    text = b""
    while mark not in text:
        piece = sock.recv(65536)
        if not piece:
            break
        text += piece
    return text


class Faults(Shared):
    def script(self, *faults):
        status, answer = self.server.control("POST", "/local/faults", list(faults))
        self.assertEqual(status, 200, answer)

    def send(self):
        form = urllib.parse.urlencode(
            self.server.form("SendMessage", queueName="work", msgBody="x"))
        return self.server.send("POST", "/v2/index.php", form)

    def test_http_500_does_nothing(self):
        self.script({"action": "SendMessage", "mode": "http_500", "count": 2})
        self.assertEqual([self.send()[0] for _ in range(3)], [500, 500, 200])
        self.assertEqual(self.counts("work")[0], 1)

    def test_drop_closes_before_doing_and_late_drop_after(self):
        for mode, messages in (("drop", 0), ("late_drop", 1)):
            with self.subTest(mode=mode):
                self.server.control("POST", "/local/reset")
                self.script({"action": "*", "mode": mode})
                with self.assertRaises((http.client.RemoteDisconnected, ConnectionResetError)):
                    self.send()
                self.assertEqual(self.counts("work")[0], messages)

    def test_a_poll_whose_answer_is_dropped_has_taken_its_message(self):
        self.script({"action": "ReceiveMessage", "mode": "late_drop"})
        failed = threading.Event()

        def poll():
            try:
                self.server.call("ReceiveMessage", queueName="work", pollingWaitSeconds="30")
            except (http.client.RemoteDisconnected, ConnectionResetError):
                failed.set()
        thread = threading.Thread(target=poll)
        thread.start()
        self.server.until(lambda: self.server.state("work")["waiting"] == 1, "the poll")
        self.send()
        thread.join()
        self.assertTrue(failed.is_set())
        self.assertEqual(self.counts("work"), (0, 1, 0))

    def test_garbage_is_not_json(self):
        self.script({"mode": "garbage"})
        status, text = self.send()
        self.assertEqual(status, 200)
        with self.assertRaises(json.JSONDecodeError):
            json.loads(text)

    def test_a_code_is_answered_as_scripted(self):
        self.script({"action": "SendMessage", "mode": "code", "code": 4420, "count": 1},
                    {"action": "SendMessage", "mode": "code", "code": 6000, "module": 10090})
        self.assertEqual(json.loads(self.send()[1])["message"], "(10250)qps throttling")
        self.assertEqual(json.loads(self.send()[1])["code"], 6000)
        self.ok("ReceiveMessage" if self.counts("work")[0] else "QueryQueueRoute",
                queueName="work")

    def test_delay_waits_and_then_does(self):
        for method in ("POST", "GET"):
            with self.subTest(method=method):
                self.script({"action": "SendMessage", "mode": "delay", "seconds": 0.3, "count": 1})
                began = time.monotonic()
                self.ok("SendMessage", method=method, queueName="work", msgBody="a b")
                self.assertGreaterEqual(time.monotonic() - began, 0.29)
                self.assertEqual(self.ok("ReceiveMessage", queueName="work")["msgBody"], "a b")

    def test_a_client_that_leaves_during_a_delay_has_sent_nothing(self):
        self.script({"action": "SendMessage", "mode": "delay", "seconds": 0.3, "count": 1})
        form = urllib.parse.urlencode(
            self.server.form("SendMessage", queueName="work", msgBody="x")).encode()
        with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(form), form))
            self.server.until(
                lambda: self.server.control("GET", "/local/faults")[1][0]["hits"] == 1, "the hit")
        self.server.until(lambda: self.server.control("GET", "/local/log")[1]["requests"],
                          "the log entry")
        log = self.server.control("GET", "/local/log")[1]["requests"]
        self.assertEqual(log[-1]["outcome"], "client gone")
        self.assertEqual(self.counts("work"), (0, 0, 0))

    def test_an_empty_list_clears_and_nonsense_is_refused(self):
        self.script({"mode": "drop"})
        self.script()
        self.assertEqual(self.send()[0], 200)
        status, answer = self.server.control("POST", "/local/faults", [{"mode": "dorp"}])
        self.assertEqual(status, 400)
        self.assertIn("must be one of", answer["error"])


class Control(Shared):
    def test_web_pages_are_kept_out(self):
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            for method, path in (("GET", "/local/state"), ("POST", "/local/reset")):
                self.assertEqual(self.server.control(method, path, headers=headers)[0], 403)
        self.assertEqual(
            self.server.control("GET", "/local/state", headers={"Sec-Fetch-Site": "none"})[0], 200)

    def test_the_log_can_be_followed(self):
        last = self.server.control("GET", "/local/log")[1]["last"]
        self.ok("SendMessage", queueName="work", msgBody="x")
        self.refused(7000, 10200, "ReceiveMessage", queueName="all")
        log = self.server.control("GET", "/local/log?after=%d" % last)[1]
        self.assertEqual([(e["n"], e["action"], e["name"], e["code"]) for e in log["requests"]],
                         [(last + 1, "SendMessage", "work", 0),
                          (last + 2, "ReceiveMessage", "all", 7000)])
        self.assertEqual(log["last"], last + 2)

    def test_the_state_shows_the_topology(self):
        state = self.server.control("GET", "/local/state")[1]
        self.assertEqual(state["queues"]["fragile"]["deadLetter"],
                         {"queue": "dead", "policy": 0, "maxReceiveCount": 1})
        self.assertEqual(state["topics"]["routed"]["filter"], "route")
        self.assertEqual(state["topics"]["routed"]["subscriptions"]["seed"]["bindingKey"],
                         ["a.b.*", "#.c"])
        self.assertEqual(state["topics"]["pushed"]["subscriptions"]["hook"]["protocol"], "http")

    def test_a_reset_makes_handles_invalid(self):
        self.ok("SendMessage", queueName="work", msgBody="x")
        handle = self.ok("ReceiveMessage", queueName="work")["receiptHandle"]
        self.assertEqual(self.server.control("POST", "/local/reset")[0], 200)
        self.refused(4430, 10260, "DeleteMessage", queueName="work", receiptHandle=handle)
        self.assertEqual(self.server.control("GET", "/local/state")[1]["messageBytes"], 0)


class Http(Shared):
    def raw(self, *pieces, until=None):
        """Sends bytes and returns what comes back until the server closes or `until` came."""
        with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE) as sock:
            try:
                for piece in pieces:
                    sock.sendall(piece)
            except OSError:
                pass # the server has heard enough
            try:
                return receive_until(sock, until or b"\0never\0")
            except ConnectionResetError:
                return b""

    def alive(self):
        self.ok("SendMessage", queueName="work", msgBody="x")

    def request(self, form, method="POST", more=b""):
        form = form.encode()
        return (b"%s /v2/index.php HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %d\r\n\r\n%s"
                % (method.encode(), self.server.host.encode(), more, len(form), form))

    def test_a_connection_serves_many_requests(self):
        connection = self.server.connect()
        for _ in range(50):
            self.server.call("SendMessage", connection=connection, queueName="work", msgBody="x")
        connection.close()
        self.assertEqual(self.counts("work")[0], 50)

    def test_pipelined_requests_are_answered_in_order(self):
        many = [self.request(urllib.parse.urlencode(self.server.form(
            "SendMessage", queueName="work", msgBody="x", clientRequestId=str(i))))
            for i in range(50)]
        text = self.raw(b"".join(many), until=b'"clientRequestId":49,')
        at = [text.index(b'"clientRequestId":%d,' % i) for i in range(50)]
        self.assertEqual(at, sorted(at))

    def test_a_request_may_come_byte_by_byte(self):
        form = urllib.parse.urlencode(self.server.form("SendMessage", queueName="work",
                                                       msgBody="slow"))
        pieces = [bytes([b]) for b in self.request(form, more=b"Connection: close\r\n")]
        self.assertIn(b'"code":0', self.raw(*pieces))

    def test_chunked_bodies_are_read(self):
        form = urllib.parse.urlencode(self.server.form("SendMessage", queueName="work",
                                                       msgBody="chunk")).encode()
        text = self.raw(b"POST /v2/index.php HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n" % self.server.host.encode(),
                        *[b"%x\r\n%s\r\n" % (len(form[i:i + 50]), form[i:i + 50])
                          for i in range(0, len(form), 50)], b"0\r\n\r\n")
        self.assertIn(b'"code":0', text)

    def test_expect_100_continue_is_answered_before_the_body(self):
        form = urllib.parse.urlencode(self.server.form("SendMessage", queueName="work",
                                                       msgBody="x" * 2000)).encode()
        with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE) as sock:
            sock.sendall(b"POST /v2/index.php HTTP/1.1\r\nHost: %s\r\nExpect: 100-continue\r\n"
                         b"Content-Length: %d\r\n\r\n" % (self.server.host.encode(), len(form)))
            self.assertTrue(receive_until(sock, b"\r\n\r\n").startswith(b"HTTP/1.1 100 "))
            sock.sendall(form)
            self.assertIn(b'"code":0', receive_until(sock, b'"}'))

    def test_a_body_of_one_mebibyte_is_taken_and_one_byte_more_is_not(self):
        form = self.server.form("SendMessage", queueName="work", msgBody="")
        room = (1 << 20) - len(urllib.parse.urlencode(form)) - 40 # the signature's length varies
        form = self.server.form("SendMessage", queueName="work", msgBody="x" * room)
        text = urllib.parse.urlencode(form)
        for size, code in ((1 << 20, 0), ((1 << 20) + 1, 4000)):
            padded = text + "&" * (size - len(text))
            status, answer = self.server.send("POST", "/v2/index.php", padded)
            self.assertEqual(status, 200)
            self.assertEqual(json.loads(answer)["code"], code)
        got = self.ok("ReceiveMessage", queueName="work")
        self.assertEqual(len(got["msgBody"]), room)
        answer = self.raw(self.request("x" * ((12 << 20) + 1)))
        self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 413"), answer[:80])
        self.alive()

    def test_wrong_methods_are_answered(self):
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            text = self.raw(self.request("", method, more=b"Connection: close\r\n"))
            self.assertIn(b'"message":"(10410)unexpected http %s only GET or POST is supported"'
                          % method.encode(), text)
        self.raw(self.request("", "BREW", more=b"Connection: close\r\n"))
        self.alive()

    def test_nonsense_does_not_harm(self):
        rows = (
            b"\r\n\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET /?" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n",
            b"GET http://other.example/x?y HTTP/1.1\r\nConnection: close\r\n\r\n",
            b"GET * HTTP/1.1\r\nConnection: close\r\n\r\n",
            b"GET /v2/index.php?" + b"&".join(b"a%d=" % i for i in range(400)) +
            b" HTTP/1.1\r\nConnection: close\r\n\r\n",
        )
        for row in rows:
            with self.subTest(row=row[:40]):
                with socket.create_connection(("127.0.0.1", self.server.port), DEADLINE) as sock:
                    try:
                        sock.sendall(row)
                        sock.shutdown(socket.SHUT_WR)
                        receive_until(sock, b"\0never\0")
                    except OSError:
                        pass # the server has heard enough
                self.alive()

    def test_half_requests_that_are_left_do_not_harm(self):
        form = self.request(urllib.parse.urlencode(
            self.server.form("SendMessage", queueName="work", msgBody="x")))
        socks = []
        for cut in range(1, len(form), 7):
            sock = socket.create_connection(("127.0.0.1", self.server.port), DEADLINE)
            sock.sendall(form[:cut])
            socks.append(sock)
        self.alive()
        for sock in socks:
            sock.close()
        self.assertEqual(self.counts("work"), (1, 0, 0))

    def test_the_body_of_a_get_is_not_taken_for_the_next_request(self):
        form = urllib.parse.urlencode(self.server.form("SendMessage", method="GET",
                                                       queueName="work", msgBody="x"))
        text = self.raw(b"GET /v2/index.php?%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 5\r\n\r\n"
                        b"GET /GET /local/faults HTTP/1.1\r\nConnection: close\r\n\r\n"
                        % (form.encode(), self.server.host.encode()))
        self.assertIn(b'"code":0', text)
        self.assertTrue(text.endswith(b"[]"), text)


class Program(unittest.TestCase):
    def run_it(self, *options):
        return subprocess.run([PROGRAM, *options], capture_output=True, text=True,
                              timeout=DEADLINE)

    def test_it_ends_cleanly_on_both_signals_with_polls_waiting(self):
        for how in (signal.SIGTERM, signal.SIGINT):
            server = Server()
            form = urllib.parse.urlencode(
                server.form("ReceiveMessage", queueName="work", pollingWaitSeconds="30"))
            connection = server.connect()
            connection.request("POST", "/v2/index.php", body=form)
            server.until(lambda: server.state("work")["waiting"] == 1, "the poll")
            self.assertEqual(server.stop(how), 0)
            connection.close()

    def test_it_says_where_it_listens(self):
        server = Server()
        self.assertRegex(server.first_line, r"^cmqlocal: listening on http://127\.0\.0\.1:\d+ "
                         r"\(queues 9, topics 5, in memory\)$")
        self.assertEqual(server.stop(), 0)

    def test_without_an_account_it_prints_one(self):
        server = Server(topology=None, account=None)
        self.assertIn("(queues 0, topics 0, in memory)", server.first_line)
        second = server.process.stdout.readline()
        secret_id, key = second.split("SecretId ")[1].strip().split(", SecretKey ")
        answer = server.call("SendMessage", SecretId=secret_id, key=key, queueName="q",
                             msgBody="x")
        self.assertEqual(answer["message"], "(10100)queue is not existed, or deleted")
        self.assertEqual(server.stop(), 0)

    def test_the_account_may_stand_in_the_file_or_the_environment(self):
        account = 'cmq = { secret_id = "AKIDflowtest"; secret_key = "flow-test-key"; };\n'
        server = Server(topology=account + TOPOLOGY, account=None)
        self.assertEqual(server.call("SendMessage", queueName="work", msgBody="x")["code"], 0)
        self.assertEqual(server.stop(), 0)
        os.environ["CMQLOCAL_TEST_KEY"] = SECRET_KEY
        server = Server(account=(SECRET_ID, "@env:CMQLOCAL_TEST_KEY"))
        self.assertEqual(server.call("SendMessage", queueName="work", msgBody="x")["code"], 0)
        self.assertEqual(server.stop(), 0)

    def test_the_clock_tolerance_can_be_chosen(self):
        server = Server("--clock-tolerance", "10s")
        past = str(int(time.time()) - 60)
        self.assertEqual(server.call("SendMessage", queueName="work", msgBody="x",
                                     Timestamp=past)["code"], 4100)
        self.assertEqual(server.stop(), 0)

    def test_limits_can_be_chosen(self):
        server = Server("--max-messages", "2", "--max-unacked", "1", "--max-memory", "1MiB")
        send = lambda **more: server.call("SendMessage", queueName="work", msgBody="x", **more)
        self.assertEqual(send(delaySeconds="60")["code"], 0)
        self.assertEqual(send(delaySeconds="60")["code"], 6070)
        self.assertEqual(send()["code"], 0)
        self.assertEqual(send()["code"], 4410)
        self.assertEqual(server.stop(), 0)

    def test_calls_can_be_throttled(self):
        server = Server("--rate", "2")
        codes = [server.call("ReceiveMessage", queueName="work")["code"] for _ in range(20)]
        self.assertEqual(set(codes), {7000, 4420}) # a second may begin, but not ten
        self.assertEqual(server.stop(), 0)

    def test_the_answer_to_old_actions_can_be_chosen(self):
        for module in (10430, 10280):
            server = Server("--no-action", str(module))
            answer = server.call("CreateQueue", queueName="q")
            self.assertEqual(answer["code"], 4000)
            self.assertTrue(answer["message"].startswith(f"({module})"), answer)
            self.assertEqual(server.stop(), 0)

    def test_the_moment_of_dead_letters_can_be_chosen(self):
        for moment in ("lapse", "receive"):
            server = Server("--dead-letter-at", moment)
            server.call("SendMessage", queueName="fragile", msgBody="x")
            self.assertEqual(server.call("ReceiveMessage", queueName="fragile")["dequeueCount"], 1)
            server.until(lambda server=server: server.state("fragile")["inactive"] == 0, "the lapse")
            self.assertEqual(server.state("dead")["active"], moment == "lapse")
            self.assertEqual(server.call("ReceiveMessage", queueName="fragile")["code"], 7000)
            self.assertEqual(server.call("ReceiveMessage", queueName="dead")["msgBody"], "x")
            self.assertEqual(server.stop(), 0)

    def test_bad_command_lines_are_refused(self):
        rows = (
            (["--listen", "nonsense"], 3, "HOST:PORT"),
            (["--listen", "127.0.0.1:99999"], 3, "HOST:PORT"),
            (["--listen", "192.0.2.1:0"], 3, "cannot listen"),
            (["--secret-id", "AKIDx"], 1, "only one is given"),
            (["--secret-id", "x", "--secret-key", "y"], 1, "begins with AKID"),
            (["--secret-id", "AKIDx", "--secret-key", "@env:CMQLOCAL_NO_SUCH"], 1,
             "CMQLOCAL_NO_SUCH"),
            (["--clock-tolerance", "2"], 1, "duration"),
            (["--at-fallback", "maybe"], 1, "\"on\" or \"off\""),
            (["--max-memory", "lots"], 1, "size"),
            (["--max-messages", "0"], 1, "number"),
            (["--max-unacked", "-1"], 1, "number"),
            (["--rate", "many"], 1, "number"),
            (["--dead-letter-at", "last"], 1, "\"lapse\" or \"receive\""),
            (["--no-action", "10000"], 1, "10430 or 10280"),
            (["--data", ""], 1, "a file's path"),
            (["--push-backoff", "2h"], 1, "a duration of up to 1h"),
            (["--no-such"], 1, "--help"),
            (["extra"], 1, "unexpected \"extra\""),
            (["-c", "/no/such/file"], 1, "/no/such/file"),
        )
        for options, status, says in rows:
            with self.subTest(options=options):
                done = self.run_it(*options)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(says, done.stderr)
                self.assertEqual(done.stdout, "")

    def test_a_port_in_use_is_refused(self):
        server = Server()
        done = self.run_it("--listen", server.host)
        self.assertEqual(done.returncode, 3)
        self.assertIn("in use", done.stderr)
        self.assertEqual(server.stop(), 0)

    def test_a_bad_file_is_refused_with_its_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write('resources = {\n  queues = ( { name = "1st"; } );\n};\n')
            file.flush()
            done = self.run_it("--listen", "127.0.0.1:0", "-c", file.name)
        self.assertEqual(done.returncode, 1)
        self.assertIn(":2: error:", done.stderr)

    def test_every_option_is_explained_everywhere(self):
        root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        options = set(re.findall(r"--[a-z][a-z-]*", self.run_it("--help").stdout))
        self.assertGreater(len(options), 20)
        for name in ("docs/cmqlocal.md", "docs/man/cmqlocal.1"):
            with open(os.path.join(root, name), encoding="utf-8") as file:
                explained = set(re.findall(r"--[a-z][a-z-]*", file.read().replace("\\-", "-")))
            self.assertEqual(options - explained, set(), name)

    def test_help_and_version(self):
        self.assertIn("--clock-tolerance", self.run_it("--help").stdout)
        self.assertRegex(self.run_it("--version").stdout, r"^cmqlocal \d+\.\d+")

    def test_it_listens_on_ipv6(self):
        if not socket.has_ipv6:
            self.skipTest("no IPv6 here")
        try:
            with socket.socket(socket.AF_INET6) as sock:
                sock.bind(("::1", 0))
        except OSError:
            self.skipTest("no IPv6 loopback here")
        process = subprocess.Popen([PROGRAM, "--listen", "[::1]:0"], stdout=subprocess.PIPE,
                                   text=True)
        self.assertRegex(process.stdout.readline(), r"http://\[::1\]:\d+ ")
        process.terminate()
        self.assertEqual(process.wait(DEADLINE), 0)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
