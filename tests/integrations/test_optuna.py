"""Trials of real Optuna studies are runs: parameters, reports, how they end, their values, and the best one."""

import json
import os
import runpy
import signal
import threading
import time
from pathlib import Path

import pytest

import rla_hooks as rla
from rla_hooks.errors import ConfigError, RLAWarning

CSV = {"writers": ["csv"]}


@pytest.fixture
def optuna():
    """The package, which says nothing."""
    package = pytest.importorskip("optuna")
    package.logging.set_verbosity(package.logging.ERROR)
    return package


@pytest.fixture
def hook(optuna):
    """rla_hooks.integrations.optuna, which knows of no study yet."""
    from rla_hooks.integrations import optuna as module

    yield module
    module._waiting.clear()


@pytest.fixture
def square(hook):
    """An objective: (x - 2)², for x of -10 to 10. ``act``: called in the block with the trial and its run."""

    def make(act=lambda trial, run: None, **options):
        def objective(trial):
            with hook.optuna_trial(trial, **CSV, **options) as run:
                x = trial.suggest_float("x", -10, 10)
                act(trial, run)
                return (x - 2) ** 2

        return objective

    return make


def _values_of(study, xs, objective, **options):
    """Let the study try these x."""
    for x in xs:
        study.enqueue_trial({"x": x})
    study.optimize(objective, n_trials=len(xs), **options)


def _tagged(runs):
    return [run.title for run in runs if "best" in run.tags]


# --- what a run has ---------------------------------------------------------------------------------------------------


def test_a_study(optuna, hook, here, runs, read_rows):
    """Parameters, reports, endings, names, values and the best of a study that prunes, fails and goes on."""

    def objective(trial):
        with hook.optuna_trial(trial, task="sweep", env="CartPole-v1", **CSV) as run:
            assert rla.current_run() is run
            lr = trial.suggest_float("lr", 0, 1)
            assert json.loads(run.paths.parameter_json.read_text())["lr"] == lr, "at once: it may be killed"
            layers = trial.suggest_int("layers", low=1, high=2)
            widths = [trial.suggest_categorical(f"width.{layer}", [32, 64]) for layer in range(layers)]
            assert len(widths) == layers
            for step in range(0, 6, 2):
                trial.report(lr + step, step=step)
                rla.log({"perf/return": lr * step}, step=step)
                if trial.should_prune():
                    raise optuna.TrialPruned
            if lr == 0.75:
                raise ValueError("diverged")
        return lr

    study = optuna.create_study(study_name="lrs", pruner=optuna.pruners.ThresholdPruner(upper=4.9))
    for lr, layers in ((0.25, 2), (1.0, 1), (0.75, 1), (0.5, 1)):
        study.enqueue_trial({"lr": lr, "layers": layers, "width.0": 64, "width.1": 32})
    study.optimize(objective, n_trials=3, catch=(ValueError,))
    study.optimize(objective, n_trials=1, callbacks=[hook.mark_best])

    found = runs()
    assert [run.status for run in found] == ["finished", "pruned", "failed", "finished"]
    assert [run.title for run in found] == ["trial 0", "trial 1", "trial 2", "trial 3"]
    assert {(run.task, run.group) for run in found} == {("sweep", "lrs")}
    for run, trial in zip(found, study.trials):
        about = {"optuna.trial": trial.number, "optuna.study": "lrs", "env": "CartPole-v1"}
        assert run.hparams == {**about, **trial.params}
        rows = read_rows(run.paths.progress_csv)
        reported = {
            int(row["time-step"]): float(row["optuna/intermediate_value"])
            for row in rows
            if "optuna/intermediate_value" in row
        }
        assert reported == trial.intermediate_values
        assert trial.user_attrs["rla_runs"] == [run.name]
        assert vars(trial).keys() == vars(study.trials[0]).keys()
    assert found[0].hparams["width.1"] == 32 and "width.1" not in found[1].hparams
    assert "diverged" in found[2].run_json["error"]
    assert [run.last.get("optuna/value") for run in found] == [0.25, None, None, 0.5]
    assert _tagged(found) == ["trial 0"]
    best = rla.runs(here / "root", where="'best' in tags and group == 'lrs' and last.optuna/value < 1")
    assert [run.hparams["lr"] for run in best] == [study.best_params["lr"]]
    assert found[0].run_json["rows"] == 7


