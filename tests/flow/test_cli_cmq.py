"""cmqgw cmq: against the local server, and against something that is no CMQ."""

import http.server
import json
import os
import pty
import threading
import unittest
import urllib.parse

from cli import CliTest
from harness import free_port


class HandTool(CliTest):
    """cmqgw cmq, against the local server."""

    def setUp(self):
        self.start_cmq(queues=["q"], topics=[
            {"name": "tagged", "filter": "tag",
             "subscriptions": [{"name": "s", "queue": "q", "tags": ["red"]}]},
            {"name": "routed", "filter": "route",
             "subscriptions": [{"name": "s", "queue": "q", "keys": ["a.*"]}]}])
        self.cmq_section = {"endpoint": self.local.url, "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "@env:CMQ_SECRET_KEY", "timeout": "5s"}
        self.configure(cmq=self.cmq_section)

    def test_a_body_is_sent_from_the_command_line_or_stdin(self):
        self.assertRegex(self.cmqgw("cmq", "send", "q", "grün & 100%+"), r"\A\S+\n\Z")
        self.cmqgw("--json", "cmq", "send", "q", "--", "-dashed")
        self.assertEqual(set(json.loads(self.out)), {"msgId"})
        self.cmqgw("cmq", "send", "q", stdin=b"from stdin\n")
        self.assertEqual(sorted(self.cmq.drain("q")), ["-dashed", "from stdin\n", "grün & 100%+"])

    def test_a_body_that_cmq_cannot_take_is_not_sent(self):
        for stdin, says in ((b"", "the body is empty"), (b"\xff", ""), (b"a\0b", ""),
                            (b"x" * ((1 << 20) + 1), "stdin is larger than 1048576 bytes")):
            self.cmqgw("cmq", "send", "q", stdin=stdin, expect=1)
            self.assertIn(says, self.err)
            self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")
        self.assertEqual(self.cmq.drain("q"), [])

    def test_publishing_goes_by_tags_or_route(self):
        self.cmqgw("cmq", "publish", "tagged", "--tag", "red", "--tag", "blue", "by tag")
        self.assertEqual(set(self.json("cmq", "publish", "routed", "by route", "--route", "a.b")),
                         {"msgId"})
        self.assertEqual(sorted(self.cmq.drain("q")), ["by route", "by tag"])
        self.cmqgw("cmq", "publish", "routed", "--route", "b.b", "nobody", expect=1)
        self.assertIn("6030", self.err)

    def test_receiving_prints_and_deletes(self):
        for n in range(20):
            self.cmq.send("q", f"body {n}")
        self.assertRegex(self.cmqgw("cmq", "receive", "q"), r"\Abody \d+\n\Z")
        self.assertRegex(self.err, r"\A# msgId \S+, .*received 1 time\n\Z")
        self.cmqgw("cmq", "receive", "q", "--count", "18", "--wait", "0")
        self.assertEqual(len(self.out.splitlines()), 18)
        self.assertEqual(self.cmq.counts("q"), 1)
        self.cmqgw("cmq", "receive", "q", "--count", "5", "--wait", "0")
        self.assertEqual(len(self.out.splitlines()), 1)
        self.assertEqual(self.cmq.counts("q"), 0)

    def test_machines_get_cmqs_own_field_names(self):
        self.cmq.send("q", "a\nb")
        self.cmq.send("q", "\x1b[2J")
        lines = self.cmqgw("cmq", "receive", "q", "--json", "--count", "2", "--keep").splitlines()
        messages = [json.loads(line) for line in lines]
        self.assertEqual(sorted(m["msgBody"] for m in messages), ["\x1b[2J", "a\nb"])
        for message in messages:
            self.assertEqual(set(message), {"msgId", "msgBody", "receiptHandle", "enqueueTime",
                                            "firstDequeueTime", "nextVisibleTime", "dequeueCount"})
            self.assertIsInstance(message["enqueueTime"], int)
        self.assertEqual(self.cmq.counts("q"), 2)

    def test_a_terminal_cannot_be_commanded(self):
        self.cmq.send("q", "\x1b[2J")
        ours, its = pty.openpty()
        try:
            self.cmqgw("cmq", "receive", "q", stdout=its)
            self.assertEqual(os.read(ours, 100), b"\\x1b[2J\r\n")
        finally:
            os.close(ours)
            os.close(its)

    def test_nothing_to_receive_is_exit_1_and_a_note(self):
        for as_json in ([], ["--json"]):
            self.cmqgw("cmq", "receive", "q", "--wait", "0", *as_json, expect=1)
            self.assertEqual(self.out, "")
            self.assertIn("no message within 0 s", self.err)

    def test_what_could_not_be_printed_is_not_deleted(self):
        self.cmq.send("q", "precious")
        with open("/dev/full", "wb") as full:
            self.cmqgw("cmq", "receive", "q", stdout=full, expect=1)
        self.assertEqual(self.cmq.counts("q"), 1)

    def test_a_delete_that_fails_is_said(self):
        self.cmq.send("q", "x")
        self.cmq.faults({"action": "BatchDeleteMessage", "mode": "code", "code": 6000, "count": 1})
        self.cmqgw("cmq", "receive", "q", expect=1)
        self.assertEqual(self.out, "x\n")
        self.assertIn("not deleted: ", self.err)

    def test_what_cmq_refuses_is_told_with_advice(self):
        self.cmqgw("cmq", "send", "missing", "x", expect=1)
        self.assertRegex(self.err, r"\Acmqgw cmq send: CMQ answered 4440: [^\n]*; [^\n]+\n\Z")
        self.configure(cmq={**self.cmq_section, "secret_key": "wrong"})
        self.cmqgw("cmq", "receive", "q", expect=1)
        self.assertIn("CMQ answered 4100", self.err)
        self.assertNotIn("wrong", self.err)

    def test_an_account_that_cannot_be_used_is_one_line(self):
        self.configure(cmq={**self.cmq_section, "endpoint": f"http://127.0.0.1:{free_port()}"})
        self.cmqgw("cmq", "send", "q", "x", expect=1)
        self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")
        self.configure(cmq={**self.cmq_section, "secret_key": "@env:CMQGW_TEST_UNSET"})
        self.cmqgw("cmq", "send", "q", "x", expect=1)
        self.assertIn("CMQGW_TEST_UNSET", self.err)


class Hostile(CliTest):
    """cmqgw cmq, against something that is no CMQ."""

    def serve(self, **answers):
        """Answers each action with what is given for it, HTTP 200."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])))
                data = answers[form[b"Action"][0].decode()]
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.configure(cmq={"endpoint": f"http://127.0.0.1:{server.server_port}",
                            "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "@env:CMQ_SECRET_KEY", "timeout": "5s"})

    def test_an_answer_cannot_command_the_terminal(self):
        self.serve(SendMessage=json.dumps({"code": 0, "message": "", "requestId": "r",
                                           "msgId": "\x1b[2J"}).encode(),
                   PublishMessage=json.dumps({"code": 4000, "requestId": "r",
                                              "message": "(1)\x1b[2J\nforged"}).encode())
        self.assertEqual(self.cmqgw("cmq", "send", "q", "x"), "\\x1b[2J\n")
        self.cmqgw("cmq", "publish", "t", "x", "--tag", "a", expect=1)
        self.assertRegex(self.err, r"\A[ -~]*4000[ -~]*\\x1b\[2J\\nforged[ -~]*\n\Z")

    def test_nonsense_is_a_failure(self):
        for answer in (b"", b"<html>", b"[]", b"{}", b'{"code":0}', b'{"code":"0","msgId":"1"}'):
            self.serve(SendMessage=answer)
            self.cmqgw("cmq", "send", "q", "x", expect=1)
            self.assertEqual(self.out, "")
            self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")

    def test_a_message_that_cannot_be_read_is_said_and_left(self):
        good = {"msgId": "1", "msgBody": "good", "receiptHandle": "h", "enqueueTime": 2 ** 53,
                "firstDequeueTime": 0, "nextVisibleTime": 0, "dequeueCount": 1}
        self.serve(BatchReceiveMessage=json.dumps(
            {"code": 0, "message": "", "requestId": "r",
             "msgInfoList": [good, {**good, "receiptHandle": 5}]}).encode(),
                   BatchDeleteMessage=b'{"code":0,"message":"","requestId":"r"}')
        self.assertEqual(self.cmqgw("cmq", "receive", "q", "--count", "2"),
                         "good\ngood\n")
        self.assertIn("1 more could not be read and stay", self.err)


if __name__ == "__main__":
    unittest.main()
