"""No PUBACK or PUBREC leaves before the spool has its message: looked at from the broker's side."""

import os
import subprocess
import unittest

import fake_broker
import harness
import mqtt_wire as wire

RULES = [{"name": "all", "from": "in/#", "qos": 2, "to": {"queue": "store"}}]


class Ack(harness.FlowTest):
    def start_all(self, version="5", sync="power", rules=None):
        library = os.path.join(self.folder, "sick_disk.so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sick_disk.c")
        subprocess.run(["gcc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, source],
                       check=True)
        self.control = os.path.join(self.folder, "disk")
        self.broker = self.opened(fake_broker.FakeBroker())
        self.start_cmq(["store"])
        self.start_gateway(
            rules or RULES, subscribed=False, mqtt={"version": version},
            spool={"max_size": "64MiB", "sync": sync},
            env={"LD_PRELOAD": library, "SICK_DISK_CONTROL": self.control,
                 "SICK_DISK_DIR": os.path.join(self.folder, "state")})
        self.broker.wait_subscribed()
        # One message through, so that everything is up.
        self.broker.publish("in/x", b"first", 1, 60000)
        self.wait_acks(wire.PUBACK, 1)
        self.assertEqual(self.cmq.take("store", 1), ["first"])
        self.broker.packets.clear()

    def disk(self, state, on):
        path = f"{self.control}.{state}"
        if on:
            with open(path, "w", encoding="ascii"):
                pass
        elif os.path.exists(path):
            os.unlink(path)

    def wait_acks(self, kind, count, **where):
        return self.broker.wait(lambda b: (
            found if len(found := b.of(kind, **where)) >= count else None))

    def expect_no_ack(self):
        """A second is long beside the milliseconds that an acknowledgement takes otherwise."""
        with self.assertRaises(TimeoutError):
            self.broker.wait(lambda b: b.of(wire.PUBACK, wire.PUBREC), 1)

    def hang_and_look(self, qos, kind):
        payloads = [b"message %d" % n for n in range(50)]
        self.disk("hang", True)
        mids = self.broker.publish_many("in/x", payloads, qos)
        harness.wait_until("the disk hangs", lambda: os.path.exists(self.control + ".hanging"))
        self.expect_no_ack()
        self.assertEqual(self.cmq.counts("store"), 0, "sent before it was stored")
        self.disk("hang", False)
        acks = self.wait_acks(kind, 50)
        self.assertEqual([ack.mid for ack in acks], mids, "not in order of arrival")
        self.assertEqual([ack.reason for ack in acks], [0] * 50)
        self.assertEqual(sorted(self.cmq.take("store", 50)), sorted(p.decode() for p in payloads))
        return mids

    def test_no_puback_leaves_while_the_commit_hangs_and_then_they_leave_in_order(self):
        for sync in ("power", "crash"):
            with self.subTest(sync=sync):
                self.start_all(sync=sync)
                self.hang_and_look(1, wire.PUBACK)
                self.gateway.kill()
                self.local.kill()
                os.rename(os.path.join(self.folder, "state"),
                          os.path.join(self.folder, f"state-{sync}"))

    def test_no_pubrec_leaves_while_the_commit_hangs_under_mqtt_5(self):
        self.start_all()
        mids = self.hang_and_look(2, wire.PUBREC)
        for mid in mids:
            self.broker.acknowledge(wire.PUBREL, mid)
        self.assertEqual([ack.mid for ack in self.wait_acks(wire.PUBCOMP, 50)], mids)

    def test_no_puback_leaves_while_the_commit_hangs_under_mqtt_3_1_1(self):
        self.start_all(version="3.1.1")
        self.hang_and_look(1, wire.PUBACK)

    def test_acknowledgements_of_a_cut_connection_are_never_sent_on_the_next(self):
        self.start_all()
        payloads = [b"message %d" % n for n in range(10)]
        self.disk("hang", True)
        self.broker.publish_many("in/x", payloads, 1)
        harness.wait_until("the disk hangs", lambda: os.path.exists(self.control + ".hanging"))
        self.broker.drop()
        self.broker.wait(lambda b: b.connections == 2 and b.of(wire.CONNECT, connection=2))
        self.disk("hang", False)
        self.assertEqual(sorted(self.cmq.take("store", 10)), sorted(p.decode() for p in payloads))
        self.expect_no_ack()
        mids = self.broker.publish_many("in/x", payloads, 1, first_mid=500)
        self.assertEqual([ack.mid for ack in self.wait_acks(wire.PUBACK, 10)], mids)

    def fail_and_recover(self, state, says):
        self.start_all()
        payloads = [b"message %d" % n for n in range(50)]
        self.disk(state, True)
        self.broker.publish_many("in/x", payloads, 1)
        self.gateway.wait_log(says)
        self.broker.wait(lambda b: not b.stream)  # it has left
        self.assertEqual(self.broker.of(wire.PUBACK), [])
        self.disk(state, False)
        number = self.broker.wait(lambda b: b.stream and b.of(
            wire.CONNECT, connection=b.connections) and b.connections)
        mids = self.broker.publish_many("in/x", payloads, 1)  # as the broker does: it was not told
        acks = self.wait_acks(wire.PUBACK, 50, connection=number)
        self.assertEqual([ack.mid for ack in acks], mids)
        bodies = self.cmq.take("store", 50)
        while set(bodies) != {p.decode() for p in payloads}:
            bodies += self.cmq.take("store", 1)
        self.assertEqual(self.gateway.terminate(), 0)

    def test_a_failing_disk_gets_no_puback_is_named_in_the_log_and_is_tried_until_it_works(self):
        self.fail_and_recover("fail", r"spool\.failed")

    def test_a_full_disk_gets_no_puback_is_named_in_the_log_and_is_tried_until_it_works(self):
        self.fail_and_recover("full", r"spool\.failed.*(full|No space|space)")


if __name__ == "__main__":
    unittest.main()
