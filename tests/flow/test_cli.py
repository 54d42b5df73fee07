"""The command line: check, match and explain, and what becomes of what is typed wrongly."""

import json
import os
import unittest

from cli import REVERSE, CliTest


class Typing(CliTest):
    """Names, options and help."""

    def test_help_is_there_for_the_whole_and_for_each_command(self):
        whole = self.cmqgw("--help")
        groups = {"cmq": ["send", "receive", "publish"], "spool": ["stat", "verify"],
                  "dead-letters": ["list", "show", "replay", "drop", "export"]}
        for name in ("run", "check", "explain", "test", "match", *groups):
            self.assertRegex(whole, rf"(?m)^  {name} ")
            self.assertRegex(self.cmqgw(name, "--help"), rf"\Ausage: cmqgw {name}( \S|\n)")
            for sub in groups.get(name, []):
                self.assertRegex(self.cmqgw(name, "-h"), rf"(?m)^  {sub} ")
                self.assertIn(f"usage: cmqgw {name} {sub}", self.cmqgw(name, sub, "--help"))
                self.assertLessEqual(max(map(len, self.out.splitlines())), 100)

    def test_the_version_is_told(self):
        self.assertRegex(self.cmqgw("--version"), r"\Acmqgw \d+\.\d+\.\d+\n\Z")

    def test_without_a_command_the_help_goes_to_stderr(self):
        for words in ([], ["cmq"], ["dead-letters"], ["spool"]):
            self.cmqgw(*words, expect=2)
            self.assertEqual(self.out, "")
            self.assertIn("usage: cmqgw", self.err)

    def test_an_unknown_name_gets_the_nearest_one(self):
        self.assert_usage("chek", says="unknown command 'chek' (is it 'check'?)")
        self.assert_usage("cmq", "recieve", says="is it 'receive'?")
        self.assert_usage("dead-leters", says="is it 'dead-letters'?")
        self.assert_usage("check", "--prnt", says="unknown option --prnt (is it --print?)")
        self.assert_usage("--confg", "x", "check", says="is it --config?")
        self.assert_usage("zzzzzzzzz", says="unknown command 'zzzzzzzzz';")

    def test_what_is_wrong_is_said_in_one_line(self):
        for words, says in (
                (["match", "a"], "expected [--named] FILTER TOPIC"),
                (["match", "a", "b", "c"], "'c' is one word too many"),
                (["match", "--key", "--named", "a", "b"], "exclude each other"),
                (["match", "-x", "a", "b"], "unknown option -x"),
                (["match", "--key=1", "a", "b"], "--key takes no value"),
                (["check", "-c"], "--config wants a value"),
                (["check", "x"], "one word too many"),
                (["explain"], "expected TOPIC"),
                (["explain", "a", "--qos", "3"], "--qos wants a number from 0 to 2, not '3'"),
                (["explain", "a", "--qos", "-1"], "not '-1'"),
                (["explain", "a", "--user", "k"], "--user wants KEY=VALUE, not 'k'"),
                (["explain", "a", "--payload", "x", "--payload-file", "y"], "exclude each other"),
                (["explain", "a"] + ["--user", "k=v"] * 65, "at most 64 user properties"),
                (["explain", "--queue", "q"], "--body TEXT or --body-file FILE"),
                (["explain", "--queue", "q", "--body", "x", "--body-file", "y"], "wants either"),
                (["explain", "--queue", "1q", "--body", "x"], "QUEUE '1q' is not valid"),
                (["explain", "--queue", "q", "--body", "x", "topic"], "one word too many"),
                (["explain", "--queue", "q", "--payload", "x"], "a body and nothing else"),
                (["explain", "--queue", "q", "--body", "x", "--retain"], "a body and nothing else"),
                (["explain", "topic", "--body", "x"], "go with --queue"),
                (["cmq", "send"], "expected QUEUE [BODY]"),
                (["cmq", "send", "1q", "x"], "QUEUE '1q' is not valid"),
                (["cmq", "receive", "q", "--count", "0"], "--count wants a number from 1"),
                (["cmq", "receive", "q", "--wait", "31"], "from 0 to 30, not '31'"),
                (["cmq", "publish", "t", "x"], "wants either --route or --tag"),
                (["cmq", "publish", "t", "x", "--route", "r", "--tag", "t"], "wants either"),
                (["cmq", "publish", "t", "x", "--route", "r" * 65], "is not valid"),
                (["cmq", "publish", "t", "x"] + ["--tag", "t"] * 6, "at most 5 tags"),
                (["dead-letters", "show"], "expected ID"),
                (["dead-letters", "show", "x"], "ID wants a number"),
                (["dead-letters", "replay", "-5"], "unknown option -5"),
                (["dead-letters", "replay", "--all"], "unknown option --all"),
                (["dead-letters", "drop"], "wants ID... | --rule R | --all"),
                (["dead-letters", "drop", "5", "--all"], "wants ID... | --rule R | --all"),
                (["spool", "stat", "x"], "one word too many"),
                (["spool", "verify", "--rule", "x"], "unknown option --rule")):
            with self.subTest(words=words):
                self.assert_usage(*words, says=says)

    def test_hostile_words_cannot_command_the_terminal(self):
        self.assert_usage(b"\x1b[2J", says="'\\x1b[2J'")
        self.assert_usage("match", b"a\nb#", "x", says="a\\nb#")
        self.assert_usage("match", b"\xff", "x", says="\\xff")
        self.assert_usage("cmq", "send", "a" * 100000, "x", says="aaa")

    def test_the_configuration_is_named_before_or_after_the_command(self):
        config = self.configure()
        self.config = None
        for words in (["-c", config, "check"], ["check", "-c", config], ["check", f"-c{config}"],
                      [f"--config={config}", "check"], ["check", "--config", config],
                      ["-c", "/nonexistent", "check", "-c", config]):
            self.assertIn(": ok: 2 forward rules, 1 reverse rule", self.cmqgw(*words))
        self.cmqgw("-c", config, "--json", "spool", "-c", config, "stat", expect=1)

    def test_an_output_that_cannot_be_written_is_a_failure(self):
        self.configure()
        with open("/dev/full", "wb") as full:
            for words, code in ((["--help"], 1), (["check"], 1), (["match", "a", "a"], 2),
                                (["explain", "fleet/a/b/telemetry/c", "--payload", "x"], 1)):
                self.cmqgw(*words, stdout=full, expect=code)
                self.assertIn("cannot write the output", self.err)


