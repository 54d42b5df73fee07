"""guide - the code blocks of a document that are meant to be true

What follows the language after the three backticks is not shown by a renderer; here it says what the
block is:

    ```libconfig file=NAME       the whole of a file
    ```libconfig append=NAME     is put at the end of it
    ```console run               lines "$ COMMAND", each with what it prints; exit=N of the last one
    ```libconfig from=NAME       a part of a file that exists already
"""

import re
from dataclasses import dataclass


@dataclass
class Block:
    line: int    # of the opening backticks
    words: dict  # what the block is: {"file": "gateway.cfg"}, {"run": "", "exit": "1"}
    text: str


def blocks_of(path):
    """The blocks of a document that say what they are, in order."""
    with open(path, encoding="utf-8") as document:
        text = document.read()
    for found in re.finditer(r"^```(\w+) ([^\n`]+)\n(.*?)^```$", text, re.M | re.S):
        words = {name: value for name, _, value in
                 (word.partition("=") for word in found[2].split())}
        yield Block(text.count("\n", 0, found.start()) + 1, words, found[3])
