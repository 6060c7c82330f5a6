"""The kit for authors of hooks: joining a run or making one, arguments, figures, cadence, the real ending."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import rla_hooks as rla
from rla_hooks import hooks
from rla_hooks.core import registry
from rla_hooks.errors import ConfigError, RLAWarning
from rla_hooks.hooks import Argument, Every, FigureCalls, OwnRun, attach_or_plan, check_arguments, open_run, start_run

pytestmark = pytest.mark.usefixtures("quiet")

QUICK = {"writers": ["csv"], "backup": "none"}


def own(**options):
    return OwnRun("MyHook", "mine", **{**QUICK, **options})


def test_the_names_of_the_kit_are_all_there_and_documented():
    """What a hook imports stays: later versions add to it."""
    assert set(hooks.__all__) >= {
        "Argument", "Every", "FigureCalls", "Handle", "OwnRun", "Run", "WarnOnce", "attach_or_plan", "check_arguments",
        "ending_of", "flat", "open_run", "to_scalar",
    }  # fmt: skip
    for name in hooks.__all__:
        assert len(getattr(hooks, name).__doc__) > 20, name


def test_a_hook_joins_the_run_that_the_user_has_open(tmp_path):
    """Its own options are of no use then; asking which run is open changes nothing of it."""
    with rla.run("user", writers=["csv", "stdout"], backup="none") as run:
        before = [writer.name for writer in run.logger.output_formats]
        assert open_run() is run
        handle = attach_or_plan(own(task="other"))
        assert handle.run is handle.resolve() is handle.ensure_started() is run
        assert [writer.name for writer in run.logger.output_formats] == before
    assert len(rla.runs()) == 1


def test_a_hook_without_a_run_plans_its_own_and_starts_it_when_it_is_needed(tmp_path):
    """Before, its folders have names and nothing exists; it ends with the process, and is none for others to join."""
    handle = attach_or_plan(own(record={"lr": 0.1}, tags=["x"], group="g"))
    planned = handle.resolve()
    assert handle.run is None and planned.status is None and "&lr=0.1" in planned.name
    assert list(tmp_path.iterdir()) == []
    run = handle.ensure_started()
    assert run is planned is handle.run and run.status == "running" and open_run() is None
    run.log({"a": 1})
    registry.reset()
    (saved,) = rla.runs()
    assert (saved.task, saved.status, saved.hparams, saved.info["rows"]) == ("mine", "finished", {"lr": 0.1}, 1)
    assert json.loads((saved.log_dir / "labels.json").read_text())["tags"] == ["x"]


def test_a_run_that_the_user_opens_takes_the_place_of_a_planned_one(tmp_path):
    """Unless something has been written to the hook's own: that stays."""
    first, second = attach_or_plan(own()), attach_or_plan(own())
    mine = second.ensure_started()
    with rla.run("user", **QUICK) as run:
        assert first.run is run and second.run is mine