def test_names_of_runs(optuna, hook, here, runs):
    """Parameters that were suggested before the block may stand in the name; labels that are given are kept."""

    def objective(trial):
        lr = trial.suggest_float("lr", 0.5, 0.5)
        with hook.optuna_trial(trial, record=["lr"], title="mine", group="ours", hyper_parameters={"task": 3}, **CSV):
            return lr

    optuna.create_study(study_name="odd\nname").optimize(objective, n_trials=1)
    (run,) = runs()
    assert run.name.endswith("&lr=0.5")
    assert (run.title, run.group, run.hparams["task"]) == ("mine", "ours", 3)
    assert run.hparams["optuna.study"] == "odd\nname"


def test_several_blocks_of_one_trial(optuna, hook, here, runs):
    """Folds, say: each is a run, and all of them get the value and the tag."""

    def objective(trial):
        for fold in range(2):
            with hook.optuna_trial(trial, fold=fold, **CSV):
                trial.suggest_float("x", 0, 1)
        return 1.0

    study = optuna.create_study()
    study.optimize(objective, n_trials=1, callbacks=[hook.mark_best])
    assert [(run.hparams["fold"], run.last["optuna/value"], run.tags) for run in runs()] == [
        (0, 1.0, ["best"]),
        (1, 1.0, ["best"]),
    ]
    assert study.trials[0].user_attrs["rla_runs"] == [run.name for run in runs()]


def test_trials_without_a_study(optuna, hook, here, runs, read_rows):
    """Fixed trials, and the best of a study, which is evaluated again."""

    def objective(trial):
        with hook.optuna_trial(trial, **CSV):
            x = trial.suggest_float("x", 0, 4)
            trial.report("no number", "no step")  # which these trials take
            trial.report(x, 3)
        return x

    before = optuna.trial.create_trial(
        params={"x": 3.0}, distributions={"x": optuna.distributions.FloatDistribution(0, 4)}, value=3.0
    )
    for trial in (optuna.trial.FixedTrial({"x": 2.0}, number=7), before):
        attributes = dict(vars(trial))
        objective(trial)
        assert vars(trial).keys() == attributes.keys()
    assert [(run.hparams["x"], run.title, run.group) for run in runs()] == [
        (2.0, "trial 7", None),
        (3.0, f"trial {before.number}", None),
    ]
    (row,) = read_rows(runs()[0].paths.progress_csv)
    assert (row["time-step"], row["optuna/intermediate_value"]) == ("3", "2.0")


# --- how a trial ends -------------------------------------------------------------------------------------------------


def test_endings_that_only_the_study_knows(optuna, hook, here, runs):
    """No number from the objective, and what ``study.tell`` says after a block that has ended well."""
    study = optuna.create_study()
    states = optuna.trial.TrialState

    def told(*arguments, **named):
        trial = study.ask()
        with hook.optuna_trial(trial, **CSV):
            trial.suggest_float("x", 0, 1)
        assert runs()[-1].status == "finished"
        study.tell(trial, *arguments, **named)

    told(2.0)
    told(state=states.PRUNED)
    told(state=states.FAIL)
    hook.mark_best(study)
    study.optimize(lambda trial: hook.optuna_trial(trial, **CSV).__enter__().finish(), n_trials=1)
    hook.mark_best(study)
    found = runs()
    assert [run.status for run in found] == ["finished", "pruned", "failed", "failed"]
    assert "Optuna takes this trial as failed" in found[3].run_json["error"]
    assert _tagged(found) == ["trial 0"]


