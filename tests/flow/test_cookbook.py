"""The documents that teach: every recipe holds, for its own reasons, and what the guide shows happens."""

import json
import os
import shutil
import subprocess
import unittest

from guide import Actor, blocks_of, broken_links_of
from harness import BIN, PATIENCE, ROOT, FlowTest

CMQGW = os.path.join(BIN, "cmqgw")
COOKBOOK = os.path.join(ROOT, "examples", "cookbook")
PAGE = os.path.join(ROOT, "docs", "cookbook.md")
GUIDE = os.path.join(ROOT, "docs", "guide.md")

# What each recipe is about: without it, some test of the recipe fails, and it is this one.
# File, what is taken away, what is put in its place, the test that notices.
KEYS = (
    ("per-device-routes.cfg", '"{product}.{device}.{metric}"', '"{product}.{metric}"',
     "the watched device reaches its product's app, the climate team and the watcher"),
    ("per-device-routes.cfg", 'replace = "-"', 'replace = "_"',
     "a dot in a device's name does not move the words after it"),
    ("per-device-routes.cfg", '"p1.d7.#"', '"*.d7.#"', "another product's d7 is another device"),
    ("alarms-by-severity.cfg", "|lower", "", "so does one from a device that shouts"),
    ("alarms-by-severity.cfg", "|default:unknown", "",
     "an alarm without a level is seen on the board, not lost"),
    ("alarms-by-severity.cfg", ', "{product}" ]', " ]",
     "a boiler's alarm reaches the boiler team, whatever its level"),
    ("alarms-by-severity.cfg", ' tags = [ "high", "critical" ];', "", "a low alarm wakes nobody"),
    ("sharding.cfg", "{device|shard:4}", "{product|shard:4}", "d2 has another"),
    ("sharding.cfg", '{ name = "readings-3"; }', '{ name = "other"; }', "d2 has another"),
    ("quarantine.cfg", "final = true;", "", "the bad device's readings go to quarantine only"),
    ("quarantine.cfg", '"fleet/p1/d13/#"', '"fleet/p1/#"', "the bad device's neighbour is not"),
    ("binary-telemetry.cfg", 'body = "base64"', 'body = "raw"',
     "bytes that are not text arrive as base64"),
    ("binary-telemetry.cfg", 'body = "cloudevents"', 'body = "base64"',
     "a frame keeps its bytes and its topic"),
    ("commands-with-replies.cfg", 'body = "cloudevents"', 'body = "raw"',
     "the answer reaches the service that asked, as an event"),
    ("commands-with-replies.cfg", 'expiry      = "1m";', "", "a question finds its device"),
    ("commands-with-replies.cfg", "fleet/{ce:subject}/cmd", "{ce:subject}",
     "a question finds its device"),
    ("commands-with-replies.cfg", 'queue = "support-answers"; tags = [ "support" ];',
     'queue = "support-answers";', "the answer reaches the service that asked, as an event"),
    ("tenants.cfg", "{user:tenant|lower}", "{user:tenant}", "a customer gets its own messages"),
    ("tenants.cfg", "k-{kind}", "{kind}", "no name of an event leads to another customer"),
    ("tenants.cfg", "{user:tenant|", "{user:tenant|default:acme|",
     "a message that does not say whose it is goes to nobody, and is set aside"),
    ("moving-topics.cfg", 'when = "(.fw? // 1) < 2";', "",
     "and not a second time on the old one"),
    ("moving-topics.cfg", ".fw? // 1", ".fw // 1", "and one that sends bare numbers"),
    ("moving-topics.cfg", "|default:plant", "",
     "a sender that knows of no trees reaches devices on the old one"),
    ("retained-states.cfg", 'retained = "skip";', "",
     "a copy that the broker kept is not, when the gateway subscribes"),
    ("retained-states.cfg", 'when     = ".state != .previous";', "",
     "a state that is merely repeated is not"),
    ("retained-states.cfg", "retain  = true;", "", "the wanted state is kept for the device"),
    ("strict-order.cfg", "movements-{site|lower}", "movements-{site}",
     "however the site is spelled"),
    ("strict-order.cfg", "movements-{site|lower}", "movements-{shelf}",
     "a site has a queue of its own"),
    ("store-and-archive.cfg", ',\n             { queue = "archive"; } )', " )",
     "a reading goes to the live store and the archive"),
    ("payload-condition.cfg", 'when = "(.t? | numbers) > 80";', "", "80 is not above 80"),
    ("payload-condition.cfg", ".t? | numbers", ".t?", "a broken sensor is not hot"),
    ("payload-condition.cfg", ".t? | numbers", ".t | numbers",
     "nor is a bare number, which has no t"),
    ("payload-condition.cfg", 'body = "jq:{device: .id, celsius: .t, at: .ts}";', "",
     "a hot reading is told, and no more of it than is needed"),
    ("stale-data.cfg", 'when    = "(.ts? | numbers) > now - 3600";', "",
     "an old one is history only"),
    ("stale-data.cfg", 'expiry      = "5m";', "", "a command finds its device"),
    ("reminders.cfg", 'delay = "15m"; };\n', "};\n", "a request waits in the queue"),
    ("reminders.cfg", "allow_loop = true;", "", "and comes back to the device that asked"),
    ("two-teams/rules.d/energy.cfg", 'device/meter";', 'device/#any"; final = true;',
     "safety: an alarm is ours, and nobody takes it before us"),
    ("two-teams/rules.d/00-shared.cfg", '"*.*.power.#"', '"#"', "smoke is for the safety team"),
)


