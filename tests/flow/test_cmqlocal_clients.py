"""The shapes in which the vendor's SDKs and others ask, byte for byte (CMQ.md 1.3, 2.1 to 2.4, 9).

Each client is a small description of how it signs, encodes and sends; all of them must get the same
answers. What a client is known to get wrong, so that the real service refuses it, is refused here.
"""

import base64
import hashlib
import hmac
import itertools
import json
import socket
import time
import unittest
import urllib.parse

import test_cmqlocal as local

BODY = "grün 你好 a+b&c=d% ~*'()!/\n\"quoted\""
TOPOLOGY = """
resources = {
  queues = ( { name = "work"; }, { name = "copy"; } );
  topics = ( { name = "tagged"; subscriptions = ( { name = "s"; queue = "copy"; tags = [ "t2" ]; } ); },
             { name = "routed"; filter = "route";
               subscriptions = ( { name = "s"; queue = "copy"; keys = [ "a.#" ]; } ); } );
};
"""


class Client:
    """How most do it: POST, SHA-1, arrays from 1, '+' for a blank, the port in the Host header."""

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    method, digest, declared = "POST", hashlib.sha1, "HmacSHA1"
    path = signed_path = "/v2/index.php"
    base, more = 1, {}
    nonces = itertools.count(1)
    quote = staticmethod(urllib.parse.quote_plus)

    def __init__(self, server):
        self.host = server.host
        self.sock = socket.create_connection(("127.0.0.1", server.port), local.DEADLINE)
        self.reader = self.sock.makefile("rb")

    def close(self):
        self.reader.close()
        self.sock.close()

    def signed_value(self, value):
        """The value as it stands in the signed text; None: it is left out."""
        return value

    def sign(self, params):
        parts = []
        for key in sorted(params, key=str.encode):
            value = self.signed_value(params[key])
            if value is not None:
                parts.append(key.replace("_", ".") + "=" + value)
        text = f"{self.method}{self.host}{self.signed_path}?{'&'.join(parts)}"
        return base64.b64encode(
            hmac.new(local.SECRET_KEY.encode(), text.encode(), self.digest).digest()).decode()

    def params(self, action, **params):
        form = {"Action": action, "Timestamp": str(int(time.time())),
                "Nonce": str(next(self.nonces)), "SecretId": local.SECRET_ID, **self.more}
        if self.declared:
            form["SignatureMethod"] = self.declared
        for name, value in params.items():
            if isinstance(value, list):
                form.update((f"{name}.{n}", item) for n, item in enumerate(value, self.base))
            else:
                form[name] = value
        return form

    def encode(self, form):
        return "&".join(f"{self.quote(key)}={self.quote(value)}" for key, value in form.items())

    def request(self, action, **params):
        """The head and the body of a request."""
        form = self.params(action, **params)
        form["Signature"] = self.sign(form)
        text = self.encode(form)
        headers = {"Host": self.host, **self.headers}
        target, body = self.path, b""
        if self.method == "GET":
            target += "?" + text
        else:
            body = text.encode()
            headers["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{self.method} {target} HTTP/1.1\r\n{head}\r\n".encode(), body

    def ask(self, action, **params):
        head, body = self.request(action, **params)
        if b"100-continue" in head:
            self.sock.sendall(head)
            line = self.reader.readline()
            assert line.startswith(b"HTTP/1.1 100"), line
            assert self.reader.readline() == b"\r\n"
            self.sock.sendall(body)
        else:
            self.sock.sendall(head + body)
        return self.answer()

    def answer(self):
        assert self.reader.readline() == b"HTTP/1.1 200 OK\r\n"
        length = None
        while (line := self.reader.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            assert name.lower() != "content-encoding", line
            if name.lower() == "content-length":
                length = int(value)
        return json.loads(self.reader.read(length))


class Python(Client):
    headers = {"Accept-Encoding": "identity", "Connection": "Keep-Alive"}
    more = {"RequestClient": "SDK_Python_1.3", "UserpollingWaitSeconds": "30"}

    def signed_value(self, value):
        return None if self.method == "POST" and value.startswith("@") else value


class PythonSha256(Python):
    digest, declared = hashlib.sha256, "HmacSHA256"


class PythonGet(Python):
    method = "GET"


class PythonToken(Python):
    more = {"RequestClient": "SDK_Python_1.3", "Token": "a/temporary+token=="}


class Cpp(Client):
    headers = {"Accept": "*/*", "Accept-Encoding": "UTF-8", "Connection": "keep-alive",
               "Content-Type": "application/x-www-form-urlencoded", "Expect": "100-continue"}
    more = {"RequestClient": "SDK_CPP_1.3"}
    nonces = itertools.repeat(4711)  # srand(time(NULL)) before each request

    @staticmethod
    def quote(text):
        return urllib.parse.quote(text, safe="!~*'()/")


class Go(Client):
    path = signed_path = "/"
    digest, declared, base = hashlib.sha256, "HmacSHA256", 0
    more = {"RequestClient": "SDK_GO_1.2.0", "clientRequestId": "4294967295"}


class Java(Client):
    headers = {"Content-Type": "*/*;charset=utf-8", "Accept-Encoding": "gzip"}
    more = {"RequestClient": "SDK_JAVA_1.3"}


class Php(Client):
    headers = {"Connection": "Keep-Alive", "Content-Type": "application/x-www-form-urlencoded"}
    more = {"RequestClient": "SDK_PHP_1.3"}
    signed_value = Python.signed_value


class PhpGet(Php):
    method, path = "GET", "/v2/index.php/v2/index.php"


class Node2(Client):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json",
               "Accept-Encoding": "gzip, deflate, br"}
    digest, declared, base = hashlib.sha256, "HmacSHA256", 0
    more = {"Region": "gz"}
    nonces = itertools.cycle(range(3))


class TcpNameServer(Client):
    """The HTTP part of the TCP SDK."""
    method, digest, declared = "GET", hashlib.sha256, "sha256"
    headers = {"User-Agent": "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1;SV1)"}


class NoMethod(Client):
    declared = None


class PortForwarded(Client):
    """Signs the name it was configured with, and a proxy adds the port."""

    def sign(self, params):
        host, self.host = self.host, "127.0.0.1"
        try:
            return super().sign(params)
        finally:
            self.host = host


CLIENTS = (Python, PythonSha256, PythonGet, PythonToken, Cpp, Go, Java, Php, PhpGet, Node2,
           TcpNameServer, NoMethod, PortForwarded)


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = local.Server(topology=TOPOLOGY)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def client(self, kind):
        client = kind(self.server)
        self.addCleanup(client.close)
        return client

    def ok(self, client, action, **params):
        answer = client.ask(action, **params)
        self.assertEqual((answer["code"], answer["message"]), (0, ""), answer)
        self.assertIsInstance(answer["requestId"], str)
        return answer

    def round_trip(self, client):
        sent = self.ok(client, "SendMessage", queueName="work", msgBody=BODY, delaySeconds="0")
        got = self.ok(client, "ReceiveMessage", queueName="work", pollingWaitSeconds="0")
        self.assertEqual((got["msgBody"], got["msgId"]), (BODY, sent["msgId"]))
        self.ok(client, "DeleteMessage", queueName="work", receiptHandle=got["receiptHandle"])
        bodies = [BODY + str(n) for n in range(12)]  # .10 sorts before .2
        sent = self.ok(client, "BatchSendMessage", queueName="work", msgBody=bodies)
        got = self.ok(client, "BatchReceiveMessage", queueName="work", numOfMsg="16")
        self.assertEqual([m["msgBody"] for m in got["msgInfoList"]], bodies)
        self.assertEqual([m["msgId"] for m in got["msgInfoList"]],
                         [m["msgId"] for m in sent["msgList"]])
        self.ok(client, "BatchDeleteMessage", queueName="work",
                receiptHandle=[m["receiptHandle"] for m in got["msgInfoList"]])
        empty = client.ask("BatchReceiveMessage", queueName="work", numOfMsg="1")
        self.assertEqual((empty["code"], empty["message"]), (7000, "(10200)no message"))

    def publish(self, client):
        self.ok(client, "PublishMessage", topicName="tagged", msgBody="t", routingKey="",
                msgTag=["t1", "t2"])
        self.ok(client, "BatchPublishMessage", topicName="routed", msgBody=["r1", "r2"],
                routingKey="a.b")
        got = self.ok(client, "BatchReceiveMessage", queueName="copy", numOfMsg="16")
        self.assertEqual([m["msgBody"] for m in got["msgInfoList"]], ["t", "r1", "r2"])
        self.ok(client, "BatchDeleteMessage", queueName="copy",
                receiptHandle=[m["receiptHandle"] for m in got["msgInfoList"]])

    def test_every_client_gets_round(self):
        for kind in CLIENTS:
            with self.subTest(kind.__name__):
                client = self.client(kind)
                self.round_trip(client)
                self.publish(client)

    def test_values_that_begin_with_at_go_both_ways(self):
        for kind in (Python, Php, Java, Go, Cpp, Node2, PythonGet):
            with self.subTest(kind.__name__):
                client = self.client(kind)
                self.ok(client, "SendMessage", queueName="work", msgBody="@file")
                got = self.ok(client, "ReceiveMessage", queueName="work")
                self.assertEqual(got["msgBody"], "@file")
                self.ok(client, "DeleteMessage", queueName="work",
                        receiptHandle=got["receiptHandle"])

    def test_the_types_that_go_and_java_insist_on(self):
        client = self.client(Go)
        sent = self.ok(client, "SendMessage", queueName="work", msgBody="x")
        self.assertEqual(sent["clientRequestId"], 4294967295)
        got = self.ok(client, "ReceiveMessage", queueName="work")
        for name in ("msgBody", "msgId", "receiptHandle", "requestId", "message"):
            self.assertIsInstance(got[name], str, name)
        for name in ("code", "enqueueTime", "firstDequeueTime", "nextVisibleTime", "dequeueCount",
                     "clientRequestId"):
            self.assertIs(type(got[name]), int, name)
        self.assertRegex(got["receiptHandle"], r"\A\d{1,20}\Z")
        self.assertRegex(got["msgId"], r"\A\d{1,19}\Z")
        self.ok(client, "DeleteMessage", queueName="work", receiptHandle=got["receiptHandle"])

    def test_what_the_real_service_refuses_too(self):
        class NodeTags(Client):
            """NODE3's publishMessage signs msgTag=a,b and sends msgTag.0=a&msgTag.1=b."""
            def sign(self, params):
                params = {key: value for key, value in params.items()
                          if not key.startswith("msgTag.")}
                return super().sign({**params, "msgTag": "t1,t2"})

        class Lowercase(Client):
            def params(self, action, **params):
                return super().params(action[0].lower() + action[1:], **params)

        class Sha256InDisguise(Client):
            """One client signs with SHA-256 whatever it declares."""
            digest = hashlib.sha256

        answer = self.client(NodeTags).ask("PublishMessage", topicName="tagged", msgBody="x",
                                           msgTag=["t1", "t2"])
        self.assertEqual((answer["code"], answer["message"]),
                         (4100, "(10030)authentication failed"))
        answer = self.client(Lowercase).ask("SendMessage", queueName="work", msgBody="x")
        self.assertEqual((answer["code"], answer["message"]),
                         (4000, "(10430)action name sendMessage is not existed"))
        answer = self.client(Sha256InDisguise).ask("SendMessage", queueName="work", msgBody="x")
        self.assertEqual(answer["code"], 4100)
        for action in ("CreateQueue", "GetQueueAttributes", "ClearSUbscriptionFIlterTags",
                       "BatchDeleteMessageReq"):
            answer = self.client(Java).ask(action, queueName="work")
            self.assertEqual(answer["code"], 4000)
            self.assertEqual(answer["message"], f"(10430)action name {action} is not existed")

    def test_parameters_that_no_document_names_are_signed_and_ignored(self):
        client = self.client(Client)
        self.ok(client, "SendMessage", queueName="work", msgBody="x", Region="gz",
                client_request_id="77", Version="2.0", appId="1", **{"searchWord ": "", "": ""})
        got = self.ok(client, "ReceiveMessage", queueName="work")
        self.ok(client, "DeleteMessage", queueName="work", receiptHandle=got["receiptHandle"])


if __name__ == "__main__":
    unittest.main()
