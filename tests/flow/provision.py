"""provision - cmqgw provision as it is typed, against cmqlocal's management plane

The local server counts 20 calls a second to an action, as the real one does, so that a client that
does not pace itself is found out.
"""

import os
import subprocess

import harness
from api3 import Api3
from cli import CMQGW, CliTest

PENDING = 4
WIDTH = 80


class Provisioned(harness.CmqLocal):
    """cmqlocal as strict as the service is, and empty unless told otherwise."""

    def __init__(self, test, resources=None, *options):
        super().__init__(test, resources or {"queues": []})
        self.options = options or ("--api-rate", "20")

    def start(self):
        self.argv = [os.path.join(harness.BIN, "cmqlocal"), "-c", self.path, "--listen",
                     "127.0.0.1:0", *self.options]
        self.launch()
        self.port = int(self.wait_log(r"listening on https?://127\.0\.0\.1:(\d+)")[1])
        return self

    def client(self):
        return Api3(self.port, harness.SECRET_ID, harness.SECRET_KEY)


class ProvisionTest(CliTest):
    def start(self, resources=None, *options):
        self.local = Provisioned(self, resources, *options).start()
        self.api = self.opened(self.local.client())
        return self.api

    def declare(self, resources, endpoint=None, **cmq):
        """Writes a configuration that declares resources in the started account."""
        usual = {"endpoint": "http://127.0.0.1:1", "secret_id": "@env:CMQ_SECRET_ID",
                 "secret_key": "@env:CMQ_SECRET_KEY",
                 "management": {"endpoint": endpoint or self.local.url}}
        self.configure(cmq={**usual, **cmq}, resources=resources, forward=[], reverse=[])

    def provision(self, *words, expect=0):
        """What it printed; no line is wider than a terminal, no secret is in it."""
        self.cmqgw("provision", *words, expect=expect)
        for line in self.out.splitlines():
            if "--export" not in words:
                self.assertLessEqual(len(line), WIDTH, line)
        self.assertNotIn(harness.SECRET_KEY, self.out + self.err)
        return self.out

    def assert_done(self):
        """Nothing is left to do."""
        self.provision()
        self.assertNotRegex(self.out, r"(?m)^[+~!-]")

    def read_config(self):
        with open(self.config, encoding="utf-8") as config:
            return config.read()

    def start_apply(self):
        """Begins to apply; its Popen, whose stdout can be read line by line."""
        running = subprocess.Popen(
            [CMQGW, "provision", "--apply", "-c", self.config], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "CMQ_SECRET_ID": self.secret_id, "CMQ_SECRET_KEY": self.secret_key})
        self.addCleanup(running.stdout.close)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        return running

    def kill_at_step(self, number):
        """Applies, and kills it once it begins a step."""
        running = self.start_apply()
        for line in running.stdout:
            self.assertNotIn("cmqgw provision:", line)
            if line.startswith(f"[{number}/"):
                running.kill()
                break
        self.assertEqual(running.wait(), -9)

    def assert_account(self, resources):
        """The account has exactly what is declared."""
        account = self.api.account()
        self.assertEqual(set(account["queues"]), {q["name"] for q in resources["queues"]})
        for q in resources["queues"]:
            had = account["queues"][q["name"]]
            self.assertEqual(had["VisibilityTimeout"], int(q.get("visibility", "30s")[:-1]))
            self.assertEqual(had["MsgRetentionSeconds"], int(q.get("retention", "3600s")[:-1]))
            policy = had["DeadLetterPolicy"] or {"DeadLetterQueue": None}
            self.assertEqual(policy["DeadLetterQueue"], q.get("dead_letter", {}).get("queue"))
        self.assertEqual(set(account["topics"]), {t["name"] for t in resources["topics"]})
        for t in resources["topics"]:
            had = account["topics"][t["name"]]
            self.assertEqual(had["FilterType"], 2 if t["filter"] == "route" else 1)
            self.assertEqual(set(had["Subscriptions"]), {s["name"] for s in t["subscriptions"]})
            for s in t["subscriptions"]:
                subscription = had["Subscriptions"][s["name"]]
                self.assertEqual(subscription["Endpoint"], s["queue"])
                self.assertEqual(subscription["BindingKey"] or [], s.get("keys", []))
                self.assertEqual(subscription["FilterTags"] or [], s.get("tags", []))
