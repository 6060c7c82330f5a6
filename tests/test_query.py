"""Reading runs back: all of them, in order, whatever has become of their files."""

from __future__ import annotations

import json
import os
import pickle
import shutil

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAError, RLAWarning
from rla_hooks.tester import Tester

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "root"


@pytest.fixture
def run(root):
    """Makes a finished run with the given rows."""

    def make(task="t", *rows, writers=("csv",), **params):
        tester = Tester()
        tester.configure(task_name=task, log_root=root, writers=list(writers), backup="none")
        tester.set_hyper_param(**params)
        tester.add_record_param(list(params))
        tester.log_files_gen()
        for row in rows:
            tester.log(row)
        tester.finish()
        return tester

    return make


def tree(root):
    return sorted((str(path), path.stat().st_mtime_ns) for path in root.rglob("*"))


def test_runs_come_newest_last_and_by_task(run, root):
    """The order is that of the start across tasks; a task's filter takes the tasks grouped in it, and no namesakes."""
    names = [run(task, number=i).name for i, task in enumerate(["b", "a", "a/deep", "ab", "my task", "a"])]
    before = tree(root)
    saved = rla.runs(root)
    assert [each.name for each in saved] == names
    assert [each.task for each in saved] == ["b", "a", "a/deep", "ab", "my task", "a"]
    assert [each.hparams["number"] for each in rla.runs(root, task="a")] == [1, 2, 5]
    assert [each.hparams["number"] for each in rla.runs(str(root), task="a/deep")] == [2]
    for each in saved:
        assert each.name in [found.name for found in rla.runs(root, task=each.task)]
    assert rla.runs(root, task="none") == [] and rla.runs(root / "nowhere") == []
    assert tree(root) == before


def test_a_saved_run_tells_its_folders(run, root):
    """All trees carry the run's name."""
    name = run("t", {"a": 1}, lr=0.1).name
    (saved,) = rla.runs(root)
    folders = {
        "log": saved.log_dir,
        "code": saved.code_dir,
        "checkpoint": saved.checkpoint_dir,
        "results": saved.results_dir,
    }
    assert folders == {kind: root / kind / name for kind in folders}
    assert saved.tensorboard_dir == root / "log" / name / "tb"
    assert (saved.status, saved.hparams, saved.record, saved.problems) == ("finished", {"lr": 0.1}, {"lr": "0.1"}, ())
    assert saved.info["rows"] == 1


def test_a_bad_filter_is_a_clear_error(root):
    """A task name that climbs out reads nothing."""
    with pytest.raises(ConfigError, match="climbs out"):
        rla.runs(root, task="../..")


