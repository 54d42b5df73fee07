"""Commands from CMQ to devices: exact, each once, through every kind of trouble."""

import json
import unittest

import harness
from downlink import PLAIN, DownlinkTest, command, queue

COUNT = 20000
LOST_ANSWERS = [{"action": action, "mode": "late_drop", "rate": 0.1}
                for action in ("BatchReceiveMessage", "DeleteMessage", "BatchDeleteMessage")]
# What may be published again after one kill: what the broker had acknowledged and the disk had not
# noted, which is at most what was published and not noted.
WINDOW = 1024


class Commands(DownlinkTest):
    def expect_all(self, bodies):
        """Every command at its device, byte for byte."""
        topics = self.wait_got(len(bodies), 120)
        self.assertEqual(topics, {body.encode(): f"fleet/p1/{json.loads(body)['device']}/cmd"
                                  for body in bodies})

    def test_each_of_20000_commands_reaches_its_device_once(self):
        self.start_all([PLAIN], queues=[queue("downlink", "30s")])
        bodies = [command(n) for n in range(COUNT)]
        self.send(bodies)
        self.expect_all(bodies)
        self.wait_empty()
        self.assertEqual(self.tap.published, {body.encode(): 1 for body in bodies})
        self.assertEqual((self.tap.repeated, self.tap.refused), ([], []))
        self.assertEqual(len(self.devices.messages), COUNT)
        figures = self.stop_gateway()
        self.assertEqual((figures["taken"], figures["published"], figures["deleted"]),
                         (COUNT, COUNT, COUNT))
        self.assertEqual(self.notes(), set())
        self.assertEqual(self.gateway.dead_letters(), [])

    def test_a_program_makes_the_payload_of_each_command(self):
        self.start_all([{**PLAIN, "payload": "jq:.payload", "qos": 2, "expiry": "5m"}])
        count = 500
        self.send([command(n) for n in range(count)])
        topics = self.wait_got(count)
        self.assertEqual(topics, {b'{"n":%d}' % n: f"fleet/p1/d{n}/cmd" for n in range(count)})
        self.wait_empty()
        message = self.devices.messages[0]
        self.assertLessEqual(message.properties["expiry"], 300)
        self.assertEqual(message.properties["user"], [("cmqgwvia", "edge-1")])

    def test_a_visibility_of_one_second_is_enough(self):
        self.start_all([PLAIN], queues=[queue("downlink", "1s")])
        bodies = [command(n) for n in range(200)]
        for body in bodies:  # one by one: at any part of a second
            self.cmq.send("downlink", body)
        self.expect_all(bodies)
        self.wait_empty()
        self.assertEqual(self.tap.repeated, [])

    def kill_and_look(self, ids, window):
        """kill -9. What the broker had acknowledged by then and the disk had not noted may come
        again; what had been noted may not."""
        self.gateway.kill()
        acked = self.tap.acked_now()
        noted = {ids[msg_id].encode() for source, msg_id in self.notes() if source == "downlink"}
        self.assertLessEqual(noted, acked, "noted, and the broker had not acknowledged it")
        window.append((acked, noted))
        self.gateway.start()

    def restart_broker(self, *_):
        self.broker.terminate()
        self.broker.start()

    def test_through_kills_broker_restarts_and_lost_answers_no_command_is_lost(self):
        self.start_broker(persistence=True)
        self.start_all([PLAIN])
        bodies = [command(n) for n in range(COUNT)]
        self.cmq.faults(*LOST_ANSWERS)
        ids = self.send(bodies)
        window = []
        kill = self.kill_and_look
        for step, happens in enumerate((kill, self.restart_broker, kill, kill, self.restart_broker,
                                        kill, kill), 1):
            goal = COUNT * step // 9
            harness.wait_until(lambda g=goal: f"{g} are acknowledged ({self.tap.counts()})",
                               lambda g=goal: self.tap.counts() >= g, 60, pause=0.002)
            happens(ids, window)
        self.expect_all(bodies)
        self.cmq.faults()
        self.wait_empty()

        # What was published again although the broker had acknowledged it: only what was acknowledged
        # when a kill came, and not noted by then.
        repeated = set(self.tap.repeated)
        allowed = set().union(*(acked - noted for acked, noted in window))
        noted = set().union(*(noted for _, noted in window))
        print(f"{len(window)} kills, {len(self.tap.repeated)} published again after the broker's "
              f"acknowledgement; {sum(self.tap.published.values()) - COUNT} in all", flush=True)
        self.assertLessEqual(repeated, allowed)
        self.assertEqual(repeated & noted, set(), "noted on disk, and published again")
        self.assertLessEqual(len(self.tap.repeated), len(window) * WINDOW)
        self.assertEqual(self.gateway.dead_letters(), [])
        self.stop_gateway()
        self.gateway.command("spool", "verify")

    def test_what_the_broker_acknowledged_to_nobody_is_published_again_after_a_kill(self):
        """The window that must remain, made as wide as a door."""
        self.start_all([PLAIN])
        self.tap.hold_acks = True
        bodies = [command(n) for n in range(10)]
        self.send(bodies)
        harness.wait_until("the broker has all", lambda: self.tap.counts() == len(bodies))
        self.gateway.kill()
        self.assertEqual(self.notes(), set())
        self.tap.hold_acks = False
        self.gateway.start()
        self.wait_empty()
        self.assertEqual(self.tap.published, {body.encode(): 2 for body in bodies})
        figures = self.stop_gateway()
        self.assertEqual((figures["published"], figures.get("recognised", 0)), (10, 0))

    def test_deletes_that_were_lost_are_recognised_by_the_next_run(self):
        self.start_all([PLAIN])
        self.cmq.faults(*({"action": action, "mode": "drop"}
                          for action in ("DeleteMessage", "BatchDeleteMessage")))
        bodies = [command(n) for n in range(100)]
        ids = self.send(bodies)
        self.wait_got(len(bodies))
        harness.wait_until("a delete was lost", lambda: sum(self.cmq.fault_hits()) > 0)
        self.gateway.kill()
        self.assertEqual({msg_id for _, msg_id in self.notes()}, set(ids))
        self.cmq.faults()
        self.gateway.start()
        self.wait_empty()
        figures = self.stop_gateway()
        self.assertEqual(figures.get("published", 0), 0)
        self.assertEqual((figures["recognised"], figures["deleted"]), (100, 100))
        self.assertEqual(self.tap.published, {body.encode(): 1 for body in bodies})
        self.assertEqual(self.notes(), set())

    def test_an_answer_to_a_delete_that_was_lost_is_no_second_command(self):
        self.start_all([PLAIN])
        self.cmq.faults(*({"action": action, "mode": "late_drop", "count": 4}
                          for action in ("DeleteMessage", "BatchDeleteMessage")))
        bodies = [command(n) for n in range(100)]
        self.send(bodies)
        self.wait_got(len(bodies))
        self.wait_empty()
        self.assertEqual(self.tap.published, {body.encode(): 1 for body in bodies})
        self.assertEqual(self.gateway.dead_letters(), [])

    def test_sigterm_in_the_middle_loses_and_repeats_nothing(self):
        self.start_all([PLAIN])
        bodies = [command(n) for n in range(COUNT)]
        self.send(bodies)
        for _ in range(3):
            goal = min(self.tap.counts() + 500, COUNT)
            harness.wait_until(f"{goal} are acknowledged", lambda g=goal: self.tap.counts() >= g,
                               pause=0.002)
            figures = self.stop_gateway()
            self.assertEqual(figures.get("published"), figures.get("deleted"))
            self.gateway.start()
            self.gateway.wait_log("mqtt.connected")
        self.expect_all(bodies)
        self.wait_empty()
        self.assertEqual(self.tap.published, {body.encode(): 1 for body in bodies})
        self.stop_gateway()
        self.assertEqual(self.notes(), set())

    def test_while_the_broker_is_away_nothing_is_polled(self):
        self.start_all([PLAIN])
        harness.wait_until("it polls", lambda: self.polls_waiting() > 0)
        self.broker.terminate()
        self.gateway.wait_log("mqtt.connecting")
        harness.wait_until("polls are given up", lambda: self.polls_waiting() == 0)
        before = self.cmq.log()["last"]
        bodies = [command(n) for n in range(50)]
        self.send(bodies)
        self.never("a poll without a broker", lambda: [
            one for one in self.cmq.log(before)["requests"]
            if "Receive" in one["action"]])
        self.assertEqual(self.cmq.state()["queues"]["downlink"]["active"], 50)
        self.broker.start()
        self.expect_all(bodies)
        self.wait_empty()

    def test_a_broker_that_comes_and_goes_costs_no_command(self):
        self.start_broker(persistence=True)
        self.start_all([PLAIN])
        bodies = [command(n) for n in range(3000)]
        self.send(bodies)
        for goal in (300, 1000, 2000):
            harness.wait_until(f"{goal} are acknowledged", lambda g=goal: self.tap.counts() >= g,
                               pause=0.002)
            self.restart_broker()
        self.expect_all(bodies)
        self.wait_empty()
        self.assertEqual(self.tap.repeated, [])

    def test_a_broker_that_refuses_by_its_access_list_has_the_command_parked(self):
        path = self.folder + "/acl"
        with open(path, "w", encoding="ascii") as acl:
            acl.write("topic read #\ntopic readwrite fleet/p1/d1/#\n")
        self.start_broker(acl_file=path)
        self.start_all([{**PLAIN, "attempts": 2}])
        self.send([command(n, 2) for n in range(4)])
        self.wait_got(2)
        self.wait_empty()
        letters = self.gateway.dead_letters()
        self.assertEqual(sorted(letter["body"] for letter in letters),
                         [command(0, 2), command(2, 2)])
        for letter in letters:
            self.assertEqual((letter["rule"], letter["direction"], letter["attempts"]),
                             ("commands", "down", 2))
            self.assertRegex(letter["reason"], "^publish_refused: .*0x87")
        # Debian's mosquitto 2.0.11 closes the connection after such an answer, which may be lost.
        self.assertGreaterEqual(len(self.tap.refused), 4)
        self.assertEqual(self.tap.malformed, [])
        self.assertIn("mqtt.publish_refused", self.gateway.log())


class Polls(DownlinkTest):
    def test_a_thousand_idle_polls_cost_little(self):
        rules = [{**PLAIN, "name": f"r{n}",
                  "from": {"queue": f"q{n}", "pollers": 64, "wait": "30s"}} for n in range(16)]
        self.start_all(rules, queues=[f"q{n}" for n in range(16)], tapped=False)
        harness.wait_until(lambda: f"a thousand polls wait ({self.polls_waiting()})",
                           lambda: self.polls_waiting() >= 1000)
        before = self.gateway.cpu_seconds()
        self.never("polls end", lambda: self.polls_waiting() < 900, 4)
        used = (self.gateway.cpu_seconds() - before) / 4
        memory = self.gateway.memory_bytes()
        print(f"1024 idle polls: {used * 100:.1f} % of a core, {memory / 1e6:.0f} MB", flush=True)
        self.assertLess(used, 0.5)
        self.assertLess(memory, 256e6)
        self.send([command(7)], "q9")
        self.wait_got(1)


if __name__ == "__main__":
    unittest.main()