def test_a_handle_copies_and_pickles_with_its_hook(tmp_path):
    """A copy made before the start has the same run; whichever starts it, both append."""
    handle = attach_or_plan(own())
    copies = [copy.deepcopy(handle), pickle.loads(pickle.dumps(handle))]
    assert {each.resolve().name for each in copies} == {handle.resolve().name}
    copies[0].ensure_started().log({"a": 1})
    handle.ensure_started().log({"a": 2})
    copies[1].ensure_started().log({"a": 3})
    (saved,) = rla.runs()
    assert saved.metrics()["a"].tolist() == [1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_rows_of_a_forked_child_that_trains_are_counted(tmp_path):
    """Inside of the user's run, whose process waits for the child and ends the run."""
    (tmp_path / "script.py").write_text(
        "import multiprocessing\n"
        "import rla_hooks as rla\n"
        "from rla_hooks.hooks import OwnRun, attach_or_plan\n"
        "def train(handle):\n"
        "    handle.ensure_started().log({'a': 1})\n"
        "with rla.run('t', writers=['csv'], backup='none'):\n"
        "    handle = attach_or_plan(OwnRun('MyHook'))\n"
        "    child = multiprocessing.get_context('fork').Process(target=train, args=(handle,))\n"
        "    child.start()\n"
        "    child.join()\n"
        "    rla.log({'a': 2})\n"
    )
    subprocess.run([sys.executable, "script.py"], cwd=tmp_path, check=True, timeout=60)
    (saved,) = rla.runs()
    assert saved.metrics()["a"].tolist() == [1, 2] and (saved.info["rows"], saved.status) == (2, "finished")


def test_the_first_rows_may_come_from_several_threads(tmp_path):
    """The run is started once, and no row that comes meanwhile is lost."""
    handle = attach_or_plan(own())
    barrier = threading.Barrier(8)

    def log(number):
        barrier.wait(60)
        handle.ensure_started().log({"a": number}, step=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log, range(8)))
    (saved,) = rla.runs()
    assert sorted(saved.metrics()["a"].tolist()) == list(range(8))


def test_a_hook_that_outlives_its_run_says_so_and_goes_on(tmp_path):
    """One clear line in the run's log; no warning, no crash, and the rows are kept."""
    with rla.run("user", writers=["csv", "log"], backup="none") as run:
        handle = attach_or_plan(own())
        handle.ensure_started().log({"a": 1})
    for value in (2, 3):
        handle.ensure_started().log({"a": value})
    text = (run.log_dir / "log.txt").read_text()
    assert text.count("the run has ended (finished); what a hook still gives is added to it") == 1
    assert rla.runs()[0].metrics()["a"].tolist() == [1, 2, 3]


def test_tracking_that_is_off_gives_a_run_that_takes_everything(tmp_path, monkeypatch):
    """No hook needs to ask."""
    monkeypatch.setenv("RLA_MODE", "off")
    handle = attach_or_plan(own())
    run = handle.ensure_started()
    run.log({"a": 1})
    run.report("failed", ValueError("boom"))
    assert handle.run.is_writing is False and run.checkpoint_dir is None
    assert list(tmp_path.iterdir()) == []


def test_tables_leave_stdout_to_a_progress_bar_where_the_hook_says_so(tmp_path):
    """Unless somebody has asked for stdout by name; a hook without a progress bar leaves the tables where they are."""
    for writers, quiet, shown in ((None, True, False), (["csv", "stdout"], True, True), (None, False, True)):
        handle = attach_or_plan(OwnRun("MyHook", writers=writers, backup="none"))
        if quiet:
            handle.resolve().quiet_stdout()
        run = handle.ensure_started()
        assert ("stdout" in [writer.name for writer in run.logger.output_formats]) is shown
        assert ("stdout" in json.loads((run.log_dir / "run.json").read_text())["writers"]) is shown


def test_a_run_may_start_at_once(tmp_path, monkeypatch):
    """It counts as one that the user has opened, and what the training came to stands in run.json."""
    own = OwnRun("Hook", log_root=tmp_path, writers=["csv"], backup="none", record={"seed": 3})
    with rla.run(task="outer", log_root=tmp_path, writers=[], backup="none") as outer:
        run = hooks.start_run(own, {"lr": 0.1})
        assert open_run() is run and run.parent == outer.name
        run.keep_result({"best": 2.5, "model": object()})
        run.finish()
        assert open_run() is outer
    saved = rla.runs(tmp_path)[-1]
    assert (saved.hparams, saved.record, saved.result) == ({"seed": 3, "lr": 0.1}, {"seed": 3}, {"best": 2.5})
    with pytest.raises(ConfigError, match=r"writers has .cvs."):
        hooks.start_run(OwnRun("Hook", writers=["cvs"]))
    monkeypatch.setenv("RLA_MODE", "off")
    assert not hooks.start_run(own).is_writing


