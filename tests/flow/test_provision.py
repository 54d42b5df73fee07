"""cmqgw provision against cmqlocal's management plane: what it plans, does, and leaves alone.

The local server counts 20 calls a second to an action, as the real one does, so that a client that
does not pace itself is found out.
"""

import os
import re
import subprocess
import unittest

import harness
from api3 import Api3
from cli import CMQGW, CliTest
from test_tls_cmq import Certificates

PENDING = 4
WIDTH = 80


def fleet(queues, topics, subscriptions):
    """So many queues, a tenth of them for dead letters; topics of both kinds; subscriptions."""
    dead = queues // 10
    names = [f"queue-{n}" for n in range(queues - dead)]
    return {
        "queues": [{"name": name, "visibility": f"{30 + n}s",
                    "dead_letter": {"queue": f"dead-{n % dead}", "max_receive": 3}}
                   if n < dead * 2 else {"name": name, "retention": f"{100 + n}s"}
                   for n, name in enumerate(names)]
                  + [{"name": f"dead-{n}"} for n in range(dead)],
        "topics": [{"name": f"topic-{n}", "filter": "route" if n % 2 else "tag",
                    "subscriptions": [
                        {"name": f"sub-{k}", "queue": names[(n * subscriptions + k) % len(names)],
                         **({"keys": [f"a.{k}.#", "*.x"]} if n % 2 else {"tags": [f"t{k}", "all"]})}
                        for k in range(subscriptions)]}
                   for n in range(topics)]}


class Provisioned(harness.CmqLocal):
    """cmqlocal as strict as the service is, and empty unless told otherwise."""

    def __init__(self, test, resources=None, *options):
        super().__init__(test, resources or {"queues": []})
        self.options = options or ("--api-rate", "20")

    def start(self):
        self.argv = [os.path.join(harness.BIN, "cmqlocal"), "-c", self.path, "--listen",
                     "127.0.0.1:0", *self.options]
        self.launch()
        self.port = int(self.wait_log(r"listening on https?://127\.0\.0\.1:(\d+)")[1])
        return self

    def client(self):
        return Api3(self.port, harness.SECRET_ID, harness.SECRET_KEY)


class ProvisionTest(CliTest):
    def start(self, resources=None, *options):
        self.local = Provisioned(self, resources, *options).start()
        self.api = self.opened(self.local.client())
        return self.api

    def declare(self, resources, endpoint=None, **cmq):
        """Writes a configuration that declares resources in the started account."""
        usual = {"endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
                 "secret_key": "@env:CMQ_SECRET_KEY",
                 "management": {"endpoint": endpoint or self.local.url}}
        self.configure(cmq={**usual, **cmq}, resources=resources, forward=[], reverse=[])

    def provision(self, *words, expect=0):
        """What it printed; no line is wider than a terminal, no secret is in it."""
        self.cmqgw("provision", *words, expect=expect)
        for line in self.out.splitlines():
            if "--export" not in words:
                self.assertLessEqual(len(line), WIDTH, line)
        self.assertNotIn(harness.SECRET_KEY, self.out + self.err)
        return self.out

    def assert_done(self):
        """Nothing is left to do."""
        self.provision()
        self.assertNotRegex(self.out, r"(?m)^[+~!-]")

    def read_config(self):
        with open(self.config, encoding="utf-8") as config:
            return config.read()

    def start_apply(self):
        """Begins to apply; its Popen, whose stdout can be read line by line."""
        running = subprocess.Popen(
            [CMQGW, "provision", "--apply", "-c", self.config], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "CMQ_SECRET_ID": self.secret_id, "CMQ_SECRET_KEY": self.secret_key})
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        return running

    def kill_at_step(self, number):
        """Applies, and kills it once it begins a step."""
        running = self.start_apply()
        for line in running.stdout:
            self.assertNotIn("cmqgw provision:", line)
            if line.startswith(f"[{number}/"):
                running.kill()
                break
        self.assertEqual(running.wait(), -9)

    def assert_account(self, resources):
        """The account has exactly what is declared."""
        account = self.api.account()
        self.assertEqual(set(account["queues"]), {q["name"] for q in resources["queues"]})
        for q in resources["queues"]:
            had = account["queues"][q["name"]]
            self.assertEqual(had["VisibilityTimeout"], int(q.get("visibility", "30s")[:-1]))
            self.assertEqual(had["MsgRetentionSeconds"], int(q.get("retention", "3600s")[:-1]))
            policy = had["DeadLetterPolicy"] or {"DeadLetterQueue": None}
            self.assertEqual(policy["DeadLetterQueue"], q.get("dead_letter", {}).get("queue"))
        self.assertEqual(set(account["topics"]), {t["name"] for t in resources["topics"]})
        for t in resources["topics"]:
            had = account["topics"][t["name"]]
            self.assertEqual(had["FilterType"], 2 if t["filter"] == "route" else 1)
            self.assertEqual(set(had["Subscriptions"]), {s["name"] for s in t["subscriptions"]})
            for s in t["subscriptions"]:
                subscription = had["Subscriptions"][s["name"]]
                self.assertEqual(subscription["Endpoint"], s["queue"])
                self.assertEqual(subscription["BindingKey"] or [], s.get("keys", []))
                self.assertEqual(subscription["FilterTags"] or [], s.get("tags", []))


