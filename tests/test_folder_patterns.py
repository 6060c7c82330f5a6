"""Runs that a pattern of folders below their task fits, as RLA's tools choose them."""

from __future__ import annotations

import glob
import os
from pathlib import Path

import pytest

from rla_hooks.errors import ConfigError
from rla_hooks.query.folder_patterns import runs_in_folders

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_of_rla"
NAMES = [
    "a/2026/01/30/12-00-00-000000_10.0.0.5_&lr=0.1",
    "a/2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1&seed=1",
    "a/2026/01/31/13-00-00-000000_10.0.0.5_&lr=0.2",
    "a/b/2026/01/31/13-30-00-000000_10.0.0.5",
    "cc%3A1/2026/02/01/12-00-00-000000_10.0.0.5_&lr=0.1",
    "d%5B1%5D/2026/02/02/12-00-00-000000_10.0.0.5",
]


@pytest.fixture
def root(tmp_path):
    for name in NAMES:
        (tmp_path / "log" / name).mkdir(parents=True)
        (tmp_path / "log" / name / "log.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("task", "pattern", "chosen"),
    [
        ("a", "2026/01/31/12*", [1]),
        ("a", "2026/01/31/*", [1, 2]),
        ("a", "2026/01/31", [1, 2]),
        ("a", "2026/01/3", []),
        ("a", "2026/*/", [0, 1, 2]),
        ("a", "./2026/01//3[01]/*seed=?", [1]),
        ("a", "*", [0, 1, 2, 3]),
        ("a", "", [0, 1, 2, 3]),
        ("a", "**", [0, 1, 2, 3]),
        ("a", "*/2026", [3]),
        ("a/b", "2026/*", [3]),
        ("?", "*", [0, 1, 2, 3]),
        ("", "a/2026/01/30", [0]),
        ("", "", [0, 1, 2, 3, 4, 5]),
        ("d[1]", "*", [5]),
        ("cc:1", "2026*", [4]),
        ("cc%3A1", "2026*", [4]),
        ("A", "*", []),
        ("a", "2026/01/31/12-00-00-000000_10.0.0.5_&lr=0.1&seed=1/progress.csv", []),
        ("a", r".*/12-.*", []),
    ],
)
def test_a_pattern_chooses_what_glob_does(root, task, pattern, chosen):
    """A run is chosen where its folder, or one above it, fits; and so it is where Python's glob finds these folders."""
    found = [run.name for run in runs_in_folders(root, task, pattern)]
    assert found == [NAMES[number] for number in chosen]
    if not set(":[") & {*task}:  # which is escaped in the folder's name
        folders = glob.glob(os.path.join(glob.escape(str(root)), "log", task, pattern))
        above = [f"{os.path.normpath(folder)}/" for folder in folders]
        assert found == [name for name in NAMES if any(f"{root}/log/{name}/".startswith(each) for each in above)]


def test_names_with_blanks_are_chosen():
    """As the first versions of RLA wrote them."""
    found = runs_in_folders(SHIPPED, "demo_task", "2022/03/01/21-1?-* &env_id=Test-v1*seed=888")
    assert [run.hparams["seed"] for run in found] == [888]
    assert (
        found.query == f"runs_in_folders({str(SHIPPED)!r}, 'demo_task', '2022/03/01/21-1?-* &env_id=Test-v1*seed=888')"
    )


@pytest.mark.parametrize(
    ("task", "pattern", "said"),
    [
        ("a", None, "the pattern is None. Allowed: a text such as '2026/01/31/12-0"),
        (7, "*", "the task is 7. Allowed: a text"),
        ("a", "../b/*", r"the pattern is '\.\./b/\*', which leads out of the log root"),
        ("..", "*", r"the task is '\.\.', which leads out"),
    ],
)
def test_what_is_no_pattern_is_an_error(root, task, pattern, said):
    """What was given, and what is allowed."""
    with pytest.raises(ConfigError, match=said):
        runs_in_folders(root, task, pattern)
