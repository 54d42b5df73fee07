"""What single CMQ messages become: poison is parked, properties come back, loops end."""

import base64
import json
import unittest

import harness
from downlink import COMMANDS, DownlinkTest

LARGE = 1048000  # all that a request can carry, nearly
DEEP = '{"device":"d1","payload":' + "[" * 300 + "]" * 300 + "}"
# Bodies that no command can be made of, and the code of the reason.
POISON = [
    ("not JSON", "not_json"), ('{"device":"d1","payload":1}}', "not_json"), ("\ufeff{}", "not_json|template_missing"),
    ("{}", "template_missing"), ('{"device":null,"payload":1}', "template_missing"),
    ('{"device":["d1"],"payload":1}', "template_value"),
    ('{"device":"\\ud800","payload":1}', "template_value|not_json"),
    ('{"device":"a/b","payload":1}', "topic_unsafe"), ('{"device":"+","payload":1}', "topic_unsafe"),
    ('{"device":"a#","payload":1}', "topic_unsafe"),
    ('{"device":"a\\u0000b","payload":1}', "topic_unsafe"),
    ('{"device":"%s","payload":1}' % ("x" * 70000), "template_too_large|topic_invalid"),
    (DEEP, "template_missing|not_json|jq_error"), ("x" * LARGE, "not_json"),
]
RULES = [
    {**COMMANDS, "dead_letter": "parked"},
    {**COMMANDS, "name": "here", "from": {"queue": "here", "wait": "1s"}},
    {**COMMANDS, "name": "raises", "from": {"queue": "raises", "wait": "1s"},
     "payload": 'jq:if .bad then error("no") else .payload end'},
    {**COMMANDS, "name": "endless", "from": {"queue": "endless", "wait": "1s"},
     "payload": "jq:if .bad then (def f: f; f) else .payload end"},
    {**COMMANDS, "name": "nothing", "from": {"queue": "nothing", "wait": "1s"},
     "payload": "jq:select(.bad | not) | .payload"},
    {"name": "bytes", "from": {"queue": "bytes", "wait": "1s"}, "to": "fleet/p1/bytes/cmd",
     "payload": "base64"},
    {"name": "events", "from": {"queue": "events", "wait": "1s"}, "to": "{ce:subject}",
     "payload": "cloudevents"},
]
QUEUES = ["downlink", "here", "raises", "endless", "nothing", "bytes", "events", "parked"]


def good(number):
    return json.dumps({"device": f"d{number}", "payload": f"good {number}"})


