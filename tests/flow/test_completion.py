"""The shell completes what the programs understand, all of it and nothing else."""

import glob
import os
import re
import subprocess
import unittest

from harness import BIN, ROOT

SCRIPT = os.path.join(ROOT, "packaging", "completion.bash")
ASK = """
source "$1"; shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_cmqgw
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(*words):
    """What is offered for the last word."""
    argv = ["bash", "--norc", "-c", ASK, "bash", SCRIPT, *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=True,
                          stdin=subprocess.DEVNULL)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


def commands(*path):
    """Every command, as its words, groups included."""
    yield path
    for word in complete(*path, ""):
        yield from commands(*path, word)


def long_options(*folders):
    """The names in the tables that getopt_long is given."""
    text = ""
    for path in sorted(path for folder in folders for path in glob.glob(f"{ROOT}/{folder}/*.[ch]")):
        with open(path, encoding="utf-8") as source:
            text += source.read()
    names = re.findall(r'"([a-z-]+)",\s*(?:no|required)_argument', text)
    return {f"--{name}" for name in names}


def unknown(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=60)
    return done.returncode != 0 and re.search("unknown option|unrecognized", done.stderr)


class CompletionTest(unittest.TestCase):
    def check(self, program, folder):
        program = os.path.join(BIN, program)
        self.assertTrue(unknown([program, "--no-such-option"]))
        offered = set()
        for path in commands(program):
            options = complete(*path, "--")
            self.assertIn("--help", options, path)
            for option in options:
                with self.subTest(command=path[1:], option=option):
                    self.assertFalse(unknown([*path, option, "value", "--help"]))
            offered.update(options)
        self.assertEqual(offered, long_options(folder))

    def test_every_option_of_cmqgw_is_offered_and_understood(self):
        self.check("cmqgw", "gateway")

    def test_every_option_of_cmqlocal_is_offered_and_understood(self):
        self.check("cmqlocal", "local")

    def test_every_command_is_offered(self):
        with open(os.path.join(ROOT, "gateway", "main.c"), encoding="utf-8") as source:
            names = re.findall(r'^ {8}\.name = "([a-z-]+)"', source.read(), re.M)
        self.assertGreater(len(names), 5)
        self.assertEqual(set(complete(os.path.join(BIN, "cmqgw"), "")), set(names))

    def test_words_before_decide_what_is_offered(self):
        cmqgw = os.path.join(BIN, "cmqgw")
        rows = (
            (("de",), ["dead-letters"]),
            (("--json", "cmq", "rec"), ["receive"]),
            (("-c", SCRIPT[:-4],), [SCRIPT]),
            (("-c", "cmq", "dead-"), ["dead-letters"]),
            (("explain", "--payload-file", SCRIPT[:-4]), [SCRIPT]),
            (("explain", "--qos", ""), []),
            (("explain", "some/topic", "--reta"), ["--retain"]),
            (("no-such-command", "--ver"), ["--version"]),
            (("spool", "--ver"), []),
        )
        for words, expected in rows:
            with self.subTest(words=words):
                self.assertEqual(complete(cmqgw, *words), expected)

    def test_a_program_that_does_not_run_offers_nothing(self):
        self.assertEqual(complete("/nonexistent/cmqgw", ""), [])


if __name__ == "__main__":
    unittest.main()
