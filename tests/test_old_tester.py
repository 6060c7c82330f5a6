"""A Tester that the original RLA has pickled, as an object that reads: in the root where its run lies now."""

from __future__ import annotations

import collections
import os
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from rla_hooks.errors import RLAWarning
from rla_hooks.layout import RunPaths
from rla_hooks.query.old_tester import OldTester
from rla_hooks.tester import Tester

ROOT_OF_RLA = Path(__file__).parent / "data" / "root_of_rla"
DATE = "2022/03/01/21-13-03-230208"
NAME = f"demo_task/{DATE}_10.0.0.7_&lr=0.1&layers={{64, 64}}"


def _pickled(content):
    """A Tester of a class that is gone, with these attributes."""
    module = types.ModuleType("RLA_that_is_gone")
    module.Tester = type("Tester", (), {"__module__": module.__name__})
    sys.modules[module.__name__] = module
    try:
        tester = module.Tester()
        tester.__dict__.update(content)
        return pickle.dumps(tester)
    finally:
        del sys.modules[module.__name__]


@pytest.fixture
def old(tmp_path):
    """Writes the pickle of a run of RLA, and returns its Tester."""

    def make(data, name=NAME):
        path = tmp_path / "archive_tester" / f"{name}.pkl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else _pickled(data))
        return OldTester(RunPaths(tmp_path, name))

    return make


def test_it_has_what_was_pickled(old):
    """Nested hyper-parameters, data with arrays, the config without its passwords."""
    custom = {
        "time-step": 900,
        "returns": collections.deque([1.0, 2.0], maxlen=5),
        "mean": np.arange(6.0).reshape(2, 3),
        "scale": np.float32(0.5),
    }
    custom |= {"order": np.asfortranarray(np.arange(6, dtype="int16").reshape(2, 3))}
    tester = old(
        {
            "hyper_param": {"lr": 0.1, "net": {"width": 64}},
            "hyper_param_record": ["lr=0.1"],
            "custom_data": custom,
            "private_config": {"DL_FRAMEWORK": "torch", "REMOTE_SETTING": {"password": "hunter2"}},
            "dl_framework": "torch",
        }
    )
    assert tester.hyper_param == {"lr": 0.1, "net": {"width": 64}} and tester.hyper_param_record == ["lr=0.1"]
    assert tester.private_config == {"DL_FRAMEWORK": "torch", "REMOTE_SETTING": {"password": "***"}}
    assert tester.dl_framework == "torch" and tester.get_timestep() == 900
    assert tester.get_custom_data("returns") == [1.0, 2.0] and tester.get_custom_data("missing") is None
    assert tester.get_custom_data("scale") == 0.5
    for key in ("mean", "order"):
        found = tester.get_custom_data(key)
        assert found.dtype == custom[key].dtype and found.tolist() == custom[key].tolist() and found.flags.writeable


def test_its_folders_are_those_where_it_lies_now(old, tmp_path):
    """As RLA's texts, to which a file's name can be added."""
    tester = old({"log_dir": "/home/elsewhere/log/x/", "data_root": "/home/elsewhere"})
    assert tester.log_dir + "progress.csv" == str(tmp_path / "log" / NAME / "progress.csv")
    assert tester.data_root == tmp_path and os.path.isfile(tester.pkl_file) and tester.pkl_dir.is_dir()
    assert tester.log_dir / "progress.csv" == tmp_path / "log" / NAME / "progress.csv"
    assert (tester.task_table_name, tester.info) == ("demo_task", "&lr=0.1&layers={64, 64}")
    assert tester.record_date.strftime("%Y/%m/%d/%H-%M-%S-%f") == DATE


def test_load_tester_gives_it_for_an_old_root():
    """RLA's call: the date, the task, the root. Nothing there changes."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in ROOT_OF_RLA.rglob("*"))
    tester = Tester.load_tester(DATE, "demo_task", ROOT_OF_RLA)
    assert isinstance(tester, OldTester)
    assert tester.hyper_param["learning_rate"] == 0.0001
    assert before == sorted((str(path), path.stat().st_mtime_ns) for path in ROOT_OF_RLA.rglob("*"))


class _Harmful:
    def __reduce__(self):
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    "data",
    [b"", b"no pickle", pickle.dumps({"custom_data": [1] * 1000})[:-500], pickle.dumps({"custom_data": [1] * 200_000})],
    ids=["empty", "text", "truncated", "large"],
)
def test_a_pickle_that_cannot_be_read_gives_one_warning(old, data):
    """The hyper-parameters are those of the run's name then, and there is no data."""
    tester = old(data)
    with pytest.warns(RLAWarning, match="hyper-parameters are those that can be read otherwise"):
        assert tester.hyper_param == {"lr": 0.1, "layers": "{64, 64}"}
    with pytest.warns(RLAWarning, match=r"\.pkl'? cannot be read: .*custom_data is not there") as told:
        assert tester.custom_data == {} == tester.custom_data
    assert len(told) == 1


def test_a_hostile_pickle_runs_nothing(old, tmp_path, monkeypatch):
    """What it would call is a text."""
    monkeypatch.chdir(tmp_path)
    tester = old({"custom_data": {"a": _Harmful(), "b": 2}, "hyper_param": {"lr": _Harmful()}})
    assert tester.custom_data["b"] == 2 and "system" in tester.custom_data["a"]
    assert "system" in tester.hyper_param["lr"] and not (tmp_path / "harmed").exists()


def test_its_checkpoints_are_read(old):
    """By their step and name, with RLA's arguments in their places."""
    torch = pytest.importorskip("torch")
    tester = old({})
    os.makedirs(tester.checkpoint_dir)
    torch.save({"epoch": 80}, tester.checkpoint_dir + "checkpoint_80.pt")
    torch.save({"epoch": 7}, tester.checkpoint_dir + "best_7.pt")
    tester.new_saver(1, "", True)
    assert tester.load_checkpoint() == (80, {"epoch": 80})
    assert tester.load_checkpoint(7, "best") == (7, {"epoch": 7})
    assert tester.get_timestep() == 80
