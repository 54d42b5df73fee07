"""The command line: what each command prints and how it ends, also when it is typed wrongly."""

import base64
import http.server
import json
import os
import pty
import shutil
import signal
import subprocess
import threading
import unittest
import urllib.parse

from harness import BIN, PATIENCE, FlowTest, config_text, free_port, wait_until

CMQGW = os.path.join(BIN, "cmqgw")
PUSH = "/hook/9f2c7a1be4d853069f2c7a1be4d85306"

FORWARD = (
    {"name": "telemetry", "from": "fleet/+product/+device/telemetry/#metric",
     "to": {"topic": "fleet", "route": "{product}.{device}.{metric}"}, "body": "raw"},
    {"name": "alarms", "from": "fleet/+product/+device/alarm",
     "to": [{"topic": "alarms", "tags": ["alarm", "{json:/level|lower}"]},
            {"queue": "alarm-log"}], "body": "cloudevents"},
)
REVERSE = (
    {"name": "commands", "from": {"queue": "pager"}, "to": "{json:/product}/cmd"},
)
RESOURCES = {
    "queues": [{"name": "hot-store"}, {"name": "alarm-log"}, {"name": "pager"}],
    "topics": [
        {"name": "fleet", "filter": "route",
         "subscriptions": [{"name": "hot", "queue": "hot-store", "keys": ["*.*.temp.#"]}]},
        {"name": "alarms", "filter": "tag",
         "subscriptions": [{"name": "high", "queue": "pager", "tags": ["high"]}]}],
}


class CliTest(FlowTest):
    def configure(self, name="gateway.cfg", text="", **sections):
        """Writes a configuration; sections replace the usual ones, None leaves one out."""
        self.config = os.path.join(self.folder, name)
        usual = {
            "gateway": {"id": "edge-1", "state_dir": os.path.join(self.folder, "state")},
            "mqtt": {"servers": ["tcp://127.0.0.1:1"]},
            "cmq": {"endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
                    "secret_key": "@env:CMQ_SECRET_KEY"},
            "forward": FORWARD, "reverse": REVERSE, "resources": RESOURCES}
        usual.update(sections)
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(config_text({k: v for k, v in usual.items() if v is not None}) + text)
        return self.config

    def cmqgw(self, *words, expect=0, stdin=b"", **how):
        """Runs cmqgw, with -c once there is a configuration; checks the exit code."""
        config = ["-c", self.config] if getattr(self, "config", None) else []
        words = [word if isinstance(word, bytes) else str(word) for word in words]
        program = [*how.pop("before", []), CMQGW]
        source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            [*program, *config, *words], **source, timeout=PATIENCE, check=False,
            env={**os.environ, "CMQ_SECRET_ID": self.secret_id, "CMQ_SECRET_KEY": self.secret_key},
            stderr=subprocess.PIPE, **{"stdout": subprocess.PIPE, **how})
        self.out = (done.stdout or b"").decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")
        self.assertEqual(done.returncode, expect, f"{words}: {self.out}{self.err}")
        return self.out

    def json(self, *words, **how):
        return json.loads(self.cmqgw(*words, "--json", **how))

    def assert_usage(self, *words, says):
        """Exit 2, nothing on stdout, one line on stderr that says so and points to the help."""
        self.cmqgw(*words, expect=2)
        self.assertEqual(self.out, "")
        self.assertIn(says, self.err)
        self.assertRegex(self.err, r"\A[^\n]*; try '[a-z -]+ --help'\n\Z")


