"""``rla du``: tables of what takes the room."""

import os
import re

import pytest

import rla_hooks as rla

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def three(tmp_path):
    """Runs of two tasks in rla_data, with checkpoints of 100, 200 and 300 kB."""
    for size in (100_000, 300_000, 200_000):
        with rla.run(task=f"t{size // 100_000 % 2}", record=["size"], writers=["csv"], backup="none", size=size) as run:
            (run.paths.checkpoint_dir / f"[b]model-{size}\n.pt").write_bytes(bytes(size))
    return tmp_path / "rla_data"


def test_the_overview(three, command):
    """A sum, and tables of the trees, tasks, runs and checkpoints, each with what takes most first."""
    said = command("du", "-n", 2)
    head, *tables = said.out.split("\n\n")
    assert (said.code, said.err) == (0, "")
    assert "of 3 runs in" in head and "files" in head
    assert [table.splitlines()[0].split()[-1] for table in tables] == ["tree", "task", "parameters", "checkpoint"]
    assert tables[0].splitlines()[1].split()[-1] == "checkpoint"
    runs = [line.split() for line in tables[2].splitlines()]
    assert [words[-1] for words in runs[1:3]] == ["size=300000", "size=200000"]
    assert runs[3] == "... and 1 more: rla du --by run".split()
    assert tables[3].splitlines()[1].endswith(r"[b]model-300000\n.pt"), "nothing of a name controls the terminal"


def test_one_table(three, command):
    """All lines of it; by name they stand in the order of the names."""
    for by, count in {"tree": 6, "task": 2, "run": 3, "user": 1, "checkpoint": 3, "code": 0}.items():
        said = command("du", "--by", by, "--sort", "name")
        names = [re.split(r"\s{2,}", line.strip())[-1] for line in said.out.splitlines()[1:]]
        assert (len(names), said.code) == (count, 0)
        assert by not in ("tree", "task") or names == sorted(names)


def test_the_order(three, command):
    """By what would be free, or by the number of files."""
    (checkpoint,) = rla.runs(three)[1].checkpoint_dir.iterdir()
    os.link(checkpoint, three / "of somebody else")
    for number in range(3):
        (rla.runs(three)[0].checkpoint_dir / str(number)).write_text("")
    for sort, size in {"size": 300_000, "freed": 200_000, "files": 100_000}.items():
        first, *_ = command("du", "--by", "run", "--sort", sort, "-n", 1).out.splitlines()[1:]
        assert f"size={size}" in first


def test_some_runs(three, command):
    """Named, or chosen by a filter: the sum is theirs."""
    run = rla.runs(three, where="size == 200000")[0]
    for arguments in ([run.id], ["--where", "size == 200000"], ["--task", run.task, "--where", "size < 250000"]):
        found = command("du", "--json", *arguments).json
        assert [each["id"] for each in found["runs"]] == [run.id] or "--task" in arguments
    said = command("du", run.id)
    assert " of 1 run in " in said.out and "\n\n" in said.out
    assert command("du", "nothing-like-it").code == 2


def test_json(three, command):
    """All that there is, in bytes."""
    found = command("du", "--json").json
    assert sorted(found) == sorted(
        ["log_root", "total", "trees", "rest", "temporary", "tasks", "users", "runs", "checkpoints", "orphans", "links"]
        + ["problems"]
    )
    assert found["total"]["content"] == sum(run["content"] for run in found["runs"]) >= 600_000
    assert {*found["total"]} == {"on_disk", "freed", "content", "files"}
    assert found["runs"][0]["trees"]["checkpoint"]["content"] == 300_000
    assert found["checkpoints"][0]["run"] == found["runs"][0]["id"]


def test_hints_and_sums(three, command):
    """What can be freed is told with its command; sparse files and shared ones are explained."""
    (three / ".trash/1").mkdir(parents=True)
    (three / ".trash/lock").touch()
    assert "rla trash empty" not in command("du").out
    (three / ".trash/1/act.json").touch()
    with open(rla.runs(three)[0].checkpoint_dir / "sparse", "wb") as file:
        file.truncate(2**32)
    out = command("du").out
    assert ".trash  rla trash empty\n" in out
    assert "They hold 4.0 GiB: sparse or compressed files\n" in out.partition("\n\n")[0] + "\n"


def test_no_log_root(tmp_path, command):
    """Where it was looked for is said; an empty one takes nothing."""
    said = command("du", "--log-root", tmp_path / "none")
    assert said.code == 2 and "there is no folder" in said.err
    (tmp_path / "empty").mkdir()
    said = command("du", "--log-root", tmp_path / "empty")
    assert (said.code, said.err) == (0, "") and said.out.startswith("0 B in 0 files of 0 runs in ")


def test_what_cannot_be_read(three, command, make_unreadable):
    """It is told on stderr, and the exit code is 1."""
    make_unreadable(rla.runs(three)[0].results_dir)
    said = command("du", "--json")
    assert said.code == 1 and said.json["problems"] == [said.err.strip().removeprefix("rla: ")]
    assert said.err.startswith("rla: ") and "cannot be read: File name too long" in said.err
