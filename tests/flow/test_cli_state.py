"""cmqgw dead-letters and spool: without a gateway, beside one, and on what is damaged."""

import base64
import json
import os
import shutil
import signal
import unittest

from cli import CliTest
from harness import wait_until


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
