"""cmqgw provision: what it plans, does, and leaves alone."""

import os
import re
import unittest

import harness
from provision import PENDING, Provisioned, ProvisionTest


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


if __name__ == "__main__":
    unittest.main()