def test_ctrl_c_in_a_trial(optuna, square, here, runs):
    """The run is interrupted, the exception passes, and the trial has its own methods again."""
    trials = []

    def interrupt(trial, run):
        trials.append(trial)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        optuna.create_study().optimize(square(interrupt), n_trials=1)
    assert [run.status for run in runs()] == ["interrupted"]
    assert not {"report", "suggest_float", "_rla_listener"} & set(vars(trials[0]))


def test_programs(hook, here, runs, warm):
    """The value of the last trial is added when the program ends; a trial that is killed has what it had until then."""
    program = (
        "import os, sys, time, optuna\n"
        "from rla_hooks.integrations.optuna import optuna_trial\n"
        "def objective(trial):\n"
        "    with optuna_trial(trial, task='program', writers=['csv']):\n"
        "        x = trial.suggest_float('x', 1, 2)\n"
        "        trial.report(x, 0)\n"
        "        if trial.number == 2:\n"
        "            open('ready', 'w').close()\n"
        "            time.sleep(600)\n"
        "    return x\n"
        "def optimize():\n"
        "    optuna.create_study().optimize(objective, n_trials=int(sys.argv[1]))\n"
        "if sys.argv[2:]:\n"
        "    import multiprocessing\n"
        "    child = multiprocessing.get_context('fork').Process(target=optimize)\n"
        "    child.start()\n"
        "    child.join()\n"
        "else:\n"
        "    optimize()\n"
    )
    python = warm("optuna")
    done = python.run("-c", program, "2", cwd=here)
    assert done.returncode == 0, done.stderr
    assert [run.last["optuna/value"] for run in runs()] == [run.hparams["x"] for run in runs()]
    assert len(_tagged(runs())) == 1
    if hasattr(os, "fork"):
        done = python.run("-c", program, "2", "in a child", cwd=here)
        assert done.returncode == 0, done.stderr
        assert len(runs()) == 4 and runs()[-1].last["optuna/value"] == runs()[-1].hparams["x"]
        assert len(_tagged(runs())) == 2
    killed = python.start("-c", program, "3", cwd=here)
    deadline = time.monotonic() + 200
    while not Path("ready").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.ended()
    last = runs()[-1]
    assert (last.status, last.title) == ("killed", "trial 2")
    assert last.last["optuna/intermediate_value"] == last.hparams["x"]


# --- values, and the best ---------------------------------------------------------------------------------------------


def test_the_tag_moves_to_the_best(optuna, hook, square, here, runs):
    """As a callback at once; by itself with the next trial and at the end of the run around the study."""
    seen = []

    def look(study, trial):
        seen.append(_tagged(runs()))

    study = optuna.create_study()
    _values_of(study, [8, 5, 6, 3], square(), callbacks=[hook.mark_best, look])
    assert seen == [["trial 0"], ["trial 1"], ["trial 1"], ["trial 3"]]

    @rla.track(task="main", **CSV)
    def main():
        _values_of(study, [2, 4], square())
        assert _tagged(runs()) == ["trial 4"], "trial 4 has ended when trial 5 began"
        assert "optuna/value" not in runs()[-1].last

    main()
    assert runs()[-1].last["optuna/value"] == 4
    assert {run.parent for run in runs() if run.title == "trial 5"} == {rla.runs(here / "root", task="main")[0].name}
    assert _tagged(runs()) == ["trial 4"]


def test_studies_of_one_group_have_a_best_each(optuna, hook, square, here, runs):
    """The group is one that the user gives."""
    for name, xs in {"first": [4, 3], "second": [5, 6]}.items():
        study = optuna.create_study(study_name=name)
        _values_of(study, xs, square(group="sweep"), callbacks=[hook.mark_best])
    assert ["best" in run.tags for run in runs()] == [False, True, True, False]


