"""cmqlocal's management plane over real connections: signed with nothing but hmac, by CMQ.md 8.2.

What each action does with each field is tested next to its code; here it is what takes a server:
connections, polls and pushes under way, the script of faults, the log, options, both planes at once.
"""

import datetime
import hashlib
import hmac
import json
import queue
import threading
import time
import unittest

from test_cmqlocal import DEADLINE, SECRET_ID, SECRET_KEY, Server
from test_cmqlocal_push import HANG, EndPoint


def tc3(host, body, stamp, key=SECRET_KEY, service="tdmq", query="", method="POST"):
    """The Authorization header of a request (CMQ.md 8.2)."""
    day = datetime.datetime.fromtimestamp(stamp, datetime.timezone.utc).strftime("%Y-%m-%d")
    scope = f"{day}/{service}/tc3_request"
    canonical = (f"{method}\n/\n{query}\ncontent-type:application/json\nhost:{host}\n\n"
                 f"content-type;host\n{hashlib.sha256(body).hexdigest()}")
    text = (f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n"
            f"{hashlib.sha256(canonical.encode()).hexdigest()}")
    secret = b"TC3" + key.encode()
    for part in (day, service, "tc3_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    return (f"TC3-HMAC-SHA256 Credential={SECRET_ID}/{scope}, SignedHeaders=content-type;host, "
            f"Signature={signature}")


