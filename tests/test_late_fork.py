"""A run that has begun takes over what another one has logged, of this package or of the original RLA."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas
import pytest

import rla_hooks as rla
from rla_hooks.checkpoints import Manifest
from rla_hooks.errors import ConfigError, RLAWarning, RunError
from rla_hooks.late_fork import take_over
from rla_hooks.layout import RunPaths
from rla_hooks.tester import Tester
from rla_hooks.upkeep import import_runs, verify

pytestmark = pytest.mark.usefixtures("quiet")
ROOT_OF_RLA = Path(__file__).parent / "data" / "root_of_rla"
OLD = RunPaths(ROOT_OF_RLA, "demo_task/2022/11/24/18-46-30-917022_10.0.0.8_&env_id=Test-v1&learning_rate=0.001&seed=88")


@pytest.fixture
def start():
    """Starts a run as RLA's scripts do, each time another one."""
    tester = Tester()

    def start(**params):
        tester.set_hyper_param(**params)
        tester.configure("t", log_root="root", writers=["csv", "tensorboard", "log"], backup="none")
        tester.log_files_gen()
        return tester

    yield start
    tester.finish()


@pytest.fixture
def first(start):
    """The paths of a run of ten rows, with checkpoints of steps 2, 5 and 8, and a figure."""
    tester = start(lr=0.1)
    _train(tester, range(10), every=3)
    tester.simple_plot(name="curve", data=[[1, 2]])
    tester.finish()
    return tester.paths


def _train(tester, steps, every=100):
    for step in steps:
        tester.log({"loss": step / 7}, step=step)
        if step % every == 2:
            tester.save_checkpoint({"w": [step]}, step=step)


def _saved(tester):
    return next(run for run in rla.runs("root") if run.name == tester.name)


def _steps(tester):
    return _saved(tester).metrics()["time-step"].tolist()


def _files(folder):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in Path(folder).rglob("*") if path.is_file()}


def _is_whole():
    return verify(None, "root") == []


def test_all_comes_and_the_checkpoint_that_is_loaded_decides_where_it_goes_on(start, first, read_events):
    """The rows after it are kept aside; nothing of the original changes, and nothing is damaged."""
    before = _files("root")
    tester = start(lr=0.5)
    assert take_over(tester.run, first)
    assert _steps(tester) == [*range(10)] and _saved(tester).info["rows"] == 10
    assert tester.load_checkpoint() == (8, {"w": [8]})
    _train(tester, range(9, 12))
    tester.finish()
    after = _files("root")
    assert {path: after[path] for path in before} == before
    assert _steps(tester) == [*range(12)] and _saved(tester).info["rows"] == 12
    noted, (former, _) = _saved(tester).forked_from, rla.runs("root")
    assert (noted["id"], noted["step"], noted["file"]) == (former.id, 8, "checkpoint-8.pkl")
    scalars = [event.step for event in read_events(tester.tensorboard_dir) if event.summary.value]
    assert sorted(set(scalars)) == [*range(12)]
    assert (tester.results_dir / "curve.png").read_bytes() == (first.results_dir / "curve.png").read_bytes()
    assert _saved(tester).hparams == {"lr": 0.5} and "lr: 0.1 -> 0.5" in (tester.log_dir / "log.txt").read_text()
    assert _is_whole()


def test_an_older_checkpoint_goes_further_back(start, first):
    """The later checkpoints are none of the run's any more, and run.json says where it goes on."""
    tester = start()
    take_over(tester.run, first)
    assert tester.load_checkpoint(2) == (2, {"w": [2]})
    _train(tester, range(3, 5))
    tester.finish()
    assert _steps(tester) == [0, 1, 2, 3, 4] and _saved(tester).forked_from["step"] == 2
    assert [each.step for each in Manifest(tester.checkpoint_dir).complete()] == [2]
    assert _is_whole()


