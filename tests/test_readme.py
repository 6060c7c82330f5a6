"""README and docs tell the truth: their code runs, their links lead somewhere."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# The programs of these pages are run by tests/integrations/test_frameworks_docs.py and tests/test_tidy_docs.py.
PROGRAMS = [page for page in PAGES if page.name not in ("frameworks.md", "tidy.md")]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def _code(page: Path) -> str:
    return "\n".join(code for kind, code in _blocks(page) if kind == "python")


def _promised(page: Path) -> list[str]:
    """What the comments behind ``print(...)`` say will be printed."""
    return re.findall(r"^ *print\(.*\)  # (.+)$", _code(page), re.MULTILINE)


FRAMEWORKS = ("pytorch_lightning", "keras", "tensorflow", "torch", "gymnasium", "optuna")
OF_EXTRAS = {"rla_hooks.remote": "fsspec", "scipy": "scipy"}  # what a part needs that its extra brings


@pytest.fixture(scope="module")
def run_page(tmp_path_factory, warm):
    """Runs the Python blocks of a page, one after the other as one program by somebody who has just copied them."""
    done = {}

    def run(page: Path) -> tuple[Path, str]:
        if page not in done:
            frameworks = [name for name in FRAMEWORKS if re.search(rf"^import {name}\b", _code(page), re.MULTILINE)]
            extras = [needed for part, needed in OF_EXTRAS.items() if f"from {part}" in _code(page)]
            for needed in ("pandas", "duckdb", *frameworks, *extras):
                if importlib.util.find_spec(needed) is None:
                    pytest.skip(f"there is no {needed}")
            folder = tmp_path_factory.mktemp("page")
            program = folder / "program.py"
            program.write_text(_code(page))
            environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
            keras = ("tensorflow", "keras", "tf_keras")  # as other tests have it
            if "keras" in frameworks and importlib.util.find_spec("tf_keras"):
                ended = warm(*keras).run(program, cwd=folder, env=environment)
            elif "pytorch_lightning" in frameworks:
                ended = warm("pytorch_lightning").run(program, cwd=folder, env=environment)
            else:
                command = [sys.executable, "-I", program]
                ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
            assert ended.returncode == 0, ended.stderr
            done[page] = folder, ended.stdout
        return done[page]

    return run


@pytest.mark.parametrize("page", [page for page in PROGRAMS if _code(page)], ids=lambda page: page.name)
def test_the_python_blocks_run(page, run_page):
    """They print what their comments promise."""
    _, printed = run_page(page)
    assert [line for line in _promised(page) if line not in printed.splitlines()] == []
    if page.name == "README.md":
        assert "finished 0.05" in _promised(page)
        assert re.search(r"checkpoint-9\.pt$", printed, re.MULTILINE)


def test_the_pages_promise_something():
    """Otherwise the test above would say nothing."""
    assert sum(len(_promised(page)) for page in PAGES) >= 4


def test_the_commands_run(run_page):
    """Each ``$`` line works on the runs that the blocks left, beside those of the sweep; the make targets exist."""
    folder, _ = run_page(ROOT / "README.md")
    consoles = [code for kind, code in _blocks(ROOT / "README.md") if kind == "console"]
    commands = [line.removeprefix("$ ") for code in consoles if "sweep" not in code for line in code.splitlines()]
    assert commands
    for command in commands:
        program, *arguments = command.split()
        path = Path(sys.executable).parent / program
        done = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "program" in done.stdout  # the task of the first run
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", (ROOT / "README.md").read_text())) <= targets


def test_the_pictures_of_the_page_are_those_of_its_code(run_page):
    """docs/plots.md: each was drawn by it, at this shape; the table is the one that it prints, but for rounding."""
    image = pytest.importorskip("PIL.Image")
    page = ROOT / "docs" / "plots.md"
    folder, printed = run_page(page)
    shown = re.findall(r"\]\((plots/\w+\.png)\)", page.read_text())
    assert len(shown) >= 7
    for name in shown:
        ours, theirs = image.open(folder / Path(name).name), image.open(page.parent / name)
        assert ours.width / ours.height == pytest.approx(theirs.width / theirs.height, rel=0.05), name
        assert (folder / Path(name).name).with_suffix(".pdf").is_file()
    (table,) = (text for kind, text in _blocks(page) if kind == "text")
    assert table == printed[-len(table) :]
    assert (folder / "table.tex").is_file() and (folder / "paper.pdf").is_file()


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