class Match(CliTest):
    def test_filters_match_as_mqtt_says(self):
        for filter_, topic, code in (
                # MQTT 5.0 s. 4.7.1
                ("sport/tennis/player1/#", "sport/tennis/player1", 0),
                ("sport/tennis/player1/#", "sport/tennis/player1/ranking", 0),
                ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", 0),
                ("sport/#", "sport", 0), ("#", "a/b", 0),
                ("sport/tennis/+", "sport/tennis/player1", 0),
                ("sport/tennis/+", "sport/tennis/player1/ranking", 1),
                ("sport/+", "sport", 1), ("sport/+", "sport/", 0),
                ("+/+", "/finance", 0), ("/+", "/finance", 0), ("+", "/finance", 1),
                ("#", "$SYS/x", 1), ("+/monitor/Clients", "$SYS/monitor/Clients", 1),
                ("$SYS/#", "$SYS/x", 0), ("ACCOUNTS", "Accounts", 1),
                ("sport/tennis#", "x", 2), ("sport/tennis/#/ranking", "x", 2), ("sport+", "x", 2),
                ("", "x", 2), ("a", "", 2), ("a", "a/+", 2), ("a", "#", 2),
                ("+x", "a", 2), ("/".join("+" * 32), "/".join("a" * 32), 0),
                ("a" * 65536, "x", 2), (b"\xff", "x", 2), ("x", b"\xc0\x80", 2)):
            with self.subTest(filter=filter_, topic=topic):
                self.cmqgw("match", filter_, topic, expect=code)
                self.assertEqual(self.out, ("match\n", "no match\n", "")[code])

    def test_named_wildcards_are_told(self):
        self.cmqgw("match", "--named", "a/+line/+/#rest", "a/7/x/b/c")
        self.assertEqual(self.out, "match\n  line = 7\n  1    = x\n  rest = b/c\n")
        self.assertEqual(self.json("match", "--named", "a/+line/#rest", "a/7"),
                         {"match": True, "captures": {"line": "7", "rest": ""}})
        self.assertEqual(self.json("match", "--named", "a/+line", "b", expect=1), {"match": False})
        self.cmqgw("match", "--named", "a/+x/+x", "a/b/c", expect=2)
        self.cmqgw("match", "--named", "a/+x y", "a/b", expect=2)

    def test_binding_keys_match_as_cmq_says(self):
        for binding, route, code in (
                ("1.*.0", "1.abc.0", 0), ("1.#.0", "1.2.3.4.4.2.2.0", 0), ("1.#.0", "1.0", 0),
                ("#", "a.b", 0), ("#", "", 0), ("a.*.c", "a.b.x", 1), ("a.*", "a", 1),
                ("a.*", "a.b.c", 1), ("*", "a", 0), ("*", "", 1), ("a.#", "a", 0), ("#.c", "c", 0),
                ("#.b.#", "a.b.c", 0), ("*.#", "", 1), ("a*", "ab", 1), ("a*", "a*", 0),
                ("", "a", 2), ("a" * 65, "a", 2), ("a", "." * 16, 2), ("a", b"\xff", 2)):
            with self.subTest(binding=binding, route=route):
                self.cmqgw("match", "--key", binding, route, expect=code)
        self.assertEqual(self.json("match", "--key", "a.*", "a.b"), {"match": True})


