"""Reload: new rules take over without a message lost, bad ones change nothing, and only what changed is touched."""

import json
import os
import re
import signal
import unittest

import harness


class Reload(harness.FlowTest):
    def setUp(self):
        self.start_broker()
        self.reloads = 0

    def reload(self, event="reload.done", **sections):
        """Rewrites the configuration, sends SIGHUP, waits for the outcome and returns its line."""
        self.gateway.sections.update(sections)
        self.gateway.write_config()
        self.reloads += 1
        self.gateway.signal(signal.SIGHUP)
        harness.wait_until(
            f"reload {self.reloads} is over",
            lambda: len(self.gateway.log_lines(r"reload\.(done|failed):")) == self.reloads)
        line = self.gateway.log_lines(r"reload\.(done|failed):")[-1]
        self.assertIn(event, line)
        return line

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
            out.write(text)
        return path

    def next_topic(self, device):
        self.seen = getattr(self, "seen", 0) + 1
        return device.wait_messages(self.seen)[self.seen - 1].topic

    def publish(self, *messages):
        with self.broker.client() as device:
            for topic, payload in messages:
                device.publish(topic, payload)

    def test_rules_come_change_and_go(self):
        self.start_cmq(["a", "b", "c"])
        self.start_gateway([{"name": "one", "from": "one/#", "to": {"queue": "a"}},
                            {"name": "two", "from": "two/#", "to": {"queue": "b"}}])
        self.publish(("one/x", "1"), ("two/x", "2"))
        self.assertEqual((self.cmq.take("a", 1), self.cmq.take("b", 1)), (["1"], ["2"]))
        line = self.reload(forward=[{"name": "two", "from": "two/#", "to": {"queue": "c"}},
                                    {"name": "three", "from": "three/+what", "to": {"queue": "a"}}])
        for part in ("- forward rule one", "~ forward rule two", "+ forward rule three"):
            self.assertIn(part, line)
        self.broker.wait_subscribed("three/+")
        self.publish(("one/x", "gone"), ("two/x", "3"), ("three/x", "4"))
        self.assertEqual((self.cmq.take("c", 1), self.cmq.take("a", 1)), (["3"], ["4"]))
        self.broker.wait_unsubscribed("one/#")
        self.assertEqual([self.cmq.counts(q) for q in "abc"], [0, 0, 0])
        self.assertIn("nothing is different", self.reload())

    def test_a_bad_file_changes_nothing_and_every_fault_is_logged(self):
        self.start_cmq(["a"])
        rule = {"name": "one", "from": "one/#", "to": {"queue": "a"}}
        self.start_gateway([rule])
        line = self.reload("reload.failed", forward=[
            {"name": "one", "from": "one/#/x", "to": {"queue": "a"}, "qos": 7},
            {"name": "two", "from": "two", "to": {"queue": "no good"}}])
        self.assertIn("3 errors; everything stays as it was", line)
        self.assertEqual(len(self.gateway.log_lines(r"reload\.fault: .*file=.* line=\d+")), 3)
        self.publish(("one/x", "1"))
        self.assertEqual(self.cmq.take("a", 1), ["1"])
        self.reload(forward=[rule])

    def test_the_command_prints_what_changed_or_what_is_wrong(self):
        self.start_cmq(["a"])
        rule = {"name": "one", "from": "one/#", "to": {"queue": "a"}}
        self.start_gateway([rule], admin={"listen": f"127.0.0.1:{harness.free_port()}"})
        self.gateway.sections["forward"] = [rule, {**rule, "name": "two", "from": "two"}]
        self.gateway.write_config()
        self.assertEqual(self.gateway.command("reload"), "+ forward rule two\n")
        self.assertEqual(json.loads(self.gateway.command("reload", "--json")),
                         {"ok": True, "summary": "nothing is different", "faults": []})
        # A rule that is wrong, and a file that cannot even be parsed: the gateway knows where it listens.
        self.gateway.sections["forward"] = [{**rule, "qos": 3}]
        self.gateway.write_config()
        done = self.gateway.run("reload")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout, "the configuration has 1 error; everything stays as it was\n")
        self.assertRegex(done.stderr, r"gateway\.cfg:\d+: error: forward\.qos must be")
        status = json.loads(self.gateway.run("status", "--json").stdout)["status"]["reload"]
        self.assertEqual((status["count"], status["failed"], status["last"]["ok"]), (3, 1, False))
        self.assertEqual(len(status["last"]["faults"]), 1)
        self.gateway.terminate()
        done = self.gateway.run("reload")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nobody listens on", done.stderr)

    def test_what_cannot_change_is_refused_by_name(self):
        self.start_cmq(["a"])
        self.start_gateway([{"name": "one", "from": "one/#", "to": {"queue": "a"}}])
        changed = {"gateway": {"id": "edge-2", "state_dir": self.folder + "/other"},
                   "spool": {"max_size": "2GiB", "sync": "power"}}
        before = {name: dict(self.gateway.sections[name]) for name in changed}
        self.reload("reload.failed", **changed)
        for name in ("gateway.id", "gateway.state_dir", "spool.max_size", "spool.sync"):
            self.gateway.wait_log(f"reload.fault: {re.escape(name)} cannot change while the gateway runs")
        self.reload(**before)

    def test_only_a_changed_broker_setting_reconnects_and_nothing_is_lost(self):
        self.start_cmq(["a"])
        rule = {"name": "one", "from": "one/#", "to": {"queue": "a"}}
        self.start_gateway([rule])
        mqtt = dict(self.gateway.sections["mqtt"])
        self.reload(cmq={**self.gateway.sections["cmq"], "rate": 4000})
        load = self.publish_load(4000, "one/x", wait=False, rate=2000)
        self.assertEqual(len(self.gateway.log_lines(r"mqtt\.connected:")), 1)
        for keep_alive in ("20s", "25s", "21s"):
            self.reload(mqtt={**mqtt, "keep_alive": keep_alive})
            harness.wait_until("the broker is back", lambda: len(
                self.gateway.log_lines(r"mqtt\.connected:")) == self.reloads)
        self.finish_load(load)
        bodies = self.cmq.take("a", 4000)
        numbers = [int(body.split()[0]) for body in bodies]
        self.assertEqual(sorted(numbers), list(range(4000)))
        self.assertEqual(self.cmq.counts("a"), 0)

    def test_a_changed_secret_is_used_at_once(self):
        self.start_cmq(["a"])
        key = self.write("key", "wrong")
        rule = {"name": "one", "from": "one/#", "to": {"queue": "a"}}
        self.start_gateway([rule], cmq={"secret_key": "@file:" + key})
        self.publish(*[("one/x", str(n)) for n in range(3)])
        self.gateway.wait_log(r"cmq\.hold:")
        self.write("key", harness.SECRET_KEY + "\n")
        self.reload()
        self.assertEqual(sorted(self.cmq.take("a", 3)), ["0", "1", "2"])

    def test_reverse_rules_come_change_and_go(self):
        self.start_cmq(["down", "other"])
        rule = {"name": "commands", "from": {"queue": "down", "wait": "1s"}, "to": "old/{json:/d}"}
        self.start_gateway([], reverse=[rule])
        with self.broker.client("device") as device:
            device.subscribe("#")
            self.cmq.send("down", '{"d": "1"}')
            self.assertEqual(self.next_topic(device), "old/1")
            self.reload(reverse=[
                {"name": "commands", "from": {"queue": "down", "wait": "1s", "pollers": 5},
                 "to": "new/{json:/d}"},
                {"name": "more", "from": {"queue": "other"}, "to": "more"}])
            self.cmq.send("down", '{"d": "2"}')
            self.assertEqual(self.next_topic(device), "new/2")
            self.cmq.send("other", "x")
            self.assertEqual(self.next_topic(device), "more")
            self.reload(reverse=[])
            self.cmq.send("down", '{"d": "3"}')
            self.reload(reverse=[rule])
            self.assertEqual(self.next_topic(device), "old/3")
        harness.wait_until("all are deleted", lambda: self.cmq.counts("down") == 0)

    def test_a_program_may_come_by_a_reload(self):
        self.start_cmq(["a"])
        rule = {"name": "one", "from": "one/#", "to": {"queue": "a"}}
        self.start_gateway([rule])
        self.reload(forward=[{**rule, "when": ".t > 80", "body": "jq:{hot: .t}"}])
        self.publish(("one/x", '{"t": 70}'), ("one/x", '{"t": 90}'))
        self.assertEqual(self.cmq.take("a", 1), ['{"hot":90}'])
        self.assertEqual(self.cmq.counts("a"), 0)

    def test_what_an_earlier_run_subscribed_to_goes_and_is_forgotten(self):
        self.start_cmq(["a"])
        old = {"name": "old", "from": "old/#", "to": {"queue": "a"}}
        self.start_gateway([old])
        self.gateway.terminate()
        with self.broker.client() as device: # the broker keeps it for the old filter
            device.publish("old/new/x", "kept")
        self.gateway.sections["forward"] = [{"name": "new", "from": "old/new/#", "to": {"queue": "a"}}]
        self.gateway.start()
        self.broker.wait_subscribed("old/new/#")
        self.assertEqual(self.cmq.take("a", 1), ["kept"])
        self.broker.wait_unsubscribed("old/#")
        self.publish(("old/else", "no"), ("old/new/y", "yes"))
        self.assertEqual(self.cmq.take("a", 1), ["yes"])
        self.assertEqual(self.cmq.counts("a"), 0)


if __name__ == "__main__":
    unittest.main()
