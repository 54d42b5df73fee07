"""Reloads while messages go on: two rule sets that overlap in every way, and broken files between them.

As a program it does so for as long as it is told, and prints what it saw:

    CMQGW_BIN=build/release/bin python3 -B tests/flow/storm.py [SECONDS] [RELOADS A SECOND] [MESSAGES A SECOND]
"""

import collections
import os
import signal
import sys
import time

import harness

# Both sets have filters that the other one lacks, filters that overlap, and one filter that is the
# same; every message matches all rules of either. Each rule has a queue of its own.
SETS = [
    [{"name": "a1", "from": "load/#", "to": {"queue": "a1"}},
     {"name": "a2", "from": "load/+x/v", "to": {"queue": "a2"}},
     {"name": "a3", "from": "load/k/+y", "to": {"queue": "a3"}}],
    [{"name": "b1", "from": "load/k/#", "to": {"queue": "b1"}},
     {"name": "b2", "from": "load/#", "to": {"queue": "b2"}}],
]
QUEUES = [[rule["to"]["queue"] for rule in rules] for rules in SETS]
TOPIC = "load/k/v"


class Storm:
    """Rewrites a gateway's configuration and reloads it, again and again."""

    def __init__(self, gateway, rate):
        self.gateway, self.pause = gateway, 1 / rate
        self.files = [harness.config_text({**gateway.sections, "forward": rules}) for rules in SETS]
        self.files.insert(1, self.files[1].replace('"load/', '"load/#/'))
        self.count = 0
        self.next_at = time.monotonic()

    def step(self):
        """The next file: a set, a broken one, the other set, a broken one."""
        text = self.files[[0, 1, 2, 1][self.count % 4]]
        with open(self.gateway.path + ".new", "w", encoding="utf-8") as config:
            config.write(text)
        os.rename(self.gateway.path + ".new", self.gateway.path)
        self.gateway.signal(signal.SIGHUP)
        self.count += 1
        self.next_at += self.pause
        time.sleep(max(0, self.next_at - time.monotonic()))

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.step()

    def end(self):
        """The last one is good."""
        while self.count % 4 != 1:
            self.step()

    def outcomes(self):
        done = len(self.gateway.log_lines(r" reload\.done:"))
        return done, len(self.gateway.log_lines(r" reload\.failed:"))


def judge(taken, count):
    """What is wrong with what came, by queue: message numbers that are lost, doubled or mixed."""
    lost, doubled, mixed = [], 0, []
    seen = [collections.Counter(taken[queue]) for queue in sum(QUEUES, [])]
    places = {queue: place for place, queue in enumerate(sum(QUEUES, []))}
    for number in range(count):
        had = [{queue for queue in queues if seen[places[queue]][number]} for queues in QUEUES]
        full = [had[n] == set(QUEUES[n]) for n in range(2)]
        if not any(full):
            (mixed if had[0] or had[1] else lost).append(number)
        elif all(had):
            mixed.append(number)
        doubled += sum(max(0, counter[number] - 1) for counter in seen)
    return lost, doubled, mixed


def take_all(cmq):
    taken = {queue: [int(body.split()[0]) for body in cmq.drain(queue)] for queue in sum(QUEUES, [])}
    return taken


class StormStage(harness.Stage):
    def begin(self):
        self.start_broker()
        self.start_cmq(sum(QUEUES, []))
        self.start_gateway(SETS[0], log={"level": "info"})

    def wait_all_delivered(self, count):
        """Every message came, and nothing is on its way any more."""
        def still():
            stat = self.gateway.spool_stat()
            return stat["deliveries"] == 0
        harness.wait_until("the spool is empty", still, patience=120, pause=0.2)

    def go(self, seconds, reloads, messages):
        storm = Storm(self.gateway, reloads)
        load = self.publish_load(int(seconds * messages), TOPIC, wait=False, rate=messages)
        storm.run(2)
        memory = [self.gateway.memory_bytes()]
        step = max(1.0, (seconds - 2) / 6)
        while load.poll() is None:
            storm.run(step)
            memory.append(self.gateway.memory_bytes())
        self.finish_load(load)
        storm.end()
        self.wait_all_delivered(int(seconds * messages))
        harness.wait_until("the last reload is over", lambda: sum(storm.outcomes()) > 0)
        return storm, memory


def main():
    words = sys.argv[1:] + ["60", "50", "5000"][len(sys.argv) - 1:]
    seconds, reloads, messages = (float(word) for word in words)
    with StormStage() as stage:
        stage.begin()
        storm, memory = stage.go(seconds, reloads, int(messages))
        count = int(seconds * messages)
        lost, doubled, mixed = judge(take_all(stage.cmq), count)
        done, failed = storm.outcomes()
    print(f"{count} messages in {seconds:.0f} s; {storm.count} signals; {done} reloads, {failed} refused files")
    print(f"lost {len(lost)}, mapped by a mixture {len(mixed)}, doubled {doubled}")
    print("memory MiB: " + " ".join(f"{value / 2**20:.1f}" for value in memory))
    if lost or mixed:
        print("for instance", lost[:10], mixed[:10])
    return 1 if lost or mixed else 0


if __name__ == "__main__":
    sys.exit(main())
