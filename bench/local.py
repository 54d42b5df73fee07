"""local - what cmqlocal carries on one core while many long polls wait

The server has the first core to itself as far as we are concerned, the load the second. Messages are
taken out again sixteen at a time, so that memory shows whether it grows. Each row is the median of
several runs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "flow"))

import harness  # noqa: E402  pylint: disable=wrong-import-position

QUEUES = ["work"] + [f"idle-{n}" for n in range(10)]
SERVER_CORE, LOAD_CORE = 0, 1


class Run(harness.Stage):
    """A server for one row, and the load on it."""

    def __init__(self, options):
        self.options = options

    def pin(self, pid, core):
        if os.cpu_count() > 1:
            os.sched_setaffinity(pid, {core})
        if self.options.realtime:
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))

    def start_server(self, with_data):
        resources = {"queues": [{"name": name} for name in QUEUES]}
        server = harness.CmqLocal(self, resources)
        more = ["--data", os.path.join(self.folder, "data")] if with_data else []
        server.argv = [os.path.join(harness.BIN, "cmqlocal"), "-c", server.path,
                       "--listen", "127.0.0.1:0", *more]
        server.launch()
        server.port = int(server.wait_log(r"listening on http://127\.0\.0\.1:(\d+)")[1])
        self.pin(server.pid, SERVER_CORE)
        return server

    def measure(self, with_data, rate):
        server = self.start_server(with_data)
        load = subprocess.Popen(
            [os.path.join(harness.BIN, "bench_requests"), "--port", str(server.port),
             "--id", harness.SECRET_ID, "--key", harness.SECRET_KEY, "--rate", str(rate),
             "--pollers", str(self.options.polls), "--seconds", str(self.options.seconds)],
            stdout=subprocess.PIPE, text=True)
        self.pin(load.pid, LOAD_CORE)
        lines, cpu, memory = [], [], []
        for line in load.stdout: # one a second, and at last the result
            lines.append(json.loads(line))
            cpu.append(server.cpu_seconds())
            memory.append(server.memory_bytes())
        load.stdout.close()
        if load.wait() or "seconds" not in lines[-1]:
            raise AssertionError("bench_requests failed")
        seconds = len(lines) - 2 # between the first line and the last of a second
        return {**lines[-1], "core": (cpu[-2] - cpu[0]) / seconds,
                "memory_begin": memory[1], "memory_end": memory[-2]}


def median_of(options, with_data, rate):
    runs = []
    for _ in range(options.repeat):
        with Run(options) as run:
            runs.append(run.measure(with_data, rate))
    if any(run["refused"] for run in runs):
        raise AssertionError(f"requests were refused: {runs}")
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=int, default=20000)
    parser.add_argument("--polls", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--realtime", action="store_true",
                        help="before all else that runs on this machine (wants root)")
    options = parser.parse_args()
    print("| state | offered | sends a second | p50 | p99 | of a core | memory after 2 s | at the end |")
    print("|---|---|---|---|---|---|---|---|")
    for with_data in (False, True):
        for rate in (options.rate, 0):
            row = median_of(options, with_data, rate)
            print(f"| {'--data' if with_data else 'memory'} | {rate or 'all it takes'} "
                  f"| {row['sends_per_s']:,.0f} | {row['p50_ms']:.2f} ms | {row['p99_ms']:.2f} ms "
                  f"| {row['core']:.0%} | {row['memory_begin'] / 1e6:.1f} MB "
                  f"| {row['memory_end'] / 1e6:.1f} MB |", flush=True)


if __name__ == "__main__":
    main()