class Check(CliTest):
    def test_a_good_configuration_is_one_line(self):
        self.configure()
        self.assertEqual(self.cmqgw("check", "--no-hints"), f"{self.config}: ok: 2 forward rules, "
                                              "1 reverse rule, 3 queues, 2 topics\n")
        self.assertEqual(self.json("check", "--no-hints"), [])

    def test_every_fault_is_told_with_its_line(self):
        self.configure(text="\nmqtt_ = 1;\nlog = { level = \"loud\"; };\n")
        self.cmqgw("check", expect=1)
        with open(self.config, encoding="utf-8") as config:
            lines = config.read().splitlines()
        for number, line in enumerate(lines, 1):
            if line.startswith(("mqtt_", "log")):
                self.assertRegex(self.out, rf"(?m)^{self.config}:{number}: error: ")
        self.assertEqual(self.err, "")
        faults = self.json("check", expect=1)
        self.assertEqual({fault["level"] for fault in faults}, {"error"})
        self.assertEqual(set(faults[0]), {"file", "line", "level", "text"})
        self.cmqgw("check", "--print", expect=1)
        self.assertIn(": error: ", self.out)

    def test_a_warning_is_told_and_is_no_error(self):
        self.configure(cmq={"endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "written-here"})
        self.cmqgw("check", "--no-hints")
        self.assertRegex(self.out, r"\A[^\n]*:\d+: warning: [^\n]*\n[^\n]*: ok: 2 forward rules,")
        self.assertEqual([fault["level"] for fault in self.json("check", "--no-hints")], ["warning"])
        self.cmqgw("check", "--print")
        self.assertIn(": warning: ", self.err)
        self.assertNotIn(": warning: ", self.out)
        self.cmqgw("match", "a", "a")
        self.cmqgw("explain", "fleet/a/b/telemetry/c", "--payload", "x")
        self.assertEqual(self.err, "")  # work by hand is not told each time

    def test_secrets_are_needed_to_run_and_not_to_check(self):
        self.configure(cmq={"endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "@file:/no/such/secret"})
        self.cmqgw("check", "--no-hints")
        self.assertRegex(self.out, r"\A[^\n]*:\d+: warning: cmq\.secret_key cannot be resolved here: "
                                   r"cannot read /no/such/secret: [^\n]*\n[^\n]*: ok: 2 forward")
        self.cmqgw("test")
        self.cmqgw("explain", "fleet/a/b/telemetry/c", "--payload", "x")
        self.cmqgw("check", "--strict", expect=1)
        self.assertRegex(self.out, r": error: cmq\.secret_key cannot be resolved: ")
        self.cmqgw("run", expect=1)
        self.assertIn(": error: cmq.secret_key cannot be resolved: ", self.err)
        self.cmqgw("cmq", "receive", "pager", expect=1)

    def test_what_depends_on_messages_is_a_warning_that_can_be_left_out(self):
        self.configure()
        self.cmqgw("check")
        self.assertIn(": warning: the tag \"{json:/level|lower}\" may be longer than 16", self.out)
        self.assertIn(": warning: a message without {json:/level|lower}, in the tag", self.out)
        self.assertEqual({fault["level"] for fault in self.json("check")}, {"warning"})
        self.assertEqual(self.json("check", "--no-hints"), [])

    def test_every_option_is_printed_and_secrets_are_not(self):
        self.configure(cmq={"endpoint": "http://127.0.0.1:1", "secret_id": "AKIDvisible",
                            "secret_key": "topsecretvalue", "rate": 77})
        text = self.cmqgw("check", "--print")
        self.assertRegex(text, r"(?m)^cmq\.rate = 77 .*gateway\.cfg:\d+")
        self.assertRegex(text, r"(?m)^cmq\.connections = 64 .*default")
        self.assertNotIn("topsecretvalue", text)
        options = {option["option"]: option for option in self.json("check", "--print")}
        self.assertEqual(set(options["cmq.rate"]), {"option", "value", "source"})
        self.assertNotIn("topsecretvalue", self.out)

    def test_a_file_that_cannot_be_read_is_a_fault(self):
        self.config = os.path.join(self.folder, "missing.cfg")
        self.cmqgw("check", expect=1)
        self.assertIn("missing.cfg", self.out)
        self.config = self.folder
        self.cmqgw("check", expect=1)
        self.assertIn("error: ", self.out)

    def test_other_commands_tell_the_faults_on_stderr(self):
        self.configure(text="nonsense = 1;\n")
        for words in (["explain", "a"], ["spool", "stat"], ["dead-letters", "list"],
                      ["cmq", "send", "q", "x"], ["run"]):
            self.cmqgw(*words, expect=1)
            self.assertEqual(self.out, "")
            self.assertRegex(self.err, r"(?m)^.*gateway\.cfg:\d+: error: .*nonsense")


class Explain(CliTest):
    def test_a_matching_rule_is_followed_to_its_queues(self):
        self.configure()
        told = self.json("explain", "fleet/p1/d7/telemetry/temp", "--payload", '{"t": 91}')
        self.assertEqual(told["topic"], "fleet/p1/d7/telemetry/temp")
        self.assertEqual(told["matches"], [{
            "rule": "telemetry",
            "captures": {"product": "p1", "device": "d7", "metric": "temp"},
            "deliveries": [{"topic": "fleet", "route": "p1.d7.temp", "body": '{"t": 91}',
                            "body_bytes": 9,
                            "reaches": [{"subscription": "hot", "queue": "hot-store"}]}]}])
        self.assertEqual([skip["rule"] for skip in told["skipped"]], ["alarms"])
        self.assertTrue(told["skipped"][0]["reason"])
        self.assertEqual(told["errors"], [])

    def test_a_fan_out_and_the_way_back_are_told(self):
        self.configure()
        told = self.json("explain", "fleet/p1/d7/alarm", "--payload", '{"level":"HIGH"}',
                         "--user", "site=north=1", "--content-type", "application/json")
        first, second = told["matches"][0]["deliveries"]
        self.assertEqual(first["tags"], ["alarm", "high"])
        self.assertEqual(first["reaches"], [
            {"subscription": "high", "queue": "pager",
             "reverse": [{"rule": "commands", "to": "{json:/product}/cmd"}]}])
        self.assertEqual(second["queue"], "alarm-log")
        self.assertEqual(second["reaches"], [{"subscription": None, "queue": "alarm-log"}])
        event = json.loads(second["body"])
        self.assertEqual(event["data"], {"level": "HIGH"})
        self.assertEqual(event["id"], "edge-1-0")
        self.assertEqual(json.loads(event["mqttuser"]), {"site": "north=1"})
        self.assertEqual(len(second["body"].encode()), second["body_bytes"])

    def test_people_get_the_same_in_eighty_columns(self):
        os.chdir(self.folder)
        self.configure()
        self.config = "gateway.cfg"
        self.cmqgw("explain", "fleet/p1/d7/alarm", "--payload", '{"level":"HIGH"}', "--retain",
                   "--qos", "2")
        os.chdir("/")
        for line in ("at QoS 2, a retained copy", "  -> topic alarms, tags alarm, high",
                     "subscription high -> queue pager", "reverse rule commands",
                     "  -> queue alarm-log", "skipped\n  telemetry: "):
            self.assertIn(line, self.out)
        self.assertLessEqual(max(map(len, self.out.splitlines())), 80)

    def test_no_match_is_exit_1_with_the_reasons(self):
        self.configure()
        told = self.json("explain", "noise", expect=1)
        self.assertEqual(told["matches"], [])
        self.assertEqual([skip["rule"] for skip in told["skipped"]], ["telemetry", "alarms"])
        self.cmqgw("explain", "noise", expect=1)
        self.assertIn("no rule matches", self.out)

    def test_what_would_be_a_dead_letter_is_an_error_and_still_a_match(self):
        self.configure()
        for payload, reason in (("", "raw_empty"), ("@x", "raw_at")):
            told = self.json("explain", "fleet/p/d/telemetry/m", "--payload", payload)
            self.assertEqual(told["matches"][0]["deliveries"], [])
            self.assertEqual(told["errors"][0]["rule"], "telemetry")
            self.assertTrue(told["errors"][0]["reason"].startswith(reason + ": "))
        told = self.json("explain", "fleet/p/d/alarm", "--payload", "{}")
        self.assertTrue(told["errors"][0]["reason"].startswith("template_missing: "))

    def test_the_payload_comes_from_a_file_or_stdin(self):
        self.configure()
        path = os.path.join(self.folder, "payload")
        for payload, reason in ((b"\xff\xfe", "raw_not_utf8"), (b"a\0b", "raw_nul"),
                                (b"x" * (1 << 20) + b"y", "too_large")):
            with open(path, "wb") as file:
                file.write(payload)
            for words, stdin in (([path], b""), (["-"], payload)):
                told = self.json("explain", "fleet/p/d/telemetry/m", "--payload-file", *words,
                                 stdin=stdin)
                self.assertTrue(told["errors"][0]["reason"].startswith(reason + ": "), reason)
        told = self.json("explain", "fleet/p/d/telemetry/m", "--payload-file", "-",
                         stdin="grün\n".encode())
        self.assertEqual(told["matches"][0]["deliveries"][0]["body"], "grün\n")

    def test_a_payload_file_that_cannot_be_taken_is_said(self):
        self.configure()
        self.cmqgw("explain", "a", "--payload-file", self.folder + "/none", expect=1)
        self.assertIn("No such file", self.err)
        self.cmqgw("explain", "a", "--payload-file", self.folder, expect=1)
        self.assertIn("Is a directory", self.err)
        with open("/dev/zero", "rb") as zero:
            self.cmqgw("explain", "a", "--payload-file", "-", expect=1, stdin=zero)
        self.assertIn("stdin is larger than 16777216 bytes", self.err)

    def test_a_topic_that_is_none_is_exit_2(self):
        self.configure()
        for topic in ("", "a/+", "#", b"\xff", "a" * 65536):
            self.assert_usage("explain", topic, says="is not valid")

    def test_a_hostile_topic_is_shown_safely(self):
        self.configure(forward=({"name": "all", "from": "#", "to": {"queue": "q"}},))
        self.cmqgw("explain", "a/\x1b[31m\n\u202e", "--payload", "\x1b]0;x\x07")
        self.assertNotRegex(self.out, "[\x00-\x09\x0b-\x1f\x7f\u202e]")
        self.assertIn("a/\\x1b[31m\\n\\u202e", self.out)


class ExplainQueue(CliTest):
    """The way back."""

    COMMANDS = {"name": "commands", "from": {"queue": "downlink"}, "to": "cmd/{json:/device}",
                "payload": "jq:.payload", "expiry": "5m", "dead_letter": "downlink-dead"}
    BODY = '{"device": "d7", "payload": {"on": true}}'

    def test_a_command_is_followed_to_its_topic(self):
        self.configure(reverse=(self.COMMANDS, {**REVERSE[0], "name": "pages"}))
        told = self.json("explain", "--queue", "downlink", "--body", self.BODY)
        self.assertEqual(told, {
            "queue": "downlink", "errors": [],
            "matches": [{"rule": "commands", "topic": "cmd/d7", "payload": '{"on":true}',
                         "payload_base64": "eyJvbiI6dHJ1ZX0=", "payload_bytes": 11, "qos": 1,
                         "retain": False, "expiry_s": 300,
                         "user": [{"key": "cmqgwvia", "value": "edge-1"}], "forward": []}],
            "skipped": [{"rule": "pages", "reason": "it reads the queue pager"}]})
        self.assertEqual(self.json("explain", "--queue", "downlink", "--body-file", "-",
                                   stdin=self.BODY.encode()), told)

    def test_people_get_the_same_in_eighty_columns(self):
        os.chdir(self.folder)
        self.configure(reverse=(self.COMMANDS,))
        self.config = "gateway.cfg"
        self.cmqgw("explain", "--queue", "downlink", "--body", self.BODY)
        os.chdir("/")
        for line in ("queue downlink\n  41 bytes\n", "  -> cmd/d7\n    QoS 1, expires after 300 s",
                     "    payload  11 bytes\n             {\"on\":true}\n",
                     "    user     cmqgwvia = edge-1\n"):
            self.assertIn(line, self.out)
        self.assertLessEqual(max(map(len, self.out.splitlines())), 80)

    def test_what_would_be_parked_is_exit_1_with_the_reason(self):
        self.configure(reverse=(self.COMMANDS,))
        told = self.json("explain", "--queue", "downlink", "--body", "{}", expect=1)
        self.assertEqual(told["matches"], [])
        self.assertEqual(told["errors"][0]["parked"], "downlink-dead")
        self.assertRegex(told["errors"][0]["reason"], "^template_missing: ")
        self.cmqgw("explain", "--queue", "downlink", "--body", "{}", expect=1)
        self.assertIn("    parked in the queue downlink-dead\n", self.out)
        self.cmqgw("explain", "--queue", "nobodys", "--body", "x", expect=1)
        self.assertIn("no reverse rule reads this queue", self.out)


if __name__ == "__main__":
    unittest.main()
