"""cmqlocal --data: what was answered is there after kill -9, at whatever instant it comes.

Clients keep score of what they were answered. A request without an answer may have been carried
out or not; all others must have been, exactly.
"""

import http.client
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock

import test_cmqlocal as local
import test_cmqlocal_push as push

ROUNDS = 8
TOPOLOGY = """
resources = {
  queues = ( { name = "work"; visibility = "2s"; rewind = "10m";
               dead_letter = { queue = "dead"; max_receive = 100; }; },
             { name = "dead"; }, { name = "copy"; } );
  topics = ( { name = "events"; subscriptions = ( { name = "copy"; queue = "copy"; } ); } );
};
"""


class Score:
    """What became of each body, by the answers alone."""

    def __init__(self):
        self.lock = threading.Lock()
        self.answers = 0
        self.maybe, self.sent, self.deleting, self.deleted = set(), set(), set(), set()
        self.published, self.maybe_published = set(), set()
        self.counts = {}  # the highest dequeueCount that was answered

    def note(self, sets, bodies):
        with self.lock:
            for one in sets:
                one.update(bodies)


class Client(threading.Thread):
    """Sends, receives, deletes and publishes until the server is gone."""

    def __init__(self, server, score, name):
        super().__init__()
        self.server, self.score, self.prefix = server, score, name
        self.connection = server.connect()
        self.number = 0
        self.problem = None

    def run(self):
        try:
            while True:
                random.choice((self.send, self.send_batch, self.receive, self.receive,
                               self.publish))()
                with self.score.lock:
                    self.score.answers += 1
        except (OSError, http.client.HTTPException):
            pass  # killed
        except BaseException as problem:  # pylint: disable=broad-exception-caught
            self.problem = problem
        finally:
            self.connection.close()

    def ask(self, action, **params):
        return self.server.call(action, connection=self.connection, **params)

    def bodies(self, count):
        self.number += count
        filler = "x" * random.choice((0, 0, 200, 5000))
        return [f"{self.prefix}-{n}{filler}" for n in range(self.number - count, self.number)]

    def send(self):
        bodies = self.bodies(1)
        self.score.note([self.score.maybe], bodies)
        answer = self.ask("SendMessage", queueName="work", msgBody=bodies[0],
                          delaySeconds=str(random.choice((0, 0, 1))))
        assert answer["code"] == 0, answer
        self.score.note([self.score.sent], bodies)

    def send_batch(self):
        bodies = self.bodies(random.randrange(1, 17))
        self.score.note([self.score.maybe], bodies)
        answer = self.ask("BatchSendMessage", queueName="work",
                          **{f"msgBody.{i}": body for i, body in enumerate(bodies)})
        assert answer["code"] == 0, answer
        self.score.note([self.score.sent], bodies)

    def publish(self):
        bodies = self.bodies(1)
        self.score.note([self.score.maybe_published], bodies)
        answer = self.ask("PublishMessage", topicName="events", msgBody=bodies[0])
        assert answer["code"] == 0, answer
        self.score.note([self.score.published], bodies)

    def receive(self):
        answer = self.ask("BatchReceiveMessage", queueName="work", numOfMsg="16")
        if answer["code"] == 7000:
            return
        assert answer["code"] == 0, answer
        score, got = self.score, answer["msgInfoList"]
        with score.lock:
            for message in got:
                body, count = message["msgBody"], message["dequeueCount"]
                assert body in score.maybe and body not in score.deleted, body[:40]
                assert count > score.counts.get(body, 0), (body[:40], count)
                score.counts[body] = count
        taken = got[:random.randrange(len(got) + 1)]
        if not taken:
            return
        bodies = [message["msgBody"] for message in taken]
        score.note([score.deleting], bodies)
        answer = self.ask("BatchDeleteMessage", queueName="work",
                          **{f"receiptHandle.{i}": m["receiptHandle"]
                             for i, m in enumerate(taken)})
        if answer["code"] == 0:
            score.note([score.deleted], bodies)
        else:  # a handle has lapsed meanwhile: those in the list were not deleted, all others were
            assert answer["code"] in (6010, 6020), answer
            late = {error["receiptHandle"] for error in answer["errorList"]}
            score.note([score.deleted],
                       [m["msgBody"] for m in taken if m["receiptHandle"] not in late])