DAMAGES = {
    "no run.json": lambda run: run.paths.run_json.unlink(),
    "empty run.json": lambda run: run.paths.run_json.write_text(""),
    "half run.json": lambda run: os.truncate(run.paths.run_json, 20),
    "list run.json": lambda run: run.paths.run_json.write_text("[]"),
    "bytes run.json": lambda run: run.paths.run_json.write_bytes(b"\xff\xfe{"),
    "deep run.json": lambda run: run.paths.run_json.write_text("[" * 100_000),
    "odd status": lambda run: run.paths.run_json.write_text('{"status": ["running"]}'),
    "odd pid": lambda run: run.paths.run_json.write_text('{"status": "runing", "pid": 1e999}'),
    "folder run.json": lambda run: (run.paths.run_json.unlink(), run.paths.run_json.mkdir()),
    "no parameter.json": lambda run: run.paths.parameter_json.unlink(),
    "half parameter.json": lambda run: os.truncate(run.paths.parameter_json, 3),
    "deep parameter.json": lambda run: run.paths.parameter_json.write_text("[" * 100_000),
    "list parameter.json": lambda run: run.paths.parameter_json.write_text("[1]"),
    "all gone": lambda run: (shutil.rmtree(run.log_dir), run.log_dir.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_listed_and_hides_no_other(damage, run, root):
    """What is wrong stands in `problems`, what can be read is there, and the runs beside it are whole."""
    run("t", {"a": 1}, number=1)
    run("t", {"a": 2}, number=2)
    run("t", {"a": 3}, number=3)
    DAMAGES[damage](rla.runs(root)[1])
    os.utime(rla.runs(root)[1].log_dir, (0, 0))  # long ago: a young one may just be starting
    first, damaged, last = rla.runs(root)
    assert (first.problems, last.problems) == ((), ())
    assert (first.hparams["number"], last.hparams["number"]) == (1, 3)
    assert ("parameter.json" if "parameter" in damage else "run.json") in damaged.problems[0]
    if "parameter" in damage:
        assert damaged.status == "finished" and damaged.hparams == {}
    elif "gone" not in damage:
        assert damaged.status == "unknown" and damaged.hparams == {"number": 2}
        assert damaged.metrics()["a"].tolist() == [2]
    else:
        assert damaged.metrics().empty and len(damaged.problems) == 2


def test_foreign_folders_are_no_runs(run, root):
    """Files and folders that only look a little like runs are passed over, also links in a circle."""
    name = run("t", number=1).name
    for folder in ("t/2026", "t/2026/01/31", "t/2026/13/77/12-00-00-000000_ip_", "t/a/b/c/d", "12-00-00-000000_ip_"):
        (root / "log" / folder).mkdir(parents=True, exist_ok=True)
    (root / "log" / "t" / "2026" / "01" / "31" / "12-00-00-000000_10.0.0.1").write_text("a file")
    (root / "log" / "t" / "2026" / "01" / "31" / ".DS_Store").write_text("")
    (root / "log" / "circle").symlink_to(root / "log")
    assert [each.name for each in rla.runs(root)] == [name]


def test_runs_of_the_original_rla_are_listed(run, root):
    """Folders with blanks are read, in the order of their time; their pickles are never opened."""
    leaf = "21-13-03-230208 11.0.91.89 &env_id=Test-v1&learning_rate=0.0001"
    name = f"demo_task/2022/03/01/{leaf}"
    (root / "log" / name / "tb" / "events").mkdir(parents=True)
    (root / "log" / name / "parameter.json").write_text('{"env_id": "Test-v1", "learning_rate": 0.0001}')
    (root / "log" / name / "progress.csv").write_text("perf/reward,time-step\n1.5,0\n2.5,1\n")
    archive = root / "archive_tester" / "demo_task" / "2022" / "03" / "01" / f"{leaf}.pkl"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(pickle.dumps(os.system))
    under = "demo_task/2022/03/02/21-13-03-230208_11.0.91.89_&env_id=Other"
    (root / "log" / under).mkdir(parents=True)
    new = run("demo_task", number=1).name
    old, newer, own = rla.runs(root, task="demo_task")
    assert (old.name, newer.name, own.name) == (name, under, new)
    assert old.task == "demo_task" and old.status == "unknown"
    assert old.record == {"env_id": "Test-v1", "learning_rate": "0.0001"}
    assert old.hparams == {"env_id": "Test-v1", "learning_rate": 0.0001}
    assert old.metrics()["perf/reward"].tolist() == [1.5, 2.5]
    assert rla.latest_checkpoint(old) is None
    with pytest.raises(RLAError, match="no archived Tester"):
        Tester.load_tester("2022/03/01/21-13-03-230208", "demo_task", root)


def test_metrics_of_ragged_rows(run, root):
    """Late keys leave gaps before them; numbers, infinities and texts come back as they were logged."""
    inf = float("inf")
    run(
        "t", {"a": 1}, {"a": 0.1, "late": inf}, {"text": "NA", 'späť, "x"\n': -inf}, {"text": "None", "a": float("nan")}
    )
    frame = rla.runs(root)[0].metrics()
    assert list(frame.columns) == ["time-step", "timestamp", "a", "late", "text", 'späť, "x"\n']
    assert frame["time-step"].tolist() == [0, 1, 2, 3]
    assert frame["a"].tolist()[:2] == [1, 0.1] and frame["a"].isna().tolist() == [False, False, True, True]
    assert frame["late"].tolist()[1] == inf and frame['späť, "x"\n'].tolist()[2] == -inf
    assert frame["text"].tolist()[2:] == ["NA", "None"] and frame["text"].isna().tolist() == [True, True, False, False]


def test_metrics_of_an_empty_run(run, root):
    """A run without rows, or whose file is empty, has an empty frame."""
    run("t")
    (saved,) = rla.runs(root)
    assert saved.metrics().empty
    (saved.log_dir / "progress.csv").write_text("")
    assert saved.metrics().empty


def test_a_row_that_a_crash_cut_is_survived(run, root):
    """A last row without its end does not hide the rows before it."""
    run("t", {"a": 1, "b": 2}, {"a": 3, "b": 4})
    path = rla.runs(root)[0].log_dir / "progress.csv"
    os.truncate(path, path.stat().st_size - 3)
    assert rla.runs(root)[0].metrics()["a"].tolist() == [1, 3]


def test_the_log_root_comes_from_the_config(run, root, tmp_path, monkeypatch):
    """Without an argument it is the one that a run started here would use."""
    run("t")
    (tmp_path / "rla_config.yaml").write_text("LOG_ROOT: ./root\n")
    assert len(rla.runs()) == 1


def test_the_latest_checkpoint(run, root):
    """It is found by run, by Tester and by folder; a file that is not complete is passed over with None at last."""
    tester = run("t")
    (saved,) = rla.runs(root)
    assert rla.latest_checkpoint(saved) is None
    paths = [tester.save_checkpoint({"step": step}, step=step) for step in (1, 3, 2)]
    for named in (saved, tester, saved.checkpoint_dir, str(saved.checkpoint_dir)):
        assert rla.latest_checkpoint(named) == paths[2]
    best = tester.save_checkpoint({"step": 4}, checkpoint_name="best", step=4)
    assert [rla.latest_checkpoint(saved, name) for name in ("best", "checkpoint", "none")] == [best, paths[2], None]
    best.unlink()
    os.truncate(paths[2], 1)
    with pytest.warns(RLAWarning, match=r"checkpoint-2.pkl has 1 bytes .* Step 3 is taken instead"):
        assert rla.latest_checkpoint(saved) == paths[1]
    for path in paths:
        path.unlink()
    assert rla.latest_checkpoint(saved) is None
    (saved.checkpoint_dir / "manifest.json").write_text(json.dumps({"format": 99}))
    with pytest.warns(RLAWarning):
        assert rla.latest_checkpoint(saved) is None
    assert rla.latest_checkpoint(Tester()) is None
