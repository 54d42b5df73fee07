"""cmqgw provision when something is wrong: lost answers, names in use, errors, what cannot be."""

import http.server
import json
import os
import re
import threading
import unittest

import harness
from provision import PENDING, ProvisionTest
from test_tls_cmq import Certificates


class ForgetfulApi(http.server.BaseHTTPRequestHandler):
    """A management plane that takes everything and shows a queue only from the third look on."""

    protocol_version = "HTTP/1.1"
    looks, shows_from = 0, 3

    def do_POST(self):  # pylint: disable=invalid-name
        self.rfile.read(int(self.headers["Content-Length"]))
        response = {"RequestId": "r"}
        action = self.headers["X-TC-Action"]
        if action == "DescribeCmqQueues":
            type(self).looks += 1
            shown = self.looks >= self.shows_from
            response.update(TotalCount=int(shown), QueueList=[{"QueueName": "a"}] if shown else [])
        elif action == "DescribeCmqTopics":
            response.update(TotalCount=0, TopicList=[])
        body = json.dumps({"Response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Trouble(ProvisionTest):
    SMALL = {"queues": [{"name": "a"}, {"name": "b"}],
             "topics": [{"name": "t", "filter": "tag", "subscriptions": [
                 {"name": "s", "queue": "a", "tags": ["x"]}]}]}

    def test_lost_answers_are_looked_for_and_throttling_is_waited_for(self):
        api = self.start()
        self.declare(self.SMALL)
        api.faults(
            {"action": "CreateCmqQueue", "mode": "late_drop", "count": 1},
            {"action": "CreateCmqQueue", "mode": "drop", "count": 1},
            {"action": "CreateCmqTopic", "mode": "code", "code": "RequestLimitExceeded",
             "count": 2},
            {"action": "CreateCmqSubscribe", "mode": "garbage", "count": 1},
            {"action": "DescribeCmqQueues", "mode": "http_500", "count": 1})
        self.provision("--apply")
        self.assertEqual(api.fault_hits(), [1, 1, 2, 1, 1])
        self.assertIn("CreateCmqTopic: RequestLimitExceeded: ", self.err)
        self.assertIn("DescribeCmqQueues: HTTP status 500; again in ", self.err)
        api.faults()
        self.assert_account(self.SMALL)
        self.assert_done()

    def test_a_name_that_was_deleted_a_moment_ago_is_waited_for(self):
        api = self.start(self.SMALL, "--reuse-bar", "3s")
        api.call("DeleteCmqSubscribe", TopicName="t", SubscriptionName="s")
        api.call("DeleteCmqTopic", TopicName="t")
        api.call("DeleteCmqQueue", QueueName="a")
        self.declare(self.SMALL)
        self.provision("--apply")
        self.assertIn("the name was deleted a moment ago and is free again after 30 s: waiting",
                      self.err)
        self.assert_account(self.SMALL)

    def test_what_cannot_be_is_said_with_what_to_do_and_the_rest_is_done(self):
        self.start({"queues": [{"name": "a", "max_size": "64KiB"}],
                    "topics": [{"name": "t", "filter": "route"}]})
        self.declare({**self.SMALL, "queues": [{"name": "a", "max_size": "1MiB"}, {"name": "b"}]})
        self.provision(expect=1)
        self.assertIn("! cannot   topic t\n             filter route -> tag\n             a topic's "
                      "filter cannot be changed: declare a topic with another\n", self.out)
        self.assertIn("! cannot   queue a\n             max_size 64KiB -> 1MiB\n", self.out)
        self.assertIn("! cannot   subscription s of topic t\n             it waits for its topic\n",
                      self.out)
        self.provision("--apply", expect=1)
        self.assertIn("Done: 1 of 1", self.out)
        self.assertIn("b", self.api.account()["queues"])
        steps = self.json("provision", expect=1)["steps"]
        self.assertEqual([(s["action"], s["name"]) for s in steps],
                         [("cannot", "a"), ("same", "b"), ("cannot", "t"), ("cannot", "s")])

    def test_errors_are_clear(self):
        api = self.start()
        nowhere = harness.free_port()
        cases = [
            (r"AuthFailure\.SignatureFailure: .*; check cmq\.secret_key \(RequestId ",
             {"secret_key": "@env:PATH"}),
            (r"AuthFailure\.SecretIdNotFound: .*; check cmq\.secret_id",
             {"secret_id": "@env:HOME"}),
            (rf"cannot connect to http://127\.0\.0\.1:{nowhere}: .*check cmq\.management\.endpoint "
             "and that the service is up", {"endpoint": f"http://127.0.0.1:{nowhere}"}),
            (r"cannot find the address of http://nobody\.invalid: check cmq\.management\.endpoint",
             {"endpoint": "http://nobody.invalid"}),
        ]
        for says, how in cases:
            if "endpoint" in how:
                self.declare(self.SMALL, endpoint=how["endpoint"])
            else:
                os.environ["HOME"], home = "AKIDnobody", os.environ["HOME"]
                self.addCleanup(os.environ.__setitem__, "HOME", home)
                self.declare(self.SMALL, **how)
            with self.subTest(says=says):
                self.cmqgw("provision", expect=1)
                self.assertEqual(self.out, "")
                self.assertRegex(self.err, says)
        self.declare(self.SMALL)
        api.faults({"action": "DescribeCmqTopics", "mode": "code", "code": "RequestLimitExceeded"})
        self.cmqgw("provision", expect=1)
        self.assertRegex(self.err, r"DescribeCmqTopics: RequestLimitExceeded: .*try again later")
        api.faults({"action": "CreateCmqTopic", "mode": "code", "code": "LimitExceeded.Topics"})
        self.cmqgw("provision", "--apply", expect=1)
        self.assertRegex(self.err, r"CreateCmqTopic: LimitExceeded\.Topics: ")
        self.assertIn("2 of 4 done; run it again to go on", self.err)

    def test_what_was_done_is_believed_only_when_it_is_seen(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ForgetfulApi)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.declare({"queues": [{"name": "a"}]},
                     endpoint=f"http://127.0.0.1:{server.server_address[1]}")
        self.provision("--apply")
        self.assertIn("Done: 1 of 1, and the account shows it.\n", self.out)
        ForgetfulApi.looks, ForgetfulApi.shows_from = 0, 99
        self.provision("--apply", expect=1)
        self.assertIn("all was done, but the account is still not as declared:", self.err)
        self.assertRegex(self.out, r"\n\+ create   queue a\n\n1 to create\.\n\Z")

    def test_a_server_that_is_not_trusted_is_not_asked(self):
        certificates = Certificates()
        self.addCleanup(certificates.remove)
        self.start(None, "--tls-cert", certificates.path("good"),
                   "--tls-key", certificates.path("good", "key"))
        url = f"https://127.0.0.1:{self.local.port}"
        self.declare(self.SMALL, endpoint=url)
        self.cmqgw("provision", expect=1)
        self.assertRegex(self.err, r"certificate.*check cmq\.management\.endpoint, cmq\.tls and")
        self.declare(self.SMALL, endpoint=url, tls={"ca": certificates.path("ca"), "verify": True})
        self.provision("--apply")
        self.declare(self.SMALL, endpoint=url, tls={"ca": "", "verify": False})
        self.assert_done()

    def test_what_is_typed_wrong_does_nothing(self):
        self.start(self.SMALL)
        self.declare({"queues": []})
        self.cmqgw("provision", "--prune", "--apply", expect=1)
        self.assertIn("no queue and no topic is declared: --prune would delete all", self.err)
        self.assertEqual(len(self.api.account()["queues"]), 2)
        self.configure(cmq={"endpoint": ""}, forward=[], reverse=[], resources=None)
        self.assert_usage("provision", "--export", "--apply", says="--export only prints")
        self.assert_usage("provision", "--aply", says="is it --apply?")
        self.assert_usage("provision", "x", says="one word too many")

    def test_long_names_keep_to_80_columns(self):
        self.start()
        long = "n" * 64
        self.declare({"queues": [{"name": "q" * 64, "labels": [f"k{n}={'v' * 40}"
                                                               for n in range(9)]}],
                      "topics": [{"name": "t" * 64, "filter": "tag", "subscriptions": [
                          {"name": long, "queue": "q" * 64, "tags": ["a" * 16] * 5}]}]})
        self.provision(expect=PENDING)
        self.provision("--apply")
        self.assertEqual(re.sub(r"\s+", "", self.out).count(f"subscription{long}oftopic{'t' * 64}"),
                         2)
        self.provision("--export")


if __name__ == "__main__":
    unittest.main()