class Data(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="cmqlocal-data-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = os.path.join(self.dir, "data")
        self.server = None
        self.addCleanup(self.stop)

    def start(self, *options, topology=TOPOLOGY):
        self.server = local.Server("--data", self.path, *options, topology=topology)
        return self.server

    def stop(self, how=signal.SIGTERM):
        if self.server:
            server, self.server = self.server, None
            return server.stop(how)
        return None

    def ok(self, action, **params):
        answer = self.server.call(action, **params)
        self.assertEqual(answer["code"], 0, answer)
        return answer

    def drain(self, queue):
        """The bodies of all messages, those that are in flight or delayed included."""
        bodies = []
        while True:
            answer = self.server.call("BatchReceiveMessage", queueName=queue, numOfMsg="16",
                                      pollingWaitSeconds="1")
            if answer["code"] == 7000:
                state = self.server.state(queue)
                if state["active"] + state["inactive"] + state["delayed"] == 0:
                    return bodies
                continue
            self.assertEqual(answer["code"], 0, answer)
            got = answer["msgInfoList"]
            bodies += [message["msgBody"] for message in got]
            self.ok("BatchDeleteMessage", queueName=queue,
                    **{f"receiptHandle.{i}": m["receiptHandle"] for i, m in enumerate(got)})


class Kill(Data):
    def test_what_was_answered_survives_kill_9(self):
        score = Score()
        for turn in range(ROUNDS):
            server = self.start()
            clients = [Client(server, score, f"{turn}.{n}") for n in range(4)]
            until = score.answers + random.randrange(1, 600)
            for client in clients:
                client.start()
            server.until(lambda until=until, clients=clients:
                         score.answers >= until or any(c.problem for c in clients), "load")
            server.process.kill()
            for client in clients:
                client.join()
                if client.problem:
                    raise client.problem
            self.stop(signal.SIGKILL)
        self.start()
        left = self.drain("work")
        self.assertEqual(len(left), len(set(left)))
        left = set(left)
        self.assertEqual(score.sent - score.deleting - left, set(), "sent and lost")
        self.assertEqual(left & score.deleted, set(), "deleted and there again")
        self.assertEqual(left - score.maybe, set(), "never sent")
        copies = self.drain("copy")
        self.assertEqual(score.published - set(copies), set(), "published and lost")
        self.assertEqual(len(copies), len(set(copies)))
        self.assertEqual(set(copies) - score.maybe_published, set())
        self.assertGreater(len(score.sent), 100)
        self.assertGreater(len(score.deleted), 50)

    def test_a_handle_and_a_poll_live_on(self):
        self.start()
        self.ok("SendMessage", queueName="dead", msgBody="held")
        held = self.ok("ReceiveMessage", queueName="dead")
        self.stop(signal.SIGKILL)
        self.start()
        self.assertEqual(self.server.state("dead")["inactive"], 1)
        self.ok("DeleteMessage", queueName="dead", receiptHandle=held["receiptHandle"])
        again = self.server.call("DeleteMessage", queueName="dead",
                                 receiptHandle=held["receiptHandle"])
        self.assertEqual(again["code"], 4430)
        self.stop(signal.SIGKILL)
        self.start()
        self.assertEqual(self.drain("dead"), [])

    def test_a_poll_is_answered_with_what_is_on_disk(self):
        self.start()
        answers = []
        poll = threading.Thread(target=lambda: answers.append(self.server.call(
            "ReceiveMessage", queueName="dead", pollingWaitSeconds="20")))
        poll.start()
        self.server.until(lambda: self.server.state("dead")["waiting"] == 1, "the poll")
        self.ok("SendMessage", queueName="dead", msgBody="for the poll")
        poll.join()
        self.stop(signal.SIGKILL)
        self.start()
        self.assertEqual(self.server.state("dead")["inactive"], 1)
        self.ok("DeleteMessage", queueName="dead", receiptHandle=answers[0]["receiptHandle"])

    def test_a_push_that_waits_goes_out_after_the_restart(self):
        end_point = push.EndPoint(500, 200)
        self.addCleanup(end_point.close)
        topology = push.topology(("hook", end_point.url(), ""))
        self.start(topology=topology)
        msg_id = self.ok("PublishMessage", topicName="t", msgBody="late but sure")["msgId"]
        end_point.wait(1)
        self.server.until(lambda: self.hook()["failedTries"] == 1, "the failure")
        self.stop(signal.SIGKILL)
        self.start(topology=topology)
        self.assertEqual(self.hook()["pending"], 1)
        self.server.until(lambda: self.hook()["delivered"] == 1, "the second try")
        self.stop(signal.SIGKILL)
        self.start(topology=topology)
        self.assertEqual(self.hook()["pending"], 0)
        for request in end_point.wait(2):
            self.assertEqual(dict(request.headers)["x-cmq-message-id"], msg_id)

    def hook(self):
        state = self.server.control("GET", "/local/state")[1]
        return state["topics"]["t"]["subscriptions"]["hook"]

    def manage(self, action, **params):
        return self.server.call(action, path="/", Version="2020-02-17", **params)["Response"]

    def test_what_the_management_plane_did_is_kept(self):
        self.start(topology=None)
        for name in ("made", "gone"):
            self.assertIn("QueueId", self.manage("CreateCmqQueue", QueueName=name,
                                                 VisibilityTimeout="77", **{
                                                     "Tags.0.TagKey": "k", "Tags.0.TagValue": "v"}))
        self.manage("CreateCmqTopic", TopicName="news", FilterType="2")
        self.manage("CreateCmqSubscribe", TopicName="news", SubscriptionName="all",
                    Protocol="queue", Endpoint="made", NotifyContentFormat="SIMPLIFIED",
                    **{"BindingKey.0": "a.#"})
        self.manage("ModifyCmqQueueAttribute", QueueName="made", PollingWaitSeconds="3")
        before = self.manage("DescribeCmqQueueDetail", QueueName="made")["QueueDescribe"]
        self.assertNotIn("Error", self.manage("DeleteCmqQueue", QueueName="gone"))
        self.stop(signal.SIGKILL)
        self.start(topology=None)
        after = self.manage("DescribeCmqQueueDetail", QueueName="made")["QueueDescribe"]
        self.assertEqual(after, before)
        self.assertEqual((after["VisibilityTimeout"], after["PollingWaitSeconds"]), (77, 3))
        self.assertEqual(self.manage("CreateCmqQueue", QueueName="GONE")["Error"]["Code"],
                         "ResourceUnavailable")
        self.ok("PublishMessage", topicName="news", msgBody="x", routingKey="a.b")
        self.assertEqual(self.drain("made"), ["x"])

    def test_a_reset_is_kept_too(self):
        self.start()
        self.ok("SendMessage", queueName="work", msgBody="x")
        self.assertEqual(self.server.control("POST", "/local/reset")[0], 200)
        self.stop(signal.SIGKILL)
        self.start()
        self.assertEqual(self.server.state("work")["active"], 0)


class Files(Data):
    def refuse(self, status, text, path=None):
        done = subprocess.run([local.PROGRAM, "--listen", "127.0.0.1:0", "--data",
                               path or self.path], capture_output=True, text=True,
                              timeout=local.DEADLINE, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertIn(text, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_two_servers_do_not_share_a_file(self):
        self.start()
        self.refuse(3, "another process has this data file open")
        self.ok("SendMessage", queueName="work", msgBody="unharmed")
        self.stop(signal.SIGKILL)
        self.start()
        self.assertEqual(self.drain("work"), ["unharmed"])

    def test_what_is_not_a_data_file_is_refused(self):
        self.refuse(3, "unable to open", os.path.join(self.dir, "no", "such", "folder"))
        with open(self.path, "w", encoding="ascii") as file:
            file.write("resources = { };\n" * 20)
        self.refuse(3, "not a data file of cmqlocal")

    def test_a_stop_leaves_one_whole_file(self):
        self.start()
        self.ok("SendMessage", queueName="work", msgBody="x")
        self.assertEqual(self.stop(), 0)
        self.assertEqual(os.listdir(self.dir), ["data"])
        self.start(topology=None)
        self.assertEqual(self.drain("work"), ["x"])

    def test_the_configuration_changes_what_the_file_has(self):
        self.start()
        self.ok("SendMessage", queueName="work", msgBody="x")
        self.stop()
        self.start(topology="""resources = {
            queues = ( { name = "work"; visibility = "7s"; } );
            topics = ( { name = "events"; retention = "1h";
                         subscriptions = ( { name = "copy"; queue = "work"; } ); } ); };""")
        state = self.server.control("GET", "/local/state")[1]
        work = state["queues"]["work"]
        self.assertEqual((work["visibilityTimeout"], work["active"]), (7, 1))
        self.assertNotIn("deadLetter", work)
        self.assertIn("dead", state["queues"])
        events = state["topics"]["events"]
        self.assertEqual(events["msgRetentionSeconds"], 3600)
        self.assertEqual(events["subscriptions"]["copy"]["endpoint"], "work")
        self.stop()
        with self.assertRaisesRegex(AssertionError, "topology.cfg:2: error: topic \"events\".*filter"):
            self.start(topology="""resources = {
                topics = ( { name = "events"; filter = "route"; } ); };""")

    def test_a_full_disk_ends_it_with_what_was_answered_kept(self):
        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300000, 300000))

        ordinary, sent = subprocess.Popen, []
        with unittest.mock.patch.object(
                subprocess, "Popen", lambda *a, **k: ordinary(
                    *a, preexec_fn=limit, restore_signals=False, **k)):
            self.start()
        try:
            for n in range(10000):
                self.ok("SendMessage", queueName="work", msgBody=f"{n}" + "x" * 1000)
                sent.append(f"{n}" + "x" * 1000)
        except (OSError, http.client.HTTPException):
            pass
        self.assertEqual(self.server.process.wait(local.DEADLINE), 3)
        self.assertIn("the data file cannot be written", self.server.stderr())
        self.stop()
        self.start()
        left = self.drain("work")
        self.assertGreater(len(sent), 10)
        self.assertEqual(set(sent) - set(left), set())
        self.assertLessEqual(len(left), len(sent) + 1)

    def test_the_rest_of_a_visibility_goes_on_while_it_is_away(self):
        self.start()
        self.ok("SendMessage", queueName="work", msgBody="x")
        taken = self.ok("ReceiveMessage", queueName="work")
        self.stop(signal.SIGKILL)
        self.start()
        answer = self.ok("ReceiveMessage", queueName="work", pollingWaitSeconds="10")
        self.assertGreaterEqual(time.time(), taken["nextVisibleTime"])
        self.assertEqual((answer["msgBody"], answer["dequeueCount"]), ("x", 2))
        self.assertEqual(answer["firstDequeueTime"], taken["firstDequeueTime"])


if __name__ == "__main__":
    unittest.main()
