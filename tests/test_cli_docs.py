"""The help of the commands, and docs/cli.md, which has it."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from rla_hooks.cli.commands import COMMANDS, keep_indented

ROOT = Path(__file__).resolve().parents[1]
PINNED = re.search(r"^typer==([\d.]+)", (ROOT / "tests" / "constraints.txt").read_text(), re.MULTILINE)[1]


@pytest.fixture(scope="module")
def command_help():
    """The script that writes the help into the page."""
    spec = importlib.util.spec_from_file_location("command_help", ROOT / "docs" / "command_help.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def helps(command_help):
    """What each command says of itself."""
    return {name: command_help.help_of(name) for name in COMMANDS}


@pytest.mark.skipif(typer.__version__ != PINNED, reason="other versions of typer word the help in other ways")
def test_the_page_has_the_help_of_every_command(command_help):
    """Each block of docs/cli.md is what the command prints, and there is one for each command, and no other."""
    names = [name or "itself" for name in command_help.differing()]
    assert not names, (
        f"docs/cli.md differs in the help of rla {', '.join(names)}. Write it: python docs/command_help.py"
    )
    sections = re.findall(r"^## rla (\S+)$", command_help.PAGE.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(set(COMMANDS) - command_help.ALIASES)


def test_no_line_is_broken_by_a_terminal_of_80_columns(helps):
    """Whoever copies an example would copy two lines."""
    long = {command: [line for line in text.splitlines() if len(line) > 80] for command, text in helps.items()}
    assert {command: lines for command, lines in long.items() if lines} == {}


def test_the_pages_name_options_that_exist(helps):
    """Whatever stands behind ``rla COMMAND`` on a line of a page; rla tb passes on what is not its own."""
    option = re.compile(r"(?<![\w'\"-])--[a-z][\w-]*")
    there = {command: set(option.findall(text)) for command, text in helps.items() if command != "tb"}
    wrong, seen = [], 0
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for line in re.split(r"[\n`]", page.read_text()):
            for command, rest in re.findall(r"\brla ([a-z-]+)\b(.*?)(?=\brla [a-z]| -- | \| |$)", line):
                named = option.findall(rest) if command in there else []
                seen += len(named)
                wrong += [f"{page.name}: rla {command} {each}" for each in named if each not in there[command]]
    assert wrong == [] and seen > 100


def test_a_block_is_replaced_and_the_rest_stays(command_help):
    """Only the block of this command, and of a command whose name begins alike none; a new one comes at the end."""
    page = "# Page\n\n```text\nUsage: rla run\n```\ntext\n```text\nUsage: rla runs\nold\n```\n"
    changed = command_help.updated(page, "runs", "Usage: rla runs\nnew \\1\n")
    assert changed == page.replace("old", "new \\1")
    assert command_help.updated(page, "x", "Usage: rla x\n") == f"{page}\n## rla x\n\n```text\nUsage: rla x\n```\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_and_the_common_options(command, helps):
    """The first line is that of ``rla --help``; an example can be pasted; JSON and the log root are options of all."""
    usage, _, line, *rest = helps[command].splitlines()
    assert usage.startswith(f"Usage: rla {command} ")
    line = " ".join([line, *rest]).strip()
    assert re.sub(r"\s+", " ", line).startswith(f"{COMMANDS[command][1]}.")
    examples = re.findall(
        r"^ {6}(.*)$", helps[command].partition("Examples:\n")[2].partition("Options:")[0], re.MULTILINE
    )
    assert [example for example in examples if f"rla {command}" in example]
    assert "--json " in helps[command] and "--log-root FOLDER" in helps[command]


def test_the_commands_are_listed_without_loading_them():
    """``rla --help`` imports no command, no query, no rich and no numpy: it is typed often."""
    code = (
        "import json, sys; sys.argv = ['rla', '--help']\n"
        "from rla_hooks.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "ours = {'.'.join(name.split('.')[:3]) for name in sys.modules if 'rla_hooks.cli.' in name}\n"
        "heavy = {'rich.console', 'numpy', 'yaml', 'lark', 'rla_hooks.query'} & {*sys.modules}\n"
        "print(json.dumps([sorted(ours), sorted(heavy)]))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    *listed, loaded = done.stdout.splitlines()
    ours = [f"rla_hooks.cli.{name}" for name in ("app", "commands", "common", "completion", "conversion")]
    assert json.loads(loaded) == [ours, []]
    table = "\n".join(listed).partition("Look at runs:\n")[2]
    assert re.findall(r"^  (\S+)  ", table, re.MULTILINE) == list(COMMANDS)


def test_indented_paragraphs_are_kept_as_they_are():
    """click joins the lines of a paragraph, unless it begins with a backspace."""
    text = "Do\nthat.\n\nExamples:\n\n    rla a\n    rla b\n\nAnd\nso on."
    assert keep_indented(text) == "Do\nthat.\n\nExamples:\n\n\b\n    rla a\n    rla b\n\nAnd\nso on."
