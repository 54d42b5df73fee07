"""cli - cmqgw as it is typed: a usual configuration, its output, its exit code"""

import json
import os
import subprocess

from harness import BIN, PATIENCE, FlowTest, config_text

CMQGW = os.path.join(BIN, "cmqgw")

FORWARD = (
    {"name": "telemetry", "from": "fleet/+product/+device/telemetry/#metric",
     "to": {"topic": "fleet", "route": "{product}.{device}.{metric}"}, "body": "raw"},
    {"name": "alarms", "from": "fleet/+product/+device/alarm",
     "to": [{"topic": "alarms", "tags": ["alarm", "{json:/level|lower}"]},
            {"queue": "alarm-log"}], "body": "cloudevents"},
)
REVERSE = (
    {"name": "commands", "from": {"queue": "pager"}, "to": "{json:/product}/cmd"},
)
RESOURCES = {
    "queues": [{"name": "hot-store"}, {"name": "alarm-log"}, {"name": "pager"}],
    "topics": [
        {"name": "fleet", "filter": "route",
         "subscriptions": [{"name": "hot", "queue": "hot-store", "keys": ["*.*.temp.#"]}]},
        {"name": "alarms", "filter": "tag",
         "subscriptions": [{"name": "high", "queue": "pager", "tags": ["high"]}]}],
}


class CliTest(FlowTest):
    config = None

    def configure(self, text="", **sections):
        """Writes a configuration; sections replace the usual ones, text comes last."""
        self.config = os.path.join(self.folder, "gateway.cfg")
        usual = {
            "gateway": {"id": "edge-1", "state_dir": os.path.join(self.folder, "state")},
            "mqtt": {"servers": ["tcp://127.0.0.1:1"]},
            "cmq": {"endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
                    "secret_key": "@env:CMQ_SECRET_KEY"},
            "forward": FORWARD, "reverse": REVERSE, "resources": RESOURCES}
        with open(self.config, "w", encoding="utf-8") as config:
            config.write(config_text({**usual, **sections}) + text)
        return self.config

    def cmqgw(self, *words, expect=0, stdin=b"", **how):
        """Runs cmqgw, with -c once there is a configuration; checks the exit code."""
        config = ["-c", self.config] if self.config else []
        words = [word if isinstance(word, bytes) else str(word) for word in words]
        program = [*how.pop("before", []), CMQGW]
        source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            [*program, *config, *words], **source, timeout=PATIENCE, check=False,
            env={**os.environ, "CMQ_SECRET_ID": self.secret_id, "CMQ_SECRET_KEY": self.secret_key},
            stderr=subprocess.PIPE, **{"stdout": subprocess.PIPE, **how})
        self.out = (done.stdout or b"").decode("utf-8", "surrogateescape")
        self.err = done.stderr.decode("utf-8", "surrogateescape")
        self.assertEqual(done.returncode, expect, f"{words}: {self.out}{self.err}")
        return self.out

    def json(self, *words, **how):
        return json.loads(self.cmqgw(*words, "--json", **how))

    def assert_usage(self, *words, says):
        """Exit 2, nothing on stdout, one line on stderr that says so and points to the help."""
        self.cmqgw(*words, expect=2)
        self.assertEqual(self.out, "")
        self.assertIn(says, self.err)
        self.assertRegex(self.err, r"\A[^\n]*; try '[a-z -]+ --help'\n\Z")