def test_a_better_trial_ends_meanwhile(optuna, hook, here, runs, monkeypatch):
    """In another process, which marks it, while this one marks the best that it knows: the better one stays."""
    study = optuna.create_study()
    trials = [study.ask(), study.ask()]
    for trial in trials:
        with hook.optuna_trial(trial, **CSV):
            pass
    mark = hook._best.mark

    def slow(*arguments):
        if study.trials[1].state.name == "RUNNING":
            study.tell(trials[1], 1.0)
        mark(*arguments)

    monkeypatch.setattr(hook._best, "mark", slow)
    study.tell(trials[0], 2.0)
    hook.mark_best(study)
    assert _tagged(runs()) == ["trial 1"]


def test_a_study_that_is_loaded_again(optuna, hook, square, here, runs):
    """By another process, which has not seen its trials: numbers go on, and the tag moves off an earlier run."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    def study():
        hook._waiting.clear()
        storage = JournalStorage(JournalFileBackend("study.log"))
        return optuna.create_study(storage=storage, study_name="kept", load_if_exists=True)

    _values_of(study(), [4, 5], square(), callbacks=[hook.mark_best])
    _values_of(study(), [6], square(), callbacks=[hook.mark_best])
    assert _tagged(runs()) == ["trial 0"]
    _values_of(study(), [3, 5], square(), callbacks=[hook.mark_best])
    found = runs()
    assert [run.title for run in found] == [f"trial {number}" for number in range(5)]
    assert {run.group for run in found} == {"kept"}
    assert _tagged(found) == ["trial 3"]


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files as Linux lists them")
def test_a_long_study_leaves_no_files_open(optuna, hook, square, here, runs):
    """Though the value of a trial is added after the end of its run."""
    study = optuna.create_study()
    _values_of(study, [1], square(), callbacks=[hook.mark_best])
    before = len(os.listdir("/proc/self/fd"))
    _values_of(study, [2, 3, 4, 5, 6], square(), callbacks=[hook.mark_best])
    assert len(os.listdir("/proc/self/fd")) <= before
    assert [run.run_json["last"]["optuna/value"] for run in runs()] == [1, 0, 1, 4, 9, 16]


def test_hundreds_of_parameters(optuna, hook, here, runs):
    """All of them are there at the end, and those that were suggested first at once."""

    def objective(trial):
        with hook.optuna_trial(trial, **CSV) as run:
            for number in range(300):
                trial.suggest_int(f"x{number}", 0, 9)
            assert len(json.loads(run.paths.parameter_json.read_text())) > 270
        return 0

    study = optuna.create_study(sampler=optuna.samplers.RandomSampler())
    study.optimize(objective, n_trials=1)
    assert study.best_params.items() <= runs()[0].hparams.items()


@pytest.mark.filterwarnings("ignore:optuna.study.study:Warning")
def test_several_objectives(optuna, hook, here, runs):
    """Each has a column; the trials of the Pareto front have the tag."""

    def objective(trial):
        with hook.optuna_trial(trial, **CSV):
            x = trial.suggest_float("x", -10, 10)
        return x**2, (x - 1) ** 2

    study = optuna.create_study(directions=["minimize", "minimize"])
    _values_of(study, [5, 0], objective, callbacks=[hook.mark_best])
    assert _tagged(runs()) == ["trial 1"]
    study.set_metric_names(["size", "distance"])
    _values_of(study, [1, 3], objective, callbacks=[hook.mark_best])
    assert _tagged(runs()) == ["trial 1", "trial 2"]
    assert (runs()[0].last["optuna/values/0"], runs()[0].last["optuna/values/1"]) == (25, 16)
    assert (runs()[3].last["optuna/values/size"], runs()[3].last["optuna/values/distance"]) == (9, 4)


def test_trials_in_threads(optuna, hook, square, here, runs):
    """Each thread's rows go to its own trial, and the run around the study is the parent of all."""
    both = threading.Barrier(2, timeout=60)

    def report(trial, run):
        if trial.number < 2:
            both.wait()
        for step in range(20):
            trial.report(trial.number, step)
            rla.log({"mine": trial.number}, step=step)
            assert rla.current_run() is run

    @rla.track(task="main", **CSV)
    def main():
        study = optuna.create_study()
        study.optimize(square(report), n_trials=4, n_jobs=2)
        return study.best_trial.number

    best = main()
    (main_run,) = rla.runs(here / "root", task="main")
    trials = sorted((run for run in runs() if run.task != "main"), key=lambda run: run.hparams["optuna.trial"])
    assert len(trials) == 4 and main_run.run_json["rows"] == 0
    for number, run in enumerate(trials):
        frame = run.metrics()
        assert (run.parent, run.status) == (main_run.name, "finished")
        assert set(frame["mine"].dropna()) == set(frame["optuna/intermediate_value"].dropna()) == {number}
        assert (len(frame), run.last["optuna/value"]) == (41, (run.hparams["x"] - 2) ** 2)
    assert _tagged(trials) == [f"trial {best}"]