def test_without_a_load_all_rows_stay(start, first):
    """A warning at the first row says that steps may come twice."""
    tester = start()
    take_over(tester.run, first)
    with pytest.warns(RLAWarning, match="newest checkpoint .step 8., their rows are there twice"):
        _train(tester, [8])
    tester.finish()
    assert _steps(tester) == [*range(10), 8] and _saved(tester).info["rows"] == 11 and _is_whole()


def test_a_run_without_checkpoints_gives_its_rows(start, recwarn):
    """The new run goes on after the last of them, and nobody is warned."""
    tester = start()
    _train(tester, range(2))
    former = tester.paths
    tester = start()
    assert take_over(tester.run, former)
    tester.log({"loss": 0.5})
    tester.finish()
    assert _steps(tester) == [0, 1, 2] and _saved(tester).forked_from["step"] == 1
    assert _is_whole() and not recwarn.list


def test_it_can_be_resumed_at_a_checkpoint_that_it_took_over(start, first):
    """The rows that it has logged itself are cut then, and its tables of hyper-parameters stay."""
    tester = start(lr=0.5)
    take_over(tester.run, first)
    tester.load_checkpoint()
    _train(tester, range(9, 14))
    name = tester.name
    tester.run.ending.end_block(KeyboardInterrupt())
    options = {"task": "t", "log_root": "root", "writers": ["csv", "tensorboard", "log"], "backup": "none"}
    with rla.run(resume=name, lr=0.5, **options):
        assert rla.load_checkpoint(step=5) == (5, {"w": [5]})
        rla.log({"loss": 0.5}, step=6)
    assert _steps(tester) == [*range(7)] and _saved(tester).info["rows"] == 7 and _is_whole()


def test_a_run_with_rows_or_checkpoints_of_its_own_takes_nothing(start, first):
    """It warns once, and loses nothing; nor does one that has taken over a run already."""
    tester = start()
    tester.log({"own": 1.0}, step=0)
    with pytest.warns(RLAWarning, match="nothing was forked from .*, since it has 1 row of its own already"):
        assert not take_over(tester.run, first)
    assert _saved(tester).metrics()["own"].tolist() == [1.0] and _saved(tester).forked_from is None
    tester = start()
    tester.save_checkpoint({"w": [7]}, step=2)
    with pytest.warns(RLAWarning, match="it has checkpoints of its own already"):
        assert not take_over(tester.run, first)
    assert tester.load_checkpoint() == (2, {"w": [7]})
    tester = start()
    take_over(tester.run, first)
    with pytest.warns(RLAWarning, match="goes on with the history of another one already"):
        assert not take_over(tester.run, first)
    assert _steps(tester) == [*range(10)]


def test_what_cannot_be_taken_leaves_the_run_as_it_was(start, first):
    """Itself, a damaged run, and a checkpoint that cannot be put into its place."""
    tester = start()
    with pytest.raises(ConfigError, match="cannot take over its own log files"):
        take_over(tester.run, tester.paths)
    before = _files(tester.log_dir)
    (tester.checkpoint_dir / "checkpoint-2.pkl" / "in the way").mkdir(parents=True)
    with pytest.raises(RunError, match=r"^nothing was forked from the run .*Needed: room on the disk"):
        take_over(tester.run, first)
    assert _files(tester.log_dir).keys() == before.keys() and not list(tester.checkpoint_dir.glob("*-8.pkl"))
    first.run_json.write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        take_over(tester.run, first)
    tester.log({"loss": 1.0}, step=0)
    tester.finish()
    assert _steps(tester) == [0] and _saved(tester).info["rows"] == 1


def test_a_run_that_is_not_written_takes_nothing(first, monkeypatch):
    """With tracking off the script goes on."""
    monkeypatch.setenv("RLA_MODE", "off")
    with rla.run(task="t") as run:
        assert not take_over(run, first)