class Api(unittest.TestCase):
    def serve(self, *options):
        server = self.server = Server(*options, topology=None)
        self.addCleanup(lambda: self.assertEqual(server.stop(), 0))

    def ask(self, action, connection=None, **params):
        """The answer's Response."""
        body = json.dumps(params).encode()
        stamp = int(time.time())
        headers = {"Content-Type": "application/json", "X-TC-Action": action,
                   "X-TC-Version": "2020-02-17", "X-TC-Timestamp": str(stamp),
                   "X-TC-Region": "ap-guangzhou",
                   "Authorization": tc3(self.server.host, body, stamp)}
        own = connection or self.server.connect()
        try:
            own.request("POST", "/", body, headers)
            answer = own.getresponse()
            text = answer.read()
        finally:
            if not connection:
                own.close()
        self.assertEqual(answer.status, 200, text)
        # the vendor's cloud SDK for Python looks for errors only under this very type
        self.assertEqual(answer.getheader("Content-Type"), "application/json")
        response = json.loads(text)["Response"]
        self.assertRegex(response["RequestId"], "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        return response

    def ok(self, action, **params):
        response = self.ask(action, **params)
        self.assertNotIn("Error", response)
        return response

    def refused(self, code, action, **params):
        response = self.ask(action, **params)
        self.assertEqual(response.get("Error", {}).get("Code"), code, response)
        return response["Error"]["Message"]


class Planes(Api):
    def test_both_planes_take_turns_on_one_connection(self):
        self.serve()
        connection = self.server.connect()
        for n in range(3):
            name = f"q{n}"
            self.assertIn("QueueId", self.ask("CreateCmqQueue", connection, QueueName=name))
            sent = self.server.call("SendMessage", connection=connection, queueName=name,
                                    msgBody="x")
            self.assertEqual(sent["code"], 0)
            described = self.ask("DescribeCmqQueueDetail", connection, QueueName=name)
            self.assertEqual(described["QueueDescribe"]["ActiveMsgNum"], 1)
        connection.close()

    def test_a_message_by_the_management_plane_wakes_a_poll(self):
        self.serve()
        self.ok("CreateCmqQueue", QueueName="q")
        answers = queue.Queue()
        thread = threading.Thread(target=lambda: answers.put(self.server.call(
            "ReceiveMessage", queueName="q", pollingWaitSeconds="30")))
        thread.start()
        self.server.until(lambda: self.server.state("q")["waiting"] == 1, "the poll")
        sent = self.ok("SendCmqMsg", QueueName="q", MsgContent="hello")
        self.assertEqual(answers.get(timeout=DEADLINE)["msgId"], sent["MsgId"])
        thread.join()

    def test_a_rewind_wakes_a_poll(self):
        self.serve()
        self.ok("CreateCmqQueue", QueueName="q", RewindSeconds=3600)
        self.ok("SendCmqMsg", QueueName="q", MsgContent="again")
        got = self.server.call("ReceiveMessage", queueName="q")
        self.server.call("DeleteMessage", queueName="q", receiptHandle=got["receiptHandle"])
        answers = queue.Queue()
        thread = threading.Thread(target=lambda: answers.put(self.server.call(
            "ReceiveMessage", queueName="q", pollingWaitSeconds="30")))
        thread.start()
        self.server.until(lambda: self.server.state("q")["waiting"] == 1, "the poll")
        self.ok("RewindCmqQueue", QueueName="q", StartConsumeTime=got["enqueueTime"])
        self.assertEqual(answers.get(timeout=DEADLINE)["msgId"], got["msgId"])
        thread.join()

    def test_a_shorter_visibility_holds_from_the_next_receive_on(self):
        self.serve()
        self.ok("CreateCmqQueue", QueueName="q", VisibilityTimeout=43200)
        self.ok("SendCmqMsg", QueueName="q", MsgContent="x")
        self.ok("ModifyCmqQueueAttribute", QueueName="q", VisibilityTimeout=1)
        first = self.server.call("ReceiveMessage", queueName="q")
        self.assertIn(first["nextVisibleTime"] - first["firstDequeueTime"], (1, 2))
        again = self.server.call("ReceiveMessage", queueName="q", pollingWaitSeconds="30")
        self.assertEqual((again["msgId"], again["dequeueCount"]), (first["msgId"], 2))

    def test_a_deleted_subscription_gets_no_push(self):
        end_point = EndPoint(HANG, 200)
        self.addCleanup(end_point.close)
        self.serve()
        self.ok("CreateCmqTopic", TopicName="t")
        self.ok("CreateCmqSubscribe", TopicName="t", SubscriptionName="s", Protocol="http",
                Endpoint=end_point.url(), NotifyStrategy="BACKOFF_RETRY")
        self.ok("PublishCmqMsg", TopicName="t", MsgContent="one")
        self.ok("PublishCmqMsg", TopicName="t", MsgContent="two")
        end_point.wait(1)
        found = self.ok("DescribeCmqSubscriptionDetail", TopicName="t")["SubscriptionSet"][0]
        self.assertEqual(found["MsgCount"], 2)
        self.ok("DeleteCmqSubscribe", TopicName="t", SubscriptionName="s")
        with end_point.lock: # the try under way is broken off
            self.assertTrue(end_point.lock.wait_for(lambda: end_point.gone == 1, DEADLINE))
        self.assertEqual(len(end_point.requests), 1)
        self.assertEqual(self.server.control("GET", "/local/state")[1]["messageBytes"], 0)
        self.ok("DeleteCmqTopic", TopicName="t")

    def test_a_changed_format_holds_from_the_next_push_on(self):
        end_point = EndPoint(200)
        self.addCleanup(end_point.close)
        self.serve()
        self.ok("CreateCmqTopic", TopicName="t")
        self.ok("CreateCmqSubscribe", TopicName="t", SubscriptionName="s", Protocol="http",
                Endpoint=end_point.url())
        self.ok("PublishCmqMsg", TopicName="t", MsgContent="one")
        self.assertEqual(json.loads(end_point.wait(1)[0].body)["msgBody"], "one")
        self.ok("ModifyCmqSubscriptionAttribute", TopicName="t", SubscriptionName="s",
                NotifyContentFormat="SIMPLIFIED")
        self.ok("PublishCmqMsg", TopicName="t", MsgContent="two")
        self.assertEqual(end_point.wait(2)[1].body, b"two")

    def test_a_large_message_is_taken_in_json(self):
        self.serve()
        self.ok("CreateCmqQueue", QueueName="q")
        text = "\u4f60" * ((1 << 20) // 3) # six bytes each in json.dumps, three in the message
        self.ok("SendCmqMsg", QueueName="q", MsgContent=text)
        self.assertEqual(self.server.call("ReceiveMessage", queueName="q")["msgBody"], text)


class Operation(Api):
    def test_faults_and_the_log_know_this_plane(self):
        self.serve()
        last = self.server.control("GET", "/local/log")[1]["last"]
        self.assertEqual(self.server.control("POST", "/local/faults", [
            {"action": "CreateCmqQueue", "mode": "code", "code": "InternalError", "count": 1},
            {"action": "CreateCmqQueue", "mode": "delay", "seconds": 0.1, "count": 1},
            {"action": "DeleteCmqQueue", "mode": "late_drop", "count": 1},
            {"action": "DescribeCmqQueues", "mode": "http_500", "count": 1},
            {"action": "DescribeCmqQueues", "mode": "garbage", "count": 1},
            {"action": "DescribeCmqQueues", "mode": "drop", "count": 1}])[0], 200)
        self.refused("InternalError", "CreateCmqQueue", QueueName="q")
        self.ok("CreateCmqQueue", QueueName="q")
        with self.assertRaises(OSError):
            self.ask("DeleteCmqQueue", QueueName="q")
        message = self.refused("ResourceNotFound", "DescribeCmqQueueDetail", QueueName="q")
        self.assertEqual(message, "queue is not existed, or deleted")
        with self.assertRaises(AssertionError): # HTTP 500
            self.ask("DescribeCmqQueues")
        with self.assertRaises(ValueError): # no JSON
            self.ask("DescribeCmqQueues")
        with self.assertRaises(OSError):
            self.ask("DescribeCmqQueues")
        self.ok("DescribeCmqQueues")
        log = self.server.control("GET", f"/local/log?after={last}")[1]["requests"]
        self.assertEqual(
            [(entry["action"], entry["name"], entry["outcome"], entry["error"]) for entry in log],
            [("CreateCmqQueue", "q", "answered", "InternalError"),
             ("CreateCmqQueue", "q", "answered", None),
             ("DeleteCmqQueue", "q", "dropped", None),
             ("DescribeCmqQueueDetail", "q", "answered", "ResourceNotFound"),
             ("DescribeCmqQueues", "", "http_500", None),
             ("DescribeCmqQueues", "", "answered", None),
             ("DescribeCmqQueues", "", "dropped", None),
             ("DescribeCmqQueues", "", "answered", None)])
        self.assertEqual(log[-1]["requestId"],
                         self.server.control("GET", "/local/log?after=%d" % (last + 7))
                         [1]["requests"][0]["requestId"])

    def test_a_client_that_leaves_during_a_delay_has_made_nothing(self):
        self.serve()
        self.assertEqual(self.server.control("POST", "/local/faults", [
            {"action": "CreateCmqQueue", "mode": "delay", "seconds": 3600}])[0], 200)
        connection = self.server.connect()
        stamp = int(time.time())
        connection.request("POST", "/", b"{}", {
            "Content-Type": "application/json", "X-TC-Action": "CreateCmqQueue",
            "X-TC-Version": "2020-02-17", "X-TC-Timestamp": str(stamp),
            "Authorization": tc3(self.server.host, b"{}", stamp)})
        self.server.until(
            lambda: self.server.control("GET", "/local/faults")[1][0]["hits"] == 1, "the delay")
        connection.close()
        self.server.until(
            lambda: [entry["outcome"] for entry in
                     self.server.control("GET", "/local/log")[1]["requests"]] == ["client gone"],
            "the end")

    def test_actions_can_be_throttled(self):
        self.serve("--api-rate", "2")
        codes = set()
        def throttled():
            codes.add(self.ask("DescribeCmqQueues").get("Error", {}).get("Code"))
            return "RequestLimitExceeded" in codes
        self.server.until(throttled, "RequestLimitExceeded")
        self.assertEqual(codes, {None, "RequestLimitExceeded"})
        self.ok("DescribeCmqTopics")

    def test_a_deleted_name_rests_for_thirty_seconds_or_not_at_all(self):
        self.serve()
        self.ok("CreateCmqQueue", QueueName="q")
        self.ok("DeleteCmqQueue", QueueName="q")
        message = self.refused("ResourceUnavailable", "CreateCmqQueue", QueueName="Q")
        self.assertRegex(message, r"in (30|[12]?\d) seconds$")
        self.assertEqual(self.server.control("POST", "/local/reset")[0], 200)
        self.ok("CreateCmqQueue", QueueName="Q")
        for bar, patience in (("0s", 0), ("1s", 1)):
            self.serve("--reuse-bar", bar)
            self.ok("CreateCmqTopic", TopicName="t")
            self.ok("DeleteCmqTopic", TopicName="t")
            if patience:
                self.refused("ResourceUnavailable", "CreateCmqTopic", TopicName="t")
                self.server.until(
                    lambda: "TopicId" in self.ask("CreateCmqTopic", TopicName="t"), "the name")
            else:
                self.ok("CreateCmqTopic", TopicName="t")

    def test_the_clock_tolerance_can_be_chosen(self):
        for options, code in (((), None), (("--api-tolerance", "10s"), "AuthFailure.SignatureExpire")):
            self.serve(*options)
            stamp = int(time.time()) - 200
            connection = self.server.connect()
            connection.request("POST", "/", b"{}", {
                "Content-Type": "application/json", "X-TC-Action": "DescribeCmqQueues",
                "X-TC-Version": "2020-02-17", "X-TC-Timestamp": str(stamp),
                "Authorization": tc3(self.server.host, b"{}", stamp)})
            response = json.loads(connection.getresponse().read())["Response"]
            connection.close()
            self.assertEqual(response.get("Error", {}).get("Code"), code)

    def test_secrets_stay_secret(self):
        self.serve()
        stamp = int(time.time())
        connection = self.server.connect()
        connection.request("POST", "/", b"{}", {
            "Content-Type": "application/json", "X-TC-Action": "DescribeCmqQueues",
            "X-TC-Version": "2020-02-17", "X-TC-Timestamp": str(stamp),
            "Authorization": tc3(self.server.host, b"{}", stamp, key="wrong")})
        text = connection.getresponse().read().decode()
        connection.close()
        self.assertIn("AuthFailure.SignatureFailure", text)
        log = json.dumps(self.server.control("GET", "/local/log")[1])
        self.assertIn("AuthFailure.SignatureFailure", log)
        self.assertIn("local.unauthentic", self.server.stderr())
        for said in (text, log, self.server.stderr()):
            self.assertNotIn(SECRET_KEY, said)

    def test_bad_options_are_refused(self):
        for options in (("--api-rate", "-1"), ("--api-rate", "1000001"), ("--api-rate", "x"),
                        ("--api-tolerance", "5"), ("--reuse-bar", "soon")):
            with self.assertRaisesRegex(AssertionError, "--" + options[0][2:]):
                Server(*options, topology=None)


if __name__ == "__main__":
    unittest.main()