class Poison(DownlinkTest):
    def mixed(self, name, bodies):
        """Sends each with a good one behind it; a batch of its own where one is very large."""
        for number, body in enumerate(bodies):
            self.cmq.send(name, body)
            self.cmq.send(name, good(number))

    def expect_good(self, count, topics=None):
        topics = topics or self.wait_got(count)
        for number in range(count):
            self.assertEqual(topics[b'"good %d"' % number], f"fleet/p1/d{number}/cmd")

    def test_poison_is_parked_in_a_queue_with_its_reason_and_good_commands_flow_on(self):
        self.start_all(RULES, queues=QUEUES)
        self.mixed("downlink", [body for body, _ in POISON])
        self.expect_good(len(POISON))
        self.wait_empty()
        self.assertEqual([len(letter["body"]) for letter in self.gateway.dead_letters()], [LARGE],
                         "only what is too large for the queue is parked here")
        wanted = {body: code for body, code in POISON if len(body) < LARGE}
        parked = [json.loads(body) for body in self.cmq.take("parked", len(wanted))]
        self.assertEqual({one["body"] for one in parked}, set(wanted))
        for one in parked:
            self.assertEqual((one["rule"], one["queue"]), ("commands", "downlink"))
            self.assertRegex(one["reason"], f"^({wanted[one['body']]}): .")
            self.assertRegex(one["msgId"], r"^\d+$")
        self.assertEqual(self.tap.malformed, [])

    def test_poison_is_parked_here_with_its_reason_and_can_be_replayed(self):
        self.start_all(RULES, queues=QUEUES)
        self.mixed("here", [body for body, _ in POISON])
        self.expect_good(len(POISON))
        self.wait_empty("here")
        letters = {letter["body"]: letter for letter in self.gateway.dead_letters()}
        self.assertEqual(set(letters), {body for body, _ in POISON})
        for body, code in POISON:
            self.assertRegex(letters[body]["reason"], f"^({code}): .")
            self.assertEqual((letters[body]["rule"], letters[body]["direction"]), ("here", "down"))
            self.assertEqual(letters[body]["origin"]["queue"], "here")
        self.assertIn("down here", self.gateway.command("dead-letters", "list"))

        # The rule learns to take one of them: {} goes to a device of its own.
        self.gateway.terminate()
        self.gateway.sections["reverse"] = [
            {**rule, "to": "fleet/p1/{json:/device|default:nobody}/cmd"} if rule["name"] == "here"
            else rule for rule in self.gateway.sections["reverse"]]
        self.gateway.start()
        self.gateway.wait_log("mqtt.connected")
        self.gateway.command("dead-letters", "replay", str(letters["{}"]["id"]))
        self.wait_got(len(POISON) + 1)
        self.assertEqual(self.devices.topics[b"null"], "fleet/p1/nobody/cmd")
        self.wait_empty("here")
        self.assertEqual(len(self.gateway.dead_letters()), len(POISON) - 1)

    def test_what_was_parked_in_a_queue_can_be_sent_back_by_hand(self):
        self.start_all(RULES, queues=QUEUES)
        self.cmq.send("downlink", "{}")
        told = json.loads(self.gateway.command("cmq", "receive", "parked", "--wait", "20"))
        self.assertEqual(told["body"], "{}")
        self.gateway.command("cmq", "send", told["queue"], good(1))
        self.expect_good(1, self.wait_got(1) and {b'"good 0"': "fleet/p1/d0/cmd"})
        self.assertEqual(self.devices.topics, {b'"good 1"': "fleet/p1/d1/cmd"})

    def test_programs_that_fail_or_never_end_park_only_what_they_fail_on(self):
        self.start_all(RULES, queues=QUEUES)
        bad = '{"device":"d","bad":true}'
        for name, code in (("raises", "jq_error"), ("endless", "jq_limit"), ("nothing", "jq_no_output")):
            self.devices.topics.clear()
            self.mixed(name, [bad] * 3)
            self.expect_good(3)
            self.wait_empty(name)
            letters = [one for one in self.gateway.dead_letters() if one["rule"] == name]
            self.assertEqual([one["body"] for one in letters], [bad] * 3)
            for one in letters:
                self.assertRegex(one["reason"], f"^{code}: .")

    def test_bytes_come_out_of_base64_and_what_is_none_is_parked(self):
        self.start_all(RULES, queues=QUEUES)
        payload = bytes(range(256))
        self.cmq.send("bytes", "not base64!")
        self.cmq.send("bytes", base64.b64encode(payload).decode())
        self.wait_got(1)
        self.assertEqual(self.devices.messages[0].payload, payload)
        self.wait_empty("bytes")
        letter, = self.gateway.dead_letters()
        self.assertRegex(letter["reason"], "^base64_invalid: ")

    def test_events_that_are_none_are_parked(self):
        self.start_all(RULES, queues=QUEUES)
        event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "subject": "a/b"}
        bad = ["{}", json.dumps({**event, "subject": "a/+"}), json.dumps({**event, "data_base64": "!"}),
               json.dumps({**event, "specversion": "0.3"})]
        for body in bad:
            self.cmq.send("events", body)
        self.cmq.send("events", json.dumps({**event, "data": "hello",
                                            "datacontenttype": "text/plain"}))
        self.assertEqual(self.wait_got(1), {b"hello": "a/b"})
        self.wait_empty("events")
        self.assertEqual(sorted(letter["body"] for letter in self.gateway.dead_letters()), sorted(bad))


