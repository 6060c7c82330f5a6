"""Runs whose folders somebody has renamed, moved or copied by hand."""

from __future__ import annotations

import json
import shutil

import pytest

import rla_hooks as rla
from rla_hooks.query.moved import noted_name

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def name(root):
    """The name of a finished run with three rows, a checkpoint and a figure."""
    with rla.run(task="demo", log_root=root, record=["lr"], writers=["csv"], backup="none", lr=0.1) as run:
        for step in range(3):
            rla.log({"loss": 1.0 / (step + 1)}, step=step)
        rla.save_checkpoint({"weights": [0.5]}, step=2)
        (run.results_dir / "curve.png").write_bytes(b"a figure")
    return run.name


def move(root, name, to):
    (root / "log" / to).parent.mkdir(parents=True, exist_ok=True)
    (root / "log" / name).rename(root / "log" / to)


@pytest.mark.parametrize(
    ("to", "task"),
    [
        ("best", "demo"),
        ("demo/best of all", "demo"),
        ("demo/2026/01/31/best", "demo"),
        ("demo/deep/2026/01/31/best", "demo/deep"),
        ("kept/for/the/paper/best", "kept/for/the/paper"),
        ("other/2026/01/31/12-00-00-000000_10.0.0.5_&width=7", "other"),
    ],
)
def test_a_run_that_was_renamed_or_moved_is_listed_with_a_hint(root, name, to, task):
    """It keeps its id, its record, its start and its rows; the folders under the old name are found."""
    (before,) = rla.runs(root)
    move(root, name, to)
    (run,) = rla.runs(root)
    assert (run.name, run.task, run.id, run.status, run.problems) == (to, task, before.id, "finished", ())
    assert (run.started, run.record, run.hparams) == (before.started, {"lr": 0.1}, {"lr": 0.1})
    assert run.metrics()["loss"].tolist() == [1.0, 0.5, 1.0 / 3]
    assert run.log_dir == root / "log" / to and run.tensorboard_dir == run.log_dir / "tb"
    assert run.checkpoint_dir == root / "checkpoint" / name and run.results_dir == root / "results" / name
    assert run.code_dir == root / "code" / name
    assert rla.latest_checkpoint(run) == before.checkpoint_dir / "checkpoint-2.pkl"
    assert run.hints == (
        f"renamed or moved: run.json calls it {name}; its checkpoints, code, figures are under that name",
    )
    assert before.hints == ()
    if to.count("/"):
        assert list(rla.runs(root, task=run.task)) == [run]


def test_a_run_that_was_moved_with_all_its_trees_has_them_under_the_new_name(root, name):
    """What lies under its own name comes first."""
    for kind in ("log", "checkpoint", "results"):
        (root / kind / "kept").mkdir()
        (root / kind / name).rename(root / kind / "kept" / "best")
    shutil.rmtree(root / "code")
    (run,) = rla.runs(root)
    assert run.checkpoint_dir == root / "checkpoint" / "kept" / "best"
    assert run.results_dir == root / "results" / "kept" / "best"
    assert run.code_dir == root / "code" / "kept" / "best" and not run.code_dir.exists()
    assert rla.latest_checkpoint(run) is not None
    assert run.hints == (f"renamed or moved: run.json calls it {name}",)


def test_a_copied_run_is_listed_twice_and_the_copy_says_so(root, name):
    """Both have the same id; the original has no hint."""
    shutil.copytree(root / "log" / name, root / "log" / "demo" / "copy")
    first, second = sorted(rla.runs(root), key=lambda run: run.name != name)
    assert first.id == second.id and (first.hints, second.name) == ((), "demo/copy")
    assert second.hints[0].startswith(f"a copy: run.json calls it {name}; its checkpoints, code, figures are")


def test_a_log_root_that_was_moved_works_as_before(root, name, tmp_path):
    """Names are relative to the log root: nothing is unusual, and everything is found."""
    (before,) = rla.runs(root)
    root.rename(tmp_path / "archive 2026")
    (run,) = rla.runs(tmp_path / "archive 2026")
    assert run.entry == before.entry and run.hints == ()
    assert rla.latest_checkpoint(run) == tmp_path / "archive 2026" / "checkpoint" / name / "checkpoint-2.pkl"


def test_a_stray_run_json_hides_no_run(root, name):
    """The folder that it lies in is listed as a damaged run, and the runs below it as before."""
    for folder in ("", "demo", "demo/2026"):
        (root / "log" / folder).mkdir(exist_ok=True)
        (root / "log" / folder / "run.json").write_text("no JSON")
    move(root, name, "demo/renamed")
    found = {run.name: run for run in rla.runs(root)}
    assert sorted(found) == ["demo", "demo/2026", "demo/renamed"]
    assert [found[each].status for each in sorted(found)] == ["unknown", "unknown", "finished"]
    assert found["demo"].problems[0].startswith("run.json cannot be read")
    assert found["demo"].record == {} and found["demo"].hints == ()
    assert found["demo"].task == "demo" and {run.name for run in rla.runs(root, task="demo")} == {*found}


@pytest.mark.parametrize(
    "lie",
    [
        "../../demo/2026/01/31/12-00-00-000000_10.0.0.5_",
        "/demo/2026/01/31/12-00-00-000000_10.0.0.5_",
        "demo/../2026/01/31/12-00-00-000000_10.0.0.5_",
        "demo\\..\\2026/01/31/12-00-00-000000_10.0.0.5_",
        "demo//2026/01/31/12-00-00-000000_10.0.0.5_",
        "demo/2026/01/31/12-00-00-000000_10.0.0.5_&a=\0",
        "best",
        "a" * 5000 + "/2026/01/31/12-00-00-000000_10.0.0.5_",
        7,
        None,
        ["demo"],
    ],
)
def test_a_name_in_run_json_that_leads_elsewhere_is_not_followed(root, name, lie):
    """Whoever wrote run.json by hand gets the run's own folders."""
    file = root / "log" / name / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"name": lie}))
    assert noted_name({"name": lie}) is None
    move(root, name, "demo/best")
    (run,) = rla.runs(root)
    assert run.checkpoint_dir == root / "checkpoint" / "demo" / "best" and run.hints == ()
    assert run.record == {} and run.status == "finished"


def test_a_hint_prints_on_any_terminal(root, name):
    """Control characters and parts of characters in the name that run.json tells come out as escapes."""
    odd = "demo/2026/01/31/12-00-00-000000_10.0.0.5_&a=\x1b[31m\ud800"
    file = root / "log" / name / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"name": odd}))
    (run,) = rla.runs(root)
    assert run.hints == (
        "renamed or moved: run.json calls it demo/2026/01/31/12-00-00-000000_10.0.0.5_&a=\\x1b[31m\\ud800",
    )
