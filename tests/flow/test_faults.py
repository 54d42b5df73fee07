"""CMQ misbehaves in every way that its stand-in can: nothing is lost."""

import unittest

import harness

RULES = [{"name": "queued", "from": "q/#", "to": {"queue": "direct"}},
         {"name": "routed", "from": "t/#", "to": {"topic": "routed", "route": "r"}}]
ROUTED = {"name": "routed", "filter": "route", "subscriptions": [
    {"name": "s", "queue": "routed", "keys": ["#"]}]}
# The gateway waits 15 s for an answer by default; here, less.
SHORT_TIMEOUT = {"timeout": "1s"}

MODES = [
    {"mode": "http_500"}, {"mode": "drop"}, {"mode": "late_drop"}, {"mode": "garbage"},
    {"mode": "delay", "seconds": 0.2},  # slow
    {"mode": "delay", "seconds": 2},    # too slow
    {"mode": "code", "code": 4420}, {"mode": "code", "code": 4480},
    {"mode": "code", "code": 6000}, {"mode": "code", "code": 6040},
    {"mode": "code", "code": 4410}, {"mode": "code", "code": 6070},
]
ACTIONS = [("SendMessage", "q/x", "direct", 1), ("BatchSendMessage", "q/x", "direct", 64),
           ("PublishMessage", "t/x", "routed", 1), ("BatchPublishMessage", "t/x", "routed", 64)]


def may_repeat(fault):
    """Whether CMQ has done the work although the gateway cannot know."""
    return fault["mode"] == "late_drop" or fault.get("seconds", 0) > 1


class Faults(harness.FlowTest):
    def setUp(self):
        self.start_broker()

    def start_all(self, **how):
        self.start_cmq(["direct", "routed"], [ROUTED])
        self.start_gateway(RULES, cmq=SHORT_TIMEOUT, **how)
        self.device = self.opened(self.broker.client("device"))
        self.number = 0

    def hit(self, fault, action, topic, queue, count):
        """Publishes count messages while two requests of this action meet the fault."""
        self.cmq.faults({"action": action, "count": 2, **fault},
                        *({"action": each[0], "mode": "delay", "seconds": 0.02}
                          for each in ACTIONS))
        numbers = [f"message {self.number + n}" for n in range(count)]
        self.number += count
        self.device.publish_many([(topic, number) for number in numbers])
        bodies = []

        def all_came():
            # A late copy out of the fault before this one may still come; it is not ours.
            bodies.extend(body for body in self.cmq.drain(queue) if body in numbers)
            return set(bodies) >= set(numbers)
        harness.wait_until(lambda: f"all of {numbers} came: {bodies}", all_came)
        self.assertGreaterEqual(self.cmq.fault_hits()[0], 1, "the fault was never met")
        self.cmq.faults()
        if not may_repeat(fault):
            self.assertEqual(len(bodies), count, "a message came twice")

    def test_no_fault_loses_a_message(self):
        self.start_all()
        for fault in MODES:
            for action, topic, queue, count in ACTIONS:
                with self.subTest(fault=fault, action=action):
                    self.hit(fault, action, topic, queue, count)
        self.assertEqual(self.gateway.dead_letters(), [])
        harness.wait_until("the spool is empty",
                           lambda: self.gateway.spool_stat()["deliveries"] == 0)
        self.assertEqual(self.gateway.terminate(), 0)

    def test_a_third_of_all_requests_failing_in_every_way_loses_nothing(self):
        self.start_all()
        self.cmq.faults(*({"action": "*", "rate": 0.06, **fault} for fault in MODES
                          if fault.get("seconds", 0) < 1))
        count = 3000
        for topic in ("q/x", "t/x"):
            self.device.publish_many([(topic, f"message {n}") for n in range(count)])
        wanted = {f"message {n}" for n in range(count)}
        harness.wait_until("the spool is empty",
                           lambda: self.gateway.spool_stat()["deliveries"] == 0, 120, pause=0.2)
        self.cmq.faults()
        for queue in ("direct", "routed"):
            self.assertEqual(set(self.cmq.drain(queue)), wanted)
        self.assertEqual(self.gateway.dead_letters(), [])

    def test_one_poisoned_message_does_not_stop_the_other_fifteen_of_its_batch(self):
        self.start_cmq([{"name": "small", "max_size": "1KiB"}])
        self.start_gateway([{"name": "small", "from": "s/#", "to": {"queue": "small"}}])
        self.cmq.faults({"action": "SendMessage", "mode": "delay", "seconds": 0.5, "count": 1})
        before = self.cmq.log()["last"]
        good = [f"message {n}" for n in range(15)]
        with self.broker.client() as device:
            device.publish("s/x", "in flight, so that the others gather")
            device.publish_many([("s/x", m) for m in good[:7] + ["poison" * 500] + good[7:]])
        bodies = self.cmq.take("small", 16)
        self.assertEqual(sorted(bodies), sorted(good + ["in flight, so that the others gather"]))
        letters = harness.wait_until("a dead letter", self.gateway.dead_letters)
        self.assertEqual([letter["body"] for letter in letters], ["poison" * 500])
        self.assertIn("4400", letters[0]["reason"])
        refused = [entry for entry in self.cmq.log(before)["requests"] if entry["code"] == 4400]
        self.assertEqual(refused[0]["action"], "BatchSendMessage")
        self.assertLessEqual(len(refused), 5, "16, 8, 4, 2, 1: each is refused once")
        harness.wait_until("the spool is empty",
                           lambda: self.gateway.spool_stat()["deliveries"] == 0)

    def test_messages_that_nobody_subscribes_to_are_set_aside_unless_the_rule_accepts_that(self):
        topics = [{"name": "lonely", "filter": "route"}]
        self.start_cmq([], topics)
        self.start_gateway([
            {"name": "strict", "from": "a/#", "to": {"topic": "lonely", "route": "r"}},
            {"name": "easy", "from": "b/#", "to": {"topic": "lonely", "route": "r"},
             "unrouted": "accept"}])
        with self.broker.client() as device:
            device.publish("a/x", "kept")
            device.publish("b/x", "let go")
        letters = harness.wait_until("a dead letter", self.gateway.dead_letters)
        harness.wait_until("the spool is empty",
                           lambda: self.gateway.spool_stat()["deliveries"] == 0)
        self.assertEqual([(l["rule"], l["body"]) for l in letters], [("strict", "kept")])
        self.assertIn("6030", letters[0]["reason"])


if __name__ == "__main__":
    unittest.main()
