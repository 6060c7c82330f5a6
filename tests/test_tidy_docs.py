"""docs/tidy.md: its commands print what the page says.

A line ``...`` of the page stands for any lines, and three dots within a line for any characters. Times, sizes,
durations and the ids of new runs may be others, and so may the number of blanks between two words. Each section begins
with the same eight runs.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import life

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "tidy.md").read_text(encoding="utf-8")
SECTIONS = {text.partition("\n")[0]: text for text in re.split(r"^#+ ", PAGE, flags=re.MULTILINE)[1:]}
# The ids of the eight runs on the page, oldest first. The last but one goes on: this process is taken for its own.
IDS = "k3xq7aod h7g5tebd m4rs2wqx p2v6ynja b5d3kfue x6tz4olc q7e2ganr w4c7h2sm".split()
SIMILAR = {
    r"\d{4}/\d\d/\d\d/\d\d-\d\d-\d\d-\d{6}_[\d.]+": "NAME",
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d[:-]\d\d(?:[:-]\d\d)?(?:\.\d+)?(?:Z|\+00:00| UTC)?)?": "TIME",
    r"\d+(?:\.\d+)? (?:bytes|B|[kKMGT]i?B)\b": "SIZE",
    r"\d+(?:\.\d+)? (?:s|ms)\b": "DURATION",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with train.py of the page, and a copy of the log root that it has made, as it is at the beginning."""
    folder = tmp_path_factory.mktemp("tidy") / "project"
    folder.mkdir()
    (folder / "train.py").write_text(re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[1])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RLA_")}
    done = subprocess.run([sys.executable, "train.py"], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "FloatingPointError" in done.stderr, done.stderr
    for run, name in zip(rla.runs(folder / "rla_data"), IDS, strict=True):
        content = json.loads(run.paths.run_json.read_text())
        content["id"] = name
        if name == IDS[-2]:
            me = {"pid": os.getpid(), "process": life.process_identity(os.getpid()), "status": "running"}
            content |= {**me, "ended": None, "seconds": None}
        run.paths.run_json.write_text(json.dumps(content))
    subprocess.run(["cp", "-a", "project", "pristine"], cwd=folder.parent, check=True)  # with its hard links
    return folder


@pytest.fixture
def project(place, monkeypatch, clean_environment):
    """The folder of the project as it is at the beginning of a section."""
    clean_environment(monkeypatch)
    shutil.rmtree(place)
    subprocess.run(["cp", "-a", "pristine", "project"], cwd=place.parent, check=True)
    monkeypatch.chdir(place)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return place


@pytest.fixture
def typed(command, project):
    """Calls a command of the page and returns what it prints; ``rla`` in this process, all else in a shell."""
    code = 0

    def call(line: str) -> str:
        nonlocal code
        if line == "echo $?":
            return f"{code}\n"
        words = shlex.split(line, comments=True)
        # rla rerun gives its place to another program
        if words[0] == "rla" and words[1] != "rerun" and not {"|", ">", "<", "&&"} & {*words}:
            done = command(*words[1:])
            code = done.code
            return done.out + done.err
        both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        shell = subprocess.run(line, shell=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **both)
        code = shell.returncode
        return shell.stdout

    return call


def _blocks(section: str) -> list[tuple[str, str]]:
    """The commands of a section, and what they print."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", SECTIONS[section], re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            found.append((line, printed))
    return found


def _alike(text: str, project: Path) -> str:
    """A text with words in place of what differs from time to time."""
    text = text.replace(str(project), "/home/you/project")
    for pattern, word in SIMILAR.items():
        text = re.sub(pattern, word, text)
    text = re.sub(r"\b(?=[a-z]*[2-7])[a-z2-7]{8}\b", lambda found: found[0] if found[0] in IDS else "ID", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def _fits(printed: str, page: str) -> bool:
    pattern = "".join("(?:.*\n)*" if line == "..." else f"{re.escape(line)}\n" for line in page.splitlines())
    pattern = pattern.replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, f"{printed}\n" if printed else "") is not None


@pytest.mark.skipif(os.name != "posix", reason="needs cp and a shell")
@pytest.mark.parametrize("section", [name for name in SECTIONS if _blocks(name)])
def test_the_commands_print_what_the_page_says(section, typed, project):
    """One after the other, in the folder of the program."""
    new = re.compile(rf"\b(?!{'|'.join(IDS)})[a-z2-7]{{8}}\b")
    for line, page in _blocks(section):
        printed = typed(line)
        for run in rla.runs("rla_data"):
            if new.fullmatch(run.id):
                printed = printed.replace(run.id, "k2k2k2k2")  # some ids look like words
        assert _fits(_alike(printed, project), _alike(page, project)), f"$ {line}\n{printed}\nthe page has:\n{page}"


def test_the_page_has_every_command():
    """A section for each, in the order in which somebody looks for them."""
    names = ["rm", "archive", "mv", "rename", "undo", "trash", "gc", "du", "verify", "rerun"]
    assert list(SECTIONS) == ["Tidy up", *(f"rla {name}" for name in names)]


def test_what_may_differ():
    """Numbers that change from day to day; nothing else does."""
    here = Path("/tmp/x")
    assert _alike("k3xq7aod  12.5 kB  a2a2a2a2 2026-01-31 12:00", here) == "k3xq7aod SIZE ID TIME"
    assert _fits("a\nb\nc", "a\n...\nc") and _fits("a\nc", "a\n...\nc") and not _fits("a\nb", "a")
    assert _fits("", "") and not _fits("a", "")