class Typing(CliTest):
    """Names, options and help."""

    def test_help_is_there_for_the_whole_and_for_each_command(self):
        whole = self.cmqgw("--help")
        groups = {"cmq": ["send", "receive", "publish"], "spool": ["stat", "verify"],
                  "dead-letters": ["list", "show", "replay", "drop", "export"]}
        for name in ("run", "check", "explain", "match", *groups):
            self.assertRegex(whole, rf"(?m)^  {name} ")
            self.assertIn(f"usage: cmqgw {name} ", self.cmqgw(name, "--help"))
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
        self.assertEqual(self.out, "match\n  line = 7\n  2    = x\n  rest = b/c\n")
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
        self.assertEqual(self.cmqgw("check"), f"{self.config}: ok: 2 forward rules, "
                                              "1 reverse rule, 3 queues, 2 topics\n")
        self.assertEqual(self.json("check"), [])

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
        self.cmqgw("check")
        self.assertRegex(self.out, r"\A[^\n]*:\d+: warning: [^\n]*\n[^\n]*: ok: 2 forward rules,")
        self.assertEqual([fault["level"] for fault in self.json("check")], ["warning"])
        self.cmqgw("check", "--print")
        self.assertIn(": warning: ", self.err)
        self.assertNotIn(": warning: ", self.out)
        self.cmqgw("match", "a", "a")
        self.cmqgw("explain", "fleet/a/b/telemetry/c", "--payload", "x")
        self.assertEqual(self.err, "")  # work by hand is not told each time

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


