"""rules - how long 10,000 rules take to check, and what a message costs among them

The rules are those of a large fleet: a hundred teams with a file each, for each product some rules
of telemetry, alarms and states, one in ten with two targets, and resources that all of them are
proved against. Every figure is the best of several runs: what disturbs only makes it slower.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "flow"))

from harness import BIN, config_text  # noqa: E402  pylint: disable=wrong-import-position

FILES, DEVICES, MESSAGES = 100, 50, 1000000
KINDS = (
    ("telemetry", "fleet/{p}/+device/telemetry/#metric",
     {"topic": "fleet", "route": "{p}.{{device}}.{{metric}}"}),
    ("alarm", "fleet/{p}/+device/alarm/+level",
     [{"topic": "alarms", "tags": ["alarm", "{{level|lower|slice:0:16}}"]}, {"queue": "alarm-log"}]),
    ("state", "fleet/{p}/+device/state", {"queue": "states-{{device|shard:8}}"}),
    *((f"raw-{n}", "raw/{p}/" + str(n) + "/+a/+b", {"queue": "raw"}) for n in range(7)),
)
RESOURCES = {
    "queues": [{"name": name} for name in
               ("alarm-log", "raw", "hot", "pager", "commands", *(f"states-{n}" for n in range(8)))],
    "topics": [
        {"name": "fleet", "filter": "route",
         "subscriptions": [{"name": "hot", "queue": "hot", "keys": ["#"]}]},
        {"name": "alarms", "filter": "tag",
         "subscriptions": [{"name": "all", "queue": "pager", "tags": ["alarm"]}]}]}


def fill(value, product):
    if isinstance(value, dict):
        return {key: fill(item, product) for key, item in value.items()}
    if isinstance(value, list):
        return [fill(item, product) for item in value]
    return value.format(p=product)


def write_rules(folder, count):
    """The main file, count rules in FILES files (or as many as there are rules), and topics."""
    rules = []
    for number in range(count):
        product = f"p{number // len(KINDS)}"
        kind, listen, to = KINDS[number % len(KINDS)]
        rules.append({"name": f"{product}-{kind}", "from": fill(listen, product),
                      "to": fill(to, product)})
    rules_dir = os.path.join(folder, "rules.d")
    os.mkdir(rules_dir)
    each = -(-count // min(FILES, count))
    for number, start in enumerate(range(0, count, each)):
        with open(os.path.join(rules_dir, f"{number:03}.cfg"), "w", encoding="utf-8") as file:
            file.write(config_text({"forward": rules[start:start + each]}))
    main = os.path.join(folder, "gateway.cfg")
    with open(main, "w", encoding="utf-8") as file:
        file.write(config_text({
            "gateway": {"id": "bench", "state_dir": "state", "rules_dir": "rules.d"},
            "mqtt": {"servers": ["tcp://127.0.0.1:1883"]},
            "cmq": {"endpoint": "http://127.0.0.1:8280", "secret_id": "@env:BENCH_ID",
                    "secret_key": "@env:BENCH_KEY"},
            "resources": RESOURCES,
            "reverse": [{"name": "commands", "from": {"queue": "commands"},
                         "to": "fleet/{json:/product}/{json:/device}/cmd"}]}))
    topics = os.path.join(folder, "topics")
    with open(topics, "w", encoding="utf-8") as file:
        for number in range(DEVICES * 100):
            product = f"p{number * 7 % max(1, count // len(KINDS))}"
            device = f"d{number % DEVICES}"
            file.write(f"fleet/{product}/{device}/telemetry/engine/temp\n"
                       f"fleet/{product}/{device}/state\nraw/{product}/3/a/{device}\n")
    return main, topics


def check_seconds(main):
    began = time.monotonic()
    subprocess.run([os.path.join(BIN, "cmqgw"), "check", "-c", main], check=True,
                   stdout=subprocess.DEVNULL,
                   env={**os.environ, "BENCH_ID": "AKIDbench", "BENCH_KEY": "k"})
    return time.monotonic() - began


def plan_costs(main, topics):
    done = subprocess.run([os.path.join(BIN, "bench_plan"), main, topics, str(MESSAGES)],
                          check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def measure(count, repeat):
    with tempfile.TemporaryDirectory(prefix="cmqgw-bench-") as folder:
        main, topics = write_rules(folder, count)
        checked = min(check_seconds(main) for _ in range(repeat))
        costs = [plan_costs(main, topics) for _ in range(repeat)]
        match, plan = (min(cost[name] for cost in costs) for name in ("match_ns", "plan_ns"))
        print(f"| {count:,} | {checked * 1000:.0f} ms | {match:.0f} ns | {plan:.0f} ns |",
              flush=True)


def main_():
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--repeat", type=int, default=3)
    repeat = options.parse_args().repeat
    print("| rules | cmqgw check | to match a message | to plan it |\n|---|---|---|---|")
    for count in (10, 1000, 10000):
        measure(count, repeat)


if __name__ == "__main__":
    main_()
