"""CMQ is away for long: the spool takes it, memory stays flat, everything arrives afterwards."""

import unittest

import harness

COUNT = 100000
MEMORY_LIMIT = 64 << 20
RULES = [{"name": "all", "from": "load/#", "to": {"queue": "store"}}]


class Outage(harness.FlowTest):
    def setUp(self):
        self.start_broker()
        self.start_cmq(["store"])

    def check_all_arrived(self):
        numbers = sorted(int(body[:10]) for body in self.cmq.drain("store"))
        self.assertEqual(sorted(set(numbers)), list(range(COUNT)))
        self.assertEqual(len(numbers), COUNT, "some came twice, though no answer was lost")

    def test_100000_messages_wait_on_disk_with_memory_flat_and_then_arrive(self):
        self.start_gateway(RULES)
        self.local.kill()
        self.publish_load(COUNT, "load/x")
        harness.wait_until(
            lambda: f"all wait in the spool: {self.gateway.spool_stat()}",
            lambda: self.gateway.spool_stat()["deliveries"] == COUNT, 120, pause=0.2)
        self.assertLess(self.gateway.memory_bytes("VmHWM"), MEMORY_LIMIT)
        self.local.start()
        self.cmq.close()
        self.wait_count("store", COUNT, 120)
        self.assertLess(self.gateway.memory_bytes("VmHWM"), MEMORY_LIMIT)
        self.check_all_arrived()
        self.assertEqual(self.gateway.dead_letters(), [])
        self.assertEqual(self.gateway.terminate(), 0)

    def test_a_restart_in_the_outage_keeps_what_waits(self):
        self.start_gateway(RULES)
        self.local.kill()
        self.publish_load(COUNT, "load/x")
        harness.wait_until("all wait in the spool",
                           lambda: self.gateway.spool_stat()["deliveries"] == COUNT, 120, pause=0.2)
        self.assertEqual(self.gateway.terminate(), 0)
        self.assertEqual(self.gateway.spool_stat()["deliveries"], COUNT)
        self.local.start()
        self.cmq.close()
        self.gateway.start()
        self.wait_count("store", COUNT, 120)
        self.assertLess(self.gateway.memory_bytes("VmHWM"), MEMORY_LIMIT)
        self.check_all_arrived()

    def test_a_full_spool_makes_the_gateway_leave_the_broker_and_come_back_when_it_drains(self):
        self.start_gateway(RULES, spool={"max_size": "16MiB", "sync": "crash"})
        self.local.kill()
        self.publish_load(COUNT, "load/x")
        self.gateway.wait_log(r"spool\.full")
        self.gateway.wait_log(r"mqtt\.away")
        held = self.gateway.spool_stat()
        self.assertLess(held["deliveries"], COUNT)
        self.assertLess(held["used_bytes"], 16 << 20)
        self.assertLess(self.gateway.memory_bytes("VmHWM"), MEMORY_LIMIT)
        self.local.start()
        self.cmq.close()
        self.wait_count("store", COUNT, 120)
        numbers = {int(body[:10]) for body in self.cmq.drain("store")}
        self.assertEqual(sorted(numbers), list(range(COUNT)))
        self.assertEqual(self.gateway.log_lines(r"spool\.failed"), [], "the disk is fine")
        self.assertEqual(self.gateway.terminate(), 0)


if __name__ == "__main__":
    unittest.main()