class HandTool(CliTest):
    """cmqgw cmq, against the local server."""

    def setUp(self):
        self.start_cmq(queues=["q"], topics=[
            {"name": "tagged", "filter": "tag",
             "subscriptions": [{"name": "s", "queue": "q", "tags": ["red"]}]},
            {"name": "routed", "filter": "route",
             "subscriptions": [{"name": "s", "queue": "q", "keys": ["a.*"]}]}])
        self.cmq_section = {"endpoint": self.local.url, "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "@env:CMQ_SECRET_KEY", "timeout": "5s"}
        self.configure(cmq=self.cmq_section)

    def test_a_body_is_sent_from_the_command_line_or_stdin(self):
        self.assertRegex(self.cmqgw("cmq", "send", "q", "grün & 100%+"), r"\A\S+\n\Z")
        self.cmqgw("--json", "cmq", "send", "q", "--", "-dashed")
        self.assertEqual(set(json.loads(self.out)), {"msgId"})
        self.cmqgw("cmq", "send", "q", stdin=b"from stdin\n")
        self.assertEqual(sorted(self.cmq.drain("q")), ["-dashed", "from stdin\n", "grün & 100%+"])

    def test_a_body_that_cmq_cannot_take_is_not_sent(self):
        for stdin, says in ((b"", "the body is empty"), (b"\xff", ""), (b"a\0b", ""),
                            (b"x" * ((1 << 20) + 1), "stdin is larger than 1048576 bytes")):
            self.cmqgw("cmq", "send", "q", stdin=stdin, expect=1)
            self.assertIn(says, self.err)
            self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")
        self.assertEqual(self.cmq.drain("q"), [])

    def test_publishing_goes_by_tags_or_route(self):
        self.cmqgw("cmq", "publish", "tagged", "--tag", "red", "--tag", "blue", "by tag")
        self.assertEqual(set(self.json("cmq", "publish", "routed", "by route", "--route", "a.b")),
                         {"msgId"})
        self.assertEqual(sorted(self.cmq.drain("q")), ["by route", "by tag"])
        self.cmqgw("cmq", "publish", "routed", "--route", "b.b", "nobody", expect=1)
        self.assertIn("6030", self.err)

    def test_receiving_prints_and_deletes(self):
        for n in range(20):
            self.cmq.send("q", f"body {n}")
        self.assertRegex(self.cmqgw("cmq", "receive", "q"), r"\Abody \d+\n\Z")
        self.assertRegex(self.err, r"\A# msgId \S+, .*received 1 time\n\Z")
        self.cmqgw("cmq", "receive", "q", "--count", "18", "--wait", "0")
        self.assertEqual(len(self.out.splitlines()), 18)
        self.assertEqual(self.cmq.counts("q"), 1)
        self.cmqgw("cmq", "receive", "q", "--count", "5", "--wait", "0")
        self.assertEqual(len(self.out.splitlines()), 1)
        self.assertEqual(self.cmq.counts("q"), 0)

    def test_machines_get_cmqs_own_field_names(self):
        self.cmq.send("q", "a\nb")
        self.cmq.send("q", "\x1b[2J")
        lines = self.cmqgw("cmq", "receive", "q", "--json", "--count", "2", "--keep").splitlines()
        messages = [json.loads(line) for line in lines]
        self.assertEqual(sorted(m["msgBody"] for m in messages), ["\x1b[2J", "a\nb"])
        for message in messages:
            self.assertEqual(set(message), {"msgId", "msgBody", "receiptHandle", "enqueueTime",
                                            "firstDequeueTime", "nextVisibleTime", "dequeueCount"})
            self.assertIsInstance(message["enqueueTime"], int)
        self.assertEqual(self.cmq.counts("q"), 2)

    def test_a_terminal_cannot_be_commanded(self):
        self.cmq.send("q", "\x1b[2J")
        ours, its = pty.openpty()
        try:
            self.cmqgw("cmq", "receive", "q", stdout=its)
            self.assertEqual(os.read(ours, 100), b"\\x1b[2J\r\n")
        finally:
            os.close(ours)
            os.close(its)

    def test_nothing_to_receive_is_exit_1_and_a_note(self):
        for as_json in ([], ["--json"]):
            self.cmqgw("cmq", "receive", "q", "--wait", "0", *as_json, expect=1)
            self.assertEqual(self.out, "")
            self.assertIn("no message within 0 s", self.err)

    def test_what_could_not_be_printed_is_not_deleted(self):
        self.cmq.send("q", "precious")
        with open("/dev/full", "wb") as full:
            self.cmqgw("cmq", "receive", "q", stdout=full, expect=1)
        self.assertEqual(self.cmq.counts("q"), 1)

    def test_a_delete_that_fails_is_said(self):
        self.cmq.send("q", "x")
        self.cmq.faults({"action": "BatchDeleteMessage", "mode": "code", "code": 6000, "count": 1})
        self.cmqgw("cmq", "receive", "q", expect=1)
        self.assertEqual(self.out, "x\n")
        self.assertIn("not deleted: ", self.err)

    def test_what_cmq_refuses_is_told_with_advice(self):
        self.cmqgw("cmq", "send", "missing", "x", expect=1)
        self.assertRegex(self.err, r"\Acmqgw cmq send: CMQ answered 4440: [^\n]*; [^\n]+\n\Z")
        self.configure(cmq={**self.cmq_section, "secret_key": "wrong"})
        self.cmqgw("cmq", "receive", "q", expect=1)
        self.assertIn("CMQ answered 4100", self.err)
        self.assertNotIn("wrong", self.err)

    def test_an_account_that_cannot_be_used_is_one_line(self):
        self.configure(cmq={**self.cmq_section, "endpoint": f"http://127.0.0.1:{free_port()}"})
        self.cmqgw("cmq", "send", "q", "x", expect=1)
        self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")
        self.configure(cmq={**self.cmq_section, "secret_key": "@env:CMQGW_TEST_UNSET"})
        self.cmqgw("cmq", "send", "q", "x", expect=1)
        self.assertIn("CMQGW_TEST_UNSET", self.err)


class Hostile(CliTest):
    """cmqgw cmq, against something that is no CMQ."""

    def serve(self, **answers):
        """Answers each action with what is given for it, HTTP 200."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])))
                data = answers[form[b"Action"][0].decode()]
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass
        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.configure(cmq={"endpoint": f"http://127.0.0.1:{server.server_port}",
                            "secret_id": "@env:CMQ_SECRET_ID",
                            "secret_key": "@env:CMQ_SECRET_KEY", "timeout": "5s"})

    def test_an_answer_cannot_command_the_terminal(self):
        self.serve(SendMessage=json.dumps({"code": 0, "message": "", "requestId": "r",
                                           "msgId": "\x1b[2J"}).encode(),
                   PublishMessage=json.dumps({"code": 4000, "requestId": "r",
                                              "message": "(1)\x1b[2J\nforged"}).encode())
        self.assertEqual(self.cmqgw("cmq", "send", "q", "x"), "\\x1b[2J\n")
        self.cmqgw("cmq", "publish", "t", "x", "--tag", "a", expect=1)
        self.assertRegex(self.err, r"\A[ -~]*4000[ -~]*\\x1b\[2J\\nforged[ -~]*\n\Z")

    def test_nonsense_is_a_failure(self):
        for answer in (b"", b"<html>", b"[]", b"{}", b'{"code":0}', b'{"code":"0","msgId":"1"}'):
            self.serve(SendMessage=answer)
            self.cmqgw("cmq", "send", "q", "x", expect=1)
            self.assertEqual(self.out, "")
            self.assertRegex(self.err, r"\Acmqgw cmq send: [^\n]+\n\Z")

    def test_a_message_that_cannot_be_read_is_said_and_left(self):
        good = {"msgId": "1", "msgBody": "good", "receiptHandle": "h", "enqueueTime": 2 ** 53,
                "firstDequeueTime": 0, "nextVisibleTime": 0, "dequeueCount": 1}
        self.serve(BatchReceiveMessage=json.dumps(
            {"code": 0, "message": "", "requestId": "r",
             "msgInfoList": [good, {**good, "receiptHandle": 5}]}).encode(),
                   BatchDeleteMessage=b'{"code":0,"message":"","requestId":"r"}')
        self.assertEqual(self.cmqgw("cmq", "receive", "q", "--count", "2"),
                         "good\ngood\n")
        self.assertIn("1 more could not be read and stay", self.err)


class Parked(CliTest):
    """cmqgw dead-letters and spool, without a gateway and beside one."""

    def start(self, forward):
        self.start_broker()
        self.start_cmq(queues=["q"])
        self.start_gateway(forward)
        self.config = self.gateway.path

    def letters(self, count, rule=None):
        found = []

        def look():
            found[:] = self.json("dead-letters", "list", *(["--rule", rule] if rule else []))
            return len(found) == count
        wait_until(f"there are {count} dead letters", look)
        return found

    def publish(self, topic, *payloads):
        with self.broker.client() as device:
            for payload in payloads:
                device.publish(topic, payload)

    RAW = {"name": "raw", "from": "raw/+x", "to": {"queue": "q"}, "body": "raw"}
    OTHER = {"name": "other", "from": "other", "to": {"queue": "q"}, "body": "raw"}

    def test_unmapped_letters_are_listed_shown_and_exported(self):
        self.start([self.RAW, self.OTHER])
        self.publish("raw/1", b"\xff\x1b[2J", b"@at")
        self.publish("other", b"@other")
        letters = self.letters(3)
        self.assertEqual(set(letters[0]), {"id", "rule", "direction", "reason", "destination",
                                           "received", "attempts", "body_bytes"})
        self.assertEqual([(one["rule"], one["direction"], one["body_bytes"], one["attempts"])
                          for one in letters],
                         [("raw", "up", 5, 0), ("raw", "up", 3, 0), ("other", "up", 6, 0)])
        self.assertRegex(letters[0]["received"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertTrue(letters[0]["reason"].startswith("raw_not_utf8: "))
        self.assertEqual(len(self.letters(1, "other")), 1)

        shown = [self.json("dead-letters", "show", one["id"]) for one in letters]
        self.assertNotIn("body", shown[0])
        self.assertEqual(base64.b64decode(shown[0]["body_base64"]), b"\xff\x1b[2J")
        self.assertEqual((shown[1]["body"], shown[1]["body_base64"]), ("@at", "QGF0"))
        self.assertEqual(shown[1]["origin"]["topic"], "raw/1")
        exported = self.cmqgw("dead-letters", "export").splitlines()
        self.assertEqual([json.loads(line) for line in exported], shown)

        self.cmqgw("dead-letters", "list")
        lines = self.out.splitlines()
        self.assertEqual(len(lines), 4)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.cmqgw("dead-letters", "show", letters[0]["id"])
        self.assertIn("\\xff\\x1b[2J", self.out)
        self.assertNotRegex(self.out, "[\x00-\x09\x0b-\x1f]")

    def test_unmapped_letters_are_mapped_again_by_what_their_rule_says_now(self):
        self.start([self.RAW, self.OTHER])
        self.publish("raw/1", b"\xff1", b"\xff2")
        self.publish("other", b"@other")
        letters = self.letters(3)
        self.gateway.terminate()

        self.cmqgw("dead-letters", "replay", letters[0]["id"], expect=1)
        self.assertIn("stays: rule raw fails again: raw_not_utf8", self.err)
        self.gateway.sections["forward"] = [{**self.RAW, "body": "base64"}]
        self.gateway.write_config()
        told = self.json("dead-letters", "replay", expect=1)
        self.assertEqual(told["replayed"], 2)
        self.assertEqual([kept["id"] for kept in told["kept"]], [letters[2]["id"]])
        self.assertIn("no forward rule other", told["kept"][0]["reason"])
        self.assertEqual(self.json("spool", "stat")["deliveries"], 2)

        self.gateway.sections["forward"] = [{**self.OTHER, "from": "moved", "body": "base64"}]
        self.gateway.write_config()
        self.cmqgw("dead-letters", "replay", "--rule", "other", expect=1)
        self.assertIn("rule other does not take it any more", self.err)
        self.gateway.start()
        self.assertEqual(sorted(self.cmq.take("q", 2)), ["/zE=", "/zI="])

    def test_a_running_gateway_takes_a_replay_at_once(self):
        self.start([self.RAW, self.OTHER])
        self.cmq.faults({"action": "*", "mode": "code", "code": 4000, "count": 1})
        self.publish("other", b"refused once")
        self.publish("raw/1", b"\xff")
        letters = {one["rule"]: one for one in self.letters(2)}
        self.assertEqual(letters["other"]["destination"], "queue q")
        self.cmqgw("dead-letters", "replay", letters["other"]["id"])
        self.assertEqual(self.out, "replayed 1, 0 stay\n")
        self.assertEqual(self.cmq.take("q", 1), ["refused once"])

        self.gateway.sections["forward"] = [{**self.RAW, "body": "base64"}]
        self.gateway.write_config()
        self.cmqgw("dead-letters", "replay")
        self.assertEqual(self.cmq.take("q", 1), ["/w=="])
        self.letters(0)

    def test_a_gateway_that_does_not_answer_is_asked_only_once(self):
        self.start([self.RAW])
        self.publish("raw/1", b"@1", b"@2", b"@3")
        ids = [one["id"] for one in self.letters(3)]
        self.gateway.sections["forward"] = [{**self.RAW, "body": "base64"}]
        self.gateway.write_config()
        self.gateway.popen.send_signal(signal.SIGSTOP)
        try:
            told = self.json("dead-letters", "replay", expect=1)
        finally:
            self.gateway.popen.send_signal(signal.SIGCONT)
        self.assertEqual(told["replayed"], 0)
        self.assertEqual([kept["id"] for kept in told["kept"]], ids)
        for kept in told["kept"][1:]:
            self.assertIn("not tried", kept["reason"])
        self.assertIn("1 of 3: 0 replayed, 1 stay\n", self.err)
        self.assertEqual([one["id"] for one in self.letters(3)], ids)

    def test_letters_are_dropped_only_when_named(self):
        self.start([self.RAW, self.OTHER])
        self.publish("raw/1", b"@1", b"@2", b"@3")
        self.publish("other", b"@4")
        letters = self.letters(4)
        ids = [one["id"] for one in letters]
        self.cmqgw("dead-letters", "drop", expect=2)
        self.cmqgw("dead-letters", "drop", ids[0], ids[0], expect=1)
        self.assertEqual(self.out, "dropped 1, 1 stay\n")
        self.assertIn("there is no dead letter with this id", self.err)
        self.cmqgw("dead-letters", "drop", ids[3], "--rule", "raw", expect=1)
        self.assertIn("it is of rule other", self.err)
        self.assertEqual(self.json("dead-letters", "drop", "--rule", "raw"),
                         {"dropped": 2, "kept": []})
        self.assertEqual([one["id"] for one in self.letters(1)], [ids[3]])
        self.cmqgw("dead-letters", "drop", "--all")
        self.assertEqual(self.json("dead-letters", "list"), [])
        self.cmqgw("dead-letters", "list")
        self.assertEqual((self.out, self.err), ("", "no dead letters\n"))
        self.cmqgw("dead-letters", "show", ids[0], expect=1)
        self.assertIn("there is no dead letter", self.err)

    def test_the_spools_figures_are_told(self):
        self.start([self.RAW])
        self.local.kill()
        self.publish("raw/1", b"1", b"2", b"@")
        self.letters(1)
        stat = self.json("spool", "stat")
        self.assertEqual((stat["running"], stat["deliveries"], stat["dead_letters"]), (True, 2, 1))
        self.assertEqual(stat["max_bytes"], 1 << 30)
        self.assertGreater(stat["used_bytes"], 0)
        self.assertRegex(stat["oldest"], r"^\d{4}-.*Z$")
        self.assertIn("waiting          2 deliveries, the oldest ", self.cmqgw("spool", "stat"))
        self.gateway.kill()
        self.assertFalse(self.json("spool", "stat")["running"])
        self.assertEqual(self.json("spool", "verify"), {"faults": [], "ok": True})
        self.assertEqual(self.cmqgw("spool", "verify"), f"{self.gateway.state_dir}: ok\n")

    def test_damage_is_found(self):
        self.start([self.RAW])
        self.publish("raw/1", *[b"@" + b"x" * 1000] * 50)
        self.letters(50)
        self.gateway.terminate()
        for name in os.listdir(self.gateway.state_dir):
            path = os.path.join(self.gateway.state_dir, name)
            if os.path.getsize(path) > 16384:
                with open(path, "r+b") as file:
                    file.seek(8192)
                    file.write(b"\xa5" * (os.path.getsize(path) - 8192))
        self.cmqgw("spool", "verify", expect=1)
        self.assertTrue(self.out or self.err)
        told = self.json("spool", "verify", expect=1)
        self.assertFalse(told["ok"])

    def test_a_state_directory_that_is_not_there_is_one_clear_line(self):
        self.configure()
        state = os.path.join(self.folder, "state")
        for words in (["dead-letters", "list"], ["dead-letters", "show", "1"],
                      ["dead-letters", "replay"], ["dead-letters", "drop", "--all"],
                      ["dead-letters", "export"], ["spool", "stat"], ["spool", "verify"]):
            self.cmqgw(*words, expect=1)
            self.assertEqual(self.out, "")
            self.assertRegex(self.err, rf"\Acmqgw {words[0]} {words[1]}: [^\n]*{state}[^\n]*\n\Z")
        self.assertFalse(os.path.exists(state))

    def test_a_state_directory_of_somebody_else_is_one_clear_line(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to become somebody else")
        self.configure()
        os.chmod(self.folder, 0o755)
        state = os.path.join(self.folder, "state")
        os.mkdir(state, 0o700)
        self.cmqgw("spool", "stat", expect=1,
                   before=["setpriv", "--reuid", "65534", "--clear-groups"])
        self.assertRegex(self.err, rf"\Acmqgw spool stat: [^\n]*{state}[^\n]*\n\Z")


if __name__ == "__main__":
    unittest.main()