class LargeAccount(ProvisionTest):
    def test_an_account_of_200_is_made_in_spite_of_kills_and_then_stays_as_it_is(self):
        resources = fleet(100, 10, 9)
        self.start()
        self.declare(resources)
        plan = self.json("provision", expect=PENDING)
        self.assertEqual(plan["summary"],
                         {"same": 0, "create": 200, "change": 0, "cannot": 0, "delete": 0})
        order = [(step["object"], step["name"]) for step in plan["steps"]]
        bound = {q["name"]: q["dead_letter"]["queue"]
                 for q in resources["queues"] if "dead_letter" in q}
        for name, dead in bound.items():
            self.assertLess(order.index(("queue", dead)), order.index(("queue", name)))
        self.assertLess(max(n for n, step in enumerate(order) if step[0] == "queue"),
                        order.index(("subscription", "sub-0")))
        for number in (7, 60, 45):  # among queues, topics and subscriptions
            self.kill_at_step(number)
        self.provision("--apply")
        self.assertEqual(self.err, "")  # it kept below the service's limit of its own accord
        self.assertRegex(self.out, r"Done: (\d+) of \1, and the account shows it\.")
        self.assert_account(resources)

        before = self.api.account()
        self.provision("--apply")
        self.assertRegex(self.out, r"\A(= same .*\n){200}\n200 as declared\.\n\Z")
        self.assertEqual(self.api.account(), before)