def test_a_run_goes_on_without_a_checkpoint_if_the_program_restores_itself(tmp_path, monkeypatch):
    """Also one that has finished, with other hyper-parameters: all rows stay. Else all that is against it is told."""
    options = {"log_root": tmp_path, "writers": ["csv"], "backup": "none"}
    first = hooks.start_run(OwnRun("Hook", **options), {"lr": 0.1})
    first.log({"x": 1}, 0)
    first.finish()
    again = OwnRun("Hook", **options, resume=first.name)
    with pytest.raises(ConfigError, match=r"3 mistakes(.|\n)*has finished(.|\n)*lr(.|\n)*no whole checkpoint"):
        hooks.start_run(again, {"lr": 0.2})
    run = hooks.start_run(again, {"lr": 0.2}, keeps_rows=True)
    assert not run.is_resumed and run.settings.resumed is not None
    run.log({"x": 2})
    run.finish()
    (saved,) = rla.runs(tmp_path)
    assert (saved.status, saved.hparams, len(saved.restarts)) == ("finished", {"lr": 0.2}, 1)
    assert saved.metrics()["time-step"].tolist() == [0, 1] and saved.info["warnings"] == []
    monkeypatch.setenv("RLA_RESUME", first.name)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # to be restored
    with pytest.raises(ConfigError, match="has finished"):  # the user has named it, and not the program
        hooks.start_run(OwnRun("Hook", **options), {"lr": 0.2}, keeps_rows=True)


def test_mistakes_of_an_own_run_are_told_at_once(tmp_path):
    """Unknown options, a record without values, and all that the config checks find."""
    wrong = OwnRun("MyHook", record=["lr"], writers=["cvs"], log_rot="x", tags=3)
    with pytest.raises(ConfigError) as caught:
        attach_or_plan(wrong)
    text = "\n".join(caught.value.problems)
    for part in ("'log_rot'. Known", "Did you mean 'log_root'", "record is ['lr']", "'cvs'", "tags is 3"):
        assert part in text, part
    assert wrong.problems() == caught.value.problems and list(tmp_path.iterdir()) == []
    assert sorted(wrong.given) == ["log_rot", "record", "tags", "writers"]


def test_options_that_nobody_gave_are_no_mistakes(tmp_path):
    """The config that lies here is perhaps not meant: the hook may join a run that has another."""
    (tmp_path / "rla_config.yaml").write_text("LOG_USD: csv\n")
    assert OwnRun("MyHook", "keras", task="keras", config=None, tags=()).given == []
    assert OwnRun("MyHook", "keras", task="keras").problems() == []
    assert OwnRun("MyHook", task="other").problems() != []


def test_arguments_are_checked_in_one_error():
    """Those of the hook, unknown ones with their hints, and those of its run."""
    table = {"mode": Argument("mix", ("min", "max").__contains__, "'min', 'max'"), "verbose": Argument(object())}
    with pytest.raises(ConfigError) as caught:
        check_arguments("MyHook", ["moed", "dirpath"], table, own(writers=["cvs"]), {"dirpath": " Use log_root."})
    first, second, third, fourth = caught.value.problems
    assert first.startswith("unknown argument 'moed'. Known: mode, verbose,") and first.endswith("mean 'mode'?")
    assert second.endswith("Use log_root.") and third == "mode is 'mix'. Allowed: 'min', 'max'." and "'cvs'" in fourth
    assert str(caught.value).startswith("MyHook: 4 mistakes")
    check_arguments("MyHook", [], {"mode": Argument("min", ("min", "max").__contains__)}, own())


