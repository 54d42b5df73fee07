"""cmqgw test: the tests inside rule files, their TAP, and what failures look like."""

import json
import os
import unittest

from cli import REVERSE, CliTest
from harness import ROOT, as_config

HOT = {"name": "hot readings reach the hot store",
       "publish": {"topic": "fleet/p1/d7/telemetry/temp", "payload": '{"t": 91}'},
       "expect": [{"rule": "telemetry", "topic": "fleet", "route": "p1.d7.temp", "reaches": ["hot-store"]}]}
ALARM = {"topic": "fleet/p1/d7/alarm", "payload": '{"level": "HIGH"}'}
COMMANDS = {"name": "commands", "from": {"queue": "pager"}, "to": "cmd/{json:/device}",
            "payload": "jq:.payload"}
COMMAND = {"queue": "pager", "body": '{"device": "d7", "payload": {"on": true}}'}


def test_of(expect, **what):
    return {"name": "it", **what, "expect": expect}


class Test(CliTest):
    def configure_tests(self, *tests, **sections):
        """An empty list of expectations is a list, too."""
        text = "tests = ( " + ", ".join(
            "{ " + " ".join(f"{key} = {as_config(value) if value else '( )'};"
                            for key, value in test.items()) + " }" for test in tests) + " );\n"
        return self.configure(text, **sections)

    def differences(self, *tests, expect=1, **sections):
        """Of each test: pairs of what was expected and what came."""
        self.configure_tests(*tests, **sections)
        told = self.json("test", expect=expect)
        return [[(d["expected"], d["actual"]) for d in test["differences"]] for test in told]

    def assert_fails(self, expect, came, sections=None, **what):
        """The one difference has this expectation, and beside it what came, with these members."""
        (found,), = self.differences(test_of([expect], **what), **(sections or {}))
        self.assertEqual(found, (expect, {**found[1], **came}))

    def test_tests_that_hold_are_exit_0(self):
        self.configure_tests(
            HOT,
            {"name": "nobody listens to noise", "publish": {"topic": "noise"}, "expect": []},
            {"name": "an alarm fans out #2", "publish": ALARM,
             "expect": [{"queue": "alarm-log"},
                        {"topic": "alarms", "tags": ["high", "alarm"], "reaches": ["high"]}]},
            {"name": "a command finds its device", "receive": COMMAND,
             "expect": [{"rule": "commands", "topic": "cmd/d7", "payload": '{"on":true}', "qos": 1,
                         "retain": False}]},
            reverse=(COMMANDS,))
        self.cmqgw("test")
        self.assertEqual(self.out, "TAP version 13\n1..4\n"
                                   "ok 1 - hot readings reach the hot store\n"
                                   "ok 2 - nobody listens to noise\n"
                                   "ok 3 - an alarm fans out \\#2\n"
                                   "ok 4 - a command finds its device\n")
        self.assertEqual(self.err, "")
        self.assertEqual([test["ok"] for test in self.json("test")], [True] * 4)

    def test_a_test_that_fails_shows_what_was_expected_beside_what_came(self):
        self.configure_tests({**HOT, "expect": [{"route": "p1.d7.hum"}]}, HOT)
        path = json.dumps(self.config)
        with open(self.config, encoding="utf-8") as config:
            line = len(config.read().splitlines())
        self.cmqgw("test", expect=1)
        self.assertEqual(self.out, f"""TAP version 13
1..2
not ok 1 - hot readings reach the hot store
  ---
  file: {path}
  line: {line}
  differences:
    - expected: {{"route": "p1.d7.hum"}}
      actual:   {{"rule": "telemetry", "topic": "fleet", "route": "p1.d7.temp", "body": "{{\\"t\\": 91}}", "reaches": ["hot-store"]}}
      line:     {line}
  ...
ok 2 - hot readings reach the hot store
# 1 of 2 failed
""")

    def test_each_thing_that_is_asked_of_a_delivery_is_compared(self):
        publish = HOT["publish"]
        for expect in ({"rule": "alarms"}, {"queue": "fleet"}, {"topic": "alarms"}, {"route": "x"},
                       {"body": "{}"}, {"tags": ["x"]}, {"reaches": ["pager"]},
                       {"reaches": ["hot-store", "pager"]}, {"rule": "telemetry", "route": "x"}):
            with self.subTest(expect=expect):
                self.assert_fails(expect, {"rule": "telemetry"}, publish=publish)
        for expect in ({"topic": "cmd/d8"}, {"payload": "{}"}, {"qos": 2}, {"retain": True}):
            with self.subTest(expect=expect):
                self.assert_fails(expect, {"topic": "cmd/d7"}, receive=COMMAND,
                                  sections={"reverse": (COMMANDS,)})

    def test_the_list_is_complete_and_each_expectation_has_a_delivery_of_its_own(self):
        log, topic = {"queue": "alarm-log"}, {"topic": "alarms"}
        found = self.differences(
            test_of([], publish=ALARM), test_of([log], publish=ALARM),
            test_of([log, log, topic], publish=ALARM), test_of([{"rule": "alarms"}, log], publish=ALARM),
            test_of([topic, {"rule": "alarms"}], publish=ALARM))
        self.assertEqual([[(e, a and a.get("queue", a.get("topic"))) for e, a in test] for test in found],
                         [[(None, "alarms"), (None, "alarm-log")], [(None, "alarms")], [(log, None)],
                          [], []])

    def test_reaches_names_every_place_and_an_empty_list_none(self):
        publish = {"topic": "fleet/p1/d7/telemetry/hum", "payload": "1"}
        self.assertEqual(self.differences(test_of([{"reaches": ["hot"]}], publish=HOT["publish"]),
                                          expect=0), [[]])
        # libconfig has no empty array in the harness's words, so it is written by hand.
        self.configure(f'tests = ( {{ name = "a"; publish = {as_config(publish)}; '
                       'expect = ( { reaches = [ ]; } ); }, '
                       f'{{ name = "b"; publish = {as_config(HOT["publish"])}; '
                       'expect = ( { reaches = [ ]; } ); } );')
        self.assertEqual([test["ok"] for test in self.json("test", expect=1)], [True, False])

    def test_a_dead_letter_is_nothing_that_can_be_expected(self):
        publish = {"topic": "fleet/p1/d7/alarm", "payload": "no JSON"}
        (unexpected,), (beside,), (parked,) = self.differences(
            test_of([], publish=publish), test_of([{"rule": "alarms"}], publish=publish),
            test_of([], receive={"queue": "pager", "body": "{}"}))
        self.assertEqual(unexpected[0], None)
        self.assertRegex(unexpected[1]["error"], "^template_missing: ")
        self.assertEqual(beside[0], {"rule": "alarms"})
        self.assertEqual(beside[1]["rule"], "alarms")
        self.assertRegex(parked[1]["error"], "^template_missing: ")

    def test_conditions_count_and_a_skipped_rule_says_why(self):
        rules = ({"name": "hot", "from": "t", "to": {"queue": "q"}, "when": ".t > 80", "body": "jq:.t"},)
        self.configure_tests(
            test_of([{"rule": "hot", "queue": "q", "body": "91"}],
                    publish={"topic": "t", "payload": '{"t": 91}'}),
            test_of([{"rule": "hot"}], publish={"topic": "t", "payload": '{"t": 80}'}),
            test_of([{"rule": "commands"}], receive={"queue": "other"}),
            forward=rules)
        told = self.json("test", expect=1)
        self.assertEqual([test["ok"] for test in told], [True, False, False])
        self.assertEqual(told[1]["differences"], [{
            "expected": {"rule": "hot"}, "actual": None, "why": "its condition (when) is false or null"}])
        self.assertEqual(told[2]["differences"][0]["why"], "it reads the queue pager")

    def test_a_cloudevents_body_can_be_expected_to_the_byte(self):
        self.configure_tests(test_of(
            [{"body": '{"specversion":"1.0","id":"edge-1-0","source":"/mqtt/edge-1",'
                      '"type":"mqtt.message","subject":"t","time":"1970-01-01T00:00:00.000Z",'
                      '"mqttqos":1,"mqttretain":false,"cmqgwvia":"edge-1",'
                      '"datacontenttype":"application/json","mqttuntyped":true,"data":1}'}],
            publish={"topic": "t", "payload": "1"}),
            forward=({"name": "e", "from": "t", "to": {"queue": "q"}, "body": "cloudevents"},))
        self.cmqgw("test")

    def test_without_tests_there_is_nothing_to_fail(self):
        self.configure()
        self.assertEqual(self.cmqgw("test"),
                         "TAP version 13\n1..0 # SKIP the rule files have no tests\n")
        self.assertEqual(self.json("test"), [])

    def test_a_wrong_configuration_is_exit_1_and_no_tap(self):
        self.configure_tests({**HOT, "expect": [{"rule": "nobody"}]}, reverse=REVERSE)
        self.cmqgw("test", expect=1)
        self.assertEqual(self.out, "")
        self.assertIn("error: ", self.err)
        self.config = None
        self.assert_usage("test", "x", says="'x' is one word too many")

    def test_the_rules_of_the_demo_pass_their_tests(self):
        self.config = os.path.join(ROOT, "examples", "demo", "gateway.cfg")
        self.cmqgw("test")
        self.assertGreaterEqual(self.out.count("\nok "), 7)


if __name__ == "__main__":
    unittest.main()