# --- bad input --------------------------------------------------------------------------------------------------------


def test_mistakes(optuna, hook, square, here):
    """They say what is allowed, before anything is created."""
    study = optuna.create_study()
    with pytest.raises(ConfigError, match=r"trial is <optuna.*Study.*Allowed: the trial that study.optimize passes"):
        hook.optuna_trial(study)
    trial = study.ask()
    with pytest.raises(ConfigError) as found, hook.optuna_trial(trial, record=["lr"], tags="a", backup="sauce"):
        pass
    said = str(found.value)
    assert "suggest them before the block" in said and "tags is 'a'" in said and "Did you mean 'source'?" in said
    assert not (here / "root").exists() and not trial.user_attrs
    with pytest.raises(ConfigError, match="hyper_parameters is 3"), hook.optuna_trial(trial, hyper_parameters=3):
        pass


def test_a_block_within_its_own_block(optuna, hook, square, here, runs):
    """The trial has a run already."""

    def again(trial, run):
        with pytest.raises(ConfigError, match="trial 0 is in a block of optuna_trial already"):
            hook.optuna_trial(trial).__enter__()

    optuna.create_study().optimize(square(again), n_trials=1)
    assert len(runs()) == 1


def test_reports_that_optuna_does_not_take(optuna, hook, square, here, runs):
    """Its errors are the program's; NaN is a value."""

    def report(trial, run):
        trial.report(float("nan"), 0)
        for wrong in (("x", 1), (1.0, -1), (1.0, "x")):
            with pytest.raises((TypeError, ValueError)):
                trial.report(*wrong)

    optuna.create_study().optimize(square(report), n_trials=1)
    assert runs()[0].metrics()["optuna/intermediate_value"].isna().tolist() == [True]


def test_a_storage_that_fails(optuna, hook, square, here, runs):
    """The trials are recorded, with one warning each for names and values."""

    class Storage(optuna.storages.InMemoryStorage):
        def set_trial_user_attr(self, *arguments):
            raise OSError("no space")

    study = optuna.create_study(storage=Storage())
    with pytest.warns(RLAWarning, match="the study does not name the runs.*no space") as warned:
        _values_of(study, [1, 2], square(), callbacks=[hook.mark_best])
    assert len([each for each in warned if each.category is RLAWarning]) == 1
    assert [run.last["optuna/value"] for run in runs()] == [1, 0]


def test_tracking_off(optuna, hook, square, here, monkeypatch):
    """Nothing is written, and the study is as without rla_hooks."""
    monkeypatch.setenv("RLA_MODE", "off")
    study = optuna.create_study()
    _values_of(study, [1], square(lambda trial, run: trial.report(1.0, 0)), callbacks=[hook.mark_best])
    assert (study.best_value, study.trials[0].user_attrs) == (1, {})
    assert not (here / "root").exists()


def test_a_missing_optuna(hook, monkeypatch):
    """The error has the line that installs it."""
    from rla_hooks.integrations import _versions

    monkeypatch.setattr(_versions, "is_installed", lambda package: False)
    with pytest.raises(ImportError, match=r"optuna is not installed. Install it: pip install 'rla-hooks\[optuna\]'"):
        runpy.run_path(hook.__file__)
