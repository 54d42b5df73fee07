"""HTTPS to CMQ: the gateway and the hand tool against cmqlocal with certificates good and bad.

The authority and the certificates are made anew for each run. A gateway that does not trust the
server keeps its messages, says why, and delivers once the certificate is right.
"""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
import urllib.parse
import warnings

import harness
import test_cmqlocal as local
from cli import CliTest
from cmq_client import CmqClient

RULES = [{"name": "all", "from": "load/#", "to": {"queue": "store"}}]

# How each certificate is made, and what curl says of it in words that OpenSSL has kept for years.
BAD = {
    "expired": r"certificate has expired",
    "wrong-host": r"no alternative certificate subject name matches target host name '127\.0\.0\.1'",
    "unknown-ca": r"(unable to get local issuer certificate|self.signed certificate)",
}


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)


class Certificates:
    """An authority of our own, and certificates by name."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="cmqgw-tls-")
        self.make_authority("ca")
        self.make_authority("other-ca")
        self.make("good", "ca", "IP:127.0.0.1", 2)
        self.make("expired", "ca", "IP:127.0.0.1", -1)
        self.make("wrong-host", "ca", "DNS:cmq.example,IP:127.0.0.2", 2)
        self.make("unknown-ca", "other-ca", "IP:127.0.0.1", 2)

    def path(self, name, kind="pem"):
        return os.path.join(self.folder, f"{name}.{kind}")

    def make_authority(self, name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path(name, "key"), "-out", self.path(name), "-days", "2",
                "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def make(self, name, authority, names, days):
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.path(name, "key"), "-out", self.path(name, "csr"),
                "-subj", f"/CN={name}")
        with open(self.path(name, "ext"), "w", encoding="ascii") as extensions:
            extensions.write(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", self.path(name, "csr"), "-CA", self.path(authority),
                "-CAkey", self.path(authority, "key"), "-CAcreateserial", "-days", str(days),
                "-extfile", self.path(name, "ext"), "-out", self.path(name))

    def remove(self):
        shutil.rmtree(self.folder)


class TlsClient(CmqClient):
    """A client that trusts every certificate: it only looks at what has come."""

    def _exchange(self, method, path, body=None, headers=None, timeout=60):
        if not self.connection:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.connection = http.client.HTTPSConnection(self.host, timeout=timeout,
                                                          context=context)
        return super()._exchange(method, path, body, headers, timeout)


class TlsLocal(harness.CmqLocal):
    """cmqlocal with a certificate that can be changed between its runs; it keeps its data."""

    def __init__(self, test, certificates):
        super().__init__(test, {"queues": [{"name": "store"}, {"name": "down"}]})
        self.certificates, self.data = certificates, os.path.join(test.folder, "cmqlocal.data")

    def start(self, name="good"):  # pylint: disable=arguments-differ
        self.argv = [os.path.join(harness.BIN, "cmqlocal"), "-c", self.path, "--listen",
                     f"127.0.0.1:{self.port}", "--data", self.data,
                     "--tls-cert", self.certificates.path(name),
                     "--tls-key", self.certificates.path(name, "key")]
        self.launch()
        self.port = int(self.wait_log(r"listening on https://127\.0\.0\.1:(\d+)")[1])
        return self

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def client(self):
        return TlsClient(self.port, harness.SECRET_ID, harness.SECRET_KEY)


class WithCertificates:
    @classmethod
    def setUpClass(cls):
        cls.certificates = Certificates()

    @classmethod
    def tearDownClass(cls):
        cls.certificates.remove()

    def start_local(self, name):
        self.local = TlsLocal(self, self.certificates).start(name)
        self.cmq = self.opened(self.local.client())

    def change_certificate(self, name):
        self.cmq.close()
        self.local.terminate()
        self.local.start(name)

    def trust(self, verify=True):
        return {"ca": self.certificates.path("ca"), "verify": verify}


class Gateway(WithCertificates, harness.FlowTest):
    def start(self, name, **tls):
        self.start_broker()
        self.start_local(name)
        self.start_gateway(RULES, cmq={"tls": self.trust(**tls), "timeout": "5s"},
                           reverse=[{"name": "down", "from": {"queue": "down", "wait": "2s"},
                                     "to": "down/x", "payload": "body"}])

    def check_arrived(self, count):
        self.wait_count("store", count)
        bodies = self.cmq.drain("store")
        self.assertEqual(sorted(int(body[:10]) for body in bodies), list(range(count)))
        self.assertEqual(self.gateway.dead_letters(), [])

    def test_with_a_good_certificate_both_ways_work(self):
        self.start("good")
        self.publish_load(1000, "load/x")
        self.check_arrived(1000)
        device = self.opened(self.broker.client())
        device.subscribe("down/#", 1)
        self.cmq.send("down", "a command")
        self.assertEqual([m.payload for m in device.wait_messages(1)], [b"a command"])
        self.assertEqual(self.gateway.terminate(), 0)

    def bad_then_good(self, name):
        self.start(name)
        self.publish_load(100, "load/x")
        self.gateway.wait_log(rf"cmq\.retry.*{BAD[name]}")
        harness.wait_until("all wait in the spool",
                           lambda: self.gateway.spool_stat()["deliveries"] == 100)
        self.assertEqual(self.cmq.counts("store"), 0)
        self.change_certificate("good")
        self.check_arrived(100)
        self.assertEqual(self.gateway.terminate(), 0)

    def test_an_expired_certificate_holds_all_until_it_is_renewed(self):
        self.bad_then_good("expired")

    def test_a_certificate_of_another_host_holds_all_until_it_is_right(self):
        self.bad_then_good("wrong-host")

    def test_a_certificate_of_an_unknown_authority_holds_all_until_it_is_right(self):
        self.bad_then_good("unknown-ca")

    def test_a_certificate_that_turns_bad_while_running_loses_nothing(self):
        self.start("good")
        self.publish_load(50, "load/x")
        self.wait_count("store", 50)
        self.change_certificate("expired")
        self.publish_load(50, "load/x", first=50)
        self.gateway.wait_log(BAD["expired"])
        self.change_certificate("good")
        self.check_arrived(100)

    def test_without_verification_any_certificate_will_do(self):
        self.start("expired", verify=False)
        self.publish_load(100, "load/x")
        self.check_arrived(100)
        self.change_certificate("unknown-ca")
        self.publish_load(100, "load/x")
        self.check_arrived(100)


class HandTool(WithCertificates, CliTest):
    def configure_for(self, endpoint, **tls):
        self.configure(cmq={"endpoint": endpoint, "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "@env:CMQ_SECRET_KEY", "timeout": "5s",
                            "tls": self.trust(**tls)})

    def test_the_hand_tool_says_what_is_wrong_with_a_certificate(self):
        self.start_local("good")
        self.configure_for(self.local.url)
        self.cmqgw("cmq", "send", "store", "one")
        for name, says in BAD.items():
            self.change_certificate(name)
            self.cmqgw("cmq", "send", "store", name, expect=1)
            self.assertRegex(self.err, says)
            self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")
        self.configure_for(self.local.url, verify=False)
        self.cmqgw("cmq", "send", "store", "two")
        self.assertEqual(sorted(self.cmq.drain("store")), ["one", "two"])

    def test_http_where_https_is_spoken_and_the_other_way_round(self):
        self.start_local("good")
        self.configure_for(self.local.url.replace("https", "http"))
        self.cmqgw("cmq", "send", "store", "x", expect=1)
        self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")
        plain = harness.CmqLocal(self, {"queues": [{"name": "store"}]})
        plain.name = "plain"
        plain.start()
        self.configure_for(plain.url.replace("http", "https"))
        self.cmqgw("cmq", "send", "store", "x", expect=1)
        self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+(SSL|TLS)[^\n]+\n\Z")


class HttpsServer(local.Server):
    """A cmqlocal of our own, over TLS."""

    def __init__(self, certificates):
        self.authority = certificates.path("ca")
        super().__init__("--tls-cert", certificates.path("good"),
                         "--tls-key", certificates.path("good", "key"))

    def connect(self, timeout=local.DEADLINE):
        context = ssl.create_default_context(cafile=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           context=context)


class LocalServer(WithCertificates, unittest.TestCase):
    def test_large_messages_and_polls_go_through_tls(self):
        server = HttpsServer(self.certificates)
        try:
            body = "x" * 500000
            sent = server.call("SendMessage", queueName="work", msgBody=body)
            got = server.call("ReceiveMessage", queueName="work")
            self.assertEqual((got["msgId"], got["msgBody"]), (sent["msgId"], body))
            gone = server.connect()
            gone.request("POST", "/", urllib.parse.urlencode(server.form(
                "ReceiveMessage", path="/", queueName="work", pollingWaitSeconds="30")))
            server.until(lambda: server.state("work")["waiting"] == 1, "the poll")
            gone.close()
            server.until(lambda: server.state("work")["waiting"] == 0, "its end to be noticed")
            answers = []
            poll = threading.Thread(target=lambda: answers.append(server.call(
                "ReceiveMessage", queueName="work", pollingWaitSeconds="30")))
            poll.start()
            server.until(lambda: server.state("work")["waiting"] == 1, "the other poll")
            server.call("SendMessage", queueName="work", msgBody="for the one that stayed")
            poll.join()
            self.assertEqual(answers[0]["msgBody"], "for the one that stayed")
            self.assertEqual(server.stderr(), "")
        finally:
            self.assertEqual(server.stop(), 0)

    def refuse(self, text, *options):
        done = subprocess.run([os.path.join(harness.BIN, "cmqlocal"), "--listen", "127.0.0.1:0",
                               *options], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"\Acmqlocal: [^\n]+\n\Z")
        self.assertIn(text, done.stderr)

    def test_files_that_are_no_certificate_or_key_are_refused(self):
        cert, key = self.certificates.path("good"), self.certificates.path("good", "key")
        nothing = self.certificates.path("nothing")
        self.refuse("go together", "--tls-cert", cert)
        self.refuse("go together", "--tls-key", key)
        self.refuse(f"--tls-cert {nothing}: No such file", "--tls-cert", nothing, "--tls-key", key)
        self.refuse(f"--tls-key {nothing}: No such file", "--tls-cert", cert, "--tls-key", nothing)
        self.refuse(f"--tls-cert {key}: ", "--tls-cert", key, "--tls-key", key)
        self.refuse(f"--tls-key {cert}: ", "--tls-cert", cert, "--tls-key", cert)
        self.refuse("key values mismatch", "--tls-cert", cert,
                    "--tls-key", self.certificates.path("expired", "key"))

    def test_old_versions_of_tls_are_refused(self):
        server = subprocess.Popen(
            [os.path.join(harness.BIN, "cmqlocal"), "--listen", "127.0.0.1:0", "--tls-cert",
             self.certificates.path("good"), "--tls-key", self.certificates.path("good", "key")],
            stdout=subprocess.PIPE, text=True)
        try:
            port = int(server.stdout.readline().split("https://127.0.0.1:")[1].split()[0])
            for version, accepted in ((ssl.TLSVersion.TLSv1_1, False),
                                      (ssl.TLSVersion.TLSv1_2, True),
                                      (ssl.TLSVersion.TLSv1_3, True)):
                self.assertEqual(self.shakes_hands(port, version), accepted, version)
        finally:
            server.terminate()
            self.assertEqual(server.wait(60), 0)
            server.stdout.close()

    def shakes_hands(self, port, version):
        context = ssl.create_default_context(cafile=self.certificates.path("ca"))
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        with socket.create_connection(("127.0.0.1", port), 60) as plain:
            try:
                with context.wrap_socket(plain, server_hostname="127.0.0.1"):
                    return True
            except ssl.SSLError:
                return False


if __name__ == "__main__":
    unittest.main()
