"""``rla gc``: says what it will do, asks, and says what it has done."""

import io
import os
import shutil

import pytest

import rla_hooks as rla
from rla_hooks import atomic
from rla_hooks.cli import tidying
from rla_hooks.upkeep import garbage

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def two(tmp_path):
    """Two runs in rla_data with three checkpoints each, and half a file that a dead process has left."""
    for seed in range(2):
        with rla.run(task="t", record=["seed"], writers=["csv"], backup="none", seed=seed) as run:
            for step in range(3):
                rla.save_checkpoint({"weights": [0.5, step]}, step=step)
    name = f".saving-{atomic._host()}-4194304000-{'0' * 32}.tmp"
    (run.log_dir / name).write_text("half")
    return tmp_path / "rla_data"


def counts():
    return [len(run.checkpoints()) for run in rla.runs()]


def test_what_it_would_do(two, command):
    """Nothing changes; checkpoints are meant only where that is asked for."""
    said = command("gc", "--dry-run")
    assert (said.code, said.err) == (0, "nothing was deleted: --dry-run\n")
    assert [line.split() for line in said.out.splitlines()[:2]] == [
        ["size", "files", "what"],
        [*said.out.splitlines()[1].split()[:2], "1", "temporary", "files", "deleted"],
    ]
    said = command("gc", "--dry-run", "--checkpoints", "--keep", 2)
    lines = said.out.splitlines()
    assert len(lines) == 6 and {line.split("  ")[-1] for line in lines[1:3]} == {"to the trash", "deleted"}
    assert [line.split()[-5:] for line in lines[4:]] == [
        ["seed=0", "1", "old", "newest", "step", "2"][-5:],
        ["seed=1", "1", "old", "newest", "step", "2"][-5:],
    ]
    assert counts() == [3, 3] and len([*two.rglob(".saving-*")]) == 1


def test_it_collects(two, command):
    """It says how much is free, and what is only in the trash; then nothing is left to do."""
    said = command("gc", "--checkpoints", "--yes")
    freed, trash = said.out.splitlines()[-2:]
    assert said.code == 0 and said.err == "" and freed.endswith(" freed")
    assert trash.endswith("in the trash: rla trash empty frees them for good, rla undo 1 brings them back")
    assert counts() == [1, 1] and not [*two.rglob(".saving-*")]
    said = command("gc", "--checkpoints", "--yes")
    assert (said.code, said.out) == (0, "") and "nothing to collect" in said.err
    assert command("undo").code == 0 and counts() == [3, 3]


def test_only_some_runs(two, command):
    """By a name or a filter; what is no checkpoint of theirs stays, and without --checkpoints it is a mistake."""
    assert command("gc", "--checkpoints", "--yes", "--where", "seed == 0").code == 0
    assert counts() == [1, 3] and len([*two.rglob(".saving-*")]) == 1
    assert command("gc", rla.runs()[1].id, "--checkpoints", "--yes").code == 0
    assert counts() == [1, 1]
    for arguments in (["--where", "seed == 0"], ["--task", "t"], ["--keep", "2"], [rla.runs()[0].id]):
        said = command("gc", *arguments)
        assert said.code == 2 and "Give --checkpoints, too." in said.err


def test_it_asks(two, command, monkeypatch):
    """Yes, no, and nobody to be asked."""
    said = command("gc", "--checkpoints")
    assert said.code == 2 and "--yes" in said.err and counts() == [3, 3]
    monkeypatch.setattr(tidying, "can_ask", lambda: True)
    for answer in ("n\n", "y\n"):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        said = command("gc", "--checkpoints")
        assert (
            "Delete 1 file (" in said.err and "), and put 4 files (" in said.err and "into the trash? [y/N]" in said.err
        )
        assert (said.code, counts()) == ((1, [3, 3]) if answer == "n\n" else (0, [1, 1]))


def test_runs_without_a_log_folder(two, command, monkeypatch):
    """They are told, and collected with --orphans; with JSON each path is listed."""
    gone = rla.runs()[0]
    shutil.rmtree(gone.log_dir)
    assert "younger than 24 hours" in command("gc", "--dry-run").out
    monkeypatch.setattr(garbage.plan_garbage, "__kwdefaults__", {**garbage.plan_garbage.__kwdefaults__, "age": -1.0})
    said = command("gc", "--dry-run")
    assert "also there: 5 files of runs without a log folder, " in said.out and "rla gc --orphans" in said.out
    found = command("gc", "--json", "--yes", "--orphans").json
    by_kind = {each["kind"]: each for each in found["found"]}
    assert sorted(os.path.relpath(path, two).split(os.sep)[0] for path in by_kind["trees without a run"]["paths"]) == [
        "archive_tester",
        "checkpoint",
    ]
    assert found["done"] and found["act"]["act"] == 1 and found["freed"] > 0 and found["offered"] is None
    assert not gone.checkpoint_dir.exists()


def test_trouble_is_told(two, command, make_unreadable):
    """What cannot be read makes the exit code 1."""
    make_unreadable(rla.runs()[0].results_dir)
    said = command("gc", "--yes")
    assert said.code == 1 and "cannot be read: File name too long" in said.err and said.out.endswith(" freed\n")
    said = command("gc", "--json", "--dry-run")
    assert said.code == 1 and said.json["problems"] and not said.json["done"]


def test_no_log_root(tmp_path, command):
    """It is a mistake."""
    said = command("gc", "--log-root", tmp_path / "none")
    assert said.code == 2 and "there is no folder" in said.err
