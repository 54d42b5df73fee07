"""cmqlocal as the SDKs of others see it: the vendor's cloud SDK for Node and a queue SDK from npm.

Nothing of what they send or understand is ours. They are downloaded once, at exact versions and
without running any script of theirs, into a cache outside the tree; when that cannot be done, the
test fails and says so.
"""

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import unittest

from test_cmqlocal import DEADLINE, SECRET_ID, SECRET_KEY, Server

PACKAGES = ("tencentcloud-sdk-nodejs-common@4.1.220", "cmq-sdk@2.1.0")
DOWNLOAD_PATIENCE = 120
MODES = ("TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256")
DATA_MODES = ("HmacSHA1", "HmacSHA256")
DRIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sdk_driver.js")


def install():
    """The folder that holds the packages; downloads them when no earlier run has."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise AssertionError(f"this test needs {program}: scripts/install-packages.sh test")
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                         "cmqgw-npm")
    there = os.path.join(cache, "+".join(PACKAGES), "node_modules")
    if os.path.isdir(there):
        return there
    os.makedirs(cache, exist_ok=True)
    folder = tempfile.mkdtemp(dir=cache)
    try:
        with open(os.path.join(folder, "package.json"), "w", encoding="ascii") as file:
            file.write('{"private": true}\n')
        try:
            done = subprocess.run(
                ["npm", "install", "--ignore-scripts", "--no-save", "--no-package-lock",
                 "--no-audit", "--no-fund", "--fetch-retries=1", *PACKAGES], cwd=folder,
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=DOWNLOAD_PATIENCE, check=False)
            failure = done.stderr[-2000:] if done.returncode else None
        except subprocess.TimeoutExpired:
            failure = f"it took more than {DOWNLOAD_PATIENCE} s"
        if failure:
            raise AssertionError(f"npm cannot install {' '.join(PACKAGES)}, which this test is "
                                 f"about; is its registry reachable?\n{failure}")
        try:
            os.rename(folder, os.path.dirname(there))
        except OSError: # another run was faster
            if not os.path.isdir(there):
                raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return there


class Refused(Exception):
    """An SDK's own exception."""

    def __init__(self, error):
        super().__init__(f"{error.get('code')}: {error.get('message')}")
        self.code, self.request_id = error.get("code"), error.get("requestId")


