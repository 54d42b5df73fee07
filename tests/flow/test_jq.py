"""Conditions and jq bodies of forward rules, and programs that fail or never end."""

import json
import os
import signal
import unittest

import harness

ENDLESS = "def f: f; f"


def parent_of(pid):
    """None: there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def children(pid):
    return [int(name) for name in os.listdir("/proc")
            if name.isdigit() and parent_of(int(name)) == pid]


class Jq(harness.FlowTest):
    def setUp(self):
        self.start_broker()

    def letters(self, count):
        """That many dead letters, as (rule, code)."""
        found = harness.wait_until(f"{count} dead letters", lambda: (
            found if len(found := self.gateway.dead_letters()) >= count else None))
        return sorted((letter["rule"], letter["reason"].partition(":")[0]) for letter in found)

    def test_a_condition_chooses_messages_and_a_program_makes_the_body(self):
        self.start_cmq(["hot", "some", "all"])
        self.start_gateway([
            {"name": "hot", "from": "t/+d", "to": {"queue": "hot"}, "when": ".t > 80"},
            {"name": "some", "from": "t/+d", "to": {"queue": "some"}, "when": ".t != 91",
             "body": "jq:{t, d: .d[1:]}"},
            {"name": "all", "from": "t/#", "to": {"queue": "all"}}])
        payloads = ['{"t": 91, "d": "d7"}', '{"t": 80, "d": "d8"}', '{"t": 81.5, "d": "d9"}',
                    "not JSON", "{}", "[1]"]
        with self.broker.client() as device:
            for payload in payloads:
                device.publish("t/x", payload)
        self.assertEqual(sorted(self.cmq.take("all", len(payloads))), sorted(payloads))
        self.assertEqual(sorted(self.cmq.take("hot", 2)), sorted([payloads[0], payloads[2]]))
        self.assertEqual(sorted(self.cmq.take("some", 3)),
                         ['{"t":80,"d":"8"}', '{"t":81.5,"d":"9"}', '{"t":null,"d":null}'])
        self.assertEqual(self.letters(2), [("hot", "jq_error"), ("some", "jq_error")])  # of [1]

    def test_a_program_that_fails_sets_its_message_aside_and_the_rest_flows_on(self):
        self.start_cmq(["q", "all"])
        rules = [
            {"name": "fails", "from": "t", "to": {"queue": "q"}, "body": "jq:.a.b"},
            {"name": "silent", "from": "t", "to": {"queue": "q"}, "body": "jq:empty"},
            {"name": "final", "from": "t", "to": {"queue": "q"}, "when": ".a.b", "final": True},
            {"name": "all", "from": "#", "to": {"queue": "all"}}]
        self.start_gateway(rules)
        with self.broker.client() as device:
            for i in range(20):
                device.publish("t", '{"a": 1}')
                device.publish("u", str(i))
        self.assertEqual(len(self.cmq.take("all", 40)), 40)
        self.assertEqual(self.letters(60), [("fails", "jq_error")] * 20 + [("final", "jq_error")] * 20 +
                         [("silent", "jq_no_output")] * 20)
        self.assertEqual(self.cmq.counts("q"), 0)

    def test_an_endless_program_costs_only_its_own_messages(self):
        self.start_cmq(["q", "all"])
        rules = [
            {"name": "endless", "from": "t/#", "to": {"queue": "q"}, "when": ".stop or (" + ENDLESS + ")"},
            {"name": "all", "from": "#", "to": {"queue": "all"}, "body": "jq:.n"}]
        self.start_gateway(rules)
        with self.broker.client() as device:
            for n in range(12):
                device.publish("t/x" if n % 4 == 0 else "u", json.dumps({"n": n}))
            device.publish("t/x", '{"n": 12, "stop": true}')
        self.assertEqual(sorted(map(int, self.cmq.take("all", 13))), list(range(13)))
        self.assertEqual(self.cmq.take("q", 1), ['{"n": 12, "stop": true}'])
        self.assertEqual(self.letters(3), [("endless", "jq_limit")] * 3)

        # Asked for again, they hit the limit again; with a better rule they go.
        one, *others = self.gateway.dead_letters()
        kept = json.loads(self.gateway.run("dead-letters", "replay", str(one["id"]),
                                           "--json").stdout)["kept"]
        self.assertIn("rule endless fails again: jq_limit: ", kept[0]["reason"])
        self.assertEqual(self.gateway.terminate(), 0)
        self.gateway.sections["forward"] = [{**rules[0], "when": ".n < 8", "body": "jq:[.n]"}]
        self.gateway.start().wait_log(r"gateway\.started")
        self.gateway.run("dead-letters", "replay")
        self.assertEqual(sorted(self.cmq.take("q", 2)), ["[0]", "[4]"])
        left, = self.gateway.dead_letters()
        self.assertEqual(left["id"], others[-1]["id"])

    @staticmethod
    def end(pid, last):
        """Kills pid and waits until last, which ends because of that, is gone."""
        os.kill(pid, signal.SIGKILL)
        harness.wait_until("a jq process is gone", lambda: parent_of(last) is None)

    def test_workers_that_are_gone_are_started_again(self):
        self.start_cmq(["q"])
        self.start_gateway([{"name": "r", "from": "t", "to": {"queue": "q"}, "body": "jq:.n + 1"}])
        with self.broker.client() as device:
            device.publish("t", '{"n": 1}')
            self.assertEqual(self.cmq.take("q", 1), ["2"])
            host, = children(self.gateway.pid)
            worker, = children(host)
            self.end(worker, worker)
            device.publish("t", '{"n": 2}')
            self.assertEqual(self.cmq.take("q", 1), ["3"])
            worker, = children(host)
            self.end(host, worker)  # its worker ends with it
            device.publish("t", '{"n": 3}')
            self.assertEqual(self.letters(1), [("r", "jq_broken")])
        self.gateway.terminate()
        self.gateway.start().wait_log(r"gateway\.started")
        self.gateway.command("dead-letters", "replay")
        self.assertEqual(self.cmq.take("q", 1), ["4"])


if __name__ == "__main__":
    unittest.main()
