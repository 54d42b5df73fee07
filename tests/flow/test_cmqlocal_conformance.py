"""docs/cmqlocal-conformance.md names only tests that there are."""

import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = ("tests/unit/local", "tests/unit/cmq")


def text_of(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return file.read()


def has_test(file, name):
    if file.startswith("test_"):
        return bool(re.search(rf"^    def {name}\(self\)", text_of("tests/flow", file + ".py"), re.M))
    for folder in UNIT:
        path = os.path.join(ROOT, folder, file + ".c")
        if os.path.exists(path):
            uses = re.findall(rf"\b{name}\b", text_of(folder, file + ".c"))
            return len(uses) >= 2 # what it does, and that it is run
    return False


class Conformance(unittest.TestCase):
    def test_every_test_that_is_named_is_there(self):
        named = re.findall(r"`(\w+_test|test_\w+): (\w+)`",
                           text_of("docs/cmqlocal-conformance.md"))
        self.assertGreater(len(named), 80)
        self.assertEqual([one for one in named if not has_test(*one)], [])

    def test_every_row_of_a_behaviour_names_a_test(self):
        rows = re.findall(r"^\| (?!behaviour|---)(.*) \|$",
                          text_of("docs/cmqlocal-conformance.md").split("## What is not known")[0],
                          re.M)
        self.assertGreater(len(rows), 60)
        self.assertEqual([row for row in rows if not re.search(r"`\w+: \w+`", row)], [])

    def test_every_action_has_a_row(self):
        rows = re.findall(r"^\| (.*)$",
                          text_of("docs/cmqlocal-conformance.md").split("## What is not known")[0],
                          re.M)
        actions = []
        for file in ("actions.c", "api_actions.c"):
            actions += re.findall(r'^    \{"([A-Z]\w+)", ', text_of("local", file), re.M)
        self.assertEqual(len(actions), 30)
        self.assertEqual([one for one in actions if not any(f"`{one}`" in row for row in rows)], [])

    def test_every_switch_is_one_of_the_programs(self):
        unknown = text_of("docs/cmqlocal-conformance.md").split("## What is not known")[1]
        switches = set(re.findall(r"`--([a-z-]+)", unknown))
        self.assertGreater(len(switches), 8)
        options = set(re.findall(r'\{"([a-z-]+)", required_argument', text_of("local", "options.c")))
        self.assertEqual(switches - options, set())


if __name__ == "__main__":
    unittest.main()