class Drift(ProvisionTest):
    RESOURCES = {
        "queues": [{"name": "downlink", "visibility": "30s",
                    "dead_letter": {"queue": "dead", "max_receive": 16}},
                   {"name": "dead"}, {"name": "hot-store"}],
        "topics": [{"name": "fleet", "filter": "route", "subscriptions": [
                       {"name": "hot", "queue": "hot-store", "keys": ["*.temp.#"]},
                       {"name": "ops", "url": "http://ops.example/x", "keys": ["#"],
                        "retry": "backoff", "format": "json"}]},
                   {"name": "alarms", "filter": "tag", "subscriptions": [
                       {"name": "high", "queue": "hot-store", "tags": ["high"]}]}]}

    def test_a_local_server_started_with_the_declaration_has_all_of_it(self):
        resources = {
            "queues": [{"name": "q", "rewind": "1d", "rewind_size": "10GiB", "trace": True,
                        "max_messages": 2000000, "transaction": True, "check_back_after": "10s",
                        "check_backs": 5, "labels": ["team=fleet", "empty="]},
                       {"name": "plain"}],
            "topics": [{"name": "t", "filter": "tag", "trace": True, "labels": ["a=b"]}]}
        self.start(resources)
        self.declare(resources)
        self.assert_done()
        self.assertIn("3 as declared.", self.out)

    def test_what_was_changed_by_hand_is_named_and_put_right(self):
        api = self.start(self.RESOURCES)
        self.declare(self.RESOURCES)
        self.assert_done()
        before = api.account()
        api.call("ModifyCmqQueueAttribute", QueueName="downlink", VisibilityTimeout=45,
                 PollingWaitSeconds=7, MaxReceiveCount=3, Policy=0, DeadLetterQueueName="dead")
        api.call("DeleteCmqSubscribe", TopicName="fleet", SubscriptionName="hot")
        api.call("ModifyCmqSubscriptionAttribute", TopicName="fleet", SubscriptionName="ops",
                 BindingKey=["a.b"], NotifyStrategy="EXPONENTIAL_DECAY_RETRY")
        api.call("ModifyCmqSubscriptionAttribute", TopicName="alarms", SubscriptionName="high",
                 FilterTags=["low", "high"])
        self.provision(expect=PENDING)
        self.assertEqual(self.out, (
            "= same     queue dead\n"
            "= same     queue hot-store\n"
            "~ change   queue downlink\n"
            "             visibility 45s -> 30s\n"
            "             dead_letter dead after 3 receives -> dead after 16 receives\n"
            "= same     topic fleet\n"
            "+ create   subscription hot of topic fleet\n"
            "             to queue hot-store; keys *.temp.#\n"
            "~ change   subscription ops of topic fleet\n"
            "             keys a.b -> #\n"
            "             retry exponential -> backoff\n"
            "= same     topic alarms\n"
            "~ change   subscription high of topic alarms\n"
            "             tags low, high -> high\n"
            "\n1 to create, 3 to change, 4 as declared.\n"
            "Nothing is changed yet; --apply makes it so.\n"))
        self.provision("--apply")
        self.assertIn("[2/4] create subscription hot of topic fleet\n", self.out)
        self.assert_done()
        after = api.account()
        # What nobody declares is left as the hand made it.
        self.assertEqual(after["queues"]["downlink"]["PollingWaitSeconds"], 7)
        for account in before, after:
            account["queues"]["downlink"]["PollingWaitSeconds"] = None
        self.assertEqual(self.without_times(after), self.without_times(before))

    @staticmethod
    def without_times(value):
        if isinstance(value, dict):
            return {key: Drift.without_times(item) for key, item in value.items()
                    if not re.search("Time$|Id$", key)}
        return [Drift.without_times(item) for item in value] if isinstance(value, list) else value

    def test_tags_and_dead_letters_can_be_taken_away_again(self):
        api = self.start(self.RESOURCES)
        self.declare({
            "queues": [{"name": "downlink", "dead_letter": {"queue": ""}},
                       {"name": "dead", "dead_letter": {"queue": "downlink", "max_age": "5m"}},
                       {"name": "hot-store"}],
            "topics": [{"name": "alarms", "subscriptions": [{"name": "high",
                                                             "queue": "hot-store"}]}]})
        self.provision("--apply")
        self.assert_done()
        account = api.account()
        self.assertIsNone(account["queues"]["downlink"]["DeadLetterPolicy"])
        policy = account["queues"]["dead"]["DeadLetterPolicy"]
        self.assertEqual((policy["DeadLetterQueue"], policy["Policy"], policy["MaxTimeToLive"]),
                         ("downlink", 1, 300))
        self.assertEqual(account["topics"]["alarms"]["Subscriptions"]["high"]["FilterTags"] or [],
                         [])

    def test_pruning_deletes_what_the_plan_printed_and_nothing_else(self):
        extra = {"queues": self.RESOURCES["queues"] + [
                     {"name": "old", "dead_letter": {"queue": "old-dead", "max_receive": 2}},
                     {"name": "old-dead"}, {"name": "used"}],
                 "topics": self.RESOURCES["topics"] + [
                     {"name": "gone", "filter": "tag", "subscriptions": [
                         {"name": "s", "queue": "old", "tags": ["a"]}]}]}
        api = self.start(extra)
        self.opened(harness.CmqLocal.client(self.local)).send("old", "still here")
        api.call("CreateCmqSubscribe", TopicName="fleet", SubscriptionName="extra",
                 Protocol="queue", Endpoint="old", BindingKey=["x"])
        self.declare(self.RESOURCES)
        self.provision()
        self.assertIn("Not declared, and left alone without --prune: 3 queues, 1 topic, 1 "
                      "subscription.\n", self.out)
        # A rule that uses a queue keeps it.
        with open(self.config, "a", encoding="utf-8") as config:
            config.write('reverse = ( { name = "r"; from = { queue = "used"; }; to = "x"; } );\n')
        text = self.read_config().replace("reverse = ( );", "", 1)
        text = text.replace("http://127.0.0.1:1", self.local.url)
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(text)
        self.provision("--prune", expect=1)  # something is not as it should be
        planned = re.findall(r"(?m)^- delete +(.+)$", self.out)
        self.assertEqual(planned, ["subscription extra of topic fleet",
                                   "subscription s of topic gone", "topic gone",
                                   "queue old with 1 message in it", "queue old-dead"])
        self.assertIn("! cannot   queue used\n", self.out)
        self.assertEqual(len(api.account()["queues"]), 6)  # nothing without --apply
        self.provision("--prune", "--apply", expect=1)
        account = api.account()
        self.assertEqual(set(account["queues"]), {"downlink", "dead", "hot-store", "used"})
        self.assertEqual(set(account["topics"]), {"fleet", "alarms"})
        self.assertEqual(set(account["topics"]["fleet"]["Subscriptions"]), {"hot", "ops"})

    def test_what_is_exported_declares_the_account(self):
        api = self.start(self.RESOURCES)
        api.call("CreateCmqQueue", QueueName="special", RewindSeconds=86400, Trace=True,
                 RetentionSizeInMB=10240, MaxMsgHeapNum=2000000, Transaction=1,
                 FirstQueryInterval=10, MaxQueryCount=5,
                 Tags=[{"TagKey": "team", "TagValue": 'a "b" \\ @c'}])
        api.call("CreateCmqTopic", TopicName="long-" + "t" * 59, MaxMsgSize=2048)
        self.declare({"queues": []})
        section = self.provision("--export")
        self.configure(text=section, cmq={
            "endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
            "secret_key": "@env:CMQ_SECRET_KEY", "management": {"endpoint": self.local.url}},
            forward=[], reverse=[], resources={"topics": []})
        text = self.read_config()
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(re.sub(r"(?m)^resources = \{ .*\n", "", text, count=1))
        self.provision("--prune")
        self.assertRegex(self.out, r"\A(= same .*\n( {13}\S.*\n)*){10}\n10 as declared\.\n\Z")
        # Into an account that is empty it makes the same.
        before = api.account()
        api.reset()
        self.local.terminate()
        self.local = Provisioned(self).start()
        again = self.opened(self.local.client())
        self.declare({"queues": []})
        text = re.sub(r"(?m)^resources = \{ .*\n", "", self.read_config(), count=1)
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(text + section)
        self.provision("--apply")
        self.assertEqual(self.without_times(again.account()), self.without_times(before))