def recipes():
    """The main file of each, relative to the cookbook."""
    found = [name for name in os.listdir(COOKBOOK) if name.endswith(".cfg")]
    return sorted(found + [os.path.join(name, "gateway.cfg") for name in os.listdir(COOKBOOK)
                           if os.path.isdir(os.path.join(COOKBOOK, name))])


def main_file(path):
    """The recipe that a file belongs to."""
    folder, slash, _ = path.partition("/")
    return f"{folder}/gateway.cfg" if slash else path


class Cookbook(FlowTest):
    def cmqgw(self, command, path, expect, *options):
        done = subprocess.run([CMQGW, command, *options, "--json", "-c", path], capture_output=True, text=True,
                              timeout=PATIENCE, check=False,
                              env={**os.environ, "CMQ_SECRET_ID": "any", "CMQ_SECRET_KEY": "any"})
        self.assertEqual((done.returncode, done.stderr), (expect, ""), f"{path}: {done.stdout}")
        return json.loads(done.stdout)

    def test_every_recipe_is_free_of_errors_and_warnings(self):
        self.assertGreaterEqual(len(recipes()), 10)
        for name in recipes():
            with self.subTest(recipe=name):
                self.assertEqual(self.cmqgw("check", os.path.join(COOKBOOK, name), 0, "--no-hints"), [])

    def test_every_recipe_does_what_its_tests_say(self):
        for name in recipes():
            with self.subTest(recipe=name):
                told = self.cmqgw("test", os.path.join(COOKBOOK, name), 0)
                self.assertGreaterEqual(len(told), 2)

    def test_a_recipe_without_its_key_setting_fails_its_tests(self):
        self.assertEqual({main_file(path) for path, *_ in KEYS}, set(recipes()),
                         "each recipe has a key setting")
        copy = os.path.join(self.folder, "cookbook")
        shutil.copytree(COOKBOOK, copy)
        for path, key, instead, sentence in KEYS:
            with self.subTest(file=path, without=key):
                with open(os.path.join(copy, path), "r+", encoding="utf-8") as config:
                    text = config.read()
                    self.assertEqual(text.count(key), 1)
                    config.seek(0)
                    config.truncate()
                    config.write(text.replace(key, instead))
                told = self.cmqgw("test", os.path.join(copy, main_file(path)), 1)
                self.assertIn(sentence, [one["name"] for one in told if not one["ok"]])
                with open(os.path.join(copy, path), "w", encoding="utf-8") as config:
                    config.write(text)

    def test_the_page_shows_every_recipe_as_it_is(self):
        shown = set()
        for block in blocks_of(PAGE):
            path = block.words.get("from")
            if path:
                with open(os.path.join(COOKBOOK, path), encoding="utf-8") as config:
                    self.assertIn(block.text, config.read(), f"{PAGE}:{block.line}")
                shown.add(main_file(path))
        self.assertEqual(shown, set(recipes()))


class Guide(FlowTest):
    def test_links_lead_somewhere(self):
        self.assertEqual([*broken_links_of(GUIDE), *broken_links_of(PAGE)], [])

    def test_what_the_guide_shows_happens(self):
        blocks = list(blocks_of(GUIDE))
        self.assertGreater(len([block for block in blocks if "run" in block.words]), 20)
        actor = Actor(self)
        for block in blocks:
            actor.act(block)
        actor.finish()


if __name__ == "__main__":
    unittest.main()
