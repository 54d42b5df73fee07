"""table - what the benchmarks of both ways have in common: their options, runs and rows"""

import argparse
import os
import statistics


def options_of(doc, messages):
    """The command line; doc is the benchmark's own text, messages how many there are by default."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--messages", type=int, default=messages)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    return parser.parse_args()


def print_rows(options, who, rows, new_run, peer_of):
    """A row for each (name, measure), the medians of what measure(run) gives: seconds, CPU seconds,
    requests (0: none). peer_of(name, rate) is the rate that it stands beside; None: nothing."""
    print(f"{options.messages} messages of {options.size} bytes at QoS 1 on {os.cpu_count()} cores, "
          f"median of {options.repeat}\n", flush=True)
    print(f"| {who} | messages a second | beside the peer | CPU a message | messages a request |")
    print("|---|---|---|---|---|", flush=True)
    for name, measure in rows:
        taken = []
        for _ in range(options.repeat):
            with new_run(options) as run:
                taken.append(measure(run))
        seconds, cpu, requests = (statistics.median(column) for column in zip(*taken))
        rate = options.messages / seconds
        peer = peer_of(name, rate)
        print(f"| {name} | {rate:,.0f} | {f'{rate / peer:.2f}' if peer else ''} | "
              f"{cpu / options.messages * 1e6:.1f} us | "
              f"{f'{options.messages / requests:.1f}' if requests else ''} |", flush=True)
