"""A log root that rla_hooks wrote when run.json and the manifest were of format 1: it is read as ever.

tests/data/root_format_1 was made by that version. Only paths, the host and a long text were changed.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")
SHIPPED = Path(__file__).parent / "data" / "root_format_1"


@pytest.fixture
def root(tmp_path):
    """A copy: a run that is loaded may be written to."""
    copy = Path(shutil.copytree(SHIPPED, tmp_path / "root"))
    for file in copy.rglob("run.json"):
        os.utime(file)  # as if it were of today: a run elsewhere that has been silent says so
    return copy


def test_every_run_is_listed(root):
    """In the order of their starts, with status, hyper-parameters, rows and without problems."""
    runs = rla.runs(root)
    assert [each.problems for each in runs] == [()] * 5
    assert [(each.task, each.status, each.record) for each in runs] == [
        ("cartpole", "finished", {"lr": 0.1, "seed": 1}),
        ("atari/pong", "failed", {"lr": 0.01}),
        ("cartpole", "interrupted", {"seed": 2}),
        ("cartpole", "finished", {"seed": 3}),
        ("cartpole", "running", {"seed": 4}),
    ]
    assert runs[0].hparams == {"lr": 0.1, "seed": 1, "note": "späť", "nested.a": 1, "nested.b": [1, 2.5, None]}
    assert [each.info["format"] for each in runs] == [1] * 5
    assert [(each.info["rows"], each.info["last_step"]) for each in runs] == [
        (15, 140),
        (1, 1),
        (1, 1),
        (3, 300),
        (3, 2),
    ]
    assert [each.hparams["seed"] for each in rla.runs(root, task="cartpole")] == [1, 2, 3, 4]


def test_facts_of_a_run_are_there(root):
    """Gaps, traceback and last values."""
    finished, failed, *_, running = rla.runs(root)
    (gap,) = finished.info["gaps"]
    assert (gap["writer"], gap["rows"], gap["first_step"], gap["last_step"]) == ("csv", 2, 110, 120)
    assert finished.info["last"]["late/key"] == math.inf and finished.info["last"]["later"] == 0.1 + 0.2
    assert failed.info["error"].endswith("ValueError: no such optimizer: 'adamm'\n")
    assert running.info["last"] == {"loss": 0.0}, "of a run that did not end, it is read from progress.csv"


def test_a_run_whose_process_is_gone_is_killed(root):
    """On the host that it ran on; elsewhere it says after some silence since when."""
    path = rla.runs(root)[-1].paths.run_json
    for file in path.parent.iterdir():
        os.utime(file, (86400, 86400))
    assert rla.runs(root)[-1].status == "running (silent since 1970-01-02 00:00 UTC)"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": socket.gethostname()}))
    assert rla.runs(root)[-1].status == "killed"


def test_rows_are_read(root):
    """Late keys, texts with quotes, NaN and infinity, in the order of writing."""
    pytest.importorskip("pandas")
    frame = rla.runs(root)[0].metrics()
    assert list(frame.columns) == ["time-step", "timestamp", "loss", "text", "late/key", "later"]
    assert frame["time-step"].tolist() == [*range(0, 101, 10), 130, 140]
    assert frame["text"].tolist()[:2] == ['a "quote", 0', 'a "quote", 1'] and frame["loss"].tolist()[1] == 0.25
    assert frame["late/key"].tolist()[6] == math.inf and frame["later"].tolist()[7] == 0.1 + 0.2


def test_checkpoints_are_found_and_loaded(root):
    """By the manifest of format 1; a further one makes it format 2, and loses none."""
    run = rla.runs(root)[3]
    assert rla.latest_checkpoint(run, "checkpoint").name == "checkpoint-300.pkl"
    assert rla.latest_checkpoint(run).name == "best-200.pkl"
    tester = Tester.load(run.paths.archive_dir)
    step, content = tester.load_checkpoint()
    assert (step, content["epoch"], content["weights"].tolist()) == (300, 3, [0, 300, 600, 900])
    assert tester.load_checkpoint(200)[1]["epoch"] == 2
    assert tester.hyper_param == {"seed": 3} and tester.get_custom_data("best_return") == [42.5]
    tester.save_checkpoint({"epoch": 4}, step=400)
    tester.finish()
    manifest = json.loads((run.checkpoint_dir / "manifest.json").read_text())
    assert manifest["format"] == 2
    assert [entry["file"] for entry in manifest["checkpoints"]] == [
        "checkpoint-200.pkl",
        "checkpoint-300.pkl",
        "best-200.pkl",
        "checkpoint-400.pkl",
    ]
    assert rla.runs(root)[3].status == "finished"
