"""guide - the code blocks of a document that are meant to be true, and a stage to act them on

What follows the language after the three backticks is not shown by a renderer; here it says what the
block is:

    ```libconfig file=NAME       the whole of a file
    ```libconfig append=NAME     what comes at the end of it now
    ```libconfig from=NAME       a part of a file that exists already
    ```console run               lines "$ COMMAND" ("> " continues one), each with what it prints, on
                                 stdout or stderr. exit=N is the code of the last. retry: each is
                                 run until that is so. varies: times and numbers of messages do
    ```console terminal=NAME     one command that keeps running, and what it prints until the end
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from harness import BIN, PATIENCE, ROOT, Process, free_port, wait_until


@dataclass
class Block:
    line: int    # of the opening backticks
    before: str  # the line of text above
    words: dict  # what the block is: {"file": "gateway.cfg"}, {"run": "", "exit": "1"}
    text: str

    def commands(self):
        """Pairs of a command and what it is said to print."""
        pairs = []
        for line in self.text.splitlines(keepends=True):
            if line.startswith("$ "):
                pairs.append([line[2:], ""])
            elif line.startswith("> ") and not pairs[-1][1]:
                pairs[-1][0] += line[2:]
            else:
                pairs[-1][1] += line
        return pairs


def blocks_of(path):
    """The blocks of a document that say what they are, in order."""
    with open(path, encoding="utf-8") as document:
        text = document.read()
    for found in re.finditer(r"^```(\w+) ([^\n`]+)\n(.*?)^```$", text, re.M | re.S):
        words = {name: value for name, _, value in
                 (word.partition("=") for word in found[2].split())}
        above = text[:found.start()].rstrip().rpartition("\n")[2]
        yield Block(text.count("\n", 0, found.start()) + 1, above, words, found[3])


def anchors_of(path):
    """What a link into the document may name, as GitHub makes it of headings."""
    with open(path, encoding="utf-8") as document:
        headings = re.findall(r"^#+ (.*)$", document.read(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links_of(path):
    """Links to files or headings that are not there."""
    with open(path, encoding="utf-8") as document:
        links = re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", document.read())
    for name, anchor in links:
        target = os.path.join(os.path.dirname(path), name) if name else path
        if not os.path.exists(target) or (anchor and anchor not in anchors_of(target)):
            yield f"{name}#{anchor}"


def without_varying(text):
    """explain breaks long bodies into lines anywhere, so a time may have a break in it."""
    text = re.sub(r"(\d{4}-\d\d-\d\dT?)?\d\d:\d\d:[\d.]+Z?", "TIME", re.sub(r"\s+", "", text))
    return re.sub(r'\d{13,}|(?<="subscription_ids":)\[[\d,]*\]', "NUMBER", text)


class Actor:
    """Does what the blocks of a document say, in a folder and on ports of its own."""

    def __init__(self, test):
        self.test = test
        self.folder = os.path.join(test.folder, "guide")
        self.tools = os.path.join(test.folder, "tools")
        self.exports, self.running = "", []
        for folder in (self.folder, self.tools):
            os.mkdir(folder)
        # What stands in the document, and what is so here.
        self.here = [("/var/tmp/cmqgw-guide", os.path.join(test.folder, "state")),
                     ("127.0.0.1:9780", f"127.0.0.1:{free_port()}")]

    def localized(self, text):
        for there, here in self.here:
            text = text.replace(there, here)
        return text

    def documented(self, text):
        for there, here in self.here:
            text = text.replace(here, there)
        return text

    def path(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def act(self, block):
        for what in ("file", "append", "from", "run", "terminal"):
            if what in block.words:
                return getattr(self, f"do_{what}")(block, block.words[what])
        raise AssertionError(f"line {block.line}: what is this block?")

    def do_file(self, block, name, mode="w"):
        self.test.assertIn(f"`{name}`", block.before, f"line {block.line}: readers see no name")
        with open(self.path(name), mode, encoding="utf-8") as file:
            file.write(self.localized(block.text))

    def do_append(self, block, name):
        self.do_file(block, name, "a")

    def do_from(self, block, name):
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            self.test.assertIn(block.text, file.read(), f"line {block.line}")

    def environment(self):
        return {"HOME": self.folder, "LC_ALL": "C.UTF-8",
                "PATH": f"{self.tools}:{BIN}:{os.environ['PATH']}"}

    def shell(self, command):
        """The exit code of a command, and what it prints as the document would show it."""
        done = subprocess.run(
            ["bash", "-c", self.exports + self.localized(command)], cwd=self.folder,
            env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE, check=False, text=True)
        return done.returncode, self.documented(done.stdout)

    def do_run(self, block, _):
        pairs = block.commands()
        plain = without_varying if "varies" in block.words else str
        for command, shown in pairs:
            if command.startswith("export "):
                self.exports += command
                continue
            last = command == pairs[-1][0]
            code = int(block.words.get("exit", 0)) if last else 0
            if "retry" in block.words:
                wait_until(lambda: f"line {block.line}: {command}{shown}---\n{self.shell(command)}",
                           lambda: self.holds(self.shell(command), code, shown, plain), pause=0.1)
                continue
            given = self.shell(command)
            if not self.holds(given, code, shown, plain):
                self.test.assertEqual(given, (code, shown), f"line {block.line}: {command}")

    @staticmethod
    def holds(given, code, shown, plain):
        return given[0] == code and plain(given[1]) == plain(shown)

    # ---- what keeps running ----

    def do_terminal(self, block, name):
        (command, shown), = block.commands()
        getattr(self, f"start_{name}")(command.strip())
        if shown:
            self.running.append((name, shown))

    def finish(self):
        """What keeps running has printed what the document shows."""
        for name, shown in self.running:
            process = next(p for p in self.test.processes if p.name == name)
            wait_until(lambda: f"{name} prints {shown!r}, and not {process.log()!r}",
                       lambda: self.documented(process.log()) == shown)

    def start(self, name, command):
        process = Process(self.test, name, ["bash", "-c", f"{self.exports}cd {self.folder}\n"
                                            f"exec {self.localized(command)}"], self.environment())
        process.launch()
        return process

    def start_broker(self, command):
        """Its port, and mosquitto's tools that know it."""
        self.test.assertEqual(command, "mosquitto")
        port = self.test.start_broker().port
        self.take_place("127.0.0.1:1883", port)
        for tool in ("mosquitto_pub", "mosquitto_sub"):
            path = os.path.join(self.tools, tool)
            with open(path, "w", encoding="ascii") as script:
                script.write(f'#!/bin/sh\nexec {shutil.which(tool)} -p {port} "$@"\n')
            os.chmod(path, 0o755)

    def start_cmqlocal(self, command):
        process = self.start("cmqlocal", f"{command} --listen 127.0.0.1:0")
        self.take_place("127.0.0.1:8280",
                        process.wait_log(r"listening on http://127\.0\.0\.1:(\d+)")[1])

    def take_place(self, there, port):
        """From now on there stands for the port, in the files that were written, too."""
        self.here.append((there, f"127.0.0.1:{port}"))
        for folder, _, names in os.walk(self.folder):
            for name in names:
                with open(os.path.join(folder, name), "r+", encoding="utf-8") as file:
                    text = file.read()
                    file.seek(0)
                    file.truncate()
                    file.write(self.localized(text))

    def start_gateway(self, command):
        self.start("gateway", command)
        self.test.broker.wait_subscribed("fleet/+/+/alarm")

    def start_device(self, command):
        self.start("device", command)
        self.test.broker.wait_subscribed(re.search(r"-t '?([^' ]+)", command)[1])