def test_figures_are_drawn_at_their_cadence(tmp_path):
    """Each function gets the arguments; None is no figure, an error one warning, and the training goes on."""
    calls = []

    def broken():
        raise ValueError("boom")

    figures = {
        "frame": lambda *arguments: calls.append(arguments) or np.zeros((2, 2)),
        "none": lambda *arguments: None,
        "broken": lambda *arguments: broken(),
    }
    drawn = FigureCalls(figures, every=2)
    with (
        rla.run("t", **QUICK) as run,
        pytest.warns(RLAWarning, match="'broken' was not made: ValueError: boom") as said,
    ):
        for epoch in range(1, 5):
            drawn.draw(run, epoch * 10, epoch, "model", epoch, prefix="eval/")
    assert calls == [("model", 2), ("model", 4)] and len(said) == 1
    files = sorted(file.relative_to(run.results_dir).as_posix() for file in run.results_dir.rglob("*.png"))
    assert files == ["eval/frame-20.png", "eval/frame-40.png"]
    assert FigureCalls.fits(figures) and FigureCalls.fits(None)
    assert not FigureCalls.fits([print]) and not FigureCalls.fits({"a": 1})


def test_what_no_figures_or_cadence_can_be_made_of_is_told_at_once(tmp_path):
    """Not by a division by zero at the first epoch; a name that is no text is shown as one."""
    for every in (0, -1, 1.5, None, "2"):
        with pytest.raises(ConfigError, match=r"every is .*Allowed: a whole number of epochs above 0"):
            FigureCalls({}, every=every)
    with pytest.raises(ConfigError, match=r"figures is .*Allowed: a mapping"):
        FigureCalls([print])
    with rla.run("t", **QUICK) as run:
        FigureCalls({7: lambda: np.zeros((2, 2))}).draw(run, 1, 1)
    assert [file.name for file in run.results_dir.iterdir()] == ["7-1.png"]
    for value in ("10", [1], 1j, float("nan"), -1):
        for option in ("steps", "seconds"):
            with pytest.raises(ConfigError, match=f"{option} is .*Allowed: a number above 0"):
                Every(**{option: value})
    assert Every(steps=np.int64(2))(0)


def test_an_option_may_be_any_object(tmp_path):
    """An array has no truth; it is a mistake like any other."""
    (problem,) = OwnRun("MyHook", tags=np.zeros(2), log_root=tmp_path).problems()
    assert problem.startswith("tags is array([0., 0.]) (ndarray). Allowed")


def test_a_cadence_counts_steps_or_seconds(monkeypatch):
    """The first call is one; a step that goes back begins anew; both together: whichever comes first."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    by_steps = Every(steps=10)
    assert [step for step in (0, 4, 9, 10, 12, 25, 3, 4, 13) if by_steps(step)] == [0, 10, 25, 3, 13]
    by_seconds = Every(seconds=5)
    asked = []
    for passed in (0, 2, 5, 1, 6):
        now[0] += passed
        asked.append(by_seconds(0))
    assert asked == [True, False, True, False, True]
    both = Every(steps=10, seconds=5)
    assert both(0) and not both(5)
    now[0] += 5
    assert both(6) and both(16)
    with pytest.raises(ConfigError, match="neither steps nor seconds"):
        Every()
    with pytest.raises(ConfigError, match="steps is 0"):
        Every(steps=0)


def test_runs_that_are_open_side_by_side(own_home, tmp_path, monkeypatch):
    """None is current, or the parent of another one; the run that the user has open is the parent of all."""
    monkeypatch.chdir(tmp_path)
    with rla.run(task="around", writers=["csv"], backup="none") as around:
        trials = [start_run(OwnRun("Hook", writers=["csv"], backup="none"), {"lr": lr}, beside=True) for lr in (1, 2)]
        assert open_run() is around and [trial.parent for trial in trials] == [around.name] * 2
        for trial in trials[::-1]:
            trial.log({"loss": 0.5}, step=0)
            trial.finish()
    alone = [start_run(OwnRun("Hook", writers=["csv"], backup="none"), beside=True) for _ in range(2)]
    assert open_run() is None and [trial.parent for trial in alone] == [None, None]
    for trial in alone:
        trial.finish()
    assert sorted(run.status for run in rla.runs()) == ["finished"] * 5
