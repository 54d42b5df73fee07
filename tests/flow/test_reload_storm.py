"""Fifty reloads a second under 5,000 messages a second: each message is mapped by one rule set, once."""

import unittest

import harness
import storm


class ReloadStorm(storm.StormStage, harness.FlowTest):
    def test_nothing_is_lost_doubled_or_mixed_and_memory_stays_level(self):
        self.begin()
        seconds, messages = 6, 5000
        ran, memory = self.go(seconds, 50, messages)
        lost, doubled, mixed = storm.judge(storm.take_all(self.cmq), seconds * messages)
        done, failed = ran.outcomes()
        self.assertEqual((lost, mixed), ([], []))
        self.assertEqual(doubled, 0)
        self.assertGreater(min(done, failed), 20)  # a busy machine may join signals into one
        self.assertLess(max(memory) - memory[0], 8 << 20)


if __name__ == "__main__":
    unittest.main()
