"""kill -9 at random moments under load: nothing that was acknowledged is missing afterwards."""

import os
import random
import unittest

import harness

KILLS = 20
ROUND = 1500  # messages of each QoS, a kill
# What may be repeated after one kill: requests in flight, what the broker was not told of, and
# deliveries that CMQ has but whose settlement was waiting for its group.
REPEATED_A_KILL = 64 * 16 + 1024 + 2048

RULES = [{"name": "once", "from": "load/1", "qos": 1, "to": {"queue": "qos1"}},
         {"name": "twice", "from": "load/2", "qos": 2, "to": {"queue": "qos2"}}]


class Crash(harness.FlowTest):
    def kill_again_and_again(self, sync):
        seed = os.environ.get("CMQGW_SEED") or random.randrange(1 << 32)
        chance = random.Random(int(seed))
        print(f"sync {sync}: to repeat this, set CMQGW_SEED={seed}", flush=True)
        self.start_broker()
        self.start_cmq(["qos1", "qos2"])
        self.start_gateway(RULES, spool={"max_size": "1GiB", "sync": sync})
        for kill in range(KILLS):
            loads = [self.publish_load(ROUND, f"load/{qos}", qos=qos, first=kill * ROUND, window=200,
                                       client_id=f"load-{qos}", wait=False) for qos in (1, 2)]
            # A random moment: when so many messages more have come through, somewhere between
            # none (the restart itself) and nearly all.
            queue = chance.choice(["qos1", "qos2"])
            goal = self.cmq.counts(queue) + chance.randrange(ROUND)
            harness.wait_until("messages come through", lambda: self.cmq.counts(queue) >= goal,
                               pause=0.001)
            self.gateway.kill()
            self.gateway.start()
            for load in loads:
                self.finish_load(load)
        wanted = list(range(KILLS * ROUND))
        for queue in ("qos1", "qos2"):
            self.wait_numbers(queue, wanted)
        self.assertEqual(self.gateway.dead_letters(), [])
        self.assertEqual(self.gateway.terminate(), 0)
        self.gateway.command("spool", "verify")

    def wait_numbers(self, queue, wanted):
        seen = []

        def all_there():
            seen.extend(int(body[:10]) for body in self.cmq.drain(queue))
            return len(set(seen)) >= len(wanted)
        harness.wait_until(lambda: f"{queue}: these came: {len(set(seen))} of {len(wanted)}, "
                                   f"missing {sorted(set(wanted) - set(seen))[:20]}",
                           all_there, 60, pause=0.1)
        self.assertEqual(sorted(set(seen)), wanted)
        repeated = len(seen) - len(wanted)
        print(f"{queue}: {len(wanted)} messages, {KILLS} kills, {repeated} repeated", flush=True)
        self.assertLessEqual(repeated, KILLS * REPEATED_A_KILL)

    def test_nothing_is_lost_with_sync_crash(self):
        self.kill_again_and_again("crash")

    def test_nothing_is_lost_with_sync_power(self):
        self.kill_again_and_again("power")

    def test_a_broker_that_is_killed_too_gets_back_what_it_had_not_been_told_of(self):
        self.start_broker(persistence=True, autosave_interval=1, autosave_on_changes="true")
        self.start_cmq(["qos1", "qos2"])
        self.start_gateway(RULES)
        count = 200
        for turn in range(5):
            with self.broker.client("device") as device:
                device.publish_many([("load/1", f"{turn * count + n:010}") for n in range(count)])
            self.broker.terminate()
            self.gateway.kill()
            self.gateway.start()
            self.broker.start()
        self.wait_numbers("qos1", list(range(5 * count)))


if __name__ == "__main__":
    unittest.main()
