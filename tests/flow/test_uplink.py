"""Messages of every kind of rule reach CMQ exactly; what cannot be carried is set aside."""

import base64
import json
import re
import time
import unittest

import harness

FLEET = {"name": "fleet", "filter": "route", "subscriptions": [
    {"name": "temp", "queue": "hot", "keys": ["*.*.temp.#"]},
    {"name": "all", "queue": "readings", "keys": ["#"]}]}
ALARMS = {"name": "alarms", "filter": "tag", "subscriptions": [
    {"name": "high", "queue": "pager", "tags": ["high"]},
    {"name": "board", "queue": "board"}]}
ALL_BYTES = bytes(range(256))


class Uplink(harness.FlowTest):
    def setUp(self):
        self.start_broker()

    def test_a_queue_rule_delivers_each_payload_as_it_came(self):
        self.start_cmq(["plain"])
        self.start_gateway([{"name": "plain", "from": "in/#", "to": {"queue": "plain"}}])
        payloads = ["x", "line\nline\r\n", "tab\tand \"quotes\" \\ back", "a+b c%20&d=e~*'()",
                    "å¤§ 你好 🚀", "\u0001\u001f\u007f", " lead and trail ", "{\"t\": 1.50}", "x" * 100000]
        with self.broker.client() as device:
            for qos in (0, 1, 2):
                for payload in payloads:
                    device.publish("in/a/b", payload, qos)
        self.assertEqual(sorted(self.cmq.take("plain", 3 * len(payloads))), sorted(3 * payloads))
        self.assertEqual(self.gateway.dead_letters(), [])

    def test_routes_tags_and_fan_out_reach_the_subscriptions_that_want_them(self):
        self.start_cmq(["hot", "readings", "pager", "board", "log"], [FLEET, ALARMS])
        self.start_gateway([
            {"name": "telemetry", "from": "fleet/+product/+device/telemetry/#metric",
             "to": {"topic": "fleet", "route": "{product}.{device}.{metric}"}},
            {"name": "alarms", "from": "fleet/+product/+device/alarm",
             "to": [{"topic": "alarms", "tags": ["alarm", "{json:/level|default:none|lower}"]},
                    {"queue": "log"}]}])
        with self.broker.client() as device:
            device.publish("fleet/p1/d7/telemetry/temp/in", "21")
            device.publish("fleet/p1/d7/telemetry/hum", "40")
            device.publish("fleet/p1/d8/alarm", '{"level": "HIGH"}')
            device.publish("fleet/p1/d9/alarm", '{"note": 1}')
            device.publish("fleet/p1/d9/other", "nobody listens")
        self.assertEqual(sorted(self.cmq.take("readings", 2)), ["21", "40"])
        self.assertEqual(self.cmq.take("hot", 1), ["21"])
        self.assertEqual(self.cmq.take("pager", 1), ['{"level": "HIGH"}'])
        both = ['{"level": "HIGH"}', '{"note": 1}']
        self.assertEqual(sorted(self.cmq.take("board", 2)), both)
        self.assertEqual(sorted(self.cmq.take("log", 2)), both)
        for queue in ("hot", "readings", "pager", "board", "log"):
            self.assertEqual(self.cmq.counts(queue), 0, queue)

    def test_every_byte_value_passes_base64_and_cloudevents(self):
        self.start_cmq(["b64", "events"])
        self.start_gateway([
            {"name": "b64", "from": "in/+what", "to": {"queue": "b64"}, "body": "base64"},
            {"name": "ce", "from": "in/+what", "to": {"queue": "events"}, "body": "cloudevents"}])
        payloads = [ALL_BYTES, b"", b"@at", b"text", "é".encode(), b'{"a": [1, 2.50]}',
                    *(bytes([value]) for value in range(256))]
        with self.broker.client() as device:
            device.publish_many([("in/x", payload) for payload in payloads], user=[("k", "v")])
        bodies = self.cmq.take("b64", len(payloads) - 1)
        self.assertEqual(sorted([b""] + [base64.b64decode(body, validate=True) for body in bodies]),
                         sorted(payloads))
        events = [json.loads(body) for body in self.cmq.take("events", len(payloads))]
        self.assertEqual(sorted(map(self.data_of, events)),
                         sorted(self.data_of(self.event_of(p)) for p in payloads))
        self.assertEqual(len({event["id"] for event in events}), len(payloads))
        for event in events:
            self.assertEqual(
                (event["specversion"], event["source"], event["type"], event["subject"],
                 event["mqttqos"], json.loads(event["mqttuser"])),
                ("1.0", "/mqtt/edge-1", "mqtt.message", "in/x", 1, {"k": "v"}))
        # Nothing in base64 is still nothing, and CMQ carries no empty body.
        self.assertEqual([(letter["rule"], letter["reason"].partition(":")[0])
                          for letter in self.gateway.dead_letters()], [("b64", "base64_empty")])

    @staticmethod
    def event_of(payload):
        """What RULES 2 says of a payload in a CloudEvent."""
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            return {"data_base64": base64.b64encode(payload).decode()}
        try:
            return {"data": json.loads(text)}
        except ValueError:
            return {"data": text}

    @staticmethod
    def data_of(event):
        """The payload's bytes, whichever member holds them; JSON in one way of writing it."""
        if "data_base64" in event:
            return base64.b64decode(event["data_base64"], validate=True)
        data = event.get("data", "")
        return data.encode() if isinstance(data, str) else json.dumps(data).encode()

    def test_what_raw_cannot_carry_becomes_a_dead_letter_with_its_reason(self):
        self.start_cmq(["plain"])
        self.start_gateway([{"name": "plain", "from": "in/#", "to": {"queue": "plain"}},
                            {"name": "level", "from": "lv/#",
                             "to": {"queue": "{json:/queue}"}}])
        cases = [(b"\xff\xfe", "raw_not_utf8"), (b"a\0b", "raw_nul"), (b"", "raw_empty"),
                 (b"@file", "raw_at"), (b"x" * (1 << 20) + b"x", "too_large")]
        with self.broker.client() as device:
            for payload, _ in cases:
                device.publish("in/x", payload)
            device.publish("in/x", "good")
            device.publish("lv/x", '{"other": 1}')
        self.assertEqual(self.cmq.take("plain", 1), ["good"])
        letters = harness.wait_until("six dead letters", lambda: (
            found if len(found := self.gateway.dead_letters()) == 6 else None))
        for (payload, code), letter in zip(cases, letters):
            self.assertEqual(letter["reason"].partition(":")[0], code)
            self.assertEqual(base64.b64decode(letter["body_base64"]), payload)
            self.assertEqual((letter["rule"], letter["direction"]), ("plain", "up"))
        self.assertIn("/queue", letters[5]["reason"])

    def test_overlapping_filters_apply_each_rule_once_under_mqtt_5(self):
        rules = [{"name": f"r{n}", "from": text, "to": {"queue": f"q{n}"}}
                 for n, text in enumerate(["a/#", "a/b", "+/b", "#"])]
        self.start_cmq([f"q{n}" for n in range(4)])
        self.start_gateway(rules)
        with self.broker.client() as device:
            for n in range(50):
                device.publish("a/b", f"message {n}")
        for n in range(4):
            self.assertEqual(sorted(self.cmq.take(f"q{n}", 50)),
                             sorted(f"message {n}" for n in range(50)))
        harness.wait_until("the spool is empty",
                           lambda: self.gateway.spool_stat()["deliveries"] == 0)
        self.assertEqual([self.cmq.counts(f"q{n}") for n in range(4)], [0, 0, 0, 0])

    def test_a_filter_that_another_covers_is_not_asked_for_under_mqtt_3_1_1(self):
        rules = [{"name": f"r{n}", "from": text, "to": {"queue": f"q{n}"}}
                 for n, text in enumerate(["a/#", "a/b", "a/+"])]
        self.start_cmq([f"q{n}" for n in range(3)])
        self.start_gateway(rules, mqtt={"version": "3.1.1"}, subscribed=False)
        self.broker.wait_subscribed("a/#")
        with self.broker.client() as device:
            for n in range(50):
                device.publish("a/b", f"message {n}")
        for n in range(3):
            self.assertEqual(sorted(self.cmq.take(f"q{n}", 50)),
                             sorted(f"message {n}" for n in range(50)))
        self.assertEqual(self.broker.log_lines(r"edge-1 \d a/b$"), [])
        self.assertEqual([self.cmq.counts(f"q{n}") for n in range(3)], [0, 0, 0])

    def test_a_payload_that_could_fill_the_spool_is_kept_in_part_and_holds_nothing_up(self):
        self.start_cmq(["plain"])
        self.start_gateway([{"name": "plain", "from": "in/#", "to": {"queue": "plain"}}],
                           spool={"max_size": "16MiB", "sync": "crash"})
        giant = b"0123456789abcdef" * (20 << 16)  # 20 MiB: more than the spool
        with self.broker.client() as device:
            device.publish("in/x", giant)
            device.publish("in/x", "good")
        self.assertEqual(self.cmq.take("plain", 1), ["good"])
        letter, = harness.wait_until("its dead letter", self.gateway.dead_letters)
        self.assertRegex(letter["reason"], rf"payload_cut: {len(giant)} bytes.*65536 are kept")
        self.assertEqual(base64.b64decode(letter["body_base64"]), giant[:65536])

    def test_a_single_message_of_an_idle_gateway_goes_at_once_and_alone(self):
        self.start_cmq(["plain"])
        self.start_gateway([{"name": "plain", "from": "in/#", "to": {"queue": "plain"}}])
        before = self.cmq.log()["last"]
        with self.broker.client() as device:
            for number in range(5):
                began = time.monotonic()
                device.publish("in/x", f"message {number}")
                self.assertEqual(self.cmq.take("plain", 1), [f"message {number}"])
                self.assertLess(time.monotonic() - began, 1)
        sent = [entry["action"] for entry in self.cmq.log(before)["requests"]
                if "Send" in entry["action"]]
        self.assertEqual(sent, ["SendMessage"] * 5)

    def test_100000_messages_over_four_rules_arrive_in_full_batches(self):
        topics = [{"name": "routed", "filter": "route", "subscriptions": [
                      {"name": "s", "queue": "routed", "keys": ["load.#"]}]},
                  {"name": "tagged", "filter": "tag", "subscriptions": [
                      {"name": "s", "queue": "tagged", "tags": ["load"]}]}]
        self.start_cmq(["direct", "routed", "tagged", "left", "right"], topics)
        self.start_gateway([
            {"name": "direct", "from": "load/0", "to": {"queue": "direct"}},
            {"name": "routed", "from": "load/1", "to": {"topic": "routed", "route": "load.{topic}"}},
            {"name": "tagged", "from": "load/2", "to": {"topic": "tagged", "tags": ["load"]}},
            {"name": "twice", "from": "load/3", "to": [{"queue": "left"}, {"queue": "right"}]}])
        self.cmq.faults({"action": "*", "mode": "delay", "seconds": 0.02})  # a real round trip
        before = self.cmq.log()["last"]
        self.publish_load(100000, topic="load/%", topics=4)
        queues = {"direct": 0, "routed": 1, "tagged": 2, "left": 3, "right": 3}
        for queue in queues:
            self.wait_count(queue, 25000, 120)
        requests = self.cmq.log()["last"] - before
        self.cmq.faults()
        for queue, rest in queues.items():
            bodies = self.cmq.drain(queue)
            self.assertEqual(sorted(int(body[:10]) for body in bodies),
                             list(range(rest, 100000, 4)), queue)
            self.assertTrue(all(re.fullmatch(r"\d{10} [a-z]{245}", body) for body in bodies))
        self.assertGreater(125000 / requests, 8, f"{requests} requests")
        self.assertEqual(self.gateway.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