class Document(ProvisionTest):
    """docs/provision.md shows what is printed."""

    def check_session(self, block):
        """Types each command of a console block; "..." stands for lines that are left out."""
        for session in re.split(r"(?m)^\$ ", block)[1:]:
            command, _, shown = session.partition("\n")
            words = command.split()
            self.assertEqual(words[:1] + words[2:4], ["cmqgw", "-c", "gateway.cfg"])
            self.provision(*words[4:], expect=0 if "--apply" in words else PENDING)
            pattern = re.escape(shown.strip("\n")).replace(re.escape("...\n"), r"(?:.*\n)*?")
            if not shown.endswith("is changed yet; --apply makes it so.\n"):
                pattern += r"(?:\n.*)*"
            self.assertRegex(self.out.strip("\n"), rf"\A{pattern}\Z")

    def test_what_the_document_shows_is_what_is_printed(self):
        with open(os.path.join(harness.ROOT, "docs", "provision.md"), encoding="utf-8") as page:
            blocks = re.findall(r"(?ms)^```\n(.*?)^```$", page.read())
        api = self.start()
        self.declare({"queues": []})
        text = re.sub(r"(?m)^resources = \{ .*\n", blocks[0], self.read_config(), count=1)
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(text)
        self.check_session(blocks[1])
        api.call("ModifyCmqQueueAttribute", QueueName="downlink", VisibilityTimeout=45)
        api.call("DeleteCmqSubscribe", TopicName="fleet", SubscriptionName="hot")
        api.call("CreateCmqQueue", QueueName="old-experiment")
        api.call("CreateCmqTopic", TopicName="alarms")
        self.check_session(blocks[2])
        data = self.opened(harness.CmqLocal.client(self.local))
        data.batch_send("old-experiment", ["x"] * 12)
        self.check_session(blocks[3])


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