def test_log_file_copy_takes_a_loaded_tester(start, first):
    """RLA's method, with what load_tester gives; data comes, too. It needs a run that has started."""
    former = Tester.load_tester(first.name.removeprefix("t/")[:26], "t", "root")
    tester = start()
    tester.log_file_copy(former)
    assert _steps(tester) == [*range(10)] and tester.get_custom_data("time-step") == 8
    with pytest.raises(RunError, match="log_file_copy"):
        Tester().log_file_copy(former)


def test_the_rows_of_the_original_rla_come_in_our_form(start, tmp_path):
    """Equal to what pandas reads of its file, in the csv file and as events; nothing of the old root changes."""
    before = _files(ROOT_OF_RLA)
    tester = start(seed=3)
    assert take_over(tester.run, OLD)
    tester.finish()
    assert _files(ROOT_OF_RLA) == before
    frame, old = _saved(tester).metrics(), pandas.read_csv(OLD.progress_csv)
    assert len(frame) == len(old) and _saved(tester).info["rows"] == len(old)
    for column in set(old) - {"timestamp"}:
        pandas.testing.assert_series_equal(frame[column], old[column], check_dtype=False)
    assert _saved(tester).forked_from["run"] == OLD.name and _is_whole()


def test_checkpoints_of_rla_come_too_and_cut_by_time_and_step(start, tmp_path):
    """A row of the checkpoint's step that is later than its file is cut; rows without times of that step all stay."""
    shutil.copytree(ROOT_OF_RLA, tmp_path / "old")
    old = RunPaths(tmp_path / "old", OLD.name)
    old.checkpoint_dir.mkdir(parents=True)
    file = old.checkpoint_dir / "checkpoint_5.pt"
    file.write_bytes(b"of torch")
    os.utime(file, (1_700_000_000, 1_700_000_000))
    (old.results_dir / "imgs").mkdir(parents=True)
    (old.results_dir / "imgs" / "a.txt").write_bytes(b"text")
    for header, times, kept in (("", ("", ""), 2), (",timestamp", (",1699999999", ",1700000001"), 1)):
        rows = "".join(f"0.5,{step}{times[0]}\n0.7,{step}{times[1]}\n" for step in range(9))
        old.progress_csv.write_text(f"loss,time-step{header}\n{rows}")
        tester = start()
        take_over(tester.run, old)
        (entry,) = Manifest(tester.checkpoint_dir).complete()
        assert (entry.file, entry.step) == ("checkpoint-5.pt", 5) and _saved(tester).info["rows"] == 18
        tester.run.checkpoints.loaded(entry)
        tester.log({"loss": 1.0}, step=6)
        tester.finish()
        assert _steps(tester) == [step for step in range(5) for _ in range(2)] + [5] * kept + [6]
        assert _saved(tester).forked_from["file"] == "checkpoint-5.pt" and _saved(tester).info["rows"] == 11 + kept
        assert (tester.results_dir / "imgs" / "a.txt").read_bytes() == b"text"


def test_an_imported_run_is_forked_in_our_form(start, tmp_path):
    """Its csv file has no times, so that no writer of ours would append to it as it is."""
    shutil.copytree(ROOT_OF_RLA, tmp_path / "old")
    (first,) = (tmp_path / "old" / "log" / "demo_task" / "2022" / "03" / "01").glob("21-13-*")
    folder = tmp_path / "old" / "checkpoint" / "demo_task" / "2022" / "03" / "01" / first.name
    folder.mkdir(parents=True)
    (folder / "checkpoint_0.pt").write_bytes(b"of torch")
    import_runs(tmp_path / "old", log_root="root")
    (former,) = [run for run in rla.runs("root") if run.checkpoints()]
    tester = start()
    take_over(tester.run, former.paths)
    (entry,) = Manifest(tester.checkpoint_dir).complete()
    tester.run.checkpoints.loaded(entry)
    tester.log({"loss": 1.0}, step=1)
    tester.finish()
    assert _steps(tester) == [0, 1] and [path.name for path in tester.log_dir.glob("*.csv")] == ["progress.csv"]
    assert _saved(tester).forked_from["id"] == former.id
