"""Archived runs come back: any of them, in all trees, as an act that can be undone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks import upkeep
from rla_hooks.errors import ConfigError, RLAError

pytestmark = pytest.mark.usefixtures("quiet")


def files_of(root: Path) -> dict[str, bytes]:
    """All files of a log root but the lock of its trash."""
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {path: data for path, data in found.items() if path != ".trash/lock"}


def seeds(root: Path) -> list[int]:
    return [run.hparams["seed"] for run in rla.runs(root) if run.task == "demo"]


def make_runs(root: Path) -> None:
    """Three runs, with files in all trees, and one of another task, which stays."""
    with rla.run(task="stays", log_root=root, writers=["csv"], backup="none"):
        pass
    for seed in range(3):
        with rla.run(task="demo", log_root=root, record=["seed"], writers=["csv"], backup="none", seed=seed) as run:
            rla.log({"loss": 0.5}, step=0)
            rla.save_checkpoint({"weights": [0.5]}, step=0)
            (run.results_dir / "curve.png").write_bytes(b"a figure")
            (run.code_dir / "train.py").write_bytes(b"code")


@pytest.fixture
def root(tmp_path):
    """These runs, archived."""
    make_runs(tmp_path / "root")
    upkeep.archive(rla.runs(tmp_path / "root", task="demo"))
    return tmp_path / "root"


def test_restored_runs_are_in_all_trees_again(root):
    """The others stay in the archive; undo puts them back there, and another undo, of the archive, brings all back."""
    archived = files_of(root)
    act = upkeep.restore(rla.runs(root / "archived", where="seed > 0"))
    assert (act.kind, len(act.runs), act.problems) == ("restore", 2, ())
    assert seeds(root) == [1, 2] and seeds(root / "archived") == [0]
    for run in rla.runs(root, task="demo"):
        trees = run.log_dir, run.checkpoint_dir, run.results_dir, run.code_dir, run.paths.archive_dir
        assert all(any(each.iterdir()) for each in trees) and (run.hints, run.problems) == ((), ())
        assert rla.load_checkpoint(run=run)[1] == {"weights": [0.5]}
    assert [act.kind for act in upkeep.acts(root)] == ["archive", "restore"]
    assert upkeep.undo(root).kind == "restore" and files_of(root) == archived
    assert upkeep.undo(root).kind == "archive" and seeds(root) == [0, 1, 2] and not rla.runs(root / "archived")


def test_the_log_folder_comes_last(root, monkeypatch):
    """So nobody lists a run whose checkpoints are not there yet; and it goes first when that is undone."""
    renamed, rename = [], os.rename
    trees = ["results", "checkpoint", "code", "archive_tester"]
    monkeypatch.setattr(os, "rename", lambda source, target: (renamed.append(Path(target)), rename(source, target)))
    upkeep.restore(rla.runs(root / "archived")[-1])
    places = [path.relative_to(root).parts[0] for path in renamed if "demo" in path.parts]
    assert places[-1] == "log" and sorted(places[:-1]) == sorted(trees)
    renamed.clear()
    upkeep.undo(root)
    places = [path.relative_to(root).parts[1] for path in renamed if "demo" in path.parts]
    assert places[0] == "log" and sorted(places[1:]) == sorted(trees)


def test_only_archived_runs_are_restored(root):
    """Others are a mistake; a run whose name is taken is refused, and nothing is changed."""
    with pytest.raises(ConfigError, match="Allowed: archived ones"):
        upkeep.restore(rla.runs(root))
    run = rla.runs(root / "archived")[0]
    (root / "checkpoint" / run.name).mkdir(parents=True)
    before = files_of(root)
    with pytest.raises(RLAError, match="is there already"):
        upkeep.restore(rla.runs(root / "archived"))
    assert files_of(root) == before


def test_a_run_that_goes_on_again_is_not_put_away_by_undo(root):
    """It was restored, and resumed."""
    upkeep.restore(rla.runs(root / "archived")[0])
    path = rla.runs(root, task="demo")[0].paths.run_json
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"status": "running", "ended": None, "seconds": None}))
    with pytest.raises(RLAError, match="is running"):
        upkeep.undo(root)
    assert seeds(root) == [0]


def test_a_run_of_the_original_rla_comes_back(root):
    """It has no run.json, and its archive is a file."""
    name = "old/2021/01/31/12-00-00-000000 10.0.0.5 &lr=0.1"
    (root / "log" / name).mkdir(parents=True)
    (root / "log" / name / "progress.csv").write_text("loss,time-step\n0.5,1\n")
    (root / "archive_tester" / f"{name}.pkl").parent.mkdir(parents=True)
    (root / "archive_tester" / f"{name}.pkl").write_bytes(b"pickle")
    before = files_of(root)
    upkeep.archive(rla.runs(root, task="old"), running=True)
    assert [run.task for run in rla.runs(root)] == ["stays"]
    upkeep.restore(rla.runs(root / "archived", task="old"), running=True)
    assert files_of(root).keys() - {".trash/1/act.json", ".trash/2/act.json", ".trash/3/act.json"} == (
        before.keys() - {".trash/1/act.json"}
    )


def test_a_tree_on_another_disk_keeps_its_files_there(tmp_path, mounted):
    """They are archived on that disk, and come back on it."""
    disk = mounted("tmpfs", "size=4m")
    root = tmp_path / "root"
    root.mkdir()
    (root / "checkpoint").symlink_to(disk)
    make_runs(root)
    before = files_of(root)
    upkeep.archive(rla.runs(root, task="demo"))
    assert not seeds(root) and [*disk.glob(".archived/demo/*/*/*/*/manifest.json")]
    for run in rla.runs(root / "archived"):
        assert rla.load_checkpoint(run=run)[1] == {"weights": [0.5]} and run.code_dir.is_dir()
    upkeep.restore(rla.runs(root / "archived"))
    after = files_of(root)
    assert {path: after.get(path) for path in before} == before and seeds(root) == [0, 1, 2]
    assert rla.latest_checkpoint(rla.runs(root, task="demo")[0])
