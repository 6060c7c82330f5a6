"""``rla.load_checkpoint(run=...)``: checkpoints of any run, which only reads there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.core import registry
from rla_hooks.errors import CheckpointError, ConfigError

pytestmark = pytest.mark.usefixtures("quiet")

QUICK = {"writers": ["csv", "log"], "backup": "none", "log_root": "root"}


@pytest.fixture
def teacher():
    """A run with two checkpoints, and one of another name."""
    with rla.run("teach", **QUICK) as run:
        for step in (1, 2):
            rla.save_checkpoint({"w": [step]}, step=step)
        rla.save_checkpoint({"w": [20]}, checkpoint_name="best", step=2)
    return run


def files_of(folder):
    """Every file below a folder: content and time."""
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path(folder).rglob("*") if path.is_file()}


def json_of(run):
    return json.loads((run.log_dir / "run.json").read_text())


def test_any_run_is_loaded_from_and_nothing_of_it_changes(teacher):
    """A saved or open run, an id, a name, a part, latest, the path of a folder, of the checkpoints, of one file."""
    before = files_of("root")
    saved, own = rla.runs("root")[-1], teacher.record.content["id"]
    paths = [teacher.checkpoint_dir, str(teacher.checkpoint_dir), teacher.log_dir, os.path.relpath(teacher.code_dir)]
    with rla.run("student", **QUICK) as run:
        for each in (saved, teacher, own, own[:4], teacher.name, "teach", "latest", *paths):
            assert rla.load_checkpoint(run=each) == (2, {"w": [2]}), each
        assert run.load_checkpoint(run=own, step=1) == run.load_checkpoint(run=own, ckp_index=1) == (1, {"w": [1]})
        assert rla.load_checkpoint(run=own, checkpoint_name="best") == (2, {"w": [20]})
        assert rla.load_checkpoint(run=rla.latest_checkpoint(saved, "best")) == (2, {"w": [20]})
    after = files_of("root")
    assert {path: after[path] for path in before} == before


def test_the_run_and_its_log_say_what_was_loaded(teacher):
    """Each checkpoint once: a self-play loads the same opponents for hours."""
    own = teacher.record.content["id"]
    with rla.run("student", **QUICK) as run:
        rla.log({"a": 1}, step=0)
        for _ in range(3):
            rla.load_checkpoint(run=teacher)
        rla.load_checkpoint(run=teacher, step=1)
        rla.log({"a": 1}, step=1)
    notes = [{"run": teacher.name, "id": own, "step": step, "file": f"checkpoint-{step}.pkl"} for step in (2, 1)]
    assert json_of(run)["loaded_from"] == notes and "loaded_from" not in json_of(teacher)
    told = (run.log_dir / "log.txt").read_text()
    assert told.count(f"loaded the checkpoint checkpoint-2.pkl (step 2) of {own} ({teacher.name})") == 1
    assert rla.runs("root")[-1].metrics()["time-step"].tolist() == [0, 1] and not (run.log_dir / "cut").exists()


def test_a_run_that_loads_for_ever_notes_a_hundred(teacher, monkeypatch):
    """run.json stays small."""
    monkeypatch.setattr("rla_hooks.record._MAX_LOADED", 1)
    with rla.run("student", **QUICK) as run:
        rla.load_checkpoint(run=teacher, step=2)
        rla.load_checkpoint(run=teacher, step=1)
    assert [each["step"] for each in json_of(run)["loaded_from"]] == [2]


def test_a_checkpoint_folder_elsewhere(teacher, tmp_path):
    """It need not be in a log root; run.json names the file."""
    shutil.copytree(teacher.checkpoint_dir, "elsewhere")
    with rla.run("student", **QUICK) as run:
        assert rla.load_checkpoint(run=Path("elsewhere")) == rla.load_checkpoint(run="./elsewhere") == (2, {"w": [2]})
        assert rla.load_checkpoint(run="elsewhere/checkpoint-1.pkl") == (1, {"w": [1]})
    first, second = json_of(run)["loaded_from"]
    file = str(tmp_path / "elsewhere" / "checkpoint-2.pkl")
    assert first == {"run": None, "id": None, "step": 2, "file": file} and second["step"] == 1


def test_objects_are_restored_in_place(teacher):
    """As from the run's own checkpoints; those of new_saver count, too."""
    import numpy as np

    with rla.run("arrays", **QUICK) as other:
        rla.save_checkpoint({"w": np.arange(3.0), "n": 1}, step=5)
    weights = np.zeros(3)
    with rla.run("student", **QUICK):
        assert rla.load_checkpoint(run=other, objects={"w": weights})[1]["n"] == 1 and weights.tolist() == [0, 1, 2]
        weights[:] = 7
        rla.new_saver(objects={"w": weights})
        assert rla.load_checkpoint(run=other)[0] == 5 and weights.tolist() == [0, 1, 2]


def test_no_run_need_be_open(teacher, monkeypatch):
    """In a notebook, or an evaluation script; also where tracking is off."""
    assert registry.current() is None
    assert rla.load_checkpoint(run=teacher.checkpoint_dir) == (2, {"w": [2]})
    monkeypatch.setenv("RLA_MODE", "off")
    assert rla.load_checkpoint(step=1, run=rla.runs("root")[-1]) == (1, {"w": [1]})
    with rla.run("student", **QUICK) as run:
        assert rla.load_checkpoint(run=teacher) == (2, {"w": [2]}) and run.name is None
    assert len(rla.runs("root")) == 1


def test_errors_name_the_run_and_what_is_there(teacher):
    """The folder has the run's name; steps and names that are there are listed."""
    empty = rla.start("empty", **QUICK)
    empty.finish()
    with rla.run("student", **QUICK) as run:
        with pytest.raises(CheckpointError, match=r"of step 7 can be loaded from .*checkpoint/teach/.*of steps 1, 2\."):
            rla.load_checkpoint(run=teacher, step=7)
        with pytest.raises(CheckpointError, match=r"checkpoint/teach/.*named best, checkpoint\. Did you mean 'best'"):
            rla.load_checkpoint(run=teacher, checkpoint_name="bets")
        with pytest.raises(CheckpointError, match=r"checkpoint/empty/.*No other is there"):
            rla.load_checkpoint(run=empty)
        with pytest.raises(ConfigError, match=r"rla\.load_checkpoint: 'nosuch' fits no run among 3"):
            rla.load_checkpoint(run="nosuch")
        with pytest.raises(ConfigError, match=r"rla\.load_checkpoint got 3\. Allowed: a run"):
            rla.load_checkpoint(run=3)
        with pytest.raises(ConfigError, match=r"there is no run at \S*gone\. Allowed"):
            rla.load_checkpoint(run=Path("gone"))
        Path("here").mkdir()
        with pytest.raises(ConfigError, match=r"here is neither of a run nor a folder of checkpoints \(it has no man"):
            rla.load_checkpoint(run=Path("here"))
    assert "loaded_from" not in json_of(run)


def test_a_checkpoint_that_a_resume_cut_is_not_chosen(teacher):
    """The newest one that is left is."""
    manifest = Manifest(teacher.checkpoint_dir)
    manifest.mark_cut([entry for entry in manifest.entries() if entry.file == "checkpoint-2.pkl"], 1)
    assert rla.load_checkpoint(run=teacher) == (1, {"w": [1]})
    with pytest.raises(CheckpointError, match=r"of steps 1\."):
        rla.load_checkpoint(run=teacher, step=2)
