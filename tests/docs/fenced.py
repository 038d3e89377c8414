"""The fenced blocks of a page, and its commands as a script: `python fenced.py PAGE | bash -e`."""

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

FENCED = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
PLACEHOLDER = re.compile(r"<[a-z ]+>")
"""What a reader has to fill in: a block that holds one cannot be run."""


@dataclass(frozen=True)
class Block:
    """A fenced block; its title names the file that the reader saves it as."""

    language: str
    title: str | None
    text: str


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order."""
    return [Block(*found.groups()) for found in FENCED.finditer(page)]


def commands(page: str) -> list[str]:
    """The commands of the bash blocks, comments and continuations undone."""
    shell = "".join(block.text for block in blocks(page) if block.language == "bash")
    found, begun = [], ""
    for line in shell.replace("\\\n", " ").splitlines():
        begun += line.split(" #")[0].rstrip() + "\n"
        if _is_open(begun):
            continue
        found += [part.strip() for part in begun.split("&&") if part.strip()]
        begun = ""
    return found


def _is_open(text: str) -> bool:
    """Whether a quotation goes on in the next line."""
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False


def script(page: str) -> str:
    """What a reader of the page types: files saved, code and commands run."""
    parts = []
    for block in blocks(page):
        if PLACEHOLDER.search(block.text):
            continue
        if block.language == "bash":
            parts.append(block.text)
        elif block.language == "python":
            into = f"cat > {block.title}" if block.title else "python -"
            parts.append(f"{into} <<'END'\n{block.text}END\n")
    return "".join(parts)


if __name__ == "__main__":
    print(script(Path(sys.argv[1]).read_text(encoding="utf-8")))
