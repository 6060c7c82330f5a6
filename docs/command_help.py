"""Puts the help of each command into docs/cli.md: ``python docs/command_help.py``. A test compares them.

A command has a section, ``## rla NAME``, and in it one block of text that begins with "Usage: rla NAME". A command
without a section gets one at the end; write above its block what it is for.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rla_hooks.cli.commands import COMMANDS

PAGE = Path(__file__).parent / "cli.md"
ALIASES = {"ls"}
_BLOCK = r"```text\nUsage: rla {}(?=\s).*?```\n"


@functools.cache
def help_of(command: str) -> str:
    """Return what ``rla COMMAND --help`` prints."""
    code = "import sys; sys.argv[0] = 'rla'; from rla_hooks.cli import main; main()"
    environment = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    arguments = [sys.executable, "-I", "-c", code, *command.split(), "--help"]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", env=environment, check=True)
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def commands() -> list[str]:
    """Return the commands that the page has: ``rla`` itself is the empty text."""
    return ["", *(name for name in COMMANDS if name not in ALIASES)]


def updated(text: str, command: str, shown: str) -> str:
    """Return the text of the page with this help of a command."""
    block = f"```text\n{shown}```\n"
    name = re.escape(command) if command else r"\[OPTIONS\]"
    changed, count = re.subn(_BLOCK.format(name), lambda match: block, text, flags=re.DOTALL)
    if count:
        return changed
    return f"{text.rstrip()}\n\n## rla {command}\n\n{block}"


def differing() -> dict[str, tuple[str, str]]:
    """Return the commands whose help differs from the page, with the page as it is and as it should be."""
    text = PAGE.read_text(encoding="utf-8")
    names = commands()
    with ThreadPoolExecutor() as pool:
        pages = [updated(text, *each) for each in zip(names, pool.map(help_of, names), strict=True)]
    return {name: (text, page) for name, page in zip(names, pages, strict=True) if page != text}


def main() -> None:
    """Write the page."""
    for name in differing():
        PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), name, help_of(name)), encoding="utf-8")
        print(f"docs/cli.md: rla {name}")


if __name__ == "__main__":
    main()