class Sdks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        modules = install()
        cls.server = Server("--reuse-bar", "0s", topology=None)
        cls.node = subprocess.Popen(
            ["node", DRIVER, str(cls.server.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "NODE_PATH": modules})

    @classmethod
    def tearDownClass(cls):
        cls.node.stdin.close()
        cls.node.wait(DEADLINE)
        cls.node.stdout.close()
        if cls.server.stop() != 0:
            raise AssertionError("cmqlocal did not end well")

    def ask(self, client, sign, action, params, **more):
        call = {"client": client, "account": [SECRET_ID, SECRET_KEY], "sign": sign,
                "action": action, "params": params, **more}
        self.node.stdin.write(json.dumps(call) + "\n")
        self.node.stdin.flush()
        line = self.node.stdout.readline()
        self.assertTrue(line, "the SDKs' driver has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["ok"]

    def cloud(self, sign, action, more=None, **params):
        return self.ask("cloud", sign, action, params, **(more or {}))

    def data(self, sign, action, **params):
        return self.ask("data", sign, action, params)

    def refused(self, code, call, *args, **params):
        with self.assertRaises(Refused) as caught:
            call(*args, **params)
        self.assertEqual(caught.exception.code, code)
        self.assertRegex(caught.exception.request_id, "^[0-9a-f-]{36}$")

    def make(self, sign, queue=None, topic=None, **params):
        """A queue or topic that is gone again after the test."""
        kind, name = ("Queue", queue) if queue else ("Topic", topic)
        self.cloud(sign, f"CreateCmq{kind}", **{f"{kind}Name": name}, **params)
        self.addCleanup(self.cloud, sign, f"DeleteCmq{kind}", **{f"{kind}Name": name})


class CloudSdk(Sdks):
    """Management, in each of the SDK's three ways to sign."""

    def test_a_queue_lives_from_create_to_delete(self):
        for sign in MODES:
            with self.subTest(sign):
                made = self.cloud(sign, "CreateCmqQueue", QueueName="life", VisibilityTimeout=45,
                                  Tags=[{"TagKey": "team", "TagValue": "a"}])
                self.assertRegex(made["QueueId"], "^cmqq-[0-9a-z]+$")
                self.refused("ResourceInUse.Queue", self.cloud, sign, "CreateCmqQueue",
                             QueueName="LIFE")
                found = self.cloud(sign, "DescribeCmqQueueDetail",
                                   QueueName="life")["QueueDescribe"]
                self.assertEqual(found["QueueId"], made["QueueId"])
                self.assertEqual(found["VisibilityTimeout"], 45)
                self.assertEqual(found["MsgRetentionSeconds"], 3600)
                self.assertEqual(found["Tags"], [{"TagKey": "team", "TagValue": "a"}])
                self.cloud(sign, "ModifyCmqQueueAttribute", QueueName="life",
                           PollingWaitSeconds=7, Trace=True)
                found = self.cloud(sign, "DescribeCmqQueues", QueueName="if", Offset=0,
                                   Limit=50)["QueueList"][0]
                self.assertEqual((found["VisibilityTimeout"], found["PollingWaitSeconds"],
                                  found["Trace"]), (45, 7, True))
                self.cloud(sign, "DeleteCmqQueue", QueueName="life")
                self.refused("ResourceNotFound", self.cloud, sign, "DescribeCmqQueueDetail",
                             QueueName="life")
                self.refused("ResourceNotFound", self.cloud, sign, "DeleteCmqQueue",
                             QueueName="life")

    def test_lists_of_names_and_tag_filters_travel_in_every_form(self):
        for sign in MODES:
            with self.subTest(sign):
                for name, value in (("list-a", "x"), ("list-b", "y"), ("list-c", "y")):
                    self.cloud(sign, "CreateCmqQueue", QueueName=name,
                               Tags=[{"TagKey": "k", "TagValue": value}])
                found = self.cloud(sign, "DescribeCmqQueues",
                                   QueueNameList=["list-a", "LIST-C", "nobody"])
                self.assertEqual([q["QueueName"] for q in found["QueueList"]], ["list-a", "list-c"])
                found = self.cloud(sign, "DescribeCmqQueues", IsTagFilter=True,
                                   Filters=[{"Name": "tag:k", "Values": ["y", "z"]}])
                self.assertEqual([q["QueueName"] for q in found["QueueList"]], ["list-b", "list-c"])
                page = self.cloud(sign, "DescribeCmqQueues", QueueName="list-", Offset=1, Limit=1)
                self.assertEqual((page["TotalCount"], page["QueueList"][0]["QueueName"]),
                                 (3, "list-b"))
                for name in ("list-a", "list-b", "list-c"):
                    self.cloud(sign, "DeleteCmqQueue", QueueName=name)

    def test_a_topic_and_its_subscriptions_live_from_create_to_delete(self):
        for sign in MODES:
            with self.subTest(sign):
                self.cloud(sign, "CreateCmqQueue", QueueName="end")
                topic = self.cloud(sign, "CreateCmqTopic", TopicName="news", FilterType=2)
                self.assertRegex(topic["TopicId"], "^cmqt-[0-9a-z]+$")
                made = self.cloud(sign, "CreateCmqSubscribe", TopicName="news",
                                  SubscriptionName="s", Protocol="queue", Endpoint="end",
                                  BindingKey=["a.*", "#.z"])
                found = self.cloud(sign, "DescribeCmqSubscriptionDetail", TopicName="news")
                self.assertEqual(found["TotalCount"], 1)
                subscription = found["SubscriptionSet"][0]
                self.assertEqual(subscription["SubscriptionId"], made["SubscriptionId"])
                self.assertEqual(subscription["BindingKey"], ["a.*", "#.z"])
                self.assertEqual(subscription["NotifyContentFormat"], "SIMPLIFIED")
                self.cloud(sign, "ModifyCmqSubscriptionAttribute", TopicName="news",
                           SubscriptionName="s", BindingKey=["b"], NotifyStrategy="BACKOFF_RETRY")
                subscription = self.cloud(sign, "DescribeCmqSubscriptionDetail", QueryType="queue",
                                          QueueName="end")["SubscriptionSet"][0]
                self.assertEqual((subscription["BindingKey"], subscription["NotifyStrategy"]),
                                 (["b"], "BACKOFF_RETRY"))
                self.cloud(sign, "ModifyCmqTopicAttribute", TopicName="news", MaxMsgSize=1024)
                topic = self.cloud(sign, "DescribeCmqTopicDetail",
                                   TopicName="news")["TopicDescribe"]
                self.assertEqual((topic["MaxMsgSize"], topic["FilterType"],
                                  topic["SubscriptionCount"]), (1024, 2, 1))
                self.refused("FailedOperation", self.cloud, sign, "DeleteCmqTopic",
                             TopicName="news")
                self.cloud(sign, "DeleteCmqSubscribe", TopicName="news", SubscriptionName="s")
                self.cloud(sign, "DeleteCmqTopic", TopicName="news")
                self.refused("ResourceNotFound.Topic", self.cloud, sign,
                             "DescribeCmqSubscriptionDetail", TopicName="news")
                self.cloud(sign, "DeleteCmqQueue", QueueName="end")

    def test_the_sdk_signs_a_query_too(self):
        for sign in MODES:
            with self.subTest(sign):
                found = self.cloud(sign, "DescribeCmqTopics", {"method": "GET"}, Limit=7, Offset=0,
                                   TopicName="no one, nowhere")
                self.assertEqual((found["TotalCount"], found["TopicList"]), (0, []))

    def test_faults_come_as_the_sdks_exceptions(self):
        stranger = {"account": ["AKIDsomebodyelse", SECRET_KEY]}
        liar = {"account": [SECRET_ID, "another key"]}
        for sign in MODES:
            with self.subTest(sign):
                for code, action, more, params in (
                        ("AuthFailure.SecretIdNotFound", "DescribeCmqQueues", stranger, {}),
                        ("AuthFailure.SignatureFailure", "DescribeCmqQueues", liar, {}),
                        ("InvalidAction", "DescribeCmqNothing", {}, {}),
                        ("MissingParameter", "CreateCmqQueue", {}, {}),
                        ("UnknownParameter", "CreateCmqQueue", {}, {"QueueName": "q", "Name": "q"}),
                        ("InvalidParameter", "CreateCmqQueue", {},
                         {"QueueName": "q", "VisibilityTimeout": "soon"}),
                        ("InvalidParameterValue", "CreateCmqQueue", {},
                         {"QueueName": "q", "VisibilityTimeout": 43201}),
                        ("InvalidParameterValue", "CreateCmqQueue", {}, {"QueueName": "1q"})):
                    self.refused(code, self.cloud, sign, action, more, **params)

    def test_messages_go_by_the_management_plane_too(self):
        for sign in MODES:
            with self.subTest(sign):
                self.cloud(sign, "CreateCmqQueue", QueueName="box")
                text = "你好 CMQ+&=%?\n\"quoted\" \\ 🚀"
                sent = self.cloud(sign, "SendCmqMsg", QueueName="box", MsgContent=text)
                self.assertIs(sent["Result"], True)
                got = self.data("HmacSHA256", "receiveMessage", queueName="box")
                self.assertEqual((got["msgBody"], got["msgId"]), (text, sent["MsgId"]))
                self.cloud(sign, "DeleteCmqQueue", QueueName="box")


class QueueSdk(Sdks):
    """The data plane, by an SDK that signs an old host name without a port."""

    def ok(self, sign, action, **params):
        answer = self.data(sign, action, **params)
        self.assertEqual((answer["code"], answer["message"]), (0, ""), answer)
        return answer

    def test_messages_are_sent_received_and_deleted(self):
        self.make("TC3-HMAC-SHA256", queue="jobs")
        for sign in DATA_MODES:
            with self.subTest(sign):
                sent = self.ok(sign, "sendMessage", queueName="jobs", msgBody="héllo ~*'()!")
                got = self.ok(sign, "receiveMessage", queueName="jobs", pollingWaitSeconds=3)
                self.assertEqual((got["msgId"], got["msgBody"], got["dequeueCount"]),
                                 (sent["msgId"], "héllo ~*'()!", 1))
                self.ok(sign, "deleteMessage", queueName="jobs",
                        receiptHandle=got["receiptHandle"])
                again = self.data(sign, "deleteMessage", queueName="jobs",
                                  receiptHandle=got["receiptHandle"])
                self.assertEqual((again["code"], again["message"]),
                                 (4430, "(10260)receipt handle is invalid"))
                empty = self.data(sign, "receiveMessage", queueName="jobs", pollingWaitSeconds=0)
                self.assertEqual((empty["code"], empty["message"]), (7000, "(10200)no message"))

    def test_batches_are_sent_received_and_deleted(self):
        self.make("TC3-HMAC-SHA256", queue="many")
        for sign in DATA_MODES:
            with self.subTest(sign):
                bodies = [f"m{n}" for n in range(16)]
                sent = self.ok(sign, "batchSendMessage", queueName="many", msgBody=bodies)
                self.assertEqual(len(sent["msgList"]), 16)
                got = self.ok(sign, "batchReceiveMessage", queueName="many", numOfMsg=16,
                              pollingWaitSeconds=0)["msgInfoList"]
                self.assertEqual([m["msgBody"] for m in got], bodies)
                handles = [m["receiptHandle"] for m in got]
                self.ok(sign, "batchDeleteMessage", queueName="many", receiptHandle=handles[:8])
                partly = self.data(sign, "batchDeleteMessage", queueName="many",
                                   receiptHandle=handles[7:9])
                self.assertEqual(partly["code"], 6010)
                self.assertEqual([e["receiptHandle"] for e in partly["errorList"]], [handles[7]])
                self.ok(sign, "batchDeleteMessage", queueName="many", receiptHandle=handles[9:])

    def test_publishes_reach_queues_by_tag_and_by_routing_key(self):
        self.make("TC3-HMAC-SHA256", queue="hot")
        for sign in DATA_MODES:
            for filter_type, filters, label, other in (
                    (1, {"FilterTag": ["red", "blue"]}, {"msgTag": ["green", "blue"]},
                     {"msgTag": ["green"]}),
                    (2, {"BindingKey": ["a.*.z"]}, {"routingKey": "a.b.z"},
                     {"routingKey": "a.b.c"})):
                with self.subTest(sign=sign, filter_type=filter_type):
                    self.cloud("TC3-HMAC-SHA256", "CreateCmqTopic", TopicName="t",
                               FilterType=filter_type)
                    self.cloud("TC3-HMAC-SHA256", "CreateCmqSubscribe", TopicName="t",
                               SubscriptionName="s", Protocol="queue", Endpoint="hot", **filters)
                    self.ok(sign, "publishMessage", topicName="t", msgBody="one", **label)
                    self.ok(sign, "batchPublishMessage", topicName="t", msgBody=["two", "three"],
                            **label)
                    lost = self.data(sign, "publishMessage", topicName="t", msgBody="x", **other)
                    self.assertEqual(lost["code"], 6030)
                    got = self.ok(sign, "batchReceiveMessage", queueName="hot", numOfMsg=16,
                                  pollingWaitSeconds=1)["msgInfoList"]
                    self.assertEqual([m["msgBody"] for m in got], ["one", "two", "three"])
                    self.ok(sign, "batchDeleteMessage", queueName="hot",
                            receiptHandle=[m["receiptHandle"] for m in got])
                    self.cloud("TC3-HMAC-SHA256", "DeleteCmqSubscribe", TopicName="t",
                               SubscriptionName="s")
                    self.cloud("TC3-HMAC-SHA256", "DeleteCmqTopic", TopicName="t")

    def test_old_management_actions_are_refused(self):
        for sign in DATA_MODES:
            for action in ("createQueue", "getQueueAttributes", "deleteQueue"):
                answer = self.data(sign, action, queueName="old")
                self.assertEqual(answer["code"], 4000, answer)
                self.assertRegex(answer["message"], r"^\(10430\)action name \w+ is not existed$")

    def test_a_poll_ends_when_its_queue_is_deleted(self):
        self.cloud("TC3-HMAC-SHA256", "CreateCmqQueue", QueueName="doomed")
        answers = queue.Queue()
        thread = threading.Thread(target=lambda: answers.put(self.server.call(
            "ReceiveMessage", queueName="doomed", pollingWaitSeconds="30")))
        thread.start()
        self.server.until(lambda: self.server.state("doomed")["waiting"] == 1, "the poll")
        self.cloud("TC3-HMAC-SHA256", "DeleteCmqQueue", QueueName="doomed")
        answer = answers.get(timeout=DEADLINE)
        thread.join()
        self.assertEqual((answer["code"], answer["message"]),
                         (4440, "(10100)queue is not existed, or deleted"))


if __name__ == "__main__":
    unittest.main()
