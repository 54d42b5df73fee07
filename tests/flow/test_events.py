"""docs/events.md names every event of the log, every metric and every figure, and nothing else."""

import glob
import os
import re
import unittest

import harness

EVENT = r"[a-z]+\.[a-z0-9_]+"
FOLDERS = ("base", "cmq", "mqtt", "mapping", "config", "spool", "admin", "gateway", "provision",
           "local")


def sources(*folders):
    for folder in folders:
        for path in sorted(glob.glob(os.path.join(harness.ROOT, folder, "*.c"))):
            with open(path, encoding="utf-8") as source:
                yield os.path.relpath(path, harness.ROOT), source.read()


def second_argument(text, start):
    """Of the call whose arguments begin at start."""
    depth, begin = 0, None
    for at in range(start, len(text)):
        if text[at] in "([{":
            depth += 1
        elif text[at] in ")]}":
            depth -= 1
        elif text[at] == "," and depth == 0:
            if begin is not None:
                return text[begin:at]
            begin = at + 1
    raise AssertionError("a call that does not end")


def events_in(text):
    """Those that log_write is given, by name or out of a table of the same file."""
    found = set()
    for call in re.finditer(r"\blog_write\(", text):
        name = second_argument(text, call.end())
        if name.strip() == "const char *event":
            continue  # its declaration
        literals = set(re.findall(rf'"({EVENT})"', name))
        table = re.match(r"\s*(\w+)\[", name)
        if not literals and table:
            entries = re.search(rf"{table[1]}\[\w*\] = \{{(.*?)\}};", text, re.S)
            literals = set(re.findall(rf'"({EVENT})"', entries[1]))
        assert literals, f"no event in {name!r}"
        found |= literals
    return found


def document():
    with open(os.path.join(harness.ROOT, "docs", "events.md"), encoding="utf-8") as text:
        return text.read()


def first_cells(text):
    """The words in backquotes that begin the rows of tables."""
    for row in re.findall(r"^\| (`[^|]*) \|", text, re.M):
        yield from re.findall(r"`([^`]*)`", row)


class Events(unittest.TestCase):
    def setUp(self):
        self.log, self.rest = document().split("## Metrics\n")
        self.metrics, self.figures = self.rest.split("## Figures\n")

    def test_every_event_is_described_and_every_description_has_its_event(self):
        logged = {}
        for path, text in sources(*FOLDERS):
            for event in events_in(text):
                logged.setdefault(event, path)
        described = [name for name in first_cells(self.log) if re.fullmatch(EVENT, name)]
        self.assertEqual(sorted(described), sorted(logged))

    def test_every_metric_is_described_and_every_description_has_its_metric(self):
        written = set()
        for path, text in sources("gateway"):
            if os.path.basename(path).startswith("metrics"):
                written |= set(re.findall(r'"((?:cmqgw|process)_[a-z0-9_]+)"', text))
        described = list(first_cells(self.metrics)) + re.findall(r"`(process_[a-z0-9_]+)`",
                                                                 self.metrics)
        self.assertEqual(sorted(described), sorted(written))

    def test_every_counter_is_a_metric(self):
        texts = dict(sources("gateway"))
        counted = set(re.findall(r"\[(COUNTER_\w+)\] =", texts["gateway/counters.c"]))
        shown = set(re.findall(r"\{(COUNTER_\w+),", texts["gateway/metrics.c"]))
        # Dead letters are shown by rule and reason.
        self.assertEqual(counted - shown, {"COUNTER_DEAD", "COUNTER_COUNT"})

    def test_alerts_are_about_metrics_that_there_are(self):
        described = set(first_cells(self.metrics))
        for block in re.findall(r"```yaml\n(.*?)```", self.metrics, re.S):
            used = set(re.findall(r"cmqgw_[a-z0-9_]+", block))
            self.assertEqual(used - described, set())

    def test_every_figure_is_described_and_every_description_has_its_figure(self):
        (_, text), = [s for s in sources("gateway") if s[0].endswith("/counters.c")]
        counted = set(re.findall(r'\[COUNTER_\w+\] = "(\w+)"', text))
        self.assertEqual(sorted(first_cells(self.figures)), sorted(counted))


if __name__ == "__main__":
    unittest.main()
