"""README and docs tell the truth: their code runs, their links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def _code() -> str:
    return "\n".join(code for page in PAGES for kind, code in _blocks(page) if kind == "python")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The Python blocks, run one after the other as one program by somebody who has just copied them."""
    pytest.importorskip("pytorch_lightning")
    pytest.importorskip("pandas")
    pytest.importorskip("tensorflow")
    pytest.importorskip("keras")
    folder = tmp_path_factory.mktemp("readme")
    program = folder / "program.py"
    program.write_text(_code())
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    done = subprocess.run([sys.executable, "-I", program], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_the_python_blocks_run(ran):
    """They print what their comments promise."""
    _, printed = ran
    promised = re.findall(r"^ *print\(.*\)  # (.+)$", _code(), re.MULTILINE)
    assert "finished 0.05" in promised and len(promised) >= 4
    assert [line for line in promised if line not in printed.splitlines()] == []
    assert re.search(r"checkpoint-9\.pt$", printed, re.MULTILINE)


def test_the_commands_run(ran):
    """Each ``$`` line works on the runs that the blocks left; the make targets exist."""
    folder, _ = ran
    consoles = [code for kind, code in _blocks(ROOT / "README.md") if kind == "console"]
    commands = [line.removeprefix("$ ") for code in consoles for line in code.splitlines()]
    assert commands
    for command in commands:
        program, *arguments = command.split()
        path = Path(sys.executable).parent / program
        done = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "program" in done.stdout  # the task of the first run
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", (ROOT / "README.md").read_text())) <= targets


def test_the_make_targets_exist():
    """Pages write them in code style: `make check`; alone on a line in a block of commands, too."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        named = re.findall(r"`make (\w+)|^make (\w+)", page.read_text(), re.MULTILINE)
        assert {one or other for one, other in named} <= targets, page


def test_the_settings_are_valid(tmp_path):
    """The YAML blocks load without a mistake; README's says what it means."""
    from rla_hooks import config

    loaded = {}
    for number, (name, kind, text) in enumerate((page.name, *block) for page in PAGES for block in _blocks(page)):
        if kind == "yaml":
            file = tmp_path / f"rla_config_{number}.yaml"
            file.write_text(text)
            loaded.setdefault(name, []).append(config.load(file))
    assert [settings.ignore for settings in loaded["README.md"]] == [("*.mp4", "data/")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_lead_somewhere(page):
    """Every relative link of a page is a file or a folder."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]