class Loops(DownlinkTest):
    EVENTS_UP = {"name": "up", "from": "out/#", "to": {"queue": "box"}, "body": "cloudevents"}
    EVENTS_DOWN = {"name": "down", "from": {"queue": "box", "wait": "1s"}, "payload": "cloudevents",
                   "to": "back/{ce:subject}"}

    def test_a_command_that_a_forward_rule_would_take_again_is_dropped_there(self):
        down = {"name": "down", "from": {"queue": "box", "wait": "1s"}, "to": "out/x"}
        self.start_all([down], [{**self.EVENTS_UP, "to": {"queue": "again"}}],
                       queues=["box", "again"])
        self.send([f"command {n}" for n in range(10)], "box")
        self.wait_got(10)
        self.wait_empty("box")
        figures = self.stop_gateway()
        self.assertEqual(figures["dropped_loop"], 10)
        self.assertEqual(self.cmq.counts("again"), 0)

    def test_an_event_that_came_through_this_gateway_is_not_published(self):
        last = {"name": "last", "from": "last", "to": {"queue": "last"}}
        self.start_all([self.EVENTS_DOWN], [self.EVENTS_UP, last], queues=["box", "last"])
        with self.broker.client("device") as device:
            device.publish_many([("out/x", f"event {n}") for n in range(10)] + [("last", "x")])
        self.wait_got(11)
        self.cmq.take("last", 1)
        harness.wait_until("all are in CMQ",
                           lambda: self.gateway.spool_stat()["deliveries"] == 0)
        self.wait_empty("box")
        self.assertEqual(len(self.gateway.log_lines(r"command\.loop")), 1)  # the rest is counted
        figures = self.stop_gateway()
        self.assertEqual((figures["dropped_loop"], figures.get("published", 0)), (10, 0))
        self.assertEqual(set(self.devices.topics.values()), {"out/x", "last"})

    def test_an_event_comes_back_with_every_property(self):
        self.start_all([{**self.EVENTS_DOWN, "allow_loop": True}], [self.EVENTS_UP],
                       queues=["box"])
        payloads = [b"\x00\xff bytes", b"", b'{"json": [1.50, 2] }', "t\u00e4xt".encode()]
        user = [("a", "1"), ("b", "2"), ("a", "3"), ("", "empty")]
        with self.broker.client("device") as device:
            for payload in payloads:
                device.publish("out/a/b", payload, content_type="x/y", response_topic="reply/7",
                               correlation=b"\x00\x01\xfe", expiry=300, user=user)
            device.publish("out/plain", b"plain")

        def came_back():
            return [m for m in self.devices.messages if m.topic.startswith("back/")]
        harness.wait_until(lambda: f"all come back ({came_back()})",
                           lambda: len(came_back()) == len(payloads) + 1)
        rich = [m for m in came_back() if m.topic == "back/out/a/b"]
        self.assertEqual(sorted(m.payload for m in rich), sorted(payloads))
        for message in rich:
            p = message.properties
            self.assertEqual((p["content_type"], p["response_topic"], p["correlation"]),
                             ("x/y", "reply/7", b"\x00\x01\xfe"))
            self.assertTrue(290 <= p["expiry"] <= 300, p["expiry"])
            by_key = [[v for k, v in p["user"] if k == key] for key in ("a", "b", "")]
            self.assertEqual(by_key, [["1", "3"], ["2"], ["empty"]])
            self.assertIn("edge-1", dict(p["user"])["cmqgwvia"])
        plain, = [m for m in came_back() if m.topic == "back/out/plain"]
        self.assertEqual(set(plain.properties), {"user"})
        self.assertEqual([k for k, _ in plain.properties["user"]], ["cmqgwvia"])


if __name__ == "__main__":
    unittest.main()
